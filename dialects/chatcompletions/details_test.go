package chatcompletions

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// signedAnswer is an answer of other dialects, with all that clients have to give back.
func signedAnswer() []conversation.Block {
	call := conversation.Block{Kind: conversation.Call, Call: &conversation.ToolCall{ID: "c1", Name: "f", Arguments: "{}"}}
	call.Signature, call.Origin = "R2Vt", gemini
	return []conversation.Block{
		{Kind: conversation.Thinking, Text: "first\n\"thought\"", Signature: "QW50", Origin: "messages"},
		{Kind: conversation.Thinking, Signature: "UmVk", Redacted: true, Origin: "messages"},
		{Kind: conversation.Thinking, Text: "second", Signature: "T3Bl", Origin: "responses"},
		{Kind: conversation.Text, Text: "so"},
		call,
	}
}

// replayed decodes a request in which a client gives back an answer.
func replayed(t *testing.T, message string) []conversation.Block {
	t.Helper()
	r := dialecttest.MustDecode(t, Codec{}, `{"model":"m","messages":[{"role":"user","content":"x"},`+message+`]}`)
	return r.Messages[1].Blocks
}

func TestClientsGiveBackWhatOtherDialectsSigned(t *testing.T) {
	whole := Codec{}.EncodeResponse(nil, &conversation.Response{Choices: []conversation.Choice{{Blocks: signedAnswer()}}}, "m")
	message := gjson.GetBytes(whole, "choices.0.message").Raw
	if got := replayed(t, message); !reflect.DeepEqual(got, signedAnswer()) {
		t.Errorf("got %+v\nof %s", got, message)
	}
	for _, label := range []string{`"messages:QW50"`, `"messages:UmVk"`, `"responses:T3Bl"`, `{"google":{"thought_signature":"gemini:R2Vt"}}`, `"reasoning_content":"first\n\"thought\"second"`} {
		if !strings.Contains(message, label) {
			t.Errorf("no %s in %s", label, message)
		}
	}
}

// TestClientsThatKeepThePiecesOfAStreamGiveBackTheSame has a client that collects the entries of all chunks in one list,
// as some do instead of putting the pieces together.
func TestClientsThatKeepThePiecesOfAStreamGiveBackTheSame(t *testing.T) {
	w := Codec{}.NewEventWriter(dialects.WriterOptions{Model: "m"})
	var out []byte
	answer := conversation.Response{Choices: []conversation.Choice{{Blocks: signedAnswer()}}}
	for ev := range answer.Events() {
		for _, piece := range cutText(ev) {
			out = w.Append(out, &piece)
		}
	}
	var details []string
	var calls, reasoning string
	err := frames(bytes.NewReader(out), func(ev sse.Event) error {
		delta := gjson.GetBytes(ev.Data, "choices.0.delta")
		delta.Get("reasoning_details").ForEach(func(_, v gjson.Result) bool { details = append(details, v.Raw); return true })
		reasoning += delta.Get("reasoning_content").Str
		if c := delta.Get("tool_calls"); c.Exists() && c.Get("0.id").Exists() {
			calls = strings.Replace(c.Raw, `"arguments":""`, `"arguments":"{}"`, 1)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	message := `{"role":"assistant","content":"so","reasoning_content":` + string(jsonedit.AppendString(nil, reasoning)) +
		`,"reasoning_details":[` + strings.Join(details, ",") + `],"tool_calls":` + calls + `}`
	if got := replayed(t, message); !reflect.DeepEqual(got, signedAnswer()) {
		t.Errorf("got %+v\nof %s", got, message)
	}
}

// cutText cuts the text of a delta in two.
func cutText(ev conversation.Event) []conversation.Event {
	if ev.Type != conversation.EventDelta || len(ev.Text) < 2 {
		return []conversation.Event{ev}
	}
	first, second := ev, ev
	first.Text, second.Text = ev.Text[:len(ev.Text)/2], ev.Text[len(ev.Text)/2:]
	return []conversation.Event{first, second}
}

func TestOpenRoutersDetailsGoBackToItUnchanged(t *testing.T) {
	const details = `[{"type":"reasoning.text","signature":"U2ln","format":"anthropic-claude-v1","index":0,"text":"hm"},` +
		`{"type":"reasoning.summary","format":"openai-responses-v1","id":"rs_1","signature":"x","index":1,"summary":"in short"},` +
		`{"type":"reasoning.encrypted","data":"gAAA","format":"openai-responses-v1","id":"rs_1","index":1}]`
	r, err := Codec{}.DecodeResponse([]byte(`{"id":"gen-1","choices":[{"message":{"content":"4","reasoning":"hm in short","reasoning_details":` + details + `},"finish_reason":"stop"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	blocks := r.Choices[0].Blocks
	ask := &conversation.Request{Origin: "messages", Messages: []conversation.Message{{Role: conversation.Assistant, Blocks: blocks}}}
	for vendor, want := range map[string]string{"openrouter": details, "groq": "", "openai": ""} {
		body, _, err := Codec{}.EncodeRequest(nil, ask, dialects.EncodeOptions{Model: "m", Vendor: vendor})
		if got := dialecttest.ValidJSON(t, body).Get("messages.0.reasoning_details").Raw; err != nil || got != want {
			t.Errorf("%s is given %s, %v", vendor, got, err)
		}
	}
	broken := []conversation.Block{{Kind: conversation.Thinking, Signature: `{"type":`, Origin: origin}, {Kind: conversation.Text, Text: "a"}}
	ask.Messages[0].Blocks = broken
	body, _, err := Codec{}.EncodeRequest(nil, ask, dialects.EncodeOptions{Model: "m", Vendor: "openrouter"})
	if dialecttest.ValidJSON(t, body).Get("messages.0.reasoning_details").Exists() || err != nil {
		t.Errorf("an entry that a client broke is sent: %s, %v", body, err)
	}
}

func TestLabelledSignaturesDoNotReachAVendorOfTheSameDialect(t *testing.T) {
	with := func(members string) string {
		return `{"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant", "content":"y"` + members + `}]}`
	}
	for _, tt := range []struct{ name, members, want string }{
		{"nothing of the kind", ``, ``},
		{"OpenRouter's own", `,"reasoning_details":[{"type":"reasoning.text","text":"a","signature":"U2ln"}]`, `,"reasoning_details":[{"type":"reasoning.text","text":"a","signature":"U2ln"}]`},
		{"Google's own", `,"tool_calls":[{"id":"c","extra_content":{"google":{"thought_signature":"c2ln"}}}]`, `,"tool_calls":[{"id":"c","extra_content":{"google":{"thought_signature":"c2ln"}}}]`},
		{"a labelled entry and its pieces", `,"reasoning_details":[{"type":"reasoning.text","text":"a"},{"type":"reasoning.text","signature":"messages:U2ln"}]`, ``},
		{"a labelled entry beside another", `,"reasoning_details":[{"type":"reasoning.encrypted","data":"messages:U2ln"},{"type":"reasoning.encrypted","data":"gAAA"}]`, `,"reasoning_details":[{"type":"reasoning.encrypted","data":"gAAA"}]`},
		{"a labelled call", `,"tool_calls":[{"id":"c","type":"function","extra_content":{"google":{"thought_signature":"gemini:c2ln"}}}]`, `,"tool_calls":[{"id":"c","type":"function"}]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc := []byte(with(tt.members))
			obj, h, err := dialecttest.Head(Codec{}, doc)
			if err != nil {
				t.Fatal(err)
			}
			s := Codec{}.Splice(doc, obj, h, dialects.SpliceOptions{Model: "m"}, nil)
			if got, want := string(jsonedit.Apply(nil, doc, s.Edits)), with(tt.want); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if dropped := tt.members != tt.want; dropped != (len(s.Notes) == 1) {
				t.Errorf("the notes are %q", s.Notes)
			}
		})
	}
}

func TestSomeRequestsAreTranslatedForVendorsOfTheSameDialect(t *testing.T) {
	for _, tt := range []struct {
		name, vendor, members string
		want                  bool
	}{
		{"OpenAI understands itself", "openai", `"functions":[{"name":"f"}],"max_completion_tokens":5`, false},
		{"functions", "deepseek", `"functions":[{"name":"f"}]`, true},
		{"no functions", "deepseek", `"functions":[],"tools":[{"type":"function","function":{"name":"custom"}}]`, false},
		{"free-text tools", "vllm", `"tools":[{"type":"custom","custom":{"name":"c"}}]`, true},
		{"a function of that name", "vllm", `"tools":[{"type":"function","function":{"name":"custom"}}]`, false},
		{"members that Mistral refuses", "mistral", `"max_completion_tokens":5`, true},
		{"members that are null", "mistral", `"max_completion_tokens":null,"max_tokens":5`, false},
		{"the developer's role", "mistral", `"messages":[{"role":"developer","content":"x"}]`, true},
		{"an ID that Mistral refuses", "mistral", `"messages":[{"role":"tool","tool_call_id" : "call_123","content":"x"}]`, true},
		{"an ID that it takes", "mistral", `"messages":[{"role":"tool","tool_call_id":"abcDEF123","content":"x"}]`, false},
		{"a schema where there is JSON mode only", "deepseek", `"response_format":{"type":"json_schema","json_schema":{}}`, true},
		{"JSON mode", "deepseek", `"response_format":{"type":"json_object"}`, false},
		{"members that Groq refuses", "groq", `"logprobs":true`, true},
		{"thoughts under another name", "groq", `"messages":[{"role":"assistant","reasoning_content":"x"}]`, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc := []byte(`{"model":"m",` + tt.members + `}`)
			obj, h, err := dialecttest.Head(Codec{}, doc)
			if err != nil {
				t.Fatal(err)
			}
			if got := (Codec{}).Translates(doc, obj, h, tt.vendor); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
