package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	_ "github.com/caddy-llm/llmgateway"
	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/providers"
)

// linearCases are requests with many of one thing, by the client's dialect. Of each of them a megabyte or so once took
// minutes to translate.
func linearCases() map[string]struct{ dialect, body string } {
	const n = 20_000
	many := func(format string) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strings.ReplaceAll(format, "#", fmt.Sprint(i)))
		}
		return b.String()
	}
	const question = `{"role":"user","content":"q"}`
	messages := func(members string) struct{ dialect, body string } {
		return struct{ dialect, body string }{"messages", `{"model":"x","max_tokens":5,` + members + `}`}
	}
	chat := func(members string) struct{ dialect, body string } {
		return struct{ dialect, body string }{"chat", `{"model":"x",` + members + `}`}
	}
	return map[string]struct{ dialect, body string }{
		"server tools":         messages(`"messages":[` + question + `],"tools":[` + many(`{"type":"t#"}`) + `]`),
		"members of a tool":    messages(`"messages":[` + question + `],"tools":[{"name":"f","input_schema":{},` + many(`"k#":1`) + `}]`),
		"blocks of all kinds":  messages(`"messages":[{"role":"user","content":[{"type":"text","text":"q"},` + many(`{"type":"b#"}`) + `]}]`),
		"nameless documents":   messages(`"messages":[{"role":"user","content":[` + many(`{"type":"document","source":{"type":"text","data":"x"}}`) + `]}]`),
		"thoughts of others":   messages(`"messages":[` + question + `,{"role":"assistant","content":[` + many(`{"type":"thinking","thinking":"","signature":"~gemini:x"}`) + `]},` + question + `]`),
		"calls":                messages(`"messages":[` + question + `,{"role":"assistant","content":[` + many(`{"type":"tool_use","id":"i#","name":"n#","input":{}}`) + `]},{"role":"user","content":[` + many(`{"type":"tool_result","tool_use_id":"i#","content":"r"}`) + `]}]`),
		"calls of the same id": messages(`"messages":[` + question + `,{"role":"assistant","content":[` + many(`{"type":"tool_use","id":"i","name":"n","input":{}}`) + `]},` + question + `]`),
		"questions in a row":   chat(`"messages":[` + many(question) + `]`),
		"allowed tools":        chat(`"messages":[` + question + `],"tools":[` + many(`{"type":"function","function":{"name":"f#"}}`) + `],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[` + many(`{"type":"function","function":{"name":"f#"}}`) + `]}}`),
		"items":                {"responses", `{"model":"x","input":[` + question + `,` + many(`{"type":"custom_tool_call","call_id":"c#","name":"f","input":"x"}`) + `,` + many(`{"type":"custom_tool_call_output","call_id":"c#","output":"r"}`) + `]}`},
		"hosted items":         {"responses", `{"model":"x","input":[` + question + `,` + many(`{"type":"tool_search_call","call_id":"c#","execution":"client","arguments":{}}`) + `,` + many(`{"type":"function_call_output","call_id":"c#","output":"r"}`) + `]}`},
		"reasoning items":      {"responses", `{"model":"x","input":[` + question + `,` + many(`{"type":"reasoning","id":"r#","summary":[],"encrypted_content":"~messages:x"}`) + `]}`},
		"calls in namespaces":  {"responses", `{"model":"x","input":[` + question + `,` + many(`{"type":"function_call","call_id":"c#","namespace":"n#","name":"f#","arguments":""}`) + `],"tools":[` + many(`{"type":"function","name":"f#"}`) + `]}`},
		"contents in a row":    {"gemini", `{"contents":[` + many(`{"role":"model","parts":[{"text":"a","thought":true}]}`) + `]}`},
	}
}

func TestRequestsWithManyOfOneThingTakeLinearTime(t *testing.T) {
	models := map[string]string{"gemini": "gemini-3-flash", "messages": "claude-sonnet-4-5", "converse": "anthropic.claude-sonnet-4-5"}
	for name, c := range linearCases() {
		t.Run(name, func(t *testing.T) {
			codec, doc := dialects.LookupClient(providers.Dialect(c.dialect)), []byte(c.body)
			var obj jsonedit.Object
			if err := jsonedit.Scan(doc, codec.KnownKeys(), jsonedit.Limits{}, &obj); err != nil {
				t.Fatal(err)
			}
			h, err := codec.Head(doc, &obj)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			r, err := codec.(dialects.Decoder).DecodeRequest(doc, h)
			if err != nil {
				t.Fatal(err)
			}
			codec.Splice(doc, &obj, h, dialects.SpliceOptions{Model: "y"}, nil)
			for _, to := range []string{"chat", "responses", "messages", "gemini", "converse", "cohere", "ollama"} {
				// Some of the vendors refuse what others take.
				_, notes, _ := dialects.Lookup(providers.Dialect(to)).(dialects.Encoder).EncodeRequest(nil, r, dialects.EncodeOptions{Model: models[to], Vendor: "openai", Rewrites: new(conversation.Rewrites)})
				if n := len(strings.Join(notes, ", ")); n > 8<<10 {
					t.Errorf("%s: %d bytes of notes", to, n)
				}
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("%v for %d KB", took, len(doc)>>10)
			}
		})
	}
}
