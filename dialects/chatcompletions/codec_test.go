package chatcompletions

import (
	"errors"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/providers"
)

func TestTheCodecIsRegistered(t *testing.T) {
	if c := dialects.Lookup(providers.Chat); c == nil || c.Name() != providers.Chat {
		t.Fatalf("Lookup returned %v", c)
	}
}

func TestHeadReadsWhatRoutesAndCosts(t *testing.T) {
	for _, tt := range []struct {
		name, doc string
		want      dialects.Head
	}{
		{"embeddings have no messages", `{"model":"m","input":"x"}`, dialects.Head{Model: "m", N: 1}},
		{
			"all members", `{"model":"m","stream":true,"max_tokens":5,"n":2,"stream_options":{"include_usage":true},"prompt_cache_key":"k","user":"u","tools":[{}]}`,
			dialects.Head{Model: "m", Stream: true, MaxTokens: 5, N: 2, IncludeUsage: true, CacheKey: "k", EndUser: "u", HasTools: true},
		},
		{"null is absent", `{"model":"m","stream":null,"max_tokens":null,"n":null,"stream_options":null,"tools":null,"user":null}`, dialects.Head{Model: "m", N: 1}},
		{"the newer name of the limit wins", `{"model":"m","max_tokens":5,"max_completion_tokens":7}`, dialects.Head{Model: "m", MaxTokens: 7, N: 1}},
		{"a null limit leaves the other one", `{"model":"m","max_completion_tokens":null,"max_tokens":5}`, dialects.Head{Model: "m", MaxTokens: 5, N: 1}},
		{"a negative limit is none", `{"model":"m","max_tokens":-1}`, dialects.Head{Model: "m", N: 1}},
		{"integral floats are integers", `{"model":"m","max_tokens":1e3,"n":1.0}`, dialects.Head{Model: "m", MaxTokens: 1000, N: 1}},
		{"an empty array of tools is none", `{"model":"m","tools":[ ]}`, dialects.Head{Model: "m", N: 1}},
		{"legacy functions are tools", `{"model":"m","functions":[{}]}`, dialects.Head{Model: "m", N: 1, HasTools: true, LegacyCalls: true}},
		{"escapes in the model", `{"model":"a\/b"}`, dialects.Head{Model: "a/b", N: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, got, err := dialecttest.Head(Codec{}, []byte(tt.doc)); err != nil || got != tt.want {
				t.Errorf("got %+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}

func TestHeadNamesTheMemberAtFault(t *testing.T) {
	for _, tt := range []struct{ doc, param string }{
		{`{}`, "model"},
		{`{"model":null}`, "model"},
		{`{"model":""}`, "model"},
		{`{"model":7}`, "model"},
		{`{"model":"m","stream":"true"}`, "stream"},
		{`{"model":"m","n":0}`, "n"},
		{`{"model":"m","n":1000000}`, "n"},
		{`{"model":"m","n":1.5}`, "n"},
		{`{"model":"m","max_tokens":"many"}`, "max_tokens"},
		{`{"model":"m","max_completion_tokens":1e99}`, "max_completion_tokens"},
	} {
		_, _, err := dialecttest.Head(Codec{}, []byte(tt.doc))
		var e *dialects.RequestError
		if !errors.As(err, &e) || e.Param != tt.param || e.Status != 400 {
			t.Errorf("%s: got %v, want an error about %s", tt.doc, err, tt.param)
		}
	}
}

func TestSpliceChangesNoOtherByte(t *testing.T) {
	ask := dialects.SpliceOptions{Model: "m", AskUsage: true}
	for _, tt := range []struct {
		name, doc, want string
		o               dialects.SpliceOptions
		hide            bool
	}{
		{"model", `{ "model" : "m","x":1}`, `{ "model" : "o/\"x","x":1}`, dialects.SpliceOptions{Model: `o/"x`}, false},
		{"same model", `{"model":"m","stream":true}`, `{"model":"m","stream":true}`, dialects.SpliceOptions{Model: "m"}, false},
		{"no target model", `{"model":"m"}`, `{"model":"m"}`, dialects.SpliceOptions{}, false},
		{"unary", `{"model":"m"}`, `{"model":"m"}`, ask, false},
		{"usage asked by the client", `{"model":"m","stream":true,"stream_options":{"include_usage":true}}`, `{"model":"m","stream":true,"stream_options":{"include_usage":true}}`, ask, false},
		{"options missing", `{"model":"m","stream":true}`, `{"model":"m","stream":true,"stream_options":{"include_usage":true}}`, ask, true},
		{"options null", `{"model":"m","stream":true,"stream_options":null}`, `{"model":"m","stream":true,"stream_options":{"include_usage":true}}`, ask, true},
		{"options empty", `{"model":"m","stream_options":{},"stream":true}`, `{"model":"m","stream_options":{"include_usage":true},"stream":true}`, ask, true},
		{"usage refused", `{"model":"m","stream":true,"stream_options":{"include_usage":false,"a":1}}`, `{"model":"m","stream":true,"stream_options":{"include_usage":true,"a":1}}`, ask, true},
		{"other options", `{"model":"m","stream":true,"stream_options":{"a":1}}`, `{"model":"m","stream":true,"stream_options":{"a":1,"include_usage":true}}`, ask, true},
		{"options of the wrong type", `{"model":"m","stream":true,"stream_options":[]}`, `{"model":"m","stream":true,"stream_options":[]}`, ask, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc := []byte(tt.doc)
			obj, h, err := dialecttest.Head(Codec{}, doc)
			if err != nil {
				t.Fatal(err)
			}
			s := Codec{}.Splice(doc, obj, h, tt.o, nil)
			got := jsonedit.Apply(nil, doc, s.Edits)
			if v := gjson.ParseBytes(got); !gjson.ValidBytes(got) || v.Get("model").Str != gjson.Get(tt.want, "model").Str ||
				v.Get("stream_options").Value() == nil != (gjson.Get(tt.want, "stream_options").Value() == nil) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if normalize(string(got)) != normalize(tt.want) || s.HideUsage != tt.hide {
				t.Errorf("got %s, hide %v; want %s, hide %v", got, s.HideUsage, tt.want, tt.hide)
			}
		})
	}
}

// normalize makes the place where members were inserted irrelevant: it sorts them.
func normalize(doc string) string { return gjson.Get(doc, `@pretty:{"sortKeys":true}`).Raw }

func TestNumbersAreReadHoweverTheyAreSpelled(t *testing.T) {
	for _, tt := range []struct {
		raw  string
		want int64
		ok   bool
	}{
		{"7", 7, true},
		{"7.0", 7, true},
		{"1e3", 1000, true},
		{`"7"`, 7, true},
		{"-5", -5, true},
		{"9007199254740993", 9007199254740993, true},
		{"7.5", 0, false},
		{"1e400", 0, false},
		{`"x"`, 0, false},
		{"null", 0, false},
		{"[7]", 0, false},
	} {
		in := jsonedit.NewReader([]byte(tt.raw))
		if n, ok := wholeNumber(&in); n != tt.want || ok != tt.ok {
			t.Errorf("%s: got %d, %v", tt.raw, n, ok)
		}
	}
}
