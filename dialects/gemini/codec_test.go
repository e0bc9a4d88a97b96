package gemini

import (
	"reflect"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/providers"
)

func TestRegistered(t *testing.T) {
	if _, ok := dialects.Lookup(providers.Gemini).(dialects.Encoder); !ok {
		t.Fatal("the codec is not registered as an encoder")
	}
}

func TestHead(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       dialects.Head
		param      string // of the error
	}{
		{name: "an ordinary request", body: `{"contents":[]}`, want: dialects.Head{N: 1}},
		{
			name: "limits in camelCase",
			body: `{"generationConfig":{"maxOutputTokens":100,"candidateCount":2},"tools":[{"googleSearch":{}}]}`,
			want: dialects.Head{N: 2, MaxTokens: 100, HasTools: true},
		},
		{
			name: "limits in snake_case, as text and as a single tool",
			body: `{"generation_config":{"max_output_tokens":"100","candidate_count":2.0},"tools":{"function_declarations":[]}}`,
			want: dialects.Head{N: 2, MaxTokens: 100, HasTools: true},
		},
		{name: "null is absent", body: `{"generationConfig":null}`, want: dialects.Head{N: 1}},
		{name: "null limit is absent", body: `{"generationConfig":{"maxOutputTokens":null}}`, want: dialects.Head{N: 1}},
		{name: "an empty tool list is none", body: `{"tools":[]}`, want: dialects.Head{N: 1}},
		{name: "a negative limit is refused", body: `{"generationConfig":{"maxOutputTokens":-1}}`, param: "generationConfig.maxOutputTokens"},
		{name: "a zero limit is refused", body: `{"generationConfig":{"maxOutputTokens":0}}`, param: "generationConfig.maxOutputTokens"},
		{name: "an absurd limit is refused", body: `{"generationConfig":{"maxOutputTokens":1e18}}`, param: "generationConfig.maxOutputTokens"},
		{name: "a limit in both spellings is refused", body: `{"generationConfig":{"maxOutputTokens":1,"max_output_tokens":9}}`, param: "generationConfig.maxOutputTokens"},
		{name: "a limit that stands there twice is refused", body: `{"generationConfig":{"candidateCount":1,"candidateCount":9}}`, param: "generationConfig.candidateCount"},
		{name: "a member in both spellings is refused", body: `{"generationConfig":{},"generation_config":{}}`, param: "generationConfig"},
		{name: "a config that is no object is refused", body: `{"generationConfig":[]}`, param: "generationConfig"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Codec{}.Head([]byte(c.body), dialecttest.Scan(t, Codec{}, c.body))
			if c.param != "" {
				if err == nil || paramOf(err) != c.param {
					t.Fatalf("got error %v about %q, want one about %q", err, paramOf(err), c.param)
				}
				return
			}
			if err != nil || got != c.want {
				t.Fatalf("got %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

func TestSplice(t *testing.T) {
	for _, c := range []struct{ name, model, body, want string }{
		{"a body that names no model stays as it is", "m", `{"contents" : []}`, `{"contents" : []}`},
		{
			"the model of an embedding is replaced", "m", `{"model":"models/alias","content":{"parts":[{"text":"model"}]}}`,
			`{"model":"models/m","content":{"parts":[{"text":"model"}]}}`,
		},
		{
			"every entry of a batch is replaced", "m", `{"requests": [ {"model":"models/a","content":{}}, {"content":{}}, {"content":{"model":"x"},"model":"b"} ]}`,
			`{"requests": [ {"model":"models/m","content":{}}, {"content":{}}, {"content":{"model":"x"},"model":"models/m"} ]}`,
		},
		{
			"a request inside of countTokens is replaced", "m", `{"generateContentRequest":{"contents":[],"model":"models/a"}}`,
			`{"generateContentRequest":{"contents":[],"model":"models/m"}}`,
		},
		{"also in snake_case", "m", `{"generate_content_request":{"model":"models/a"}}`, `{"generate_content_request":{"model":"models/m"}}`},
		{"a resource name is kept", "tunedModels/t", `{"model":"models/a"}`, `{"model":"tunedModels/t"}`},
		{"the right model is left alone", "m", `{"model":"models\/m"}`, `{"model":"models\/m"}`},
		{"a broken batch is left to the provider", "m", `{"requests":[1,[],"x"]}`, `{"requests":[1,[],"x"]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc := []byte(c.body)
			s := Codec{}.Splice(doc, dialecttest.Scan(t, Codec{}, c.body), dialects.Head{}, dialects.SpliceOptions{Model: c.model}, nil)
			if got := string(jsonedit.Apply(nil, doc, s.Edits)); got != c.want || s.HideUsage {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestAppendError(t *testing.T) {
	for _, c := range []struct {
		name, want string
		e          conversation.Error
		id         string
	}{
		{
			name: "Google's own word stays", e: conversation.Error{Status: 400, Type: "FAILED_PRECONDITION", Message: "no"},
			want: `{"error":{"code":400,"message":"no","status":"FAILED_PRECONDITION"}}`,
		},
		{
			name: "another vendor's word becomes that of the status", e: conversation.Error{Status: 429, Type: "rate_limit_error", Message: `"slow"`},
			want: `{"error":{"code":429,"message":"\"slow\"","status":"RESOURCE_EXHAUSTED"}}`,
		},
		{name: "an error without status is internal", e: conversation.Error{}, want: `{"error":{"code":500,"message":"","status":"INTERNAL"}}`},
		{name: "an unknown client error is an invalid argument", e: conversation.Error{Status: 422}, want: `{"error":{"code":422,"message":"","status":"INVALID_ARGUMENT"}}`},
		{
			name: "the request ID is a detail", e: conversation.Error{Status: 503}, id: "r1",
			want: `{"error":{"code":503,"message":"","status":"UNAVAILABLE","details":[{"@type":"type.googleapis.com/google.rpc.RequestInfo","requestId":"r1"}]}}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(Codec{}.AppendError(nil, &c.e, c.id)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
	got := string(Codec{}.AppendErrorEvent([]byte("x"), &conversation.Error{Status: 504, Message: "late"}, nil))
	want := "xdata: {\"error\":{\"code\":504,\"message\":\"late\",\"status\":\"DEADLINE_EXCEEDED\"}}\r\n\r\n"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestParseError(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       conversation.Error
	}{
		{
			"Google's shape", `{"error":{"code":404,"message":"gone","status":"NOT_FOUND"}}`,
			conversation.Error{Status: 400, Type: "NOT_FOUND", Message: "gone"},
		},
		{
			"the array of a stream", `[{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED"}}]`,
			conversation.Error{Status: 400, Type: "RESOURCE_EXHAUSTED", Message: "slow"},
		},
		{
			"details say more", `{"error":{"message":"key","status":"INVALID_ARGUMENT","details":[{"@type":"x","reason":"API_KEY_INVALID"},{"fieldViolations":[{"field":"contents"}]}]}}`,
			conversation.Error{Status: 400, Type: "INVALID_ARGUMENT", Code: "API_KEY_INVALID", Param: "contents", Message: "key"},
		},
		{"a string", `{"error":"no"}`, conversation.Error{Status: 400, Message: "no"}},
		{"a bare message", `{"message":"no"}`, conversation.Error{Status: 400, Message: "no"}},
		{"plain text", " upstream connect error\n", conversation.Error{Status: 400, Message: "upstream connect error"}},
		{"a web page", "<html>502</html>", conversation.Error{Status: 400}},
		{"nothing", "", conversation.Error{Status: 400}},
		{"half of a document", `{"error":{"message":"x`, conversation.Error{Status: 400, Message: `{"error":{"message":"x`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := (Codec{}).ParseError(400, []byte(c.body)); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
	long := make([]byte, 0, 10_000)
	for len(long) < 9_999 {
		long = append(long, "€"...)
	}
	if e := (Codec{}).ParseError(500, long); len(e.Message) > maxMessage || len(e.Message) < maxMessage-2 {
		t.Errorf("a message of %d bytes was cut to %d", len(long), len(e.Message))
	}
}

func TestThereIsNoKeepAliveThatClientsWouldIgnore(t *testing.T) {
	if got := string(Codec{}.AppendKeepAlive(nil)); got != "" {
		t.Errorf("got %q", got)
	}
}
