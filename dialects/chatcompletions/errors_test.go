package chatcompletions

import (
	"testing"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
)

func TestErrorsOfAllVendorsAreRead(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		status     int
		want       conversation.Error
	}{
		{"OpenAI", `{"error":{"message":"m","type":"t","param":"p","code":"c"}}`, 400, conversation.Error{Status: 400, Message: "m", Type: "t", Param: "p", Code: "c"}},
		{"null members", `{"error":{"message":"m","type":null,"param":null,"code":null}}`, 400, conversation.Error{Status: 400, Message: "m"}},
		{"OpenRouter", `{"error":{"code":429,"message":"Provider returned error","metadata":{"raw":"slow down"}},"user_id":"u"}`, 429, conversation.Error{Status: 429, Message: "Provider returned error: slow down"}},
		{"an error within a 200", `{"error":{"code":503,"message":"m"}}`, 200, conversation.Error{Status: 503, Message: "m"}},
		{"Mistral", `{"object":"error","message":"m","type":"t","param":null,"code":"3000"}`, 400, conversation.Error{Status: 400, Message: "m", Type: "t", Code: "3000"}},
		{"FastAPI", `{"detail":[{"loc":["body","messages",0],"msg":"bad","type":"v"},{"loc":["body"],"msg":"worse"}]}`, 422, conversation.Error{Status: 422, Message: "body.messages.0: bad; body: worse"}},
		{"detail", `{"detail":"m"}`, 400, conversation.Error{Status: 400, Message: "m"}},
		{"bare message", `{"message":"m"}`, 401, conversation.Error{Status: 401, Message: "m"}},
		{"error text", `{"error":"m"}`, 404, conversation.Error{Status: 404, Message: "m"}},
		{"Google in an array", `[{"error":{"code":404,"message":"m","status":"NOT_FOUND"}}]`, 404, conversation.Error{Status: 404, Message: "m", Type: "NOT_FOUND"}},
		{"Anthropic", `{"type":"error","error":{"type":"overloaded_error","message":"m"}}`, 529, conversation.Error{Status: 529, Message: "m", Type: "overloaded_error"}},
		{"HTML", `<html><body>502</body></html>`, 502, conversation.Error{Status: 502}},
		{"empty", ``, 500, conversation.Error{Status: 500}},
		{"a string", `"oops"`, 500, conversation.Error{Status: 500}},
		{"an empty array", `[]`, 500, conversation.Error{Status: 500}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := (Codec{}).ParseError(tt.status, []byte(tt.body)); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestErrorsAreWrittenInOpenAIsShape(t *testing.T) {
	for _, tt := range []struct {
		err  conversation.Error
		want string
	}{
		{conversation.Error{Status: 400, Message: `say "hi"`, Param: "n", Code: "c", Type: "t"}, `{"error":{"message":"say \"hi\"","type":"t","param":"n","code":"c"}}`},
		{conversation.Error{Status: 429, Message: "m"}, `{"error":{"message":"m","type":"rate_limit_error","param":null,"code":null}}`},
		{conversation.Error{Status: 402, Message: "m"}, `{"error":{"message":"m","type":"billing_error","param":null,"code":null}}`},
		{conversation.Error{Status: 422, Message: "m"}, `{"error":{"message":"m","type":"invalid_request_error","param":null,"code":null}}`},
		{conversation.Error{Status: 429, Type: "ThrottlingException", Message: "m"}, `{"error":{"message":"m","type":"rate_limit_error","param":null,"code":"ThrottlingException"}}`},
		{conversation.Error{Status: 400, Type: "INVALID_ARGUMENT", Code: "c", Message: "m"}, `{"error":{"message":"m","type":"invalid_request_error","param":null,"code":"c"}}`},
		{conversation.Error{Message: "m"}, `{"error":{"message":"m","type":"server_error","param":null,"code":null}}`},
	} {
		if got := string(Codec{}.AppendError(nil, &tt.err, "req")); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
		if got := string(Codec{}.AppendErrorEvent(nil, &tt.err, nil)); got != "data: "+tt.want+"\n\n" {
			t.Errorf("event is %q", got)
		}
	}
}
