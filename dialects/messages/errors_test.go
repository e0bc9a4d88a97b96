package messages

import (
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
	"github.com/caddy-llm/llmgateway/providers"
)

func TestTheCodecIsRegistered(t *testing.T) {
	if c := dialects.Lookup(providers.Messages); c == nil || c.Name() != "messages" {
		t.Errorf("got %v", c)
	}
}

func TestErrorsHaveTheTypeOfTheirStatus(t *testing.T) {
	for status, want := range map[int]string{
		400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error", 404: "not_found_error",
		408: "timeout_error", 409: "conflict_error", 413: "request_too_large", 422: "invalid_request_error", 429: "rate_limit_error",
		500: "api_error", 502: "api_error", 503: "overloaded_error", 504: "timeout_error", 529: "overloaded_error",
	} {
		got := string(Codec{}.AppendError(nil, &conversation.Error{Status: status, Type: "insufficient_quota", Message: "a \"b\""}, "req_1"))
		dialecttest.SameJSON(t, got, `{"type":"error","error":{"type":"`+want+`","message":"a \"b\""},"request_id":"req_1"}`)
		if status < 500 { // what others call every mistake of a client's
			got = string(Codec{}.AppendError(nil, &conversation.Error{Status: status, Type: "invalid_request_error", Message: "m"}, ""))
			dialecttest.SameJSON(t, got, `{"type":"error","error":{"type":"`+want+`","message":"m"}}`)
		}
	}
	got := string(Codec{}.AppendError(nil, &conversation.Error{Status: 400, Type: "billing_error", Message: "m"}, ""))
	dialecttest.SameJSON(t, got, `{"type":"error","error":{"type":"billing_error","message":"m"}}`)
}

func TestErrorEventsAndKeepAlivesAreFramed(t *testing.T) {
	out := Codec{}.AppendKeepAlive(nil)
	out = Codec{}.AppendErrorEvent(out, &conversation.Error{Status: 529, Message: "two\nlines"}, nil)
	var names []string
	dialecttest.EachFrame(t, strings.NewReader(string(out)), func(ev sse.Event) {
		names = append(names, string(ev.Name))
		dialecttest.Value(t, string(ev.Data))
	})
	if strings.Join(names, " ") != "ping error" {
		t.Errorf("got %v in %s", names, out)
	}
}

func TestParseErrorUnderstandsWhateverComes(t *testing.T) {
	for body, want := range map[string]conversation.Error{
		`{"type":"error","error":{"type":"rate_limit_error","message":"slow down"},"request_id":"r"}`: {Type: "rate_limit_error", Message: "slow down"},
		`{"error":{"message":"m","type":"t","code":"c","param":"p"}}`:                                 {Type: "t", Message: "m", Code: "c", Param: "p"},
		`{"error":"just text"}`:      {Message: "just text"},
		`{"message":"from a proxy"}`: {Message: "from a proxy"},
		`<html>502</html>`:           {},
		``:                           {},
		`[]`:                         {},
		`{"error":7}`:                {},
	} {
		want.Status = 429
		if got := (Codec{}).ParseError(429, []byte(body)); got != want {
			t.Errorf("%s: got %+v", body, got)
		}
	}
}
