package chatcompletions

import (
	"bytes"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

func TestClientsThatSentFunctionsGetFunctionCalls(t *testing.T) {
	r := dialecttest.MustDecode(t, Codec{}, `{"model":"m","messages":[{"role":"user","content":"x"}],"functions":[{"name":"f"}],"function_call":"auto"}`)
	if !r.LegacyCalls || r.ParallelTools == nil || *r.ParallelTools {
		t.Fatalf("the request has LegacyCalls %v, ParallelTools %v: there is room for one call", r.LegacyCalls, r.ParallelTools)
	}
	w := new(conversation.Rewrites)
	w.LegacyCalls()
	answer := func() *conversation.Response {
		return &conversation.Response{ID: "1", Created: 7, Choices: []conversation.Choice{{Stop: conversation.StopToolCalls, Blocks: []conversation.Block{
			{Kind: conversation.Text, Text: "so"}, callBlock("a", "f", `{"x": 1}`), callBlock("b", "g", "{}"),
		}}}}
	}
	whole := answer()
	w.Response(whole)
	const want = `{"index":0,"message":{"role":"assistant","content":"so","refusal":null,"function_call":{"name":"f","arguments":"{\"x\": 1}"}},"logprobs":null,"finish_reason":"function_call"}`
	if got := gjson.GetBytes(Codec{}.EncodeResponse(nil, whole, "m"), "choices.0").Raw; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	restore := w.Events()
	var events []conversation.Event
	for ev := range answer().Events() {
		events = append(events, restore.Restore([]conversation.Event{ev})...)
	}
	var name, arguments, finish string
	err := frames(bytes.NewReader(rewrite(events, false)), func(ev sse.Event) error {
		c := gjson.GetBytes(ev.Data, "choices.0")
		if c.Get("delta.tool_calls").Exists() {
			t.Errorf("a client that knows no tools got %s", ev.Data)
		}
		name += c.Get("delta.function_call.name").Str
		arguments += c.Get("delta.function_call.arguments").Str
		finish += c.Get("finish_reason").Str
		return nil
	})
	if err != nil || name != "f" || arguments != `{"x": 1}` || finish != "function_call" {
		t.Errorf("streamed %s(%s), %s, %v", name, arguments, finish, err)
	}
}
