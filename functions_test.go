package llmgateway

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// TestClientsOfFunctionsAreAnsweredInFunctions has a client from before there were tools, and providers that know tools
// alone: of another dialect, and of the client's own.
func TestClientsOfFunctionsAreAnsweredInFunctions(t *testing.T) {
	const request = `{"model":"up/m","messages":[{"role":"user","content":"hi"}],"functions":[{"name":"f"}]`
	chat := respond(http.StatusOK, `{"id":"1","model":"m","choices":[{"message":{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}`)
	for name, tt := range map[string]struct {
		speaks, request string
		answer          answer
	}{
		"another dialect": {"messages", request + `}`, respond(http.StatusOK, `{"id":"1","type":"message","role":"assistant","model":"m","content":[{"type":"tool_use","id":"a","name":"f","input":{}}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":2}}`)},
		"the same":        {"chat", request + `}`, chat},
		"the same, streamed": {
			"chat", request + `,"stream":true}`, stream(
				`data: {"id":"1","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}}]}` + "\n\n" +
					`data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}` + "\n\ndata: [DONE]\n\n"),
		},
		"a stream from one piece": {"chat", request + `,"stream":true}`, chat},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, withProviderConfig("up", `{"speaks":["`+tt.speaks+`"]}`, nil, tt.answer))
			w := g.do(newRequest(http.MethodPost, chatPath, strings.NewReader(tt.request)))
			sent := g.up["up"].last(t).body
			if gjson.Get(sent, "functions").Exists() || gjson.Get(sent, "tools.#").Int() != 1 {
				t.Errorf("the provider was sent %s", sent)
			}
			got := w.Body.String()
			if w.Code != http.StatusOK || strings.Contains(got, "tool_calls") ||
				!strings.Contains(got, `"function_call":{"name":"f","arguments":"`) || !strings.Contains(got, `"finish_reason":"function_call"`) {
				t.Errorf("%d: %s", w.Code, got)
			}
		})
	}
}
