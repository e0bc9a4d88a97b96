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

func TestASystemBlockOfAnotherVendorIsLeftOutWithANote(t *testing.T) {
	r := &conversation.Request{Messages: []conversation.Message{
		{Role: conversation.System, Blocks: []conversation.Block{
			{Kind: conversation.Opaque, Origin: "messages", Raw: []byte(`{"type":"text","text":"x-anthropic-billing-header: v=1;"}`)},
			{Kind: conversation.Text, Text: "Be brief."},
		}},
		{Role: conversation.User, Blocks: []conversation.Block{{Kind: conversation.Text, Text: "hi"}}},
	}}
	body, notes, err := Codec{}.EncodeRequest(nil, r, dialects.EncodeOptions{Model: "gemini-3-pro"})
	if err != nil {
		t.Fatal(err)
	}
	if want := `"systemInstruction":{"parts":[{"text":"Be brief."}]}`; !strings.Contains(string(body), want) || strings.Contains(string(body), "billing") {
		t.Errorf("got %s", body)
	}
	if strings.Join(notes, " ") != "system" {
		t.Errorf("notes %v", notes)
	}
}

func TestEncodeContents(t *testing.T) {
	signed := callOf("c1", "f", `{"a": 1}`)
	signed.Signature, signed.Origin = "c2ln", "gemini"
	foreign := callOf("c1", "f", `{}`)
	foreign.Signature, foreign.Origin = "xyz", "messages"
	for _, c := range []struct {
		name, model string
		messages    []conversation.Message
		want, notes string
	}{
		{
			name: "system prompts are hoisted in their order, empty ones dropped",
			messages: []conversation.Message{
				say(conversation.System, words("Be brief."), words("")), say(user, words("Hi")),
				say(conversation.Developer, words("And kind.")),
			},
			want: `{"systemInstruction":{"parts":[{"text":"Be brief."},{"text":"And kind."}]},"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}`,
		},
		{
			name:     "a system prompt alone is what the user says",
			messages: []conversation.Message{say(conversation.System, words("Tell a joke."))},
			want:     `{"contents":[{"role":"user","parts":[{"text":"Tell a joke."}]}]}`,
		},
		{
			name: "messages of one speaker are merged, empty ones left out",
			messages: []conversation.Message{
				say(user, words("a")), say(user, words("b")), say(assistant, words("")), say(assistant, words("c")),
				say(assistant, words("d")), say(user, words("e")),
			},
			want: `{"contents":[{"role":"user","parts":[{"text":"a"},{"text":"b"}]},{"role":"model","parts":[{"text":"c"},{"text":"d"}]},{"role":"user","parts":[{"text":"e"}]}]}`,
		},
		{
			name: "results of parallel calls are one content in the order of the calls, apart from what the user says",
			messages: []conversation.Message{
				say(user, words("go")), say(assistant, callOf("c1", "f", ``), callOf("c2", "g", `{"z":1,"a":2.50}`)),
				say(user, resultOf("c2", words("two"))), say(user, resultOf("c1", words("one"))), say(user, words("next")),
			},
			want: `{"contents":[{"role":"user","parts":[{"text":"go"}]},` +
				`{"role":"model","parts":[{"functionCall":{"name":"f","args":{},"id":"c1"}},{"functionCall":{"name":"g","args":{"z":1,"a":2.50},"id":"c2"}}]},` +
				`{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":"one"},"id":"c1"}},{"functionResponse":{"name":"g","response":{"output":"two"},"id":"c2"}}]},` +
				`{"role":"user","parts":[{"text":"next"}]}]}`,
		},
		{
			name: "results are objects: their own, an output, or an error",
			messages: []conversation.Message{
				say(assistant, callOf("1", "f", "{}"), callOf("2", "f", "{}"), callOf("3", "f", "{}"), callOf("4", "f", "{}")),
				say(user, resultOf("1", words(`{"b":1,"a":[]}`)), resultOf("2", words(`[1]`)), resultOf("3"),
					conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{CallID: "4", IsError: true, Content: []conversation.Block{words("it"), words("broke")}}}),
			},
			want: `{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":{},"id":"1"}},{"functionCall":{"name":"f","args":{},"id":"2"}},{"functionCall":{"name":"f","args":{},"id":"3"}},{"functionCall":{"name":"f","args":{},"id":"4"}}]},` +
				`{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"b":1,"a":[]},"id":"1"}},{"functionResponse":{"name":"f","response":{"output":"[1]"},"id":"2"}},{"functionResponse":{"name":"f","response":{"output":""},"id":"3"}},{"functionResponse":{"name":"f","response":{"error":"it\nbroke"},"id":"4"}}]}]}`,
		},
		{
			name:     "arguments that are no object become an input",
			messages: []conversation.Message{say(assistant, callOf("", "f", `{"a": "cut`), callOf("", "f", `"text"`), callOf("", "f", ` {} `))},
			want:     `{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":{"input":"{\"a\": \"cut"}}},{"functionCall":{"name":"f","args":{"input":"\"text\""}}},{"functionCall":{"name":"f","args": {} }}]}]}`,
		},
		{
			name: "Gemini 3 gets its own signatures back", model: "gemini-3-pro-preview",
			messages: []conversation.Message{say(assistant, signed, callOf("c2", "g", "{}"))},
			want:     `{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":{"a": 1},"id":"c1"},"thoughtSignature":"c2ln"},{"functionCall":{"name":"g","args":{},"id":"c2"}}]}]}`,
		},
		{
			name: "Gemini 3 gets the stand-in on the first call of each step of another model", model: "models/gemini-3.1-flash",
			messages: []conversation.Message{say(assistant, foreign, callOf("c2", "g", "{}")), say(user, resultOf("c1"), resultOf("c2")), say(assistant, callOf("c3", "f", "{}"))},
			want: `{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":{},"id":"c1"},"thoughtSignature":"skip_thought_signature_validator"},{"functionCall":{"name":"g","args":{},"id":"c2"}}]},` +
				`{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":""},"id":"c1"}},{"functionResponse":{"name":"g","response":{"output":""},"id":"c2"}}]},` +
				`{"role":"model","parts":[{"functionCall":{"name":"f","args":{},"id":"c3"},"thoughtSignature":"skip_thought_signature_validator"}]}]}`,
		},
		{
			name: "thoughts and opaque parts go back to Gemini only", model: "gemini-2.5-pro",
			messages: []conversation.Message{say(assistant,
				conversation.Block{Kind: conversation.Thinking, Text: "hm", Signature: "s", Origin: "messages"},
				conversation.Block{Kind: conversation.Thinking, Text: "well", Signature: "s", Origin: "gemini"},
				conversation.Block{Kind: conversation.Opaque, Raw: json.RawMessage(`{"executableCode":{"code":"1"}}`), Origin: "gemini"},
				conversation.Block{Kind: conversation.Opaque, Raw: json.RawMessage(`{"type":"server_tool_use"}`), Origin: "messages"},
				conversation.Block{Text: "", Signature: "t", Origin: "gemini"})},
			want:  `{"contents":[{"role":"model","parts":[{"text":"well","thought":true,"thoughtSignature":"s"},{"executableCode":{"code":"1"}},{"text":"","thoughtSignature":"t"}]}]}`,
			notes: "thinking server_tools",
		},
		{
			name: "media goes inline, by reference, or as text",
			messages: []conversation.Message{say(user,
				mediaBlock(conversation.Image, conversation.Media{MIME: "image/jpg", Data: "AAAA", Detail: "high"}),
				mediaBlock(conversation.Image, conversation.Media{Data: "iVBORw0KGgoAAA"}),
				mediaBlock(conversation.Document, conversation.Media{URL: "https://example.com/a.PDF?x=1#p"}),
				mediaBlock(conversation.Video, conversation.Media{URL: "https://www.youtube.com/watch?v=1"}),
				mediaBlock(conversation.Audio, conversation.Media{URL: "gs://b/a.mp3", MIME: "audio/mpeg"}),
				mediaBlock(conversation.Document, conversation.Media{Text: "plain", Title: "T"}),
				mediaBlock(conversation.Document, conversation.Media{FileID: "files/abc", Origin: "gemini"}))},
			want: `{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/jpeg","data":"AAAA"}},{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgoAAA"}},` +
				`{"fileData":{"mimeType":"application/pdf","fileUri":"https://example.com/a.PDF?x=1#p"}},{"fileData":{"fileUri":"https://www.youtube.com/watch?v=1"}},` +
				`{"fileData":{"mimeType":"audio/mpeg","fileUri":"gs://b/a.mp3"}},{"text":"plain"},{"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/abc"}}]}]}`,
			notes: "detail title",
		},
		{
			name: "an image in a result stands in it for Gemini 3", model: "gemini-3-flash",
			messages: []conversation.Message{say(user, conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{Name: "shot", Content: []conversation.Block{
				words("see"), mediaBlock(conversation.Image, conversation.Media{MIME: "image/png", Data: "AAAA"}),
			}}})},
			want: `{"contents":[{"role":"user","parts":[{"functionResponse":{"name":"shot","response":{"output":"see"},"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}}]}]}`,
		},
		{
			name: "and after it for earlier models", model: "gemini-2.5-flash",
			messages: []conversation.Message{say(user, conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{Name: "shot", Content: []conversation.Block{
				words("see"), mediaBlock(conversation.Image, conversation.Media{MIME: "image/png", Data: "AAAA"}),
			}}})},
			want: `{"contents":[{"role":"user","parts":[{"functionResponse":{"name":"shot","response":{"output":"see"}}}]},{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}]}`,
		},
		{
			name: "cache marks and names are noted",
			messages: []conversation.Message{{Role: user, Name: "ann", Blocks: []conversation.Block{
				{Text: "a", Cache: &conversation.CacheMark{}}, {Text: "b", Cache: &conversation.CacheMark{}},
			}}},
			want:  `{"contents":[{"role":"user","parts":[{"text":"a"},{"text":"b"}]}]}`,
			notes: "name cache_control",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, notes, err := encode(t, &conversation.Request{Messages: c.messages}, dialects.EncodeOptions{Model: c.model})
			if err != nil {
				t.Fatal(err)
			}
			if got != c.want || notes != c.notes {
				t.Errorf("got  %s (%s)\nwant %s (%s)", got, notes, c.want, c.notes)
			}
		})
	}
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
			want:  `"tools":[{"functionDeclarations":[{"name":"` + functionName("1 tool") + `"}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["` + functionName("1 tool") + `"]}}`,
			notes: "tools.name",
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
			got := functionName(c.in)
			if !validName(got) || got != functionName(c.in) || (got == c.in) != c.same {
				t.Errorf("%q became %q", c.in, got)
			}
		})
	}
	if functionName("a b") == functionName("a/b") || functionName(long) == functionName(long+"y") {
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
				User: "u", Metadata: json.RawMessage(`{"a":1}`), ServiceTier: "flex", CacheKey: "k", ParallelTools: new(false),
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
