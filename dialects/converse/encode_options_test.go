package converse

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
)

const weatherSpec = `{"toolSpec":{"name":"weather","description":"d","inputSchema":{"json":{"type":"object","properties":{"b":{},"a":{}}}}}}`

func choice(m conversation.ChoiceMode, name string, allowed ...string) conversation.ToolChoice {
	return conversation.ToolChoice{Mode: m, Name: name, Allowed: allowed}
}

var toolGoldens = []struct {
	name, model string
	request     conversation.Request
	want        string
	notes       string
}{
	{
		"tools", sonnet45,
		conversation.Request{Tools: []conversation.Tool{weather, {Name: "bare"}, {Name: "open", Schema: json.RawMessage(`{"properties":{}}`)}}},
		`{"toolConfig":{"tools":[` + weatherSpec + `,{"toolSpec":{"name":"bare","inputSchema":{"json":{"type":"object","properties":{}}}}},
		{"toolSpec":{"name":"open","inputSchema":{"json":{"type":"object","properties":{}}}}}]}}`, "",
	},
	{
		"a strict tool has a schema that the model can be held to", sonnet45,
		conversation.Request{Tools: []conversation.Tool{{Name: "f", Schema: json.RawMessage(`{"type":"object","properties":{"n":{"type":"integer","minimum":1}}}`), Strict: new(true)}}},
		`{"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object","properties":{"n":{"type":"integer","description":"{minimum: 1}"}},"additionalProperties":false}},"strict":true}}]}}`, "",
	},
	{
		"or is not strict", sonnet45,
		conversation.Request{Tools: []conversation.Tool{{Name: "f", Schema: json.RawMessage(`{"type":"object","additionalProperties":{"type":"string"}}`), Strict: new(true)}}},
		`{"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object","additionalProperties":{"type":"string"}}}}}]}}`, "strict",
	},
	{
		"alternatives of the whole input are told", sonnet45,
		conversation.Request{Tools: []conversation.Tool{{Name: "f", Schema: json.RawMessage(`{"oneOf":[{"required":["a"]}],"properties":{"a":{}}}`)}}},
		`{"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object","properties":{"a":{}},"description":"{oneOf: [{\"required\":[\"a\"]}]}"}}}}]}}`, "",
	},
	{
		"strictness is for those who know it", novaPro,
		conversation.Request{Tools: []conversation.Tool{{Name: "f", Strict: new(true)}}},
		`{"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object","properties":{}}}}}]}}`, "strict",
	},
	{
		"free text becomes a function of one text", sonnet45,
		conversation.Request{Tools: []conversation.Tool{{Name: "patch", Custom: true, Raw: json.RawMessage(`{}`), Origin: "chat", Grammar: &conversation.Grammar{Syntax: "regex", Definition: "a+"}}}},
		`{"toolConfig":{"tools":[{"toolSpec":{"name":"patch","description":"The input must match this regex grammar:\na+","inputSchema":{"json":` + conversation.FreeTextSchema + `}}}]}}`, "",
	},
	{
		"tools of other vendors stay there", sonnet45,
		conversation.Request{Tools: []conversation.Tool{{Name: "web_search", Raw: json.RawMessage(`{}`), Origin: "messages"}}},
		`{}`, "tools.web_search",
	},
	{"auto", sonnet45, conversation.Request{Tools: []conversation.Tool{weather}, Choice: choice(conversation.ChoiceAuto, "")}, `{"toolConfig":{"tools":[` + weatherSpec + `],"toolChoice":{"auto":{}}}}`, ""},
	{"any", sonnet45, conversation.Request{Tools: []conversation.Tool{weather}, Choice: choice(conversation.ChoiceRequired, "")}, `{"toolConfig":{"tools":[` + weatherSpec + `],"toolChoice":{"any":{}}}}`, ""},
	{"one", novaPro, conversation.Request{Tools: []conversation.Tool{weather}, Choice: choice(conversation.ChoiceTool, "weather")}, `{"toolConfig":{"tools":[` + weatherSpec + `],"toolChoice":{"tool":{"name":"weather"}}}}`, ""},
	{
		"one of Mistral's is any of one", "mistral.mistral-large-2407-v1:0",
		conversation.Request{Tools: []conversation.Tool{{Name: "x"}, weather}, Choice: choice(conversation.ChoiceTool, "weather")},
		`{"toolConfig":{"tools":[` + weatherSpec + `],"toolChoice":{"any":{}}}}`, "",
	},
	{"others choose for themselves", llama, conversation.Request{Tools: []conversation.Tool{weather}, Choice: choice(conversation.ChoiceRequired, "")}, `{"toolConfig":{"tools":[` + weatherSpec + `],"toolChoice":{"auto":{}}}}`, "tool_choice"},
	{"only what is allowed", sonnet45, conversation.Request{Tools: []conversation.Tool{{Name: "x"}, weather}, Choice: choice(conversation.ChoiceAuto, "", "weather")}, `{"toolConfig":{"tools":[` + weatherSpec + `],"toolChoice":{"auto":{}}}}`, ""},
	{"none is no tools", sonnet45, conversation.Request{Tools: []conversation.Tool{weather}, Choice: choice(conversation.ChoiceNone, "")}, `{}`, ""},
	{"none while calls are in the conversation", sonnet45, conversation.Request{Messages: looped, Tools: []conversation.Tool{weather}, Choice: choice(conversation.ChoiceNone, "")}, loopedWith(weatherSpec), "tool_choice"},
	{"calls demand tools", sonnet45, conversation.Request{Messages: looped}, loopedWith(`{"toolSpec":{"name":"weather","inputSchema":{"json":{"type":"object","properties":{}}}}}`), ""},
	{
		"one call at a time", sonnet45,
		conversation.Request{Tools: []conversation.Tool{weather}, Choice: choice(conversation.ChoiceAuto, ""), ParallelTools: new(false)},
		`{"toolConfig":{"tools":[` + weatherSpec + `]},"additionalModelRequestFields":{"tool_choice":{"type":"auto","disable_parallel_tool_use":true}}}`, "",
	},
	{
		"one call at a time that has to be made", sonnet45,
		conversation.Request{Tools: []conversation.Tool{weather}, Choice: choice(conversation.ChoiceRequired, ""), ParallelTools: new(false)},
		`{"toolConfig":{"tools":[` + weatherSpec + `],"toolChoice":{"any":{}}}}`, "parallel_tool_calls",
	},
	{"several calls are the default", novaPro, conversation.Request{Tools: []conversation.Tool{weather}, ParallelTools: new(true)}, `{"toolConfig":{"tools":[` + weatherSpec + `]}}`, ""},
}

func loopedWith(spec string) string {
	return `{"toolConfig":{"tools":[` + spec + `]},"messages":[{"role":"user","content":[{"text":"q"}]},
	{"role":"assistant","content":[{"toolUse":{"toolUseId":"c1","name":"weather","input":{"b":1}}}]},
	{"role":"user","content":[{"toolResult":{"toolUseId":"c1","content":[{"text":"sunny"}]}}]}]}`
}

var city = &conversation.Format{Name: "city info", Description: "about", Schema: json.RawMessage(`{"type":"object","properties":{"z":{"type":"object","properties":{}},"a":{"anyOf":[{"type":["object","null"]},{"items":{"type":"object"},"maxItems":3}]}}}`)}

const closedCity = `{\"type\":\"object\",\"properties\":{\"z\":{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false},\"a\":{\"anyOf\":[{\"type\":[\"object\",\"null\"],\"additionalProperties\":false},{\"items\":{\"type\":\"object\",\"additionalProperties\":false},\"description\":\"{maxItems: 3}\"}]}},\"additionalProperties\":false}`

const jsonHint = `Respond with a single valid JSON object and nothing else: no explanations and no code fences.`

var formatGoldens = []struct {
	name, model string
	request     conversation.Request
	want        string
	notes       string
}{
	{
		"a schema is a text, and closed", sonnet45,
		conversation.Request{Format: city},
		`{"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"name":"` + names.Clean("city info") + `","description":"about","schema":"` + closedCity + `"}}}}}`, "",
	},
	{
		"a schema without a name", profile,
		conversation.Request{Format: &conversation.Format{Schema: json.RawMessage(`{"type":"object"}`)}},
		`{"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"name":"answer","schema":"{\"type\":\"object\",\"additionalProperties\":false}"}}}}}`, "",
	},
	{
		"the least length of a text is a bound that is taken", sonnet45,
		conversation.Request{Format: &conversation.Format{Schema: json.RawMessage(`{"type":"string","minLength":1,"maxLength":9}`)}},
		`{"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"name":"answer","schema":"{\"type\":\"string\",\"minLength\":1,\"description\":\"{maxLength: 9}\"}"}}}}}`, "",
	},
	{
		"a schema of maps is that of a tool", sonnet45,
		conversation.Request{Format: &conversation.Format{Schema: json.RawMessage(`{"type":"object","additionalProperties":{"type":"string"}}`)}},
		`{"toolConfig":{"tools":[{"toolSpec":{"name":"json_answer","description":"Give the answer to the user with this tool.","inputSchema":{"json":{"type":"object","additionalProperties":{"type":"string"}}}}}],"toolChoice":{"tool":{"name":"json_answer"}}}}`, "",
	},
	{
		"models without schemas call a tool", sonnet37,
		conversation.Request{Format: city},
		`{"toolConfig":{"tools":[{"toolSpec":{"name":"json_answer","description":"Give the answer to the user with this tool. about","inputSchema":{"json":` + string(city.Schema) + `}}}],"toolChoice":{"tool":{"name":"json_answer"}}}}`, "",
	},
	{
		"or are asked, where they have tools", novaPro,
		conversation.Request{Format: &conversation.Format{Schema: json.RawMessage(`{"type":"object"}`)}, Tools: []conversation.Tool{weather}},
		`{"toolConfig":{"tools":[` + weatherSpec + `]},"system":[{"text":"` + jsonHint + ` It must conform to this JSON Schema:\n{\"type\":\"object\"}"}]}`, "response_format",
	},
	{"or cannot be made to", llama, conversation.Request{Format: &conversation.Format{}}, `{"system":[{"text":"` + jsonHint + `"}]}`, "response_format"},
	{"JSON of any shape is asked for", sonnet45, conversation.Request{Format: &conversation.Format{}}, `{"system":[{"text":"` + jsonHint + `"}]}`, "response_format"},
}

// thoughtful is a turn that began with thinking and went on without.
var thoughtful = []conversation.Message{
	user(text("q")),
	assistant(conversation.Block{Kind: conversation.Thinking, Text: "hm", Signature: "c2ln", Origin: origin}, call("c1", "weather", `{"b":1}`)),
	user(result("c1", text("sunny"))),
	assistant(call("c2", "weather", `{"b":2}`)),
	user(result("c2", text("rainy"))),
}

func thinkingOf(doc string) string { return `{"additionalModelRequestFields":` + doc + `}` }

var reasoningGoldens = []struct {
	name, model string
	request     conversation.Request
	want        string
	notes       string
}{
	{"a budget", sonnet37, conversation.Request{MaxTokens: new(int64(9000)), Reasoning: &conversation.Reasoning{Budget: new(int64(2000))}}, `{"inferenceConfig":{"maxTokens":9000},"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":2000}}}`, ""},
	{"a budget has room for the answer", sonnet45, conversation.Request{Reasoning: &conversation.Reasoning{Effort: "high"}}, `{"inferenceConfig":{"maxTokens":20480},"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":16384}}}`, ""},
	{"a budget is less than the limit", sonnet45, conversation.Request{MaxTokens: new(int64(3000)), Reasoning: &conversation.Reasoning{Effort: "max"}}, `{"inferenceConfig":{"maxTokens":3000},"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":2999}}}`, ""},
	{"no room to think", sonnet45, conversation.Request{MaxTokens: new(int64(100)), Reasoning: &conversation.Reasoning{Effort: "low"}}, `{"inferenceConfig":{"maxTokens":100}}`, "reasoning"},
	{"no thinking in the middle of a loop without", sonnet45, conversation.Request{Messages: looped, Tools: []conversation.Tool{weather}, Reasoning: &conversation.Reasoning{Effort: "low"}}, loopedWith(weatherSpec), "reasoning"},
	{
		"thinking goes on in a turn that began with it", sonnet45,
		conversation.Request{Messages: thoughtful, Tools: []conversation.Tool{weather}, MaxTokens: new(int64(9000)), Reasoning: &conversation.Reasoning{Budget: new(int64(2000))}},
		`{"toolConfig":{"tools":[` + weatherSpec + `]},"messages":[{"role":"user","content":[{"text":"q"}]},
		{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"c2ln"}}},{"toolUse":{"toolUseId":"c1","name":"weather","input":{"b":1}}}]},
		{"role":"user","content":[{"toolResult":{"toolUseId":"c1","content":[{"text":"sunny"}]}}]},
		{"role":"assistant","content":[{"toolUse":{"toolUseId":"c2","name":"weather","input":{"b":2}}}]},
		{"role":"user","content":[{"toolResult":{"toolUseId":"c2","content":[{"text":"rainy"}]}}]}],
		"inferenceConfig":{"maxTokens":9000},"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":2000}}}`, "",
	},
	{
		"no thinking before the rest of an answer", sonnet45,
		conversation.Request{Messages: []conversation.Message{user(text("q")), assistant(text("{"))}, Reasoning: &conversation.Reasoning{Effort: "low"}},
		`{"messages":[{"role":"user","content":[{"text":"q"}]},{"role":"assistant","content":[{"text":"{"}]}]}`, "reasoning",
	},
	{"no thinking where a call is forced", sonnet45, conversation.Request{Tools: []conversation.Tool{weather}, Choice: choice(conversation.ChoiceTool, "weather"), Temperature: "0.2", TopK: "3", Reasoning: &conversation.Reasoning{Budget: new(int64(1))}, MaxTokens: new(int64(5000))}, `{"toolConfig":{"tools":[` + weatherSpec + `],"toolChoice":{"tool":{"name":"weather"}}},"inferenceConfig":{"maxTokens":5000,"temperature":0.2},"additionalModelRequestFields":{"top_k":3}}`, "reasoning"},
	{"nor with an effort", sonnet46, conversation.Request{Tools: []conversation.Tool{weather}, Choice: choice(conversation.ChoiceRequired, ""), Reasoning: &conversation.Reasoning{Effort: "low"}}, `{"toolConfig":{"tools":[` + weatherSpec + `],"toolChoice":{"any":{}}},"additionalModelRequestFields":{"output_config":{"effort":"low"}}}`, "reasoning"},
	{"an effort", sonnet46, conversation.Request{Reasoning: &conversation.Reasoning{Effort: "xhigh", Summary: "auto"}}, thinkingOf(`{"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"high"}}`), ""},
	{"adaptive", sonnet5, conversation.Request{Reasoning: &conversation.Reasoning{Adaptive: true, Summary: "none"}}, thinkingOf(`{"thinking":{"type":"adaptive","display":"omitted"}}`), ""},
	{"a budget where there is none any more", sonnet5, conversation.Request{Reasoning: &conversation.Reasoning{Budget: new(int64(9000))}}, thinkingOf(`{"thinking":{"type":"adaptive"},"output_config":{"effort":"high"}}`), ""},
	{"an effort alone in Anthropic's words", sonnet46, conversation.Request{Origin: "messages", Reasoning: &conversation.Reasoning{Effort: "low"}}, thinkingOf(`{"output_config":{"effort":"low"}}`), ""},
	{"off", sonnet46, conversation.Request{Reasoning: &conversation.Reasoning{Off: true}}, thinkingOf(`{"thinking":{"type":"disabled"}}`), ""},
	{"off where it never was", "anthropic.claude-v2", conversation.Request{Reasoning: &conversation.Reasoning{Effort: "none"}}, `{}`, ""},
	{"on where it never was", "anthropic.claude-v2", conversation.Request{Reasoning: &conversation.Reasoning{Effort: "low"}}, `{}`, "reasoning"},
	{"a summary alone", sonnet46, conversation.Request{Reasoning: &conversation.Reasoning{Summary: "auto"}}, `{}`, ""},
	{"Nova 2", nova2, conversation.Request{Temperature: "0.5", MaxTokens: new(int64(10)), Reasoning: &conversation.Reasoning{Effort: "minimal"}}, `{"inferenceConfig":{"maxTokens":10,"temperature":0.5},"additionalModelRequestFields":{"reasoningConfig":{"type":"enabled","maxReasoningEffort":"low"}}}`, ""},
	{"Nova 2 thinks hard", nova2, conversation.Request{Temperature: "0.5", TopP: "0.5", MaxTokens: new(int64(10)), Reasoning: &conversation.Reasoning{Budget: new(int64(30000))}}, thinkingOf(`{"reasoningConfig":{"type":"enabled","maxReasoningEffort":"high"}}`), "max_tokens temperature top_p"},
	{"Nova 2 does not think", nova2, conversation.Request{Reasoning: &conversation.Reasoning{Off: true}}, thinkingOf(`{"reasoningConfig":{"type":"disabled"}}`), ""},
	{"Nova 1 never did", novaPro, conversation.Request{Reasoning: &conversation.Reasoning{Effort: "high"}}, `{}`, "reasoning"},
	{"gpt-oss", "openai.gpt-oss-20b-1:0", conversation.Request{Reasoning: &conversation.Reasoning{Effort: "medium"}}, thinkingOf(`{"reasoning_effort":"medium"}`), ""},
	{"gpt-oss cannot but think", "openai.gpt-oss-20b-1:0", conversation.Request{Reasoning: &conversation.Reasoning{Off: true}}, thinkingOf(`{"reasoning_effort":"low"}`), "reasoning"},
	{"Qwen", "qwen.qwen3-32b-v1:0", conversation.Request{Reasoning: &conversation.Reasoning{Adaptive: true}}, thinkingOf(`{"reasoning_config":"medium"}`), ""},
	{"Qwen does not think", "qwen.qwen3-32b-v1:0", conversation.Request{Reasoning: &conversation.Reasoning{Off: true}}, `{}`, ""},
	{"DeepSeek", "deepseek.v3-v1:0", conversation.Request{Reasoning: &conversation.Reasoning{Effort: "xhigh"}}, thinkingOf(`{"reasoning_config":"high"}`), ""},
	{"DeepSeek R1 thinks as it likes", "us.deepseek.r1-v1:0", conversation.Request{Reasoning: &conversation.Reasoning{Effort: "low"}}, `{}`, "reasoning"},
	{"an unknown model", profile, conversation.Request{Reasoning: &conversation.Reasoning{Effort: "low"}}, `{}`, "reasoning"},
}

var cacheGoldens = []struct {
	name, model string
	request     conversation.Request
	want        string
	notes       string
}{
	{
		"a cache point stands after what it marks", sonnet45,
		conversation.Request{
			Messages: []conversation.Message{user(marked(text("a"), ""), text("b")), assistant(marked(conversation.Block{Kind: conversation.Thinking, Text: "t", Signature: "s", Origin: "converse"}, ""), text("c")), user(marked(text("d"), "30m"))},
			Tools:    []conversation.Tool{{Name: "f", Cache: &conversation.CacheMark{TTL: "5m"}}},
		},
		`{"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object","properties":{}}}}},{"cachePoint":{"type":"default","ttl":"5m"}}]},
		"messages":[{"role":"user","content":[{"text":"a"},{"cachePoint":{"type":"default"}},{"text":"b"}]},
		{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"t","signature":"s"}}},{"text":"c"}]},
		{"role":"user","content":[{"text":"d"},{"cachePoint":{"type":"default"}}]}]}`, "",
	},
	{
		"the mark in a result stands after it", sonnet45,
		conversation.Request{Messages: []conversation.Message{user(text("q")), assistant(call("c", "weather", "")), user(result("c", marked(text("r"), "")))}, Tools: []conversation.Tool{weather}},
		`{"messages":[{"role":"user","content":[{"text":"q"}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"c","name":"weather","input":{}}}]},
		{"role":"user","content":[{"toolResult":{"toolUseId":"c","content":[{"text":"r"}]}},{"cachePoint":{"type":"default"}}]}]}`, "",
	},
	{
		"none stands after a document", sonnet45,
		conversation.Request{Messages: []conversation.Message{user(text("q"), pdf("a"), marked(pdf("b"), ""))}},
		`{"messages":[{"role":"user","content":[{"text":"q"},{"cachePoint":{"type":"default"}},
		{"document":{"format":"pdf","name":"a","source":{"bytes":"AAEC"}}},{"document":{"format":"pdf","name":"b","source":{"bytes":"AAEC"}}}]}]}`, "",
	},
	{
		"nor before the first one", sonnet45,
		conversation.Request{Messages: []conversation.Message{user(marked(pdf("a"), ""), text("q"))}},
		`{"messages":[{"role":"user","content":[{"document":{"format":"pdf","name":"a","source":{"bytes":"AAEC"}}},{"text":"q"}]}]}`, "cache_control",
	},
	{
		"four at most, the last ones", sonnet45,
		conversation.Request{Messages: []conversation.Message{user(marked(text("1"), ""), marked(text("2"), ""), marked(text("3"), ""), marked(text("4"), ""), marked(text("5"), ""))}},
		`{"messages":[{"role":"user","content":[{"text":"1"},{"text":"2"},{"cachePoint":{"type":"default"}},{"text":"3"},{"cachePoint":{"type":"default"}},
		{"text":"4"},{"cachePoint":{"type":"default"}},{"text":"5"},{"cachePoint":{"type":"default"}}]}]}`, "cache_control",
	},
	{"models without a cache get none", llama, conversation.Request{Messages: []conversation.Message{user(marked(text("1"), ""))}}, `{"messages":[{"role":"user","content":[{"text":"1"}]}]}`, "cache_control"},
	{
		"Nova has none for tools, nor for an hour", novaPro,
		conversation.Request{Messages: []conversation.Message{user(marked(text("1"), "1h"))}, Tools: []conversation.Tool{{Name: "f", Cache: &conversation.CacheMark{}}}},
		`{"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object","properties":{}}}}}]},"messages":[{"role":"user","content":[{"text":"1"},{"cachePoint":{"type":"default"}}]}]}`, "cache_control",
	},
}

func pdf(title string) conversation.Block {
	return media(conversation.Document, conversation.Media{MIME: "application/pdf", Data: "AAEC", Title: title})
}

func TestWhatWasChangedInTheRequestIsChangedBackInTheAnswer(t *testing.T) {
	long := strings.Repeat("x", 70)
	tools := []conversation.Tool{{Name: "a.b"}, {Name: long}, {Name: "patch tool", Custom: true}, {Name: "plain"}}
	w := new(conversation.Rewrites)
	_, _, err := Codec{}.EncodeRequest(nil, &conversation.Request{Messages: hi, Tools: tools}, dialects.EncodeOptions{Model: novaPro, Rewrites: w})
	if err != nil {
		t.Fatal(err)
	}
	r := &conversation.Response{Choices: []conversation.Choice{{Blocks: []conversation.Block{
		call("1", names.Clean("a.b"), "{}"), call("2", names.Clean(long), "{}"), call("3", names.Clean("patch tool"), `{"input":"free"}`), call("4", "plain", "{}"),
	}}}}
	w.Response(r)
	var got []conversation.ToolCall
	for _, b := range r.Choices[0].Blocks {
		got = append(got, *b.Call)
	}
	want := []conversation.ToolCall{
		{ID: "1", Name: "a.b", Arguments: "{}"},
		{ID: "2", Name: long, Arguments: "{}"},
		{ID: "3", Name: "patch tool", Arguments: "free", Custom: true},
		{ID: "4", Name: "plain", Arguments: "{}"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	w = new(conversation.Rewrites)
	if _, _, err = (Codec{}).EncodeRequest(nil, &conversation.Request{Messages: hi, Format: city}, dialects.EncodeOptions{Model: novaPro, Rewrites: w}); err != nil {
		t.Fatal(err)
	}
	r = &conversation.Response{Choices: []conversation.Choice{{Stop: conversation.StopToolCalls, Blocks: []conversation.Block{call("1", answerTool, `{"z":1}`)}}}}
	w.Response(r)
	if c := r.Choices[0]; c.Stop != conversation.StopEnd || c.Blocks[0].Text != `{"z":1}` {
		t.Errorf("got %+v", c)
	}
}
