package responses

import (
	"errors"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/providers"
)

func TestRegistered(t *testing.T) {
	if dialects.Lookup(providers.Responses) == nil {
		t.Fatal("the codec is not registered")
	}
}

func TestHead(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       dialects.Head
		param      string // of the error
	}{
		{name: "the least", body: `{"model":"m","input":"hi"}`, want: dialects.Head{Model: "m", N: 1}},
		{
			name: "all of it",
			body: `{"model":"a\/b","stream":true,"max_output_tokens":1e3,"prompt_cache_key":"k","user":"old","safety_identifier":"u","tools":[{"type":"web_search"}]}`,
			want: dialects.Head{Model: "a/b", Stream: true, MaxTokens: 1000, N: 1, CacheKey: "k", EndUser: "u", HasTools: true},
		},
		{name: "the older user stands in", body: `{"model":"m","user":"u"}`, want: dialects.Head{Model: "m", N: 1, EndUser: "u"}},
		{
			name: "null is absent",
			body: `{"model":"m","stream":null,"max_output_tokens":null,"prompt_cache_key":null,"user":null,"tools":null}`,
			want: dialects.Head{Model: "m", N: 1},
		},
		{name: "an empty tool list is none", body: `{"model":"m","tools":[]}`, want: dialects.Head{Model: "m", N: 1}},
		{name: "hints of another type are left to the provider", body: `{"model":"m","user":7}`, want: dialects.Head{Model: "m", N: 1}},
		{name: "a model is needed", body: `{}`, param: "model"},
		{name: "a null model is none", body: `{"model":null}`, param: "model"},
		{name: "a model has a name", body: `{"model":""}`, param: "model"},
		{name: "a model is text", body: `{"model":["m"]}`, param: "model"},
		{name: "stream is a flag", body: `{"model":"m","stream":"true"}`, param: "stream"},
		{name: "a negative limit is refused", body: `{"model":"m","max_output_tokens":-1}`, param: "max_output_tokens"},
		{name: "a zero limit is refused", body: `{"model":"m","max_output_tokens":0}`, param: "max_output_tokens"},
		{name: "a limit as text is refused", body: `{"model":"m","max_output_tokens":"5"}`, param: "max_output_tokens"},
		{name: "a fraction is refused", body: `{"model":"m","max_output_tokens":1.5}`, param: "max_output_tokens"},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc := []byte(c.body)
			got, err := Codec{}.Head(doc, dialecttest.Scan(t, Codec{}, c.body))
			clear(doc) // the head must outlive the buffer
			if c.param != "" {
				var e *dialects.RequestError
				if !errors.As(err, &e) || e.Param != c.param || e.Status != 400 {
					t.Fatalf("got %#v, want an error about %q", err, c.param)
				}
				return
			}
			if err != nil || got != c.want {
				t.Fatalf("got %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

func TestReasoningOfAnotherVendorIsNotSentOn(t *testing.T) {
	foreign := `{"type":"reasoning","summary":[],"encrypted_content":"~llmgateway:gemini:c2ln"}`
	for _, c := range []struct{ body, want string }{
		{`{"model":"m","input":[ ` + foreign + ` , {"role":"user","content":"x"}]}`, `{"model":"m","input":[ {"role":"user","content":"x"}]}`},
		{`{"model":"m","input":[{"role":"user","content":"x"},` + foreign + `,` + foreign + `]}`, `{"model":"m","input":[{"role":"user","content":"x"}]}`},
		{`{"model":"m","input":[{"type":"reasoning","encrypted_content":"own"},` + foreign + `,{"a":1}]}`, `{"model":"m","input":[{"type":"reasoning","encrypted_content":"own"},{"a":1}]}`},
		{`{"model":"m","input":[{"role":"user","content":"~llmgateway:gemini:c2ln"}]}`, `{"model":"m","input":[{"role":"user","content":"~llmgateway:gemini:c2ln"}]}`},
		{`{"model":"m","input":"~llmgateway:gemini:c2ln"}`, `{"model":"m","input":"~llmgateway:gemini:c2ln"}`},
	} {
		doc, obj := []byte(c.body), dialecttest.Scan(t, Codec{}, c.body)
		s := Codec{}.Splice(doc, obj, dialects.Head{Model: "m"}, dialects.SpliceOptions{Model: "m"}, nil)
		if got := string(jsonedit.Apply(nil, doc, s.Edits)); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestSpliceReplacesTheModelOnly(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{`{ "input": "model", "model" : "alias" , "stream":true}`, `{ "input": "model", "model" : "gpt-\"x\"" , "stream":true}`},
		{`{"model":"gpt-\"x\""}`, `{"model":"gpt-\"x\""}`},
	} {
		doc, obj := []byte(c.body), dialecttest.Scan(t, Codec{}, c.body)
		h, err := Codec{}.Head(doc, obj)
		if err != nil {
			t.Fatal(err)
		}
		s := Codec{}.Splice(doc, obj, h, dialects.SpliceOptions{Model: `gpt-"x"`, AskUsage: true}, nil)
		if got := string(jsonedit.Apply(nil, doc, s.Edits)); got != c.want || s.HideUsage {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestKnownKeysMustStandOnce(t *testing.T) {
	for _, body := range []string{`{"model":"a","model":"b"}`, `{"model":"a","Model":"b"}`, `{"model":"a","max_output_tokens":1,"max_output_tokens":2}`} {
		var obj jsonedit.Object
		if err := jsonedit.Scan([]byte(body), Codec{}.KnownKeys(), jsonedit.Limits{}, &obj); err == nil {
			t.Errorf("%s was accepted", body)
		}
	}
}
