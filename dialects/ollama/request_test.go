package ollama

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

var weather = tool{Name: "get-weather", Description: "Tells the weather.", Schema: []byte(`{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}`)}

const weatherJSON = `{"type":"function","function":{"name":"get-weather","description":"Tells the weather.","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}`

func image(data string) conversation.Block {
	return conversation.Block{Kind: conversation.Image, Media: &conversation.Media{MIME: "image/png", Data: data}}
}

func failed(b conversation.Block) conversation.Block {
	b.Result.IsError = true
	return b
}

func TestRequestsAreWrittenAsTheAPIWantsThem(t *testing.T) {
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
				user(text("Hi")), assistant(text("Hel"), text("lo")), user(text("1"), text("2")),
			}},
			"llama3.2",
			`"messages":[{"role":"system","content":"Be brief."},{"role":"system","content":"And kind."},{"role":"user","content":"Hi"},` +
				`{"role":"assistant","content":"Hello"},{"role":"user","content":"1\n\n2"}],"stream":true`,
			"",
		},
		{
			"images keep their place among texts",
			request{Messages: []conversation.Message{user(text("These"), image("AAAA"), image("BBBB"), text("and this"), image("CCCC")), user(image("DDDD"))}},
			"llava",
			`"messages":[{"role":"user","content":"These","images":["AAAA","BBBB"]},{"role":"user","content":"and this","images":["CCCC"]},` +
				`{"role":"user","content":"","images":["DDDD"]}],"stream":false`,
			"",
		},
		{
			"plain text documents become texts",
			request{Messages: []conversation.Message{user(
				conversation.Block{Kind: conversation.Document, Media: &conversation.Media{Text: "one", Title: "t", Context: "c"}},
				conversation.Block{Kind: conversation.Document, Media: &conversation.Media{MIME: "text/csv", Data: base64.StdEncoding.EncodeToString([]byte("a,b"))}},
			)}},
			"m", `"messages":[{"role":"user","content":"one\n\na,b"}],"stream":false`, "title context",
		},
		{
			"calls in a row are one turn, and that one of them failed is noted",
			request{Origin: "messages", Messages: []conversation.Message{
				assistant(call("c1", "f", "{}")), assistant(call("c2", "f", "{}")), user(result("c1", "", text("1"))), user(failed(result("c2", "", text("2")))),
			}},
			"m",
			`"messages":[{"role":"assistant","content":"","tool_calls":[{"id":"c1","function":{"name":"f","arguments":{}}},` +
				`{"id":"c2","function":{"name":"f","arguments":{}}}]},{"role":"tool","content":"1","tool_name":"f","tool_call_id":"c1"},` +
				`{"role":"tool","content":"2","tool_name":"f","tool_call_id":"c2"}],"stream":false`,
			"is_error",
		},
		{
			"a tool loop: arguments are objects, results know their tool",
			request{Tools: []tool{weather}, Messages: []conversation.Message{
				user(text("Weather?")),
				assistant(text("Wait."), call("c1", "get-weather", `{"city": "Oslo"}`), call("", "g", ""), call("c3", "h", `{"cut":`), call("c4", "i", `[1]`)),
				user(result("c1", "", text("sunny"), text("and warm")), result("", "g", text("2")), result("c3", "", image("AAAA")), text("So?")),
			}},
			"m",
			`"messages":[{"role":"user","content":"Weather?"},{"role":"assistant","content":"Wait.","tool_calls":[` +
				`{"id":"c1","function":{"name":"get-weather","arguments":{"city": "Oslo"}}},{"function":{"name":"g","arguments":{}}},` +
				`{"id":"c3","function":{"name":"h","arguments":{"input":"{\"cut\":"}}},{"id":"c4","function":{"name":"i","arguments":{"input":"[1]"}}}]},` +
				`{"role":"tool","content":"sunny\nand warm","tool_name":"get-weather","tool_call_id":"c1"},{"role":"tool","content":"2","tool_name":"g"},` +
				`{"role":"tool","content":"The result is in the next message.","tool_name":"h","tool_call_id":"c3"},` +
				`{"role":"user","content":"","images":["AAAA"]},{"role":"user","content":"So?"}],"tools":[` + weatherJSON + `],"stream":false`,
			"",
		},
		{
			"thoughts go back to Ollama alone",
			request{Messages: []conversation.Message{
				user(text("Hi")), assistant(conversation.Block{Kind: conversation.Thinking, Text: "Hm.", Signature: signThought, Origin: origin}, text("Hello")),
				user(text("Hi")), assistant(conversation.Block{Kind: conversation.Thinking, Text: "Ah.", Signature: "xyz", Origin: "messages"}),
			}},
			"m",
			`"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello","thinking":"Hm."},{"role":"user","content":"Hi"}],"stream":false`,
			"thinking",
		},
		{
			"numbers keep their text and become options",
			request{MaxTokens: new(int64(99)), Temperature: "0.70", TopP: "1", TopK: "40.0", Seed: new(int64(-7)), FrequencyPenalty: "0.5", PresencePenalty: "-1e-1", Stop: []string{"END"}},
			"m",
			`"options":{"num_predict":99,"temperature":0.70,"top_p":1,"top_k":40,"frequency_penalty":0.5,"presence_penalty":-1e-1,"seed":-7,"stop":["END"]}`,
			"",
		},
		{"log probabilities", request{Logprobs: new(true), TopLogprobs: new(int64(2))}, "m", `"logprobs":true,"top_logprobs":2`, ""},
		{"no log probabilities", request{Logprobs: new(false)}, "m", ``, ""},
		{
			"what the API has no member for is noted",
			request{
				User: "u", ServiceTier: "flex", CacheKey: "k", Metadata: []byte(`{"a":"b"}`), ParallelTools: new(false),
				Tools: []tool{{Name: "f", Strict: new(true), Cache: &conversation.CacheMark{}}}, Extra: []conversation.Field{{Name: "keep_alive", Value: []byte(`"5m"`)}},
			},
			"m",
			`"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}]`,
			"tools.strict cache_control parallel_tool_calls user service_tier prompt_cache_key metadata keep_alive",
		},
		{"no tool may be called", request{Tools: []tool{weather}, Choice: conversation.ToolChoice{Mode: conversation.ChoiceNone}}, "m", ``, ""},
		{"a forced tool is the only one", request{Tools: []tool{weather, {Name: "f"}}, Choice: conversation.ToolChoice{Mode: conversation.ChoiceTool, Name: "get-weather"}}, "m", `"tools":[` + weatherJSON + `]`, "tool_choice"},
		{"allowed tools are the only ones", request{Tools: []tool{weather, {Name: "f"}}, Choice: conversation.ToolChoice{Mode: conversation.ChoiceAuto, Allowed: []string{"get-weather"}}}, "m", `"tools":[` + weatherJSON + `]`, ""},
		{"any tool", request{Tools: []tool{weather}, Choice: conversation.ToolChoice{Mode: conversation.ChoiceRequired}}, "m", `"tools":[` + weatherJSON + `]`, "tool_choice"},
		{"another vendor's tool is left out", request{Tools: []tool{{Name: "web_search", Raw: []byte(`{}`), Origin: "responses"}}}, "m", ``, "web_search"},
		{
			"JSON of any shape, where nobody has told the model",
			request{Format: &conversation.Format{}, Messages: []conversation.Message{user(text("Hi"))}},
			"m",
			`"messages":[{"role":"system","content":"Answer with one JSON object and nothing else."},{"role":"user","content":"Hi"}],"format":"json","stream":false`, "",
		},
		{
			"JSON of any shape, where somebody has",
			request{Format: &conversation.Format{}, Messages: []conversation.Message{user(text("Hi, in JSON"))}},
			"m",
			`"messages":[{"role":"user","content":"Hi, in JSON"}],"format":"json","stream":false`, "",
		},
		{"JSON of a schema", request{Tools: []tool{weather}, Format: &conversation.Format{Name: "n", Schema: []byte(`{"type":"object"}`)}}, "m", `"tools":[` + weatherJSON + `],"format":{"type":"object"}`, ""},
		{"no thinking", request{Reasoning: &conversation.Reasoning{Off: true}}, "qwen3", `"think":false`, ""},
		{"thinking as the model sees fit", request{Reasoning: &conversation.Reasoning{Adaptive: true, Summary: "auto"}}, "qwen3", ``, ""},
		{"a level, where there are some", request{Reasoning: &conversation.Reasoning{Effort: "xhigh"}}, "gpt-oss:20b", `"think":"high"`, ""},
		{"a budget, where there are levels", request{Reasoning: &conversation.Reasoning{Budget: new(int64(4000))}}, "gpt-oss:20b", `"think":"medium"`, ""},
		{"a level, where there are none", request{Reasoning: &conversation.Reasoning{Effort: "low", Summary: "detailed"}}, "qwen3", ``, "reasoning.summary reasoning"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want := tc.want
			if len(tc.r.Messages) == 0 {
				tc.r.Messages = []conversation.Message{user(text("Hi"))}
				want = `"messages":[{"role":"user","content":"Hi"}],` + want
				want = strings.TrimSuffix(want, ",") + `,"stream":false`
			}
			got, notes, err := Codec{}.EncodeRequest(nil, &tc.r, dialects.EncodeOptions{Model: tc.model, Vendor: "ollama"})
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
		{"an image by address", request{Messages: []conversation.Message{user(conversation.Block{Kind: conversation.Image, Media: &conversation.Media{URL: "https://a/b.png"}})}}, "as base64 data only, not by URL"},
		{"an image by ID", request{Messages: []conversation.Message{user(conversation.Block{Kind: conversation.Image, Media: &conversation.Media{FileID: "f"}})}}, "not by file id"},
		{"a file", request{Messages: []conversation.Message{user(conversation.Block{Kind: conversation.Document, Media: &conversation.Media{MIME: "application/pdf", Data: "AA=="}})}}, "no documents but plain text"},
		{"sound", request{Messages: []conversation.Message{user(conversation.Block{Kind: conversation.Audio, Media: &conversation.Media{Data: "AA=="}})}}, "neither audio nor video"},
		{"nothing", request{Messages: []conversation.Message{user(text(""))}}, "no message"},
	} {
		_, _, err := Codec{}.EncodeRequest(nil, &tc.r, dialects.EncodeOptions{Model: "m"})
		var refused *dialects.RequestError
		if !errors.As(err, &refused) || refused.Status != 400 || refused.Param == "" || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestAFreeTextToolIsAFunctionWithOneText(t *testing.T) {
	r := request{
		Tools: []tool{{Name: "patch", Description: "Changes files.", Custom: true, Grammar: &conversation.Grammar{Syntax: "lark", Definition: "start: /x/"}, Raw: []byte(`{}`), Origin: "responses"}},
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
	if v.Get("tools.0.function.parameters").Raw != conversation.FreeTextSchema ||
		v.Get("tools.0.function.description").Str != "Changes files.\n\nThe input must match this lark grammar:\nstart: /x/" {
		t.Errorf("the tool became %s", v.Get("tools.0").Raw)
	}
	if got := v.Get("messages.1.tool_calls.0.function.arguments").Raw; got != `{"input":"x"}` {
		t.Errorf("the call became %s", got)
	}
	resp, err := Codec{}.DecodeResponse([]byte(`{"message":{"content":"","tool_calls":[{"function":{"name":"patch","arguments":{"input":"y"}}}]},"done":true}`))
	if err != nil {
		t.Fatal(err)
	}
	rewrites.Response(resp)
	if c := resp.Choices[0].Blocks[0].Call; c.Arguments != "y" || !c.Custom {
		t.Errorf("got %+v", c)
	}
}

func TestALargeRequestIsValid(t *testing.T) {
	body, _, err := Codec{}.EncodeRequest([]byte("prefix"), largeRequest(), dialects.EncodeOptions{Model: "m"})
	if err != nil || !gjson.ValidBytes(body[len("prefix"):]) {
		t.Error(err)
	}
}
