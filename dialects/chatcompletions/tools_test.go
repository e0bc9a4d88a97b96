package chatcompletions

import (
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
)

func TestToolResultsFindTheirCalls(t *testing.T) {
	r := dialecttest.MustDecode(t, Codec{}, `{"model":"m","messages":[{"role":"user","content":"x"},
		{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}},{"function":{"name":"g","arguments":"{}"}},{"function":{"name":"g","arguments":"{}"}}]},
		{"role":"tool","name":"g","content":"second"},{"role":"tool","tool_call_id":"a","content":"first"},{"role":"tool","content":"third"}]}`)
	if len(r.Messages) != 3 {
		t.Fatalf("%d messages, want 3: consecutive results belong together", len(r.Messages))
	}
	calls, results := r.Messages[1].Blocks, r.Messages[2].Blocks
	for i, want := range []struct {
		call int
		name string
		text string
	}{{1, "g", "second"}, {0, "f", "first"}, {2, "g", "third"}} {
		got := results[i].Result
		if got.CallID != calls[want.call].Call.ID || got.Name != want.name || got.Content[0].Text != want.text {
			t.Errorf("result %d is %+v, want the answer to %+v", i, got, calls[want.call].Call)
		}
	}
	if calls[1].Call.ID == calls[2].Call.ID {
		t.Error("two calls have one ID")
	}
}

func TestMistralsCallIDsAreShortAndConsistent(t *testing.T) {
	ids := []string{"call_1", "call_2", "toolu_01ABC", "ninechars", "abcDEF123"}
	seen := map[string]bool{}
	for _, id := range ids {
		body, _, err := Codec{}.EncodeRequest(nil, ask(assistant(callBlock(id, "f", "{}")), user(resultBlock(id, txt("r")))), dialects.EncodeOptions{Model: "m", Vendor: "mistral"})
		if err != nil {
			t.Fatal(err)
		}
		call, result := gjson.GetBytes(body, "messages.0.tool_calls.0.id").Str, gjson.GetBytes(body, "messages.1.tool_call_id").Str
		if !isShortID(call) || call != result || seen[call] {
			t.Errorf("%s became %s in the call and %s in the result", id, call, result)
		}
		if isShortID(id) && call != id {
			t.Errorf("%s was valid and became %s", id, call)
		}
		seen[call] = true
	}
}

func TestRenamedToolsAndFreeTextToolsAreNotedForTheAnswer(t *testing.T) {
	r := dialecttest.MustDecode(t, Codec{}, `{"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"a","type":"custom","custom":{"name":"patch","input":"a\n\"b\""}}]},{"role":"tool","tool_call_id":"a","content":"ok"}],
		"tools":[{"type":"custom","custom":{"name":"patch","description":"d","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"start: A"}}}},{"type":"function","function":{"name":"ns.f"}}],
		"tool_choice":{"type":"custom","custom":{"name":"patch"}}}`)
	w := new(conversation.Rewrites)
	body, notes, err := Codec{}.EncodeRequest(nil, r, dialects.EncodeOptions{Model: "m", Vendor: "groq", Rewrites: w})
	if err != nil || len(notes) > 0 {
		t.Fatal(err, notes)
	}
	v := dialecttest.ValidJSON(t, body)
	for path, want := range map[string]string{
		"messages.1.tool_calls.0.function.arguments": `{"input":"a\n\"b\""}`,
		"tools.0.function.description":               "d\n\nThe input must match this lark grammar:\nstart: A",
		"tools.0.function.parameters":                conversation.FreeTextSchema,
		"tools.1.function.name":                      "ns_f_1iyz316",
		"tool_choice":                                `{"type":"function","function":{"name":"patch"}}`,
	} {
		if got := v.Get(path).String(); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	answer := &conversation.Response{Choices: []conversation.Choice{{Blocks: []conversation.Block{
		callBlock("1", "ns_f_1iyz316", "{}"), callBlock("2", "patch", `{"input":"z"}`),
	}}}}
	w.Response(answer)
	calls := answer.Choices[0].Blocks
	if c := calls[0].Call; c.Name != "ns.f" || c.Custom {
		t.Errorf("got %+v", c)
	}
	if c := calls[1].Call; !c.Custom || c.Arguments != "z" {
		t.Errorf("got %+v", c)
	}
	body, _, err = Codec{}.EncodeRequest(nil, r, dialects.EncodeOptions{Model: "m", Vendor: "openai", Rewrites: new(conversation.Rewrites)})
	if v = dialecttest.ValidJSON(t, body); err != nil || v.Get("tools.0.custom.format.grammar.syntax").Str != "lark" || v.Get("tool_choice.custom.name").Str != "patch" {
		t.Errorf("OpenAI was sent %s, %v", body, err)
	}
}
