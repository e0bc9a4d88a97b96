package gemini

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
)

func say(role conversation.Role, blocks ...conversation.Block) conversation.Message {
	return conversation.Message{Role: role, Blocks: blocks}
}

func words(s string) conversation.Block { return conversation.Block{Text: s} }

func callOf(id, name, args string) conversation.Block {
	return conversation.Block{Kind: conversation.Call, Call: &conversation.ToolCall{ID: id, Name: name, Arguments: args}}
}

func resultOf(id string, content ...conversation.Block) conversation.Block {
	return conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{CallID: id, Content: content}}
}

func mediaBlock(kind conversation.Kind, m conversation.Media) conversation.Block {
	return conversation.Block{Kind: kind, Media: &m}
}

const (
	user      = conversation.User
	assistant = conversation.Assistant
)

// encode encodes a request and fails when the result is not JSON.
func encode(t *testing.T, r *conversation.Request, o dialects.EncodeOptions) (string, string, error) {
	t.Helper()
	out, notes, err := Codec{}.EncodeRequest([]byte("prefix"), r, o)
	body, ok := strings.CutPrefix(string(out), "prefix")
	if !ok || err == nil && !json.Valid([]byte(body)) {
		t.Fatalf("not JSON behind the prefix: %s", out)
	}
	return body, strings.Join(notes, " "), err
}

func TestEncodeRefuses(t *testing.T) {
	tool := conversation.Tool{Name: "web_search", Raw: json.RawMessage(`{}`), Origin: "messages"}
	hi := []conversation.Message{say(user, words("hi"))}
	for _, c := range []struct {
		name, param string
		r           conversation.Request
	}{
		{"no content at all", "messages", conversation.Request{}},
		{"another vendor's file ID", "messages", conversation.Request{Messages: []conversation.Message{say(user, mediaBlock(conversation.Document, conversation.Media{FileID: "file-1", Origin: "chat"}))}}},
		{"a URL that Google does not fetch", "messages", conversation.Request{Messages: []conversation.Message{say(user, mediaBlock(conversation.Image, conversation.Media{URL: "http://example.com/a.png"}))}}},
		{"data of no known type", "messages", conversation.Request{Messages: []conversation.Message{say(user, mediaBlock(conversation.Document, conversation.Media{Data: "AAAA"}))}}},
		{"a result without its call", "messages", conversation.Request{Messages: []conversation.Message{say(user, resultOf("c9", words("x")))}}},
		{"an image in a system prompt", "messages", conversation.Request{Messages: append([]conversation.Message{say(conversation.System, mediaBlock(conversation.Image, conversation.Media{Data: "/9j/"}))}, hi...)}},
		{"the choice of a tool that is not there", "tool_choice", conversation.Request{Messages: hi, Tools: []conversation.Tool{tool}, Choice: conversation.ToolChoice{Mode: conversation.ChoiceTool, Name: "web_search"}}},
		{"a required call without tools", "tool_choice", conversation.Request{Messages: hi, Tools: []conversation.Tool{tool}, Choice: conversation.ToolChoice{Mode: conversation.ChoiceRequired}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, _, err := encode(t, &c.r, dialects.EncodeOptions{}); err == nil || paramOf(err) != c.param {
				t.Errorf("got %v about %q, want an error about %q", err, paramOf(err), c.param)
			}
		})
	}
}

func TestEncodeTools(t *testing.T) {
	f := conversation.Tool{Name: "f", Description: "d", Schema: json.RawMessage(`{"type":"object","$defs":{},"properties":{"z":{},"a":{}}}`)}
	g := conversation.Tool{Name: "g"}
	search := conversation.Tool{Name: "googleSearch", Raw: json.RawMessage(`{"googleSearch":{}}`), Origin: "gemini"}
	foreign := conversation.Tool{Name: "web_search", Raw: json.RawMessage(`{"type":"web_search"}`), Origin: "responses"}
	const declared = `"tools":[{"functionDeclarations":[{"name":"f","description":"d","parametersJsonSchema":{"type":"object","$defs":{},"properties":{"z":{},"a":{}}}},{"name":"g"}]}]`
	both := []conversation.Tool{f, g}
	for _, c := range []struct {
		name        string
		tools       []conversation.Tool
		choice      conversation.ToolChoice
		want, notes string
	}{
		{name: "schemas stay as they are", tools: both, want: declared},
		{name: "auto", tools: both, choice: conversation.ToolChoice{Mode: conversation.ChoiceAuto}, want: declared + `,"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}}`},
		{name: "auto among some", tools: both, choice: conversation.ToolChoice{Mode: conversation.ChoiceAuto, Allowed: []string{"f", "g"}}, want: declared + `,"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED","allowedFunctionNames":["f","g"]}}`},
		{name: "none", tools: both, choice: conversation.ToolChoice{Mode: conversation.ChoiceNone}, want: declared + `,"toolConfig":{"functionCallingConfig":{"mode":"NONE"}}`},
		{name: "required", tools: both, choice: conversation.ToolChoice{Mode: conversation.ChoiceRequired}, want: declared + `,"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}`},
		{name: "one by name", tools: both, choice: conversation.ToolChoice{Mode: conversation.ChoiceTool, Name: "g"}, want: declared + `,"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["g"]}}`},
		{name: "a tool of Google's own goes as it came, another vendor's is dropped", tools: []conversation.Tool{search, foreign}, want: `"tools":[{"googleSearch":{}}]`, notes: "tools.web_search"},
		{name: "no tool is left", tools: []conversation.Tool{foreign}, notes: "tools.web_search"},
		{name: "strictness and cache marks are noted", tools: []conversation.Tool{{Name: "g", Strict: new(true), Cache: &conversation.CacheMark{}}}, want: `"tools":[{"functionDeclarations":[{"name":"g"}]}]`, notes: "cache_control tools.strict"},
		{
			name: "a name is made valid the same way everywhere", tools: []conversation.Tool{{Name: "1 tool"}}, choice: conversation.ToolChoice{Mode: conversation.ChoiceTool, Name: "1 tool"},
			want: `"tools":[{"functionDeclarations":[{"name":"` + functionNames.Clean("1 tool") + `"}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["` + functionNames.Clean("1 tool") + `"]}}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := conversation.Request{Messages: []conversation.Message{say(user, words("hi"))}, Tools: c.tools, Choice: c.choice}
			got, notes, err := encode(t, &r, dialects.EncodeOptions{})
			want := `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]`
			if c.want != "" {
				want += "," + c.want
			}
			if want += "}"; err != nil || got != want || notes != c.notes {
				t.Errorf("got  %s (%s) %v\nwant %s (%s)", got, notes, err, want, c.notes)
			}
		})
	}
}

func TestWhatIsChangedIsChangedBackInTheAnswer(t *testing.T) {
	var w conversation.Rewrites
	sent := functionNames.Clean("a tool")
	r := conversation.Request{
		Messages: []conversation.Message{
			say(user, words("hi")),
			say(assistant, conversation.Block{Kind: conversation.Call, Call: &conversation.ToolCall{ID: "1", Name: "patch", Arguments: "*** a\n", Custom: true}}),
			say(user, resultOf("1", words("ok"))),
		},
		Tools: []conversation.Tool{
			{Name: "a tool"},
			{Name: "patch", Description: "Edits.", Custom: true, Raw: json.RawMessage(`{"type":"custom"}`), Origin: "responses", Grammar: &conversation.Grammar{Syntax: "lark", Definition: "start: x"}},
			{Name: "note", Custom: true},
		},
	}
	got, notes, err := encode(t, &r, dialects.EncodeOptions{Rewrites: &w})
	want := `{"contents":[{"role":"user","parts":[{"text":"hi"}]},{"role":"model","parts":[{"functionCall":{"name":"patch","args":{"input":"*** a\n"},"id":"1"}}]},` +
		`{"role":"user","parts":[{"functionResponse":{"name":"patch","response":{"output":"ok"},"id":"1"}}]}],"tools":[{"functionDeclarations":[{"name":"` + sent + `"},` +
		`{"name":"patch","description":"Edits.\n\nThe input must match this lark grammar:\nstart: x","parametersJsonSchema":` + conversation.FreeTextSchema + `},` +
		`{"name":"note","parametersJsonSchema":` + conversation.FreeTextSchema + `}]}]}`
	if err != nil || got != want || notes != "" {
		t.Errorf("got  %s (%s) %v\nwant %s", got, notes, err, want)
	}
	answer := &conversation.Response{Choices: []conversation.Choice{{Blocks: []conversation.Block{callOf("2", sent, `{}`), callOf("3", "patch", `{"input":"b"}`)}}}}
	w.Response(answer)
	first, second := answer.Choices[0].Blocks[0].Call, answer.Choices[0].Blocks[1].Call
	if first.Name != "a tool" || first.Custom || second.Arguments != "b" || !second.Custom {
		t.Errorf("the client is told %+v, %+v", *first, *second)
	}
}

func TestFunctionNames(t *testing.T) {
	long := strings.Repeat("x", 65)
	for _, c := range []struct {
		name, in string
		same     bool
	}{
		{"a valid name stays", "_a.b:c-D9", true},
		{"64 characters stay", long[:64], true},
		{"65 are too many", long, false},
		{"a digit cannot be first", "1a", false},
		{"other characters are replaced", "weather in °C", false},
		{"nothing is no name", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := functionNames.Clean(c.in)
			if !functionNames.Accept(got) || got != functionNames.Clean(c.in) || (got == c.in) != c.same {
				t.Errorf("%q became %q", c.in, got)
			}
		})
	}
	if functionNames.Clean("a b") == functionNames.Clean("a/b") || functionNames.Clean(long) == functionNames.Clean(long+"y") {
		t.Error("two names became one")
	}
}

func TestEncodeConfig(t *testing.T) {
	for _, c := range []struct {
		name        string
		r           conversation.Request
		max         int64
		want, notes string
	}{
		{name: "nothing asked for, nothing said", r: conversation.Request{N: new(int64(1)), Logprobs: new(false), ServiceTier: "auto", ParallelTools: new(true)}},
		{
			name: "sampling",
			r: conversation.Request{
				MaxTokens: new(int64(50)), Temperature: "0", TopP: "0.95", TopK: "40", Seed: new(int64(7)), N: new(int64(2)),
				FrequencyPenalty: "-0.5", PresencePenalty: "1", Stop: []string{"END", ""}, Logprobs: new(true), TopLogprobs: new(int64(3)),
			},
			want: `{"maxOutputTokens":50,"candidateCount":2,"stopSequences":["END"],"temperature":0,"topP":0.95,"topK":40,"presencePenalty":1,"frequencyPenalty":-0.5,"seed":7,"responseLogprobs":true,"logprobs":3}`,
		},
		{
			name: "what does not fit is noted", max: 100, r: conversation.Request{MaxTokens: new(int64(200)), Stop: []string{"1", "2", "3", "4", "5", "6"}, Seed: new(int64(1) << 40)},
			want: `{"maxOutputTokens":100,"stopSequences":["1","2","3","4","5"]}`, notes: "max_tokens stop seed",
		},
		{name: "JSON of any shape", r: conversation.Request{Format: &conversation.Format{}}, want: `{"responseMimeType":"application/json"}`},
		{
			name: "JSON of a schema", r: conversation.Request{Format: &conversation.Format{Name: "n", Schema: json.RawMessage(`{"z":1,"a":2}`)}},
			want: `{"responseMimeType":"application/json","responseJsonSchema":{"z":1,"a":2}}`,
		},
		{
			name: "what the dialect has no place for is noted",
			r: conversation.Request{
				User: "u", Metadata: json.RawMessage(`{"a":1}`), ServiceTier: "scale", CacheKey: "k", ParallelTools: new(false),
				Extra: []conversation.Field{{Name: "logit_bias", Value: json.RawMessage(`{}`)}}, Origin: "chat",
			},
			notes: "logit_bias user metadata service_tier prompt_cache_key parallel_tool_calls",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.r.Messages = []conversation.Message{say(user, words("hi"))}
			got, notes, err := encode(t, &c.r, dialects.EncodeOptions{Model: "gemini-2.5-flash", MaxOutput: c.max})
			want := `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]`
			if c.want != "" {
				want += `,"generationConfig":` + c.want
			}
			if want += "}"; err != nil || got != want || notes != c.notes {
				t.Errorf("got  %s (%s) %v\nwant %s (%s)", got, notes, err, want, c.notes)
			}
		})
	}
}

func TestEncodeOwnExtras(t *testing.T) {
	r := conversation.Request{
		Messages: []conversation.Message{say(user, words("hi"))}, Origin: "gemini",
		Extra: []conversation.Field{{Name: "cachedContent", Value: json.RawMessage(`"cachedContents/1"`)}},
	}
	got, notes, err := encode(t, &r, dialects.EncodeOptions{})
	if want := `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"cachedContent":"cachedContents/1"}`; err != nil || got != want || notes != "" {
		t.Errorf("got %s (%s) %v, want %s", got, notes, err, want)
	}
}

func TestServiceTiersAreTheSameInAllWords(t *testing.T) {
	for in, want := range map[string]string{`"FLEX"`: "flex", `"priority"`: "priority", `"standard"`: "default", `"unspecified"`: "", `null`: ""} {
		r := mustDecode(t, with(`"service_tier":`+in))
		got, notes, err := encode(t, r, dialects.EncodeOptions{})
		sent := strings.Contains(got, `"serviceTier":"`+want+`"`)
		if err != nil || r.ServiceTier != want || sent != (want == "flex" || want == "priority") || notes != "" {
			t.Errorf("%s: %q became %s (%s) %v", in, r.ServiceTier, got, notes, err)
		}
		if _, notes, _ := encode(t, r, dialects.EncodeOptions{Vendor: vertex}); (notes != "") != sent {
			t.Errorf("%s: Vertex has notes %q", in, notes)
		}
	}
}

func TestEncodeThinking(t *testing.T) {
	effort := func(e string) conversation.Reasoning { return conversation.Reasoning{Effort: e} }
	budget := func(n int64) conversation.Reasoning { return conversation.Reasoning{Budget: &n} }
	off, adaptive := conversation.Reasoning{Off: true}, conversation.Reasoning{Adaptive: true}
	for _, c := range []struct {
		model string
		r     conversation.Reasoning
		want  string
		noted bool
	}{
		{"gemini-2.5-flash", off, `{"thinkingBudget":0}`, false},
		{"gemini-2.5-flash", effort("none"), `{"thinkingBudget":0}`, false},
		{"gemini-2.5-flash", effort("minimal"), `{"thinkingBudget":1024}`, false},
		{"gemini-2.5-flash", effort("medium"), `{"thinkingBudget":8192}`, false},
		{"gemini-2.5-flash", effort("high"), `{"thinkingBudget":24576}`, false},
		{"gemini-2.5-flash", effort("max"), `{"thinkingBudget":24576}`, false},
		{"gemini-2.5-flash", budget(100_000), `{"thinkingBudget":24576}`, false},
		{"gemini-2.5-flash", budget(0), `{"thinkingBudget":0}`, false},
		{"gemini-2.5-flash-lite", budget(100), `{"thinkingBudget":512}`, false},
		{"gemini-2.5-pro", off, `{"thinkingBudget":128}`, true},
		{"gemini-2.5-pro", effort("xhigh"), `{"thinkingBudget":32768}`, false},
		{"publishers/google/models/gemini-2.5-pro-002", adaptive, `{"thinkingBudget":-1}`, false},
		{"gemini-2.5-pro", conversation.Reasoning{Effort: "low", Summary: "auto"}, `{"thinkingBudget":1024,"includeThoughts":true}`, false},
		{"gemini-2.5-pro", conversation.Reasoning{Summary: "none"}, ``, false},
		{"gemini-3-flash-preview", off, `{"thinkingLevel":"MINIMAL"}`, true},
		{"gemini-3-flash-preview", effort("minimal"), `{"thinkingLevel":"MINIMAL"}`, false},
		{"gemini-3-flash-preview", effort("medium"), `{"thinkingLevel":"MEDIUM"}`, false},
		{"gemini-3-flash-preview", budget(2000), `{"thinkingLevel":"LOW"}`, false},
		{"gemini-3-flash-preview", budget(20_000), `{"thinkingLevel":"HIGH"}`, false},
		{"gemini-3-flash-preview", conversation.Reasoning{Adaptive: true, Summary: "detailed"}, `{"includeThoughts":true}`, false},
		{"gemini-3-flash-preview", conversation.Reasoning{Adaptive: true, Effort: "low"}, `{"thinkingLevel":"LOW"}`, false},
		{"gemini-2.5-flash", conversation.Reasoning{Adaptive: true, Effort: "low"}, `{"thinkingBudget":1024}`, false},
		{"gemini-3-pro-preview", effort("none"), `{"thinkingLevel":"LOW"}`, true},
		{"gemini-3-pro-preview", effort("medium"), `{"thinkingLevel":"HIGH"}`, false},
		{"gemini-3.1-pro", effort("medium"), `{"thinkingLevel":"MEDIUM"}`, false},
		{"gemini-pro-latest", effort("max"), `{"thinkingLevel":"HIGH"}`, false},
		{"gemini-2.0-flash", effort("high"), ``, true},
		{"gemini-2.5-flash-image", effort("high"), ``, true},
		{"gemini-2.0-flash", off, ``, false},
		{"gemma-3-27b", effort("low"), ``, true},
	} {
		name, _ := json.Marshal(c.r)
		t.Run(c.model+" "+string(name), func(t *testing.T) {
			r := conversation.Request{Messages: []conversation.Message{say(user, words("hi"))}, Reasoning: &c.r}
			got, notes, err := encode(t, &r, dialects.EncodeOptions{Model: c.model})
			want := `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]`
			if c.want != "" {
				want += `,"generationConfig":{"thinkingConfig":` + c.want + `}`
			}
			if want += "}"; err != nil || got != want || (notes == "reasoning") != c.noted {
				t.Errorf("got  %s (%s) %v\nwant %s", got, notes, err, want)
			}
		})
	}
}

func TestEncodeLeavesTheRequestAlone(t *testing.T) {
	blocks := make([]conversation.Block, 1, 8)
	blocks[0] = words("a")
	r := conversation.Request{Messages: []conversation.Message{{Blocks: blocks}, say(user, words("b"))}, Stop: []string{"", "x"}}
	for range 2 {
		got, _, err := encode(t, &r, dialects.EncodeOptions{})
		if want := `{"contents":[{"role":"user","parts":[{"text":"a"},{"text":"b"}]}],"generationConfig":{"stopSequences":["x"]}}`; err != nil || got != want {
			t.Fatalf("got %s, %v", got, err)
		}
	}
	if blocks[:2][1].Text != "" {
		t.Error("the blocks of a message were written behind")
	}
}

func TestClientsOfMessagesSeeThoughtsUnlessTheySayOtherwise(t *testing.T) {
	for _, c := range []struct {
		origin string
		r      conversation.Reasoning
		shown  bool
	}{
		{"messages", conversation.Reasoning{Budget: new(int64(2000))}, true},
		{"messages", conversation.Reasoning{Adaptive: true}, true},
		{"messages", conversation.Reasoning{Adaptive: true, Summary: "none"}, false},
		{"messages", conversation.Reasoning{Effort: "low"}, false},
		{"messages", conversation.Reasoning{Off: true}, false},
		{"chat", conversation.Reasoning{Budget: new(int64(2000))}, false},
		{"responses", conversation.Reasoning{Effort: "low", Summary: "auto"}, true},
	} {
		r := conversation.Request{Messages: []conversation.Message{say(user, words("hi"))}, Reasoning: &c.r, Origin: c.origin}
		got, _, err := encode(t, &r, dialects.EncodeOptions{Model: "gemini-2.5-flash"})
		if err != nil || strings.Contains(got, `"includeThoughts":true`) != c.shown {
			t.Errorf("%s %+v: %s, %v", c.origin, c.r, got, err)
		}
	}
}
