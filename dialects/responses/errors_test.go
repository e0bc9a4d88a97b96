package responses

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

func TestAppendError(t *testing.T) {
	for _, c := range []struct {
		name, want string
		e          conversation.Error
	}{
		{
			"the vendor's words stay", `{"error":{"message":"no \"x\"","type":"invalid_request_error","param":"input","code":"bad"}}`,
			conversation.Error{Status: 400, Type: "invalid_request_error", Code: "bad", Param: "input", Message: `no "x"`},
		},
		{
			"what is missing follows from the status", `{"error":{"message":"slow","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}`,
			conversation.Error{Status: 429, Message: "slow"},
		},
		{
			"an exhausted budget is not a rate limit", `{"error":{"message":"","type":"billing_error","param":null,"code":"insufficient_quota"}}`,
			conversation.Error{Status: 429, Type: "billing_error", Code: "insufficient_quota"},
		},
		{
			"another vendor's status word becomes the code", `{"error":{"message":"","type":"invalid_request_error","param":null,"code":"FAILED_PRECONDITION"}}`,
			conversation.Error{Status: 400, Type: "FAILED_PRECONDITION"},
		},
		{"no status is the server's fault", `{"error":{"message":"","type":"server_error","param":null,"code":null}}`, conversation.Error{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(Codec{}.AppendError(nil, &c.e, "req_1")); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestAppendErrorEventContinuesTheStream(t *testing.T) {
	m := Codec{}.NewMeter()
	defer m.Release()
	dialecttest.EachFrame(t, strings.NewReader(named(created, textDelta)), func(ev sse.Event) { m.Event(ev) })
	got := string(Codec{}.AppendErrorEvent([]byte(": x\n\n"), &conversation.Error{Status: 503, Message: "cut off"}, m))
	want := ": x\n\n" +
		`event: error` + "\n" + `data: {"type":"error","sequence_number":5,"error":{"message":"cut off","type":"server_error","param":null,"code":null},"code":null,"message":"cut off","param":null}` + "\n\n" +
		`event: response.failed` + "\n" + `data: {"type":"response.failed","sequence_number":6,"response":{"id":"resp_1","object":"response","created_at":1700000000,"status":"failed",` +
		`"error":{"code":"server_error","message":"cut off"},"incomplete_details":null,"model":"gpt-x","output":[],"usage":null}}` + "\n\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAppendErrorEventOfAStreamThatHasNotBegun(t *testing.T) {
	events := 0
	out := Codec{}.AppendErrorEvent(nil, &conversation.Error{Status: 429, Message: "slow\nly"}, nil)
	m := Codec{}.NewMeter()
	defer m.Release()
	dialecttest.EachFrame(t, strings.NewReader(string(out)), func(ev sse.Event) {
		if !json.Valid(ev.Data) || string(ev.Name) != typeOf(string(ev.Data)) {
			t.Errorf("a bad event %s", ev.Raw)
		}
		m.Event(ev)
		events++
	})
	if e := m.Err(); events != 2 || e == nil || e.Message != "slow\nly" || e.Code != "rate_limit_exceeded" || e.Status != 429 {
		t.Errorf("%d events with the error %+v", events, e)
	}
}

func TestNothingFollowsTheEnd(t *testing.T) {
	m := Codec{}.NewMeter()
	defer m.Release()
	m.Event(sse.Event{Data: []byte(completed)})
	if got := (Codec{}).AppendErrorEvent(nil, &conversation.Error{}, m); len(got) != 0 {
		t.Errorf("got %s", got)
	}
}

func TestKeepAliveHasNoData(t *testing.T) {
	if got := string(Codec{}.AppendKeepAlive(nil)); got != ": keep-alive\n\n" {
		t.Errorf("got %q", got)
	}
}

func TestParseError(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       conversation.Error
	}{
		{"OpenAI", `{"error":{"message":"no","type":"t","param":"p","code":"c"}}`, conversation.Error{Message: "no", Type: "t", Param: "p", Code: "c"}},
		{"nulls are nothing", `{"error":{"message":"no","type":null,"param":null,"code":null}}`, conversation.Error{Message: "no"}},
		{"a numeric code", `{"error":{"message":"no","code":429}}`, conversation.Error{Message: "no", Code: "429"}},
		{
			"OpenRouter says what the provider said", `{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"too long","provider_name":"p"}}}`,
			conversation.Error{Message: "Provider returned error: too long", Code: "400"},
		},
		{"a string", `{"error":"no"}`, conversation.Error{Message: "no"}},
		{"Mistral", `{"object":"error","message":"no","type":"t","code":"3000"}`, conversation.Error{Message: "no", Type: "t", Code: "3000"}},
		{"FastAPI", `{"detail":[{"loc":["body"],"msg":"field required","type":"missing"}]}`, conversation.Error{Message: "field required"}},
		{"a detail", `{"detail":"no"}`, conversation.Error{Message: "no"}},
		{"AWS", `{"Message":"no"}`, conversation.Error{Message: "no"}},
		{"an array", `[{"error":{"message":"no"}}]`, conversation.Error{Message: "no"}},
		{"plain text", "  bad gateway\n", conversation.Error{Message: "bad gateway"}},
		{"a web page", `<!doctype html><p>502`, conversation.Error{}},
		{"nothing", ``, conversation.Error{}},
		{"bytes that are no text", "\xff\xfe", conversation.Error{Message: "\uFFFD"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.want.Status = 418
			if got := (Codec{}).ParseError(418, []byte(c.body)); got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
	if e := (Codec{}).ParseError(500, []byte(`{"error":{"message":"`+strings.Repeat("€", 5000)+`"}}`)); len(e.Message) > maxMessage || len(e.Message) < maxMessage-2 {
		t.Errorf("a long message was cut to %d bytes", len(e.Message))
	}
}
