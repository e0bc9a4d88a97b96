package converse

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
)

const (
	sonnet45 = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
	sonnet37 = "anthropic.claude-3-7-sonnet-20250219-v1:0"
	sonnet46 = "us.anthropic.claude-sonnet-4-6"
	sonnet5  = "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-sonnet-5"
	novaPro  = "us.amazon.nova-pro-v1:0"
	nova2    = "us.amazon.nova-2-lite-v1:0"
	llama    = "us.meta.llama4-maverick-17b-instruct-v1:0"
	profile  = "arn:aws:bedrock:us-east-1:1:application-inference-profile/a1b2"
)

var (
	hi      = []conversation.Message{user(text("hi"))}
	weather = conversation.Tool{Name: "weather", Description: "d", Schema: json.RawMessage(`{"type":"object","properties":{"b":{},"a":{}}}`)}
	looped  = []conversation.Message{user(text("q")), assistant(call("c1", "weather", `{"b":1}`)), user(result("c1", text("sunny")))}
)

// goldens are requests and what becomes of them. members are those of the request besides messages, or all of them where
// they hold messages.
var goldens = []struct {
	name, model string
	request     conversation.Request
	want        string // members besides "messages"; with them, where they matter
	notes       string
}{
	{"the least", sonnet45, conversation.Request{Messages: hi}, `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`, ""},
	{
		"system prompts go apart, whoever wrote them where", sonnet45,
		conversation.Request{Messages: []conversation.Message{
			{Role: conversation.System, Blocks: []conversation.Block{marked(text("a"), "1h"), text(" ")}},
			user(text("hi")),
			{Role: conversation.Developer, Blocks: []conversation.Block{text("b")}},
		}},
		`{"system":[{"text":"a"},{"cachePoint":{"type":"default","ttl":"1h"}},{"text":"b"}],"messages":[{"role":"user","content":[{"text":"hi"}]}]}`, "",
	},
	{
		"roles take turns, results come first, nothing is empty", sonnet45,
		conversation.Request{Messages: []conversation.Message{
			user(text("q")), user(text("")), assistant(text("\n")), assistant(call("c1", "weather", ``)), assistant(call("c2", "weather", `{"x":`)),
			user(text("so")), user(result("c1", text("one"), text(""))), user(result("c2")), assistant(text("fine \n")),
		}, Tools: []conversation.Tool{weather}},
		`{"messages":[{"role":"user","content":[{"text":"q"}]},
		{"role":"assistant","content":[{"toolUse":{"toolUseId":"c1","name":"weather","input":{}}},{"toolUse":{"toolUseId":"c2","name":"weather","input":{"_raw":"{\"x\":"}}}]},
		{"role":"user","content":[{"toolResult":{"toolUseId":"c1","content":[{"text":"one"}]}},{"toolResult":{"toolUseId":"c2","content":[]}},{"text":"so"}]},
		{"role":"assistant","content":[{"text":"fine"}]}]}`, "",
	},
	{
		"a question stands before the first answer", sonnet45,
		conversation.Request{Messages: []conversation.Message{assistant(text("a")), user(text("b"))}},
		`{"messages":[{"role":"user","content":[{"text":"…"}]},{"role":"assistant","content":[{"text":"a"}]},{"role":"user","content":[{"text":"b"}]}]}`, "",
	},
	{
		"calls without ids get some", sonnet45,
		conversation.Request{Messages: []conversation.Message{
			user(text("q")), assistant(call("", "f", ""), call("", "g", "")),
			user(conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{Name: "g"}}, conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{Name: "f"}}),
		}, Tools: []conversation.Tool{weather}},
		`{"messages":[{"role":"user","content":[{"text":"q"}]},
		{"role":"assistant","content":[{"toolUse":{"toolUseId":"tooluse_1","name":"f","input":{}}},{"toolUse":{"toolUseId":"tooluse_2","name":"g","input":{}}}]},
		{"role":"user","content":[{"toolResult":{"toolUseId":"tooluse_2","content":[]}},{"toolResult":{"toolUseId":"tooluse_1","content":[]}}]}]}`, "",
	},
	{
		"ids keep to the rules", sonnet45,
		conversation.Request{Messages: []conversation.Message{user(text("q")), assistant(call("a.b:1", "weather", "")), user(result("a.b:1"))}, Tools: []conversation.Tool{weather}},
		`{"messages":[{"role":"user","content":[{"text":"q"}]},
		{"role":"assistant","content":[{"toolUse":{"toolUseId":"a_b_1_1773qkp","name":"weather","input":{}}}]},
		{"role":"user","content":[{"toolResult":{"toolUseId":"a_b_1_1773qkp","content":[]}}]}]}`, "",
	},
	{
		"failed results say so to those who listen", novaPro,
		conversation.Request{Messages: failed(), Tools: []conversation.Tool{weather}},
		`{"messages":[{"role":"user","content":[{"text":"q"}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"c1","name":"weather","input":{}}}]},
		{"role":"user","content":[{"toolResult":{"toolUseId":"c1","content":[{"text":"no"}],"status":"error"}}]}]}`, "",
	},
	{
		"and not to others", llama,
		conversation.Request{Messages: failed(), Tools: []conversation.Tool{weather}},
		`{"messages":[{"role":"user","content":[{"text":"q"}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"c1","name":"weather","input":{}}}]},
		{"role":"user","content":[{"toolResult":{"toolUseId":"c1","content":[{"text":"no"}]}}]}]}`, "is_error",
	},
	{
		"thinking goes to the models that know its signature", sonnet45,
		conversation.Request{Messages: thoughts()},
		`{"messages":[{"role":"user","content":[{"text":"q"}]},{"role":"assistant","content":[
		{"reasoningContent":{"reasoningText":{"text":"a","signature":"c2ln"}}},{"reasoningContent":{"reasoningText":{"text":"b","signature":"s"}}},
		{"reasoningContent":{"redactedContent":"ZGF0YQ=="}},{"reasoningContent":{"redactedContent":"blob"}},{"text":"x"}]}]}`, "thinking",
	},
	{
		"other models get what came from them", nova2,
		conversation.Request{Messages: thoughts()},
		`{"messages":[{"role":"user","content":[{"text":"q"}]},{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"a","signature":"c2ln"}}},
		{"reasoningContent":{"redactedContent":"blob"}},{"reasoningContent":{"reasoningText":{"text":"d"}}},{"text":"x"}]}]}`, "thinking",
	},
	{
		"sampling", sonnet46,
		conversation.Request{MaxTokens: new(int64(50)), TopP: "0.90", TopK: "40.0", Stop: []string{"END", "", "\n"}},
		`{"inferenceConfig":{"maxTokens":50,"topP":0.90,"stopSequences":["END"]},"additionalModelRequestFields":{"top_k":40},"additionalModelResponseFieldPaths":["/stop_sequence"]}`, "stop",
	},
	{"one of temperature and topP", sonnet45, conversation.Request{Temperature: "0.70", TopP: "0.9"}, `{"inferenceConfig":{"temperature":0.70}}`, "top_p"},
	{"one that is the default says nothing", sonnet45, conversation.Request{Temperature: "1", TopP: "0.9"}, `{"inferenceConfig":{"topP":0.9}}`, ""},
	{"both where both may be", novaPro, conversation.Request{Temperature: "0.2", TopP: "0.9", TopK: "5"}, `{"inferenceConfig":{"temperature":0.2,"topP":0.9},"additionalModelRequestFields":{"inferenceConfig":{"topK":5}}}`, ""},
	{"numbers stay in their range", llama, conversation.Request{Temperature: "1.5", TopP: "-1", TopK: "5"}, `{"inferenceConfig":{"temperature":1,"topP":0}}`, "temperature top_p top_k"},
	{"the newest Claude takes none of them", sonnet5, conversation.Request{Temperature: "0.1", TopP: "0.9", TopK: "5"}, `{}`, "temperature top_p top_k"},
	{"a temperature of 1 is the default", sonnet5, conversation.Request{Temperature: "1.0"}, `{}`, ""},
	{"blank stops go to others", novaPro, conversation.Request{Stop: []string{"\n"}}, `{"inferenceConfig":{"stopSequences":["\n"]}}`, ""},
	{
		"what has no counterpart is noted", sonnet45,
		conversation.Request{
			Seed: new(int64(1)), FrequencyPenalty: "0.5", PresencePenalty: "0.5", Logprobs: new(true), Metadata: json.RawMessage(`{"a":"b"}`),
			User: "u", ServiceTier: "turbo", Extra: []conversation.Field{{Name: "store", Value: json.RawMessage("true")}}, Origin: "chat",
		},
		`{}`, "store logprobs seed frequency_penalty presence_penalty metadata user service_tier",
	},
	{"a tier that is there", sonnet45, conversation.Request{ServiceTier: "flex"}, `{"serviceTier":{"type":"flex"}}`, ""},
	{"the tier that is there anyway", sonnet45, conversation.Request{ServiceTier: "default"}, `{}`, ""},
}

func failed() []conversation.Message {
	r := result("c1", text("no"))
	r.Result.IsError = true
	return []conversation.Message{user(text("q")), assistant(call("c1", "weather", "")), user(r)}
}

func thoughts() []conversation.Message {
	think := func(s, signature, origin string, redacted bool) conversation.Block {
		return conversation.Block{Kind: conversation.Thinking, Text: s, Signature: signature, Origin: origin, Redacted: redacted}
	}
	return []conversation.Message{user(text("q")), assistant(
		think("a", "c2ln", "converse", false), think("b", "s", "messages", false), think("", "data", "messages", true), think("", "blob", "converse", true),
		think("c", "x", "gemini", false), think("d", "", "converse", false), think("e", "", "chat", false), text("x"),
	)}
}

func TestRequestsAreWrittenAsTheModelTakesThem(t *testing.T) {
	for _, tc := range slices.Concat(goldens, toolGoldens, formatGoldens, reasoningGoldens, cacheGoldens) {
		t.Run(tc.name, func(t *testing.T) {
			r := tc.request
			if r.Messages == nil {
				r.Messages = hi
			}
			got, notes := encode(t, &r, tc.model)
			if !strings.Contains(tc.want, `"messages"`) {
				var all map[string]json.RawMessage
				if err := json.Unmarshal([]byte(got), &all); err != nil {
					t.Fatal(err)
				}
				delete(all, "messages")
				rest, err := json.Marshal(all)
				if err != nil {
					t.Fatal(err)
				}
				got = string(rest)
			} else if !strings.Contains(tc.want, `"toolConfig"`) {
				got = strings.Replace(got, `"toolConfig":{"tools":[{"toolSpec":{"name":"weather","description":"d","inputSchema":{"json":`+string(weather.Schema)+`}}}]},`, "", 1)
			}
			dialecttest.SameJSON(t, got, tc.want)
			if strings.Join(notes, " ") != tc.notes {
				t.Errorf("notes %q, want %q", notes, tc.notes)
			}
		})
	}
}

func TestWhatWouldChangeTheQuestionIsRefused(t *testing.T) {
	for _, tc := range []struct {
		name, param, says string
		request           conversation.Request
	}{
		{"several answers", "n", "one answer", conversation.Request{N: new(int64(2))}},
		{"a stored conversation", "previous_response_id", "not supported", conversation.Request{Extra: []conversation.Field{{Name: "previous_response_id"}}}},
		{"an image by URL", "messages", "send the data itself", conversation.Request{Messages: []conversation.Message{user(media(conversation.Image, conversation.Media{URL: "https://x/y.png"}))}}},
		{"an image by URL in a result", "messages", "send the data itself", conversation.Request{Messages: []conversation.Message{user(result("c", media(conversation.Image, conversation.Media{URL: "https://x/y.png"})))}}},
		{"a file kept elsewhere", "messages", "file id", conversation.Request{Messages: []conversation.Message{user(media(conversation.Document, conversation.Media{FileID: "f", Origin: "messages"}))}}},
		{"audio", "messages", "audio", conversation.Request{Messages: []conversation.Message{user(media(conversation.Audio, conversation.Media{Data: "AAEC"}))}}},
		{"an image of a strange type", "messages", `"image/tiff"`, conversation.Request{Messages: []conversation.Message{user(media(conversation.Image, conversation.Media{MIME: "image/tiff", Data: "AAEC"}))}}},
		{"a document of a strange type", "messages", `"application/zip"`, conversation.Request{Messages: []conversation.Message{user(media(conversation.Document, conversation.Media{MIME: "application/zip", Data: "AAEC"}))}}},
		{"nothing to say", "messages", "no message", conversation.Request{Messages: []conversation.Message{user(text(" "))}}},
	} {
		r := tc.request
		if r.Messages == nil {
			r.Messages = hi
		}
		_, _, err := Codec{}.EncodeRequest(nil, &r, dialects.EncodeOptions{Model: sonnet45})
		e, ok := errors.AsType[*dialects.RequestError](err)
		if !ok || e.Status != 400 || e.Param != tc.param || !strings.Contains(e.Message, tc.says) {
			t.Errorf("%s: error %v", tc.name, err)
		}
	}
}

func TestTheLimitOfTheModelHolds(t *testing.T) {
	r := &conversation.Request{Messages: hi, MaxTokens: new(int64(9000))}
	got, notes, err := Codec{}.EncodeRequest(nil, r, dialects.EncodeOptions{Model: novaPro, MaxOutput: 5000})
	if err != nil || !strings.Contains(string(got), `"maxTokens":5000`) || !slices.Equal(notes, []string{"max_tokens"}) {
		t.Errorf("%s %v %v", got, notes, err)
	}
}

func TestMediaAreSentByTheirBytes(t *testing.T) {
	plain := base64.StdEncoding.EncodeToString([]byte("hello"))
	for _, tc := range []struct {
		block conversation.Block
		want  string
	}{
		{media(conversation.Image, conversation.Media{MIME: "image/png", Data: "AAEC"}), `{"image":{"format":"png","source":{"bytes":"AAEC"}}}`},
		{media(conversation.Image, conversation.Media{MIME: "image/JPG", Data: "AAEC"}), `{"image":{"format":"jpeg","source":{"bytes":"AAEC"}}}`},
		{media(conversation.Image, conversation.Media{MIME: "image/*", Data: "R0lGODlh"}), `{"image":{"format":"gif","source":{"bytes":"R0lGODlh"}}}`},
		{media(conversation.Image, conversation.Media{Data: "AAEC"}), `{"image":{"format":"png","source":{"bytes":"AAEC"}}}`},
		{media(conversation.Image, conversation.Media{URL: "s3://bucket/x.webp"}), `{"image":{"format":"webp","source":{"s3Location":{"uri":"s3://bucket/x.webp"}}}}`},
		{media(conversation.Video, conversation.Media{MIME: "video/3gpp", Data: "AAEC"}), `{"video":{"format":"three_gp","source":{"bytes":"AAEC"}}}`},
		{media(conversation.Video, conversation.Media{Filename: "x.MKV", Data: "AAEC"}), `{"video":{"format":"mkv","source":{"bytes":"AAEC"}}}`},
		{media(conversation.Document, conversation.Media{MIME: "application/pdf", Data: "AAEC"}), `{"document":{"format":"pdf","name":"Document","source":{"bytes":"AAEC"}}},{"text":"See the document."}`},
		{media(conversation.Document, conversation.Media{Data: "JVBERi0x", Filename: "My  q3_report (final)!.v2.pdf"}), `{"document":{"format":"pdf","name":"My q3-report (final) v2","source":{"bytes":"JVBERi0x"}}},{"text":"See the document."}`},
		{media(conversation.Document, conversation.Media{MIME: "text/plain; charset=utf-8", Text: "hello", Title: "报告", Context: "c"}), `{"document":{"format":"txt","name":"Document","source":{"bytes":"` + plain + `"},"context":"c"}},{"text":"See the document."}`},
		{media(conversation.Document, conversation.Media{MIME: "text/x-go", Data: plain, Title: "main.go"}), `{"document":{"format":"txt","name":"main","source":{"bytes":"` + plain + `"}}},{"text":"See the document."}`},
		{media(conversation.Document, conversation.Media{MIME: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", Data: "AAEC"}), `{"document":{"format":"xlsx","name":"Document","source":{"bytes":"AAEC"}}},{"text":"See the document."}`},
	} {
		got, notes := encode(t, &conversation.Request{Messages: []conversation.Message{user(tc.block)}}, novaPro)
		dialecttest.SameJSON(t, got, `{"messages":[{"role":"user","content":[`+tc.want+`]}]}`)
		if len(notes) > 0 {
			t.Errorf("notes %q", notes)
		}
	}
}

func TestDocumentsHaveNamesOfTheirOwn(t *testing.T) {
	doc := func(title string) conversation.Block {
		return media(conversation.Document, conversation.Media{MIME: "application/pdf", Data: "AAEC", Title: title})
	}
	got, _ := encode(t, &conversation.Request{
		Messages: []conversation.Message{user(text("q"), doc("a"), doc("a"), doc("")), assistant(text("x")), user(result("c", doc("a")), doc(strings.Repeat("x", 300)))},
		Tools:    []conversation.Tool{weather},
	}, sonnet45)
	for _, name := range []string{"a", "a 2", "Document", "a 3", strings.Repeat("x", maxDocumentName)} {
		if strings.Count(got, `"name":"`+name+`"`) != 1 {
			t.Errorf("the name %q stands %d times in %s", name, strings.Count(got, `"name":"`+name+`"`), got)
		}
	}
}

func TestClaudeIsAskedToCiteWhereTheClientAskedForIt(t *testing.T) {
	doc := media(conversation.Document, conversation.Media{MIME: "text/plain", Text: "hello"})
	doc.Raw, doc.Origin = json.RawMessage(`{"type":"document","citations":{"enabled":true}}`), "messages"
	r := &conversation.Request{Messages: []conversation.Message{user(doc, text("q"))}}
	for model, want := range map[string]bool{sonnet45: true, novaPro: false} {
		if got, _ := encode(t, r, model); strings.Contains(got, `"citations":{"enabled":true}`) != want {
			t.Errorf("%s: %s", model, got)
		}
	}
}

func TestATokenCountAsksAboutWhatTheModelReads(t *testing.T) {
	r := &conversation.Request{
		Messages: append([]conversation.Message{{Role: conversation.System, Blocks: []conversation.Block{text("s")}}}, hi...),
		Tools:    []conversation.Tool{weather}, MaxTokens: new(int64(5)), Temperature: "0.5",
	}
	got, notes, err := Codec{}.EncodeCount(nil, r, dialects.EncodeOptions{Model: sonnet45})
	if err != nil || len(notes) > 0 {
		t.Fatal(notes, err)
	}
	dialecttest.SameJSON(t, string(got), `{"input":{"converse":{"system":[{"text":"s"}],"messages":[{"role":"user","content":[{"text":"hi"}]}],
		"toolConfig":{"tools":[{"toolSpec":{"name":"weather","description":"d","inputSchema":{"json":{"type":"object","properties":{"b":{},"a":{}}}}}}]}}}}`)
	if _, _, err := (Codec{}).EncodeCount(nil, &conversation.Request{}, dialects.EncodeOptions{Model: sonnet45}); err == nil {
		t.Error("the tokens of nothing were asked for")
	}
}

func TestModelsAreToldApartByTheirIDs(t *testing.T) {
	for id, want := range map[string]model{
		"anthropic.claude-v2":                     {family: anthropic, version: 20},
		"anthropic.claude-v2:1":                   {family: anthropic, version: 21},
		"anthropic.claude-instant-v1":             {family: anthropic, version: 10},
		"anthropic.claude-3-haiku-20240307-v1:0":  {family: anthropic, version: 30},
		sonnet37:                                  {family: anthropic, version: 37},
		"anthropic.claude-sonnet-4-20250514-v1:0": {family: anthropic, version: 40},
		"Anthropic.Claude-Opus-4-1-20250805-v1:0": {family: anthropic, version: 41},
		sonnet45:                              {family: anthropic, version: 45},
		sonnet5:                               {family: anthropic, version: 50},
		"global.anthropic.claude-opus-4-6-v1": {family: anthropic, version: 46},
		"arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0": {family: nova},
		nova2:                          {family: nova},
		"mistral.mistral-large-3-675b": {family: mistral},
		"qwen.qwen3-32b-v1:0":          {family: qwen},
		"openai.gpt-oss-120b-1:0":      {family: gptOSS},
		"us.deepseek.r1-v1:0":          {family: deepSeek},
		llama:                          {family: older},
		"google.gemma-3-27b-it":        {family: other},
		profile:                        {},
		"my-imported-model":            {},
	} {
		got := modelOf(id)
		if got.family != want.family || got.version != want.version {
			t.Errorf("%s: %+v, want %+v", id, got, want)
		}
	}
}
