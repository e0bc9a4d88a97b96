package responses

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
)

// toolsText writes one tool per line: its name, what it is, and its description.
func toolsText(r *conversation.Request) string {
	var b strings.Builder
	for _, t := range r.Tools {
		kind := "function"
		switch {
		case t.Custom && t.Grammar != nil:
			kind = "custom " + t.Grammar.Syntax + " " + t.Grammar.Definition
		case t.Custom:
			kind = "custom"
		case t.Raw != nil:
			kind = "hosted"
		}
		fmt.Fprintf(&b, "%s: %s: %s\n", strings.ReplaceAll(t.Name, namespaceMark, "/"), kind, strings.ReplaceAll(t.Description, "\n", "|"))
	}
	return b.String()
}

func TestToolsAreDecoded(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{
			"free-text tools with and without a grammar",
			`"input":"x","tools":[{"type":"custom","name":"a","description":"d","format":{"type":"text"}},{"type":"custom","name":"b","format":{"type":"grammar","syntax":"lark","definition":"start: x"}}]`,
			"a: custom: d\nb: custom lark start: x: \n",
		},
		{
			"namespaces are flattened, and their tools stay distinct",
			`"input":"x","tools":[{"type":"function","name":"f"},{"type":"namespace","name":"n","description":"N.","tools":[{"type":"function","name":"f","description":"F.","defer_loading":true},{"type":"custom","name":"g"}]}]`,
			"f: function: \nn/f: function: N.||F.\nn/g: custom: N.\n",
		},
		{
			"tools that the vendor runs are kept for it",
			`"input":"x","tools":[{"type":"web_search"},{"type":"shell"},{"type":"apply_patch"},{"type":"tool_search"}]`,
			"web_search: hosted: \nshell: hosted: \napply_patch: hosted: \n",
		},
		{
			"a search for tools by the client is a function",
			`"input":"x","tools":[{"type":"tool_search","execution":"client","description":"d","parameters":{"type":"object"}}]`,
			"/tool_search: function: d\n",
		},
		{
			"tools handed out later are declared, once",
			`"input":[{"type":"additional_tools","role":"developer","tools":[{"type":"namespace","name":"n","tools":[{"type":"function","name":"f"}]}]},
			{"role":"user","content":"x"},
			{"type":"tool_search_output","call_id":null,"execution":"server","tools":[{"type":"function","name":"g"},{"type":"function","name":"h"}]}],
			"tools":[{"type":"function","name":"g","description":"deferred","defer_loading":true}]`,
			"g: function: deferred\nn/f: function: \nh: function: \n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := toolsText(dialecttest.MustDecode(t, Codec{}, `{"model":"m",`+c.body+`}`)); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

func TestASearchForToolsByTheClientIsACallWithAResult(t *testing.T) {
	r := dialecttest.MustDecode(t, Codec{}, `{"model":"m","input":[{"role":"user","content":"x"},
		{"type":"tool_search_call","call_id":"c","execution":"client","arguments":{"query":"q"}},
		{"type":"tool_search_output","call_id":"c","execution":"client","tools":[{"type":"namespace","name":"n","tools":[{"type":"function","name":"f"}]}]}]}`)
	want := "user text:x\nassistant call:c:\x1ftool_search:{\"query\":\"q\"}\nuser result:c:\x1ftool_search[text:These tools can be called now: n f]\n"
	if got := conversationText(r); got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

func TestACallKeepsItsNamespaceWhereTheToolHasOne(t *testing.T) {
	r := dialecttest.MustDecode(t, Codec{}, `{"model":"m","input":[{"role":"user","content":"x"},
		{"type":"function_call","call_id":"a","name":"f","namespace":"f","arguments":"{}"},{"type":"function_call","call_id":"b","name":"f","namespace":"n","arguments":"{}"},
		{"type":"function_call_output","call_id":"a","output":"1"},{"type":"function_call_output","call_id":"b","output":"2"}],
		"tools":[{"type":"function","name":"f","defer_loading":true},{"type":"namespace","name":"n","tools":[{"type":"function","name":"f"}]}]}`)
	want := "user text:x\nassistant call:a:f:{} call:b:n\x1ff:{}\nuser result:a:f[text:1] result:b:n\x1ff[text:2]\n"
	if got := conversationText(r); got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

func TestAllowedToolsOfOtherVendorsAreLeftOut(t *testing.T) {
	choice := func(tools string) conversation.ToolChoice {
		return dialecttest.MustDecode(t, Codec{}, `{"model":"m","input":"x","tools":[{"type":"function","name":"f"},{"type":"mcp"}],"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[`+tools+`]}}`).Choice
	}
	if c := choice(`{"type":"mcp","server_label":"s"},{"type":"function","name":"f"},{"type":"function","namespace":"n","name":"g"}`); c.Mode != conversation.ChoiceAuto || !slices.Equal(c.Allowed, []string{"f", "n\x1fg"}) {
		t.Errorf("got %+v", c)
	}
	if c := choice(`{"type":"mcp","server_label":"s"}`); c.Mode != conversation.ChoiceNone || c.Allowed != nil {
		t.Errorf("got %+v, want that nothing may be called", c)
	}
}

func TestWhatCannotBeCarriedIsNoReasonToRefuse(t *testing.T) {
	r := dialecttest.MustDecode(t, Codec{}, `{"model":"m","input":"x","store":true,"previous_response_id":null,"conversation":"","truncation":"auto",
		"context_management":[{"type":"compaction"}],"prompt_cache_key":"k","stream_options":{"include_obfuscation":false},
		"include":["reasoning.encrypted_content","message.output_text.logprobs","file_search_call.results"],"background":false,
		"tools":[{"type":"function","name":"f","output_schema":{}}]}`)
	var kept []string
	for _, f := range r.Extra {
		kept = append(kept, f.Name)
	}
	slices.Sort(kept)
	if want := []string{"context_management", "include", "store", "tools.output_schema", "truncation"}; !slices.Equal(kept, want) {
		t.Errorf("left for notes are %q, want %q", kept, want)
	}
	if r.CacheKey != "k" || r.Logprobs == nil || !*r.Logprobs {
		t.Errorf("got %+v", r)
	}
}

func TestToolsAreWrittenAsTheVendorKnowsThem(t *testing.T) {
	custom := conversation.Tool{Name: "patch", Description: "d", Custom: true, Grammar: &conversation.Grammar{Syntax: "lark", Definition: "start: x"}}
	call := conversation.Block{Kind: conversation.Call, Call: &conversation.ToolCall{ID: "c", Name: "patch", Arguments: "a\nb", Custom: true}}
	request := func() *conversation.Request {
		return &conversation.Request{
			Messages: []conversation.Message{
				{Blocks: textBlocks("x")},
				{Role: conversation.Assistant, Blocks: []conversation.Block{call}},
				{Blocks: []conversation.Block{{Kind: conversation.Result, Result: &conversation.ToolResult{CallID: "c", Content: textBlocks("o")}}}},
			},
			Tools:  []conversation.Tool{custom, {Name: "a.b"}},
			Choice: conversation.ToolChoice{Mode: conversation.ChoiceTool, Name: "patch"},
		}
	}
	for vendor, want := range map[string]map[string]string{
		"openai": {
			"tools.0":       `{"type":"custom","name":"patch","description":"d","format":{"type":"grammar","syntax":"lark","definition":"start: x"}}`,
			"tool_choice":   `{"type":"custom","name":"patch"}`,
			"input.1.type":  `"custom_tool_call"`,
			"input.1.input": `"a\nb"`,
			"input.2.type":  `"custom_tool_call_output"`,
		},
		"lmstudio": {
			"tools.0.type":        `"function"`,
			"tools.0.description": `"d\n\nThe input must match this lark grammar:\nstart: x"`,
			"tools.0.parameters":  conversation.FreeTextSchema,
			"tool_choice":         `{"type":"function","name":"patch"}`,
			"input.1.type":        `"function_call"`,
			"input.1.arguments":   `"{\"input\":\"a\\nb\"}"`,
			"input.2.type":        `"function_call_output"`,
		},
	} {
		t.Run(vendor, func(t *testing.T) {
			var w conversation.Rewrites
			out, notes := dialecttest.MustEncode(t, Codec{}, request(), dialects.EncodeOptions{Model: "gpt-5", Vendor: vendor, Rewrites: &w})
			if len(notes) > 0 {
				t.Errorf("dropped %q", notes)
			}
			for path, value := range want {
				if got := gjson.Get(out, path).Raw; got != value {
					t.Errorf("%s is %s, want %s", path, got, value)
				}
			}
			answer := &conversation.Response{Choices: []conversation.Choice{{Blocks: []conversation.Block{
				{Kind: conversation.Call, Call: &conversation.ToolCall{Name: gjson.Get(out, "tools.1.name").String()}},
				{Kind: conversation.Call, Call: &conversation.ToolCall{Name: "patch", Arguments: `{"input":"z"}`}},
			}}}}
			w.Response(answer)
			blocks := answer.Choices[0].Blocks
			if blocks[0].Call.Name != "a.b" {
				t.Errorf("a renamed tool comes back as %q", blocks[0].Call.Name)
			}
			if got := blocks[1].Call; vendor != "openai" && (!got.Custom || got.Arguments != "z") {
				t.Errorf("a free-text tool comes back as %+v", got)
			}
		})
	}
}

func TestADemandForToolsThatNoOtherVendorHasIsRefused(t *testing.T) {
	r := &conversation.Request{
		Messages: []conversation.Message{{Blocks: textBlocks("x")}},
		Tools:    []conversation.Tool{{Name: "web_search", Raw: []byte(`{}`), Origin: "messages"}},
	}
	if out, notes := dialecttest.MustEncode(t, Codec{}, r, dialects.EncodeOptions{}); gjson.Get(out, "tools").Exists() || !slices.Equal(notes, []string{"web_search"}) {
		t.Errorf("got %s, dropped %q", out, notes)
	}
	r.Choice.Mode = conversation.ChoiceRequired
	if _, _, err := (Codec{}).EncodeRequest(nil, r, dialects.EncodeOptions{}); err == nil {
		t.Error("not refused")
	}
}

func TestCallsAreWrittenAsTheClientMadeItsTools(t *testing.T) {
	call := func(c conversation.ToolCall) conversation.Block {
		return conversation.Block{Kind: conversation.Call, Call: &c}
	}
	signed := call(conversation.ToolCall{ID: "c", Name: "f", Arguments: "{}"})
	signed.Signature, signed.Origin = "c2ln", "gemini"
	for _, c := range []struct {
		name  string
		block conversation.Block
		want  []string // the items less their ids
	}{
		{
			"a tool of a namespace",
			call(conversation.ToolCall{ID: "c", Name: "n\x1ff", Arguments: "{}"}),
			[]string{`{"id":"fc_r_0","type":"function_call","arguments":"{}","call_id":"c","namespace":"n","name":"f","status":"completed"}`},
		},
		{
			"a free-text tool",
			call(conversation.ToolCall{ID: "c", Name: "n\x1fp", Arguments: "a\n\"b\"", Custom: true}),
			[]string{`{"id":"ctc_r_0","type":"custom_tool_call","input":"a\n\"b\"","call_id":"c","namespace":"n","name":"p","status":"completed"}`},
		},
		{
			"a search for tools by the client",
			call(conversation.ToolCall{ID: "c", Name: clientSearch, Arguments: `{"query": "q"}`}),
			[]string{`{"id":"tsc_r_0","type":"tool_search_call","execution":"client","call_id":"c","arguments":{"query": "q"},"status":"completed"}`},
		},
		{
			"a search with arguments that are cut off",
			call(conversation.ToolCall{ID: "c", Name: clientSearch, Arguments: `{"query": "q`}),
			[]string{`{"id":"tsc_r_0","type":"tool_search_call","execution":"client","call_id":"c","arguments":{},"status":"completed"}`},
		},
		{
			"a signed call, whose signature is kept in the reasoning before it",
			signed,
			[]string{
				`{"id":"rs_r_0","type":"reasoning","summary":[],"encrypted_content":"~llmgateway:gemini:c2ln"}`,
				`{"id":"fc_r_1","type":"function_call","arguments":"{}","call_id":"c","name":"f","status":"completed"}`,
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &conversation.Response{ID: "r", Choices: []conversation.Choice{{Blocks: []conversation.Block{c.block}, Stop: conversation.StopToolCalls}}}
			unary := gjson.GetBytes(Codec{}.EncodeResponse(nil, r, "m"), "output").Raw
			if want := "[" + strings.Join(c.want, ",") + "]"; unary != want {
				t.Errorf("got  %s\nwant %s", unary, want)
			}
			w := Codec{}.NewEventWriter(dialects.WriterOptions{Model: "m"})
			var out []byte
			for ev := range r.Events() {
				out = w.Append(out, &ev)
			}
			var final string
			for line := range strings.Lines(string(out)) {
				if doc, ok := strings.CutPrefix(line, "data: "); ok {
					final = gjson.Get(doc, "response.output").Raw
				}
			}
			if final != unary {
				t.Errorf("streamed %s\nunary    %s", final, unary)
			}
		})
	}
}

func TestTokensAreCounted(t *testing.T) {
	body := `{"model":"m","input":"x","instructions":"i","tools":[{"type":"function","name":"f","parameters":{"type":"object"},"strict":false}],"text":{"verbosity":"low"}}`
	doc := []byte(body)
	r, err := Codec{}.DecodeCountRequest(doc, dialects.Head{Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	limit := int64(100)
	r.MaxTokens, r.User, r.Temperature, r.Stream = &limit, "u", "1", true // none of which counts
	out, notes, err := Codec{}.EncodeCount(nil, r, dialects.EncodeOptions{Model: "m"})
	if err != nil || len(notes) > 0 {
		t.Fatal(err, notes)
	}
	dialecttest.SameJSON(t, string(out), `{"model":"m","instructions":"i","input":[{"role":"user","content":"x"}],"tools":[{"type":"function","name":"f","parameters":{"type":"object"},"strict":false}],"text":{"verbosity":"low"}}`)

	answer := Codec{}.AppendCount(nil, 42)
	if n, ok := (Codec{}).DecodeCount(answer); n != 42 || !ok {
		t.Errorf("%s is read as %d, %v", answer, n, ok)
	}
	if _, ok := (Codec{}).DecodeCount([]byte(`{"error":{"message":"no"}}`)); ok {
		t.Error("an error is read as a count")
	}
}
