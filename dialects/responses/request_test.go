package responses

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
)

// conversationText writes a conversation one message per line: the role, and each block as a kind and what it holds.
func conversationText(r *conversation.Request) string {
	var b strings.Builder
	for _, m := range r.Messages {
		b.WriteString([]string{"user", "assistant", "system", "developer"}[m.Role])
		for i := range m.Blocks {
			b.WriteString(" " + blockText(&m.Blocks[i]))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func blockText(b *conversation.Block) string {
	switch b.Kind {
	case conversation.Call:
		kind := "call:"
		if b.Call.Custom {
			kind = "custom:"
		}
		return kind + b.Call.ID + ":" + b.Call.Name + ":" + b.Call.Arguments
	case conversation.Result:
		s := "result:" + b.Result.CallID + ":" + b.Result.Name
		for i := range b.Result.Content {
			s += "[" + blockText(&b.Result.Content[i]) + "]"
		}
		return s
	case conversation.Thinking:
		return "thinking:" + b.Text + ":" + b.Signature + ":" + b.Origin
	case conversation.Opaque:
		return "opaque:" + rawType(b)
	case conversation.Refusal:
		return "refusal:" + b.Text
	}
	if m := b.Media; m != nil {
		kind := map[conversation.Kind]string{conversation.Image: "image", conversation.Document: "document", conversation.Audio: "audio"}[b.Kind]
		return kind + ":" + m.MIME + m.Data + m.URL + m.FileID + m.Filename
	}
	return "text:" + b.Text
}

func TestConversationsAreDecoded(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"a text", `"input":"hi"`, "user text:hi\n"},
		{
			"instructions come first wherever they stand",
			`"input":[{"role":"developer","content":"d"},{"role":"user","content":"u"}],"instructions":"i"`,
			"system text:i\ndeveloper text:d\nuser text:u\n",
		},
		{
			"what the assistant does in a row is one turn",
			`"input":[{"type":"reasoning","summary":[{"text":"a"},{"text":"b"}],"encrypted_content":"sig"},
			{"type":"message","role":"assistant","content":[{"type":"output_text","text":"t"},{"type":"refusal","refusal":"r"}]},
			{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},{"type":"custom_tool_call","call_id":"c2","name":"p","input":"x"},
			{"type":"function_call_output","call_id":"c1","output":"o"},
			{"type":"custom_tool_call_output","call_id":"c2","output":[{"type":"input_text","text":"y"},{"type":"input_image","image_url":"data:image/png;base64,aQ=="}]},
			{"role":"user","content":"u"}]`,
			"assistant thinking:a\n\nb:sig:responses text:t refusal:r call:c1:f:{} custom:c2:p:x\n" +
				"user result:c1:f[text:o] result:c2:p[text:y][image:image/pngaQ==]\nuser text:u\n",
		},
		{
			"two messages of the assistant stay two",
			`"input":[{"role":"assistant","content":"a"},{"role":"assistant","content":"b"}]`,
			"assistant text:a\nassistant text:b\n",
		},
		{
			"media",
			`"input":[{"role":"user","content":[{"type":"input_image","image_url":"https://x/y"},{"type":"input_image","file_id":"f1"},
			{"type":"input_file","file_data":"aQ==","filename":"a.txt"},{"type":"input_file","file_url":"https://x/z"},
			{"type":"input_audio","input_audio":{"data":"aQ==","format":"mp3"}}]}]`,
			"user image:https://x/y image:f1 document:text/plainaQ==a.txt document:https://x/z audio:audio/mpegaQ==\n",
		},
		{
			"what only this dialect understands stays as it is",
			`"input":[{"type":"web_search_call","id":"w"},{"type":"compaction","encrypted_content":"x"},{"type":"future_output"},{"type":"future_thing"}]`,
			"assistant opaque:web_search_call opaque:compaction\nuser opaque:future_output\nassistant opaque:future_thing\n",
		},
		{
			"what hosted tools did is told in words, in the turn of the one who did it",
			`"input":[{"type":"web_search_call","id":"w","status":"completed","action":{"type":"search","query":"q"}},
			{"type":"code_interpreter_call","id":"ci","code":"1+1","container_id":"c","outputs":null},
			{"type":"mcp_call","id":"m","server_label":"s","name":"n","arguments":"{}","output":"o","error":null},
			{"type":"shell_call","call_id":"s1","action":{"commands":["ls"]}},{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
			{"type":"shell_call_output","call_id":"s1","output":[{"stdout":"x"}]},{"type":"function_call_output","call_id":"c1","output":"y"},
			{"type":"computer_call_output","call_id":"cc","output":{"type":"computer_screenshot","image_url":"data:image/png;base64,aQ=="}}]`,
			`assistant text:[web_search_call {"action":{"type":"search","query":"q"}}] text:[code_interpreter_call {"code":"1+1"}]` +
				` text:[mcp_call {"server_label":"s","name":"n","arguments":"{}","output":"o"}] text:[shell_call {"action":{"commands":["ls"]}}] call:c1:f:{}` + "\n" +
				`user result:c1:f[text:y] text:[shell_call_output {"output":[{"stdout":"x"}]}] image:image/pngaQ==` + "\n",
		},
		{
			"a function's output for a call of a hosted tool is told in words as well",
			`"input":[{"type":"local_shell_call","call_id":"s","action":{"command":["ls"]}},{"type":"function_call_output","call_id":"s","output":"o"}]`,
			`assistant text:[local_shell_call {"action":{"command":["ls"]}}]` + "\n" + `user text:[function_call_output {"output":"o"}]` + "\n",
		},
		{
			"results go right behind their calls, whatever was said in between",
			`"input":[{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},{"type":"function_call","call_id":"c2","name":"g","arguments":"{}"},
			{"type":"function_call_output","call_id":"c1","output":"1"},{"role":"developer","content":"d"},{"type":"function_call_output","call_id":"c2","output":"2"},{"role":"user","content":"u"}]`,
			"assistant call:c1:f:{} call:c2:g:{}\nuser result:c1:f[text:1] result:c2:g[text:2]\ndeveloper text:d\nuser text:u\n",
		},
		{
			"results of several turns that come when others have spoken",
			`"input":[{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},{"type":"function_call","call_id":"c2","name":"g","arguments":"{}"},
			{"role":"user","content":"u"},{"type":"function_call","call_id":"c3","name":"f","arguments":"{}"},{"role":"user","content":"v"},
			{"type":"function_call_output","call_id":"c3","output":"3"},{"type":"function_call_output","call_id":"c2","output":"2"},
			{"type":"function_call_output","call_id":"c1","output":"1"},{"type":"function_call_output","call_id":"c9","output":"9"}]`,
			"assistant call:c1:f:{} call:c2:g:{}\nuser result:c2:g[text:2] result:c1:f[text:1]\nuser text:u\n" +
				"assistant call:c3:f:{}\nuser result:c3:f[text:3]\nuser text:v\nuser result:c9:[text:9]\n",
		},
		{
			"searches for tools say nothing: what they find is declared",
			`"input":[{"role":"user","content":"u"},{"type":"tool_search_call","call_id":null,"execution":"server","arguments":{}},{"type":"tool_search_output","call_id":null,"tools":[]},{"type":"additional_tools","role":"developer","tools":[]}]`,
			"user text:u\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := conversationText(dialecttest.MustDecode(t, Codec{}, `{"model":"m",`+c.body+`}`)); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

func TestRequestsThatCannotBeContinuedElsewhereAreRefused(t *testing.T) {
	for body, param := range map[string]string{
		`"input":"x","previous_response_id":"resp_1"`:  "previous_response_id",
		`"input":"x","conversation":{"id":"c"}`:        "conversation",
		`"prompt":{"id":"p"}`:                          "prompt",
		`"input":"x","background":true`:                "background",
		`"input":[{"type":"item_reference","id":"i"}]`: "input[0]",
		`"input":[]`:         "input",
		`"instructions":"i"`: "input",
		`"input":7`:          "input",
		`"input":[7]`:        "input[0]",
		`"input":[{"role":"tool","content":"x"}]`:                              "input[0].role",
		`"input":[{"role":"user"}]`:                                            "input[0].content",
		`"input":[{"role":"user","content":[{"type":"input_text"}]}]`:          "input[0].content[0].text",
		`"input":[{"role":"user","content":[{"type":"input_image"}]}]`:         "input[0].content[0].image_url",
		`"input":[{"role":"user","content":[{"type":"input_file"}]}]`:          "input[0].content[0]",
		`"input":[{"type":"function_call","call_id":"c"}]`:                     "input[0].name",
		`"input":[{"type":"function_call","name":"f"}]`:                        "input[0].call_id",
		`"input":[{"type":"function_call_output","call_id":"c"}]`:              "input[0].output",
		`"input":[{"type":"function_call_output","output":"o"}]`:               "input[0].call_id",
		`"input":"x","tools":[{"name":"f"}]`:                                   "tools[0].type",
		`"input":"x","tools":[{"type":"function"}]`:                            "tools[0].name",
		`"input":"x","tools":[{"type":"function","name":"f","parameters":[]}]`: "tools[0].parameters",
		`"input":"x","tool_choice":"some"`:                                     "tool_choice",
		`"input":"x","tool_choice":{"type":"web_search"}`:                      "tool_choice",
		`"input":"x","tools":[{"type":"web_search"}],"tool_choice":"required"`: "tool_choice",
		`"input":"x","tools":[{"type":"function","name":"f"}],"tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"mcp","server_label":"s"}]}`: "tool_choice",
		`"input":"x","tools":[{"type":"custom"}]`:                                             "tools[0].name",
		`"input":"x","tools":[{"type":"namespace","tools":[]}]`:                               "tools[0].name",
		`"input":"x","tools":[{"type":"namespace","name":"n","tools":[{"type":"function"}]}]`: "tools[0].tools[0].name",
		`"input":"x","include":"all"`:                                                         "include",
		`"input":"x","tool_choice":{"type":"function"}`:                                       "tool_choice",
		`"input":"x","tool_choice":{"type":"allowed_tools","mode":"none"}`:                    "tool_choice.mode",
		`"input":"x","text":{"format":{"type":"xml"}}`:                                        "text.format.type",
		`"input":"x","text":{"format":{"type":"json_schema"}}`:                                "text.format.schema",
		`"input":"x","temperature":"hot"`:                                                     "temperature",
		`"input":"x","reasoning":"high"`:                                                      "reasoning",
	} {
		_, err := dialecttest.Decode(Codec{}, `{"model":"m",`+body+`}`)
		var e *dialects.RequestError
		if !errors.As(err, &e) || e.Status != 400 || e.Param != param {
			t.Errorf("%s: got %v (%+v), want an error about %s", body, err, e, param)
		}
	}
}

func TestToolsAreStrictUnlessTheySayOtherwise(t *testing.T) {
	closed := `{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}`
	for _, c := range []struct{ tool, want string }{
		{`"parameters":` + closed, "true"},
		{`"parameters":` + closed + `,"strict":false`, "false"},
		{`"parameters":{"type":"object","properties":{"a":{"type":"string"}}},"strict":true`, "true"},
		{`"parameters":{"type":"object","properties":{"a":{"type":"string"}}}`, "unset"}, // strict mode would rewrite it
		{`"parameters":{"type":"object","properties":{"a":{"type":"array","items":{"type":"object","properties":{}}}},"required":["a"],"additionalProperties":false}`, "unset"},
		{`"description":"d"`, "unset"},
	} {
		got := "unset"
		if s := dialecttest.MustDecode(t, Codec{}, `{"model":"m","input":"x","tools":[{"type":"function","name":"f",`+c.tool+`}]}`).Tools[0].Strict; s != nil {
			got = map[bool]string{true: "true", false: "false"}[*s]
		}
		if got != c.want {
			t.Errorf("%s: strict is %s, want %s", c.tool, got, c.want)
		}
	}
}

func TestOptionsSurviveDecodingAndEncoding(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"limits", `"max_output_tokens":100,"temperature":0.5,"top_p":0.9`, `"max_output_tokens":100,"temperature":0.5,"top_p":0.9`},
		{
			"log probabilities", `"top_logprobs":3,"include":["message.output_text.logprobs","x.y"]`,
			`"top_logprobs":3,"include":["message.output_text.logprobs","x.y"]`,
		},
		{"reasoning", `"reasoning":{"effort":"high","summary":"auto"}`, `"reasoning":{"effort":"high","summary":"auto"}`},
		{"identity", `"safety_identifier":"u","prompt_cache_key":"k","service_tier":"flex","metadata":{"a":"b"}`, `"user":"u","prompt_cache_key":"k","service_tier":"flex","metadata":{"a":"b"}`},
		{
			"structured output",
			`"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"},"strict":true},"verbosity":"low"}`,
			`"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"},"strict":true},"verbosity":"low"}`,
		},
		{"any JSON", `"text":{"format":{"type":"json_object"}}`, `"text":{"format":{"type":"json_object"}}`},
		{
			"tools",
			`"tools":[{"type":"function","name":"f","strict":null},{"type":"web_search"}],"tool_choice":{"type":"function","name":"f"},"parallel_tool_calls":false`,
			`"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{}},"strict":false},{"type":"web_search"}],"tool_choice":{"type":"function","name":"f"},"parallel_tool_calls":false`,
		},
		{
			"allowed tools",
			`"tools":[{"type":"web_search"}],"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]}`,
			`"tools":[{"type":"web_search"}],"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]}`,
		},
		{"what goes without saying is not repeated", `"store":false,"truncation":"disabled","include":["reasoning.encrypted_content"],"background":false,"user":null`, ``},
		{"other members", `"max_tool_calls":3,"truncation":"auto"`, `"max_tool_calls":3,"truncation":"auto"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, notes := dialecttest.MustEncode(t, Codec{}, dialecttest.MustDecode(t, Codec{}, `{"model":"m","input":"x","stream":true,`+c.body+`}`), dialects.EncodeOptions{Model: "m"})
			dialecttest.SameJSON(t, got, strings.TrimSuffix(`{"model":"m","input":[{"role":"user","content":"x"}],"stream":true,"store":false,`+c.want, ",")+"}")
			if len(notes) > 0 {
				t.Errorf("dropped %q", notes)
			}
		})
	}
}

func TestConversationsAreEncoded(t *testing.T) {
	text := func(s string) conversation.Block { return conversation.Block{Kind: conversation.Text, Text: s} }
	own := conversation.Block{Kind: conversation.Thinking, Text: "Hm.", Signature: "sig", Origin: origin}
	foreign := conversation.Block{Kind: conversation.Thinking, Text: "Hm.", Signature: "sig", Origin: "messages"}
	call := conversation.Block{Kind: conversation.Call, Call: &conversation.ToolCall{ID: "c", Name: "f"}}
	nameless := conversation.Block{Kind: conversation.Call, Call: &conversation.ToolCall{Name: "g", Arguments: "{}"}}
	result := func(id, name string, content ...conversation.Block) conversation.Block {
		return conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{CallID: id, Name: name, Content: content}}
	}
	image := conversation.Block{Kind: conversation.Image, Media: &conversation.Media{MIME: "image/png", Data: "aQ==", Detail: "low"}}
	pdf := conversation.Block{Kind: conversation.Document, Media: &conversation.Media{MIME: "application/pdf", Data: "aQ=="}}
	r := &conversation.Request{Messages: []conversation.Message{
		{Role: conversation.System, Blocks: []conversation.Block{text("a"), text("b")}},
		{Blocks: []conversation.Block{text("look"), image, pdf}},
		{Role: conversation.Assistant, Blocks: []conversation.Block{foreign, own, text(""), text("yes"), call, nameless}},
		{Blocks: []conversation.Block{result("c", "f", text("1"), text("2")), result("", "g", text("see"), image), text("go on")}},
		{Role: conversation.Developer, Blocks: []conversation.Block{text("brief")}},
		{Role: conversation.Assistant, Blocks: []conversation.Block{text("done"), own, text("")}},
	}}
	got, notes := dialecttest.MustEncode(t, Codec{}, r, dialects.EncodeOptions{Model: "gpt-5.1", Vendor: "openai"})
	id := gjson.Get(got, "input.4.call_id").String()
	if id == "" {
		t.Errorf("a call has no id in %s", got)
	}
	dialecttest.SameJSON(t, got, strings.ReplaceAll(`{"model":"gpt-5.1","instructions":"a\n\nb","input":[
		{"role":"user","content":[{"type":"input_text","text":"look"},{"type":"input_image","image_url":"data:image/png;base64,aQ==","detail":"low"},
			{"type":"input_file","filename":"document.pdf","file_data":"data:application/pdf;base64,aQ=="}]},
		{"type":"reasoning","summary":[{"type":"summary_text","text":"Hm."}],"encrypted_content":"sig"},
		{"type":"message","role":"assistant","content":[{"type":"output_text","text":"yes"}]},
		{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
		{"type":"function_call","call_id":"ID","name":"g","arguments":"{}"},
		{"type":"function_call_output","call_id":"c","output":"1\n2"},
		{"type":"function_call_output","call_id":"ID","output":[{"type":"input_text","text":"see"},{"type":"input_image","image_url":"data:image/png;base64,aQ==","detail":"low"}]},
		{"role":"user","content":"go on"},
		{"role":"developer","content":"brief"},
		{"type":"message","role":"assistant","content":[{"type":"output_text","text":"done"}]}],
		"include":["reasoning.encrypted_content"],"store":false}`, "ID", id))
	if !slices.Equal(notes, []string{"thinking"}) {
		t.Errorf("dropped %q", notes)
	}
}

func TestReasoningModelsAreNotSampled(t *testing.T) {
	n := int64(3)
	r := &conversation.Request{Temperature: "0.5", TopK: "0.5", MaxTokens: &n, Stop: []string{"x"}, Reasoning: &conversation.Reasoning{Effort: "low"}}
	for _, c := range []struct {
		model, vendor string
		want          string
		notes         []string
	}{
		{"gpt-5", "openai", `"reasoning":{"effort":"low"},"include":["reasoning.encrypted_content"]`, []string{"stop", "temperature", "top_k"}},
		{"gpt-5.5", "azure", `"reasoning":{"effort":"low"},"include":["reasoning.encrypted_content"]`, []string{"stop", "temperature", "top_k"}},
		{"gpt-4o", "openai", `"temperature":0.5`, []string{"stop", "top_k", "reasoning.effort"}},
		{"grok-4", "xai", `"temperature":0.5,"reasoning":{"effort":"low"},"include":["reasoning.encrypted_content"]`, []string{"stop", "top_k"}},
		{"local", "", `"temperature":0.5,"reasoning":{"effort":"low"}`, []string{"stop", "top_k"}},
	} {
		got, notes := dialecttest.MustEncode(t, Codec{}, r, dialects.EncodeOptions{Model: c.model, Vendor: c.vendor})
		dialecttest.SameJSON(t, got, `{"model":"`+c.model+`","input":[],"max_output_tokens":16,"store":false,`+c.want+`}`)
		if !slices.Equal(notes, c.notes) {
			t.Errorf("%s: dropped %q, want %q", c.model, notes, c.notes)
		}
	}
}

func TestWhatReasoningModelsDoUnaskedIsNotNoted(t *testing.T) {
	r := &conversation.Request{Temperature: "1.0", TopP: "1"}
	got, notes := dialecttest.MustEncode(t, Codec{}, r, dialects.EncodeOptions{Model: "gpt-5", Vendor: "openai"})
	if gjson.Get(got, "temperature").Exists() || gjson.Get(got, "top_p").Exists() || len(notes) > 0 {
		t.Errorf("got %s, dropped %q", got, notes)
	}
}

func TestMembersThatSayNothingAreNotDropped(t *testing.T) {
	r := dialecttest.MustDecode(t, Codec{}, `{"model":"m","input":"x","top_logprobs":0,"metadata":{ },"store":false,"truncation":"disabled"}`)
	if r.TopLogprobs != nil || len(r.Metadata)+len(r.Extra) > 0 {
		t.Errorf("got %+v", r)
	}
	r = &conversation.Request{FrequencyPenalty: "0", PresencePenalty: "0.0"}
	if _, notes := dialecttest.MustEncode(t, Codec{}, r, dialects.EncodeOptions{Model: "m"}); len(notes) > 0 {
		t.Errorf("dropped %q", notes)
	}
}

// OpenAI's models answer with JSON of any shape only where the input has the word, and do not look for it in the
// instructions.
func TestTheWordJSONStandsInTheInput(t *testing.T) {
	message := func(role conversation.Role, s string) conversation.Message {
		return conversation.Message{Role: role, Blocks: textBlocks(s)}
	}
	hint := `{"role":"system","content":"Respond with a single valid JSON object and nothing else: no explanations and no code fences."}`
	for _, tt := range []struct {
		name, from   string
		messages     []conversation.Message
		instructions string
		input        string
	}{
		{
			"it stands in the system prompt alone", "chat",
			[]conversation.Message{message(conversation.System, "Answer in JSON."), message(conversation.User, "Hi")},
			"", `[{"role":"system","content":"Answer in JSON."},{"role":"user","content":"Hi"}]`,
		},
		{
			"it stands elsewhere, too", "chat",
			[]conversation.Message{message(conversation.System, "Answer in JSON."), message(conversation.User, "Some json, please")},
			"Answer in JSON.", `[{"role":"user","content":"Some json, please"}]`,
		},
		{
			"the client's dialect does not demand it", "gemini",
			[]conversation.Message{message(conversation.System, "Be brief."), message(conversation.User, "Hi")},
			"Be brief.", `[` + hint + `,{"role":"user","content":"Hi"}]`,
		},
		{
			"the client's dialect demands it as well", "chat",
			[]conversation.Message{message(conversation.User, "Hi")},
			"", `[{"role":"user","content":"Hi"}]`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &conversation.Request{Origin: tt.from, Messages: tt.messages, Format: &conversation.Format{}}
			got, _ := dialecttest.MustEncode(t, Codec{}, r, dialects.EncodeOptions{Model: "gpt-4.1", Vendor: "openai"})
			if s := gjson.Get(got, "instructions").Str; s != tt.instructions {
				t.Errorf("the instructions are %q, want %q", s, tt.instructions)
			}
			dialecttest.SameJSON(t, gjson.Get(got, "input").Raw, tt.input)
		})
	}
}

func TestWhatHasNoPlaceIsNoted(t *testing.T) {
	said := textBlocks("a")
	for _, tt := range []struct {
		name, from string
		message    conversation.Message
		want       string
	}{
		{"a failed result", "messages", conversation.Message{Blocks: []conversation.Block{{Kind: conversation.Result, Result: &conversation.ToolResult{CallID: "c", Content: said, IsError: true}}}}, "is_error"},
		{"a failed result that says so itself", "gemini", conversation.Message{Blocks: []conversation.Block{{Kind: conversation.Result, Result: &conversation.ToolResult{CallID: "c", Content: said, IsError: true}}}}, ""},
		{"the title of a text", "messages", conversation.Message{Blocks: []conversation.Block{{Kind: conversation.Document, Media: &conversation.Media{Text: "x", Title: "T"}}}}, "title"},
		{"a text to go on with", "messages", conversation.Message{Role: conversation.Assistant, Blocks: said}, "prefill"},
		{"a last text of a client that expects a new one", "chat", conversation.Message{Role: conversation.Assistant, Blocks: said}, ""},
	} {
		r := &conversation.Request{Origin: tt.from, Messages: []conversation.Message{tt.message}}
		_, notes := dialecttest.MustEncode(t, Codec{}, r, dialects.EncodeOptions{Model: "gpt-4.1", Vendor: "openai"})
		if got := strings.Join(notes, " "); got != tt.want {
			t.Errorf("%s: dropped %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestAMessageWithoutContentIsAnEmptyText(t *testing.T) {
	got, _ := dialecttest.MustEncode(t, Codec{}, &conversation.Request{Messages: []conversation.Message{{}}}, dialects.EncodeOptions{Model: "m"})
	dialecttest.SameJSON(t, got, `{"model":"m","input":[{"role":"user","content":""}],"store":false}`)
}

func TestCacheMarksGoBackToWhereTheyCameFrom(t *testing.T) {
	body := `{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"x","prompt_cache_breakpoint":{"mode":"explicit"}}]}]}`
	r := dialecttest.MustDecode(t, Codec{}, body)
	got, notes := dialecttest.MustEncode(t, Codec{}, r, dialects.EncodeOptions{Model: "m"})
	dialecttest.SameJSON(t, got, strings.Replace(body, `"model":"m"`, `"model":"m","store":false`, 1))
	if len(notes) > 0 {
		t.Errorf("dropped %q", notes)
	}
	r.Origin = "messages"
	got, notes = dialecttest.MustEncode(t, Codec{}, r, dialects.EncodeOptions{Model: "m"})
	dialecttest.SameJSON(t, got, `{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"x"}]}],"store":false}`)
	if !slices.Equal(notes, []string{"cache_control"}) {
		t.Errorf("dropped %q", notes)
	}
}

func TestWhatTheWireCannotSayIsRefused(t *testing.T) {
	two := int64(2)
	for name, r := range map[string]*conversation.Request{
		"several answers":              {N: &two},
		"a video":                      {Messages: []conversation.Message{{Blocks: []conversation.Block{{Kind: conversation.Video, Media: &conversation.Media{URL: "https://x"}}}}}},
		"a file of another vendor":     {Messages: []conversation.Message{{Blocks: []conversation.Block{{Kind: conversation.Image, Media: &conversation.Media{FileID: "f", Origin: "messages"}}}}}},
		"a result that answers nobody": {Messages: []conversation.Message{{Blocks: []conversation.Block{{Kind: conversation.Result, Result: &conversation.ToolResult{}}}}}},
	} {
		var e *dialects.RequestError
		if _, _, err := (Codec{}).EncodeRequest(nil, r, dialects.EncodeOptions{Model: "m"}); !errors.As(err, &e) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
