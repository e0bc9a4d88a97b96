package cohere

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
)

type (
	request = conversation.Request
	tool    = conversation.Tool
)

var weather = tool{Name: "get_weather", Description: "Tells the weather.", Schema: []byte(`{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}`)}

const weatherJSON = `{"type":"function","function":{"name":"get_weather","description":"Tells the weather.","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}`

func failed(b conversation.Block) conversation.Block {
	b.Result.IsError = true
	return b
}

func TestRequestsAreWrittenAsTheAPIWantsThem(t *testing.T) {
	image := &conversation.Media{MIME: "image/png", Data: "AAAA", Detail: "low"}
	for _, tc := range []struct {
		name  string
		r     request
		model string
		want  string // of members, without model, and without messages and stream unless they differ from the usual
		notes string
	}{
		{
			"a system prompt, a text and an answer",
			request{Stream: true, Messages: []conversation.Message{
				{Role: conversation.System, Blocks: []conversation.Block{text("Be brief.")}},
				{Role: conversation.Developer, Blocks: []conversation.Block{text("And kind.")}},
				user(text("Hi")), assistant(text("Hello")), user(text("1"), text("2")),
			}},
			"command-a-03-2025",
			`"messages":[{"role":"system","content":"Be brief."},{"role":"system","content":"And kind."},{"role":"user","content":"Hi"},` +
				`{"role":"assistant","content":"Hello"},{"role":"user","content":[{"type":"text","text":"1"},{"type":"text","text":"2"}]}],"stream":true`,
			"",
		},
		{
			"images by address and inline",
			request{Messages: []conversation.Message{user(
				text("Compare"),
				conversation.Block{Kind: conversation.Image, Media: &conversation.Media{URL: "https://a/b.png"}},
				conversation.Block{Kind: conversation.Image, Media: image},
			)}},
			"command-a-vision-07-2025",
			`"messages":[{"role":"user","content":[{"type":"text","text":"Compare"},{"type":"image_url","image_url":{"url":"https://a/b.png"}},` +
				`{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}}]}],"stream":false`,
			"",
		},
		{
			"plain text documents become texts",
			request{Messages: []conversation.Message{user(
				conversation.Block{Kind: conversation.Document, Media: &conversation.Media{Text: "one", Title: "t", Context: "c"}},
				conversation.Block{Kind: conversation.Document, Media: &conversation.Media{MIME: "text/csv", Data: base64.StdEncoding.EncodeToString([]byte("a,b"))}},
			)}},
			"m",
			`"messages":[{"role":"user","content":[{"type":"text","text":"one"},{"type":"text","text":"a,b"}]}],"stream":false`,
			"title context",
		},
		{
			"calls in a row are one turn, and that one of them failed is noted",
			request{Origin: "messages", Messages: []conversation.Message{
				assistant(call("c1", "f", "{}")), assistant(call("c2", "f", "{}")), user(result("c1", "", text("1"))), user(failed(result("c2", "", text("2")))),
			}},
			"m",
			`"messages":[{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}},` +
				`{"id":"c2","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":"1"},` +
				`{"role":"tool","tool_call_id":"c2","content":"2"}],"stream":false`,
			"is_error",
		},
		{
			"a tool loop, with the plan that was made for it",
			request{Tools: []tool{weather}, Messages: []conversation.Message{
				user(text("Weather?")),
				assistant(
					conversation.Block{Kind: conversation.Thinking, Text: "I will look.", Signature: signPlan, Origin: origin},
					text("Wait."), text(" Now."), call("c1", "get_weather", `{"city": "Oslo"}`), call("c2", "get_weather", ""),
				),
				user(result("c1", "", text("sunny")), result("c2", "", text("rain"), text("and wind")), text("So?")),
			}},
			"m",
			`"messages":[{"role":"user","content":"Weather?"},{"role":"assistant","tool_plan":"I will look.\n\nWait. Now.","tool_calls":[` +
				`{"id":"c1","type":"function","function":{"name":"get_weather","arguments":"{\"city\": \"Oslo\"}"}},` +
				`{"id":"c2","type":"function","function":{"name":"get_weather","arguments":"{}"}}]},` +
				`{"role":"tool","tool_call_id":"c1","content":"sunny"},{"role":"tool","tool_call_id":"c2","content":"rain\nand wind"},` +
				`{"role":"user","content":"So?"}],"tools":[` + weatherJSON + `],"stream":false`,
			"",
		},
		{
			"thoughts go back to Cohere alone",
			request{Messages: []conversation.Message{
				user(text("Hi")),
				assistant(conversation.Block{Kind: conversation.Thinking, Text: "Hm.", Signature: signThought, Origin: origin}, text("Hello")),
				user(text("Hi")),
				assistant(conversation.Block{Kind: conversation.Thinking, Text: "Ah.", Signature: "xyz", Origin: "messages"}, text("Hello")),
				user(text("Hi")),
				assistant(conversation.Block{Kind: conversation.Thinking, Text: "Ah.", Origin: "chat"}),
			}},
			"m",
			`"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"thinking","thinking":"Hm."},{"type":"text","text":"Hello"}]},` +
				`{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"},{"role":"user","content":"Hi"}],"stream":false`,
			"thinking",
		},
		{
			"a plan without a call is left out, thoughts stay beside calls",
			request{Messages: []conversation.Message{
				user(text("Hi")), assistant(conversation.Block{Kind: conversation.Thinking, Text: "I will.", Signature: signPlan, Origin: origin}, text("No.")),
				user(text("Do")), assistant(conversation.Block{Kind: conversation.Thinking, Text: "Hm.", Signature: signThought, Origin: origin}, call("c", "f", "{}")),
				user(result("c", "f", text("1"))),
			}},
			"command-a-reasoning-08-2025",
			`"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"No."},{"role":"user","content":"Do"},` +
				`{"role":"assistant","content":[{"type":"thinking","thinking":"Hm."}],"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},` +
				`{"role":"tool","tool_call_id":"c","content":"1"}],"stream":false`,
			"thinking",
		},
		{
			"a model that does not think is told thoughts as plans, or not at all",
			request{Messages: []conversation.Message{
				user(text("Do")), assistant(conversation.Block{Kind: conversation.Thinking, Text: "Hm.", Signature: signThought, Origin: origin}, call("c", "f", "{}")),
				user(result("c", "f", text("1"))), assistant(conversation.Block{Kind: conversation.Thinking, Text: "Ah.", Signature: signThought, Origin: origin}, text("1")),
			}},
			"command-r-08-2024",
			`"messages":[{"role":"user","content":"Do"},{"role":"assistant","tool_plan":"Hm.","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},` +
				`{"role":"tool","tool_call_id":"c","content":"1"},{"role":"assistant","content":"1"}],"stream":false`,
			"thinking",
		},
		{
			"images that a tool returned follow its result",
			request{Messages: []conversation.Message{
				user(text("Look")), assistant(call("c", "shot", "{}")),
				user(result("c", "", conversation.Block{Kind: conversation.Image, Media: image})),
			}},
			"m",
			`"messages":[{"role":"user","content":"Look"},{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"shot","arguments":"{}"}}]},` +
				`{"role":"tool","tool_call_id":"c","content":"The result is in the next message."},` +
				`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}}]}],"stream":false`,
			"",
		},
		{
			"calls without IDs are paired by name and order",
			request{Messages: []conversation.Message{
				user(text("x")), assistant(call("", "f", "{}"), call("", "g", "{}")),
				user(result("", "g", text("2")), result("", "f", text("1"))),
			}},
			"m",
			`"messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}},` +
				`{"id":"call_2","type":"function","function":{"name":"g","arguments":"{}"}}]},{"role":"tool","tool_call_id":"call_2","content":"2"},` +
				`{"role":"tool","tool_call_id":"call_1","content":"1"}],"stream":false`,
			"",
		},
		{
			"numbers keep their text and come under the API's names",
			request{MaxTokens: new(int64(99)), Temperature: "0.70", TopP: "0.9", TopK: "40.0", Seed: new(int64(7)), FrequencyPenalty: "0.5", PresencePenalty: "1e-1", Stop: []string{"END"}},
			"m",
			`"max_tokens":99,"stop_sequences":["END"],"temperature":0.70,"p":0.9,"k":40,"frequency_penalty":0.5,"presence_penalty":1e-1,"seed":7`,
			"",
		},
		{
			"numbers beyond the API's ranges are brought into them",
			request{TopP: "1", TopK: "9999", FrequencyPenalty: "1.5", PresencePenalty: "-1", Seed: new(int64(-1)), Stop: []string{"1", "2", "3", "4", "5", "6"}},
			"m",
			`"stop_sequences":["1","2","3","4","5"],"p":0.99,"k":500,"frequency_penalty":1`,
			"stop frequency_penalty presence_penalty seed",
		},
		{
			"what the API has no member for is noted",
			request{
				User: "u", ServiceTier: "flex", CacheKey: "k", Metadata: []byte(`{"a":"b"}`), ParallelTools: new(false), Tools: []tool{{Name: "f", Cache: &conversation.CacheMark{}}},
				Extra: []conversation.Field{{Name: "store", Value: []byte("true")}}, TopLogprobs: new(int64(3)),
			},
			"m",
			`"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}],"logprobs":true`,
			"cache_control parallel_tool_calls top_logprobs user service_tier prompt_cache_key metadata store",
		},
		{"one forced tool is the only one", request{Tools: []tool{weather, {Name: "f"}}, Choice: conversation.ToolChoice{Mode: conversation.ChoiceTool, Name: "get_weather"}}, "m", `"tools":[` + weatherJSON + `],"tool_choice":"REQUIRED"`, ""},
		{"allowed tools are the only ones", request{Tools: []tool{weather, {Name: "f"}}, Choice: conversation.ToolChoice{Mode: conversation.ChoiceAuto, Allowed: []string{"get_weather"}}}, "m", `"tools":[` + weatherJSON + `]`, ""},
		{"no tool", request{Tools: []tool{weather}, Choice: conversation.ToolChoice{Mode: conversation.ChoiceNone}}, "m", `"tools":[` + weatherJSON + `],"tool_choice":"NONE"`, ""},
		{"any tool", request{Tools: []tool{weather}, Choice: conversation.ToolChoice{Mode: conversation.ChoiceRequired}}, "m", `"tools":[` + weatherJSON + `],"tool_choice":"REQUIRED"`, ""},
		{"another vendor's tool is left out", request{Tools: []tool{{Name: "web_search", Raw: []byte(`{}`), Origin: "responses"}}, Choice: conversation.ToolChoice{Mode: conversation.ChoiceRequired}}, "m", ``, "web_search"},
		{"all tools are strict", request{Tools: []tool{{Name: "f", Strict: new(true), Schema: weather.Schema}}}, "m", `"tools":[{"type":"function","function":{"name":"f","parameters":` + string(weather.Schema) + `}}],"strict_tools":true`, ""},
		{"one tool of two is strict", request{Tools: []tool{{Name: "f", Strict: new(true), Schema: weather.Schema}, weather}}, "m", `"tools":[{"type":"function","function":{"name":"f","parameters":` + string(weather.Schema) + `}},` + weatherJSON + `]`, "tools.strict"},
		{"a strict tool has only optional parameters", request{Tools: []tool{{Name: "f", Strict: new(true), Schema: []byte(`{"properties":{"a":{}}}`)}}}, "m", `"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"a":{}}}}}]`, "tools.strict"},
		{
			"JSON of any shape, where nobody has told the model",
			request{Format: &conversation.Format{}, Messages: []conversation.Message{user(text("Hi"))}},
			"m",
			`"messages":[{"role":"system","content":"Answer with one JSON object and nothing else."},{"role":"user","content":"Hi"}],"response_format":{"type":"json_object"},"stream":false`, "",
		},
		{
			"JSON of any shape, where somebody has",
			request{Format: &conversation.Format{}, Messages: []conversation.Message{user(text("Hi, in JSON"))}},
			"m",
			`"messages":[{"role":"user","content":"Hi, in JSON"}],"response_format":{"type":"json_object"},"stream":false`, "",
		},
		{"JSON of a schema", request{Format: &conversation.Format{Name: "n", Schema: []byte(`{"type":"object"}`)}}, "m", `"response_format":{"type":"json_object","json_schema":{"type":"object"}}`, ""},
		{
			"beside tools a format is asked for in words",
			request{Messages: []conversation.Message{user(text("Hi"))}, Tools: []tool{weather}, Format: &conversation.Format{Schema: []byte(`{"type":"object"}`)}},
			"m",
			`"messages":[{"role":"system","content":"Unless you call a tool, answer with one JSON object and nothing else. It has to match this JSON schema: {\"type\":\"object\"}"},` +
				`{"role":"user","content":"Hi"}],"tools":[` + weatherJSON + `],"stream":false`, "response_format",
		},
		{"thinking with a budget", request{Reasoning: &conversation.Reasoning{Budget: new(int64(500))}}, "command-a-reasoning-08-2025", `"thinking":{"type":"enabled","token_budget":500}`, ""},
		{"some thinking", request{Reasoning: &conversation.Reasoning{Effort: "low"}}, "command-a-reasoning-08-2025", `"thinking":{"type":"enabled","token_budget":2048}`, ""},
		{"much thinking", request{Reasoning: &conversation.Reasoning{Effort: "high", Summary: "detailed"}}, "command-a-reasoning-08-2025", `"thinking":{"type":"enabled"}`, "reasoning.summary"},
		{"thinking as the model sees fit", request{Reasoning: &conversation.Reasoning{Adaptive: true}}, "command-a-reasoning-08-2025", ``, ""},
		{"no thinking", request{Reasoning: &conversation.Reasoning{Off: true}}, "command-a-reasoning-08-2025", `"thinking":{"type":"disabled"}`, ""},
		{"thinking of a model that does not", request{Reasoning: &conversation.Reasoning{Effort: "high"}}, "command-r-08-2024", ``, "reasoning"},
		{"no thinking of a model that does not", request{Reasoning: &conversation.Reasoning{Off: true}}, "command-r-08-2024", ``, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want := tc.want
			if len(tc.r.Messages) == 0 {
				tc.r.Messages = []conversation.Message{user(text("Hi"))}
				want = `"messages":[{"role":"user","content":"Hi"}],` + want
				want = strings.TrimSuffix(want, ",") + `,"stream":false`
			}
			got, notes, err := Codec{}.EncodeRequest(nil, &tc.r, dialects.EncodeOptions{Model: tc.model, Vendor: "cohere"})
			if err != nil {
				t.Fatal(err)
			}
			dialecttest.ValidJSON(t, got)
			if want = `{"model":"` + tc.model + `",` + want + `}`; string(got) != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if s := strings.Join(notes, " "); s != tc.notes {
				t.Errorf("notes %q, want %q", s, tc.notes)
			}
		})
	}
}

func TestWhatCannotBeSaidIsRefused(t *testing.T) {
	for _, tc := range []struct {
		name string
		r    request
		want string
	}{
		{"several answers", request{N: new(int64(2)), Messages: []conversation.Message{user(text("x"))}}, "one answer at a time"},
		{"a file", request{Messages: []conversation.Message{user(conversation.Block{Kind: conversation.Document, Media: &conversation.Media{MIME: "application/pdf", Data: "AA=="}})}}, "no documents but plain text"},
		{"an image by ID", request{Messages: []conversation.Message{user(conversation.Block{Kind: conversation.Image, Media: &conversation.Media{FileID: "f"}})}}, "by file id"},
		{"sound", request{Messages: []conversation.Message{user(conversation.Block{Kind: conversation.Audio, Media: &conversation.Media{Data: "AA=="}})}}, "neither audio nor video"},
		{"nothing", request{Messages: []conversation.Message{user(text(""))}}, "no message"},
		{"a result without a call", request{Messages: []conversation.Message{user(result("", "f", text("x")))}}, "answers no tool call"},
	} {
		_, _, err := Codec{}.EncodeRequest(nil, &tc.r, dialects.EncodeOptions{Model: "m"})
		var refused *dialects.RequestError
		if !errors.As(err, &refused) || refused.Status != 400 || refused.Param == "" || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestWhatWasRewrittenIsUndoneInTheAnswer(t *testing.T) {
	r := request{
		Tools: []tool{
			{Name: "mcp__files__read-file", Schema: weather.Schema},
			{Name: "1st"},
			{Name: "patch", Description: "Changes files.", Custom: true, Grammar: &conversation.Grammar{Syntax: "lark", Definition: "start: /x/"}, Raw: []byte(`{}`), Origin: "responses"},
		},
		Messages: []conversation.Message{
			user(text("x")),
			assistant(conversation.Block{Kind: conversation.Call, Call: &conversation.ToolCall{ID: "c", Name: "patch", Arguments: "x", Custom: true}}),
			user(result("c", "patch", text("done"))),
		},
	}
	rewrites := new(conversation.Rewrites)
	body, notes, err := Codec{}.EncodeRequest(nil, &r, dialects.EncodeOptions{Model: "m", Rewrites: rewrites})
	if err != nil || len(notes) > 0 {
		t.Fatal(notes, err)
	}
	v := dialecttest.ValidJSON(t, body)
	names := v.Get("tools.#.function.name").Array()
	for _, n := range names {
		if !functionNames.Accept(n.Str) {
			t.Errorf("the name %q is not allowed", n.Str)
		}
	}
	if names[2].Str != "patch" || v.Get("tools.2.function.parameters").Raw != conversation.FreeTextSchema ||
		v.Get("tools.2.function.description").Str != "Changes files.\n\nThe input must match this lark grammar:\nstart: /x/" {
		t.Errorf("the free-text tool became %s", v.Get("tools.2").Raw)
	}
	if got := v.Get("messages.1.tool_calls.0.function.arguments").Str; got != `{"input":"x"}` {
		t.Errorf("the call of a free-text tool became %s", got)
	}
	answer := `{"message":{"tool_calls":[{"id":"1","function":{"name":"` + names[0].Str + `","arguments":"{}"}},{"id":"2","function":{"name":"patch","arguments":"{\"input\":\"y\"}"}}]},"finish_reason":"TOOL_CALL"}`
	resp, err := Codec{}.DecodeResponse([]byte(answer))
	if err != nil {
		t.Fatal(err)
	}
	rewrites.Response(resp)
	first, second := resp.Choices[0].Blocks[0].Call, resp.Choices[0].Blocks[1].Call
	if first.Name != "mcp__files__read-file" || second.Arguments != "y" || !second.Custom {
		t.Errorf("got %+v and %+v", first, second)
	}
}

func TestDifferentNamesStayDifferent(t *testing.T) {
	seen := map[string]string{}
	e := requestEncoder{}
	for _, name := range []string{"a-b", "a.b", "a b", "a_b", strings.Repeat("x", 70), strings.Repeat("x", 71), "", "9", "_9"} {
		got := e.functionName(name)
		if other, ok := seen[got]; ok {
			t.Errorf("%q and %q both became %q", name, other, got)
		}
		if !functionNames.Accept(got) {
			t.Errorf("%q became %q", name, got)
		}
		seen[got] = name
	}
}

func TestALargeRequestIsValid(t *testing.T) {
	r := largeRequest()
	body, _, err := Codec{}.EncodeRequest([]byte("prefix"), r, dialects.EncodeOptions{Model: "m"})
	if err != nil || !gjson.ValidBytes(body[len("prefix"):]) {
		t.Error(err)
	}
}
