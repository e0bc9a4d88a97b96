package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// gwClient is a client dialect and a provider that speaks it.
type gwClient struct {
	name string
	kind string // of a provider that speaks the dialect
	// paths for unary requests and streams; %s stands for the model in dialects that have it there.
	path, streamPath string
	// request is a request body.
	request func(model string, stream bool, prompt string) string
	unary   string // what the provider answers
	// The parts of a stream: before any content, one piece of content, the regular end.
	start string
	text  func(string) string
	end   string
	// terminal is what only a complete stream holds.
	terminal string
	// failure is the provider's error body for a status, with a message.
	failure func(status int, message string) string
	// errorFrame is the provider's error inside of a stream.
	errorFrame string
}

var gwChat = &gwClient{
	name: "chat", kind: "openai", path: "/v1/chat/completions", streamPath: "/v1/chat/completions",
	request: func(model string, stream bool, prompt string) string {
		return fmt.Sprintf(`{"messages":[{"role":"user","content":%q}],"model":%q,"stream":%v}`, prompt, model, stream)
	},
	unary: gwChatUnary, start: gwChatStart, text: gwChatText, end: gwChatStop + gwChatUsage + gwDone, terminal: "[DONE]",
	failure: func(status int, message string) string {
		kind := map[int][2]string{
			400: {"invalid_request_error", "null"}, 401: {"invalid_request_error", `"invalid_api_key"`}, 422: {"invalid_request_error", "null"},
			429: {"requests", `"rate_limit_exceeded"`}, 503: {"server_error", `"server_is_overloaded"`},
		}[status]
		if kind[0] == "" {
			kind = [2]string{"server_error", "null"}
		}
		return fmt.Sprintf(`{"error":{"message":%q,"type":%q,"param":null,"code":%s}}`, message, kind[0], kind[1])
	},
	errorFrame: `data: {"error":{"message":"stream failed","type":"server_error","param":null,"code":null}}` + "\n\n",
}

var gwMessages = &gwClient{
	name: "messages", kind: "anthropic", path: "/v1/messages", streamPath: "/v1/messages",
	request: func(model string, stream bool, prompt string) string {
		return fmt.Sprintf(`{"max_tokens":100,"messages":[{"role":"user","content":%q}],"model":%q,"stream":%v}`, prompt, model, stream)
	},
	unary: gwMessagesUnary, start: gwMsgStart + gwMsgBlock, text: gwMsgText, end: gwMsgEnd, terminal: "message_stop",
	failure: func(status int, message string) string {
		kind := map[int]string{
			400: "invalid_request_error", 401: "authentication_error", 422: "invalid_request_error",
			429: "rate_limit_error", 503: "overloaded_error", 529: "overloaded_error",
		}[status]
		if kind == "" {
			kind = "api_error"
		}
		return fmt.Sprintf(`{"type":"error","error":{"type":%q,"message":%q}}`, kind, message)
	},
	errorFrame: gwEvent("error", `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`),
}

var gwResponses = &gwClient{
	name: "responses", kind: "openai", path: "/v1/responses", streamPath: "/v1/responses",
	request: func(model string, stream bool, prompt string) string {
		return fmt.Sprintf(`{"input":%q,"model":%q,"stream":%v}`, prompt, model, stream)
	},
	unary: gwResponsesUnary,
	start: gwEvent("response.created", `{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","created_at":1700000000,"status":"in_progress","model":"up-1","output":[]}}`),
	text: func(s string) string {
		return gwEvent("response.output_text.delta", fmt.Sprintf(`{"type":"response.output_text.delta","sequence_number":1,"item_id":"msg_1","output_index":0,"content_index":0,"delta":%q}`, s))
	},
	end:      gwEvent("response.completed", `{"type":"response.completed","sequence_number":9,"response":`+gwResponsesUnary+`}`),
	terminal: "response.completed",
	failure:  gwChat.failure,
	errorFrame: gwEvent("response.failed", `{"type":"response.failed","sequence_number":1,"response":{"id":"resp_1","object":"response","created_at":1700000000,`+
		`"status":"failed","model":"up-1","output":[],"error":{"code":"server_error","message":"stream failed"}}}`),
}

var gwGemini = &gwClient{
	name: "gemini", kind: "gemini", path: "/v1beta/models/%s:generateContent", streamPath: "/v1beta/models/%s:streamGenerateContent?alt=sse",
	request: func(_ string, _ bool, prompt string) string {
		return fmt.Sprintf(`{"contents":[{"role":"user","parts":[{"text":%q}]}]}`, prompt)
	},
	unary: gwGeminiUnary, start: "",
	text:     func(s string) string { return gwGeminiChunk(s, "") },
	end:      gwGeminiChunk("", "STOP"),
	terminal: "STOP",
	failure: func(status int, message string) string {
		word := map[int]string{
			400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 422: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE",
		}[status]
		if word == "" {
			word = "INTERNAL"
		}
		return fmt.Sprintf(`{"error":{"code":%d,"message":%q,"status":%q}}`, max(status, 400), message, word)
	},
	errorFrame: `data: {"error":{"code":500,"message":"stream failed","status":"INTERNAL"}}` + "\r\n\r\n",
}

var (
	gwAllClients   = []*gwClient{gwChat, gwMessages, gwResponses, gwGemini}
	gwBasicClients = []*gwClient{gwChat, gwMessages}
)

// at is the path of a request for a model.
func (d *gwClient) at(model string, stream bool) string {
	path := d.path
	if stream {
		path = d.streamPath
	}
	return strings.Replace(path, "%s", model, 1)
}

// ok answers a request in the dialect, as a stream or not.
func (d *gwClient) ok(stream bool) gwReply {
	if stream {
		return gwStream(d.start, d.text("Hello "), d.text("there"), d.end)
	}
	return gwJSON(200, d.unary)
}

// fails answers with an error of the dialect.
func (d *gwClient) fails(status int, message string, header ...string) gwReply {
	return gwJSON(status, d.failure(status, message), header...)
}

// send sends a request of the dialect.
func (d *gwClient) send(c *gwCaddy, model string, stream bool, header ...string) gwAnswer {
	c.t.Helper()
	return c.post(d.at(model, stream), d.request(model, stream, "Say hello"), header...)
}

// errorMessage checks that a body is an error of the dialect and returns its message.
func (d *gwClient) errorMessage(t *testing.T, body string) string {
	t.Helper()
	if !gjson.Valid(body) {
		t.Fatalf("%s: the error is no JSON: %s", d.name, body)
	}
	e := gjson.Get(body, "error")
	message := e.Get("message").Str
	good := message != ""
	switch d {
	case gwMessages:
		good = good && gjson.Get(body, "type").Str == "error" && e.Get("type").Str != ""
	case gwGemini:
		good = good && e.Get("code").Int() >= 400 && e.Get("status").Str == strings.ToUpper(e.Get("status").Str) && e.Get("status").Str != ""
	default:
		good = good && e.Get("type").Str != "" && e.Get("param").Exists() && e.Get("code").Exists() && !gjson.Get(body, "type").Exists()
	}
	if !good {
		t.Fatalf("not an error of %s: %s", d.name, body)
	}
	return message
}

// refused checks an error response: its status, that it is the dialect's, that SDKs do not repeat the request, and
// that its message holds all the words.
func (d *gwClient) refused(t *testing.T, a gwAnswer, status int, words ...string) {
	t.Helper()
	if a.status != status {
		t.Fatalf("%s: status %d, not %d: %s", d.name, a.status, status, gwClip(a.body, 500))
	}
	message := d.errorMessage(t, a.body)
	for _, w := range words {
		if !strings.Contains(message, w) {
			t.Errorf("%s: %q is not in the message %q", d.name, w, message)
		}
	}
	if ct := a.header.Get("Content-Type"); ct != "application/json" {
		t.Errorf("%s: content type %q", d.name, ct)
	}
	if a.header.Get("X-Request-Id") == "" {
		t.Errorf("%s: no request id", d.name)
	}
	if a.status != 429 && a.status != 503 && a.header.Get("X-Should-Retry") != "false" {
		t.Errorf("%s: x-should-retry is %q", d.name, a.header.Get("X-Should-Retry"))
	}
}

// brokenStream checks what is left of a stream after its first content: an error event and no end marker.
func (d *gwClient) brokenStream(t *testing.T, rest string) {
	t.Helper()
	if strings.Contains(rest, d.terminal) {
		t.Errorf("%s: a broken stream ends like a complete one: %s", d.name, rest)
	}
	found := false
	for line := range strings.SplitSeq(rest, "\n") {
		data, ok := strings.CutPrefix(strings.TrimRight(line, "\r"), "data: ")
		if !ok {
			continue
		}
		if !gjson.Valid(data) {
			t.Errorf("%s: invalid event %q", d.name, data)
		}
		if gjson.Get(data, "error.message").Str != "" || d == gwResponses && gjson.Get(data, "response.error.message").Str != "" {
			found = true
			if d == gwMessages && !strings.Contains(rest, "event: error\n") {
				t.Errorf("%s: the error is not named so: %s", d.name, rest)
			}
		}
	}
	if !found {
		t.Errorf("%s: no error event in %q", d.name, rest)
	}
}

// gwEach runs a test for every dialect, unary and streaming; under the race detector one or the other of each, which of them
// takes turns among tests.
func gwEach(t *testing.T, clients []*gwClient, test func(t *testing.T, d *gwClient, stream bool)) {
	for i, d := range clients {
		for _, stream := range []bool{false, true} {
			if faultRace && len(clients) > 1 && stream != ((i+len(t.Name()))%2 == 0) {
				continue
			}
			name := d.name + " unary"
			if stream {
				name = d.name + " stream"
			}
			t.Run(name, func(t *testing.T) { test(t, d, stream) })
		}
	}
}
