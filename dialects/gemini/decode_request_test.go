package gemini

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// decode runs a request through Scan, Head and DecodeRequest, as the gateway does.
func decode(body string) (*conversation.Request, error) {
	_, h, err := dialecttest.Head(Codec{}, []byte(body))
	if err != nil {
		return nil, err
	}
	h.Model, h.Stream = "public-name", true
	return Codec{}.DecodeRequest([]byte(body), h)
}

func mustDecode(t testing.TB, body string) *conversation.Request {
	t.Helper()
	r, err := decode(body)
	if err != nil {
		t.Fatalf("%v (%s) in %s", err, paramOf(err), body)
	}
	return r
}

// turns writes a conversation down, one line for each block.
func turns(r *conversation.Request) string {
	var lines []string
	for _, m := range r.Messages {
		for i := range m.Blocks {
			b := &m.Blocks[i]
			s := [...]string{"user ", "model ", "system ", "developer "}[m.Role]
			if b.Result == nil {
				lines = append(lines, s+block(b))
				continue
			}
			s += fmt.Sprintf("result %s %s", b.Result.CallID, b.Result.Name)
			if b.Result.IsError {
				s += " failed"
			}
			for k := range b.Result.Content {
				s += " [" + block(&b.Result.Content[k]) + "]"
			}
			lines = append(lines, s)
		}
	}
	return strings.Join(lines, "\n")
}

func block(b *conversation.Block) string {
	s := describe(b)
	if m := b.Media; m != nil {
		s += m.URL + m.Text
		if m.FileID != "" {
			s += m.FileID + "@" + m.Origin
		}
	}
	return s
}

// ofMessages is a signature of another vendor, as clients have it.
var ofMessages = base64.StdEncoding.EncodeToString([]byte(label + "messages:c2ln"))

func ask(parts string) string { return `{"contents":[{"role":"user","parts":[` + parts + `]}]}` }

func TestContentsAreRead(t *testing.T) {
	for name, tt := range map[string]struct{ body, want string }{
		"a question":               {ask(`{"text":"hi"}`), "user text hi"},
		"a content without a list": {`{"contents":{"parts":{"text":"hi"}}}`, "user text hi"},
		"a system prompt that stands last": {
			`{"contents":[{"parts":[{"text":"hi"}]}],"system_instruction":{"role":"user","parts":[{"text":"be"},{"text":"brief"}]}}`,
			"system text be\nsystem text brief\nuser text hi",
		},
		"a system prompt as a string": {`{"systemInstruction":"be brief","contents":[{"parts":[{"text":"hi"}]}]}`, "system text be brief\nuser text hi"},
		"a system prompt as a part":   {`{"systemInstruction":{"text":"be brief"},"contents":[{"parts":[{"text":"hi"}]}]}`, "system text be brief\nuser text hi"},
		"a system prompt as a list":   {`{"systemInstruction":[{"text":"be brief"}],"contents":[{"parts":[{"text":"hi"}]}]}`, "system text be brief\nuser text hi"},
		"members that are null": {
			`{"systemInstruction":null,"tools":null,"generationConfig":null,"toolConfig":null,"cachedContent":null,"contents":[{"role":null,"parts":[{"text":"hi","inlineData":null,"thought":null}]}]}`,
			"user text hi",
		},
		"parts that say nothing": {`{"contents":[{"role":"model","parts":[{"text":""},{}]},{"role":"model"},{"parts":[{"text":"hi"}]}]}`, "user text hi"},
		"thoughts and signatures": {
			`{"contents":[{"role":"model","parts":[{"text":"Hm.","thought":true,"thought_signature":"c2ln"},{"text":"a","thoughtSignature":"YQ=="},{"text":"b"},{"text":"","thoughtSignature":"Yg=="},{"text":"c","thoughtSignature":"skip_thought_signature_validator"}]}]}`,
			"model thinking Hm. signature=c2ln@gemini\nmodel text a signature=YQ==@gemini\nmodel text b signature=Yg==@gemini\nmodel text c",
		},
		"a thought of another vendor in the pieces that a stream brought": {
			`{"contents":[{"role":"model","parts":[{"text":"I ","thought":true}]},{"role":"model","parts":[{"text":"see ","thought":true},{"text":"it.","thought":true,"thoughtSignature":"` + ofMessages + `"},{"text":"It","thought":true}]},` +
				`{"role":"model","parts":[{"text":" is.","thought":true}]},{"role":"model","parts":[{"thought":true,"thoughtSignature":"` + ofMessages + `"}]},{"role":"model","parts":[{"text":"a"}]}]}`,
			"model thinking I see it. signature=c2ln@messages\nmodel thinking It is. signature=c2ln@messages\nmodel text a",
		},
		"a signature that needs words, without them": {
			`{"contents":[{"role":"model","parts":[{"text":"a","thoughtSignature":"` + base64.StdEncoding.EncodeToString([]byte(label+"messages:"+wordedLabel+"c2ln")) + `"}]}]}`,
			"model text a",
		},
		"Gemini's own thoughts in pieces": {
			`{"contents":[{"role":"model","parts":[{"text":"Hm.","thought":true},{"text":"Aha.","thought":true,"thoughtSignature":"c2ln"}]}]}`,
			"model thinking Hm.\nmodel thinking Aha. signature=c2ln@gemini",
		},
		"media in both spellings": {
			ask(`{"inline_data":{"mime_type":"image/png","data":"_-8"}},{"inlineData":{"mimeType":"application/pdf","data":"JVBERi0="}},{"inlineData":{"mimeType":"audio/wav","data":"UklGRg=="}},{"inlineData":{"mimeType":"text/plain","data":"aGk="},"mediaResolution":{"level":"X"}}`),
			"user image image/png /+8=\nuser document application/pdf JVBERi0=\nuser audio audio/wav UklGRg==\nuser document text/plain hi",
		},
		"references": {
			ask(`{"fileData":{"fileUri":"https://x/a.png?b"}},{"file_data":{"file_uri":"https://youtu.be/1"}},{"fileData":{"fileUri":"gs://b/o","mimeType":"video/mp4"}},{"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/1","mimeType":"application/pdf"}}`),
			"user image  https://x/a.png?b\nuser video  https://youtu.be/1\nuser video video/mp4 gs://b/o@gemini\nuser document application/pdf https://generativelanguage.googleapis.com/v1beta/files/1@gemini",
		},
		"parts of Google's own": {
			`{"contents":[{"role":"model","parts":[{"executableCode":{"code":"1"}},{"codeExecutionResult":{"output":"1"}},{"toolCall":{"tool_type":"X"},"thoughtSignature":"c2ln"}]}]}`,
			`model opaque {"executableCode":{"code":"1"}}` + "\n" + `model opaque {"codeExecutionResult":{"output":"1"}}` + "\n" + `model opaque {"toolCall":{"tool_type":"X"},"thoughtSignature":"c2ln"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := turns(mustDecode(t, tt.body)); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestResultsFindTheirCalls(t *testing.T) {
	call := func(s string) string { return `{"functionCall":{` + s + `}}` }
	answer := func(s string) string { return `{"functionResponse":{` + s + `}}` }
	loop := func(calls, answers string) string {
		return `{"contents":[{"role":"model","parts":[` + calls + `]},{"role":"function","parts":[` + answers + `]}]}`
	}
	for name, tt := range map[string]struct{ body, want string }{
		"by their IDs": {
			loop(call(`"id":"x","name":"f","args":{"a":1.50}`)+","+call(`"id":"y","name":"f"`), answer(`"id":"y","name":"f","response":{"output":"2"}`)+","+answer(`"id":"x","name":"f","response":{"output":"1"}`)),
			"model call f x {\"a\":1.50}\nmodel call f y {}\nuser result y f [text 2]\nuser result x f [text 1]",
		},
		"by name and order": {
			loop(call(`"name":"f"`)+","+call(`"name":"g"`)+","+call(`"name":"f"`), answer(`"name":"g","response":{"output":"1"}`)+","+answer(`"name":"f","response":{"output":"2"}`)+","+answer(`"name":"f","response":{"output":"3"}`)),
			"model call f call_1 {}\nmodel call g call_2 {}\nmodel call f call_3 {}\nuser result call_2 g [text 1]\nuser result call_1 f [text 2]\nuser result call_3 f [text 3]",
		},
		"when calls share an ID": {
			loop(call(`"id":"x","name":"f"`)+","+call(`"id":"x","name":"f"`), answer(`"id":"x","name":"f"`)+","+answer(`"id":"x","name":"f"`)),
			"model call f x {}\nmodel call f call_1 {}\nuser result x f\nuser result call_1 f",
		},
		"when only the result has an ID": {
			loop(call(`"name":"f"`), answer(`"id":"z","name":"f"`)),
			"model call f call_1 {}\nuser result call_1 f",
		},
		"when the client's ID is one that would be made": {
			loop(call(`"id":"call_1","name":"f"`)+","+call(`"name":"f"`), answer(`"id":"call_1"`)+","+answer(`"name":"f"`)),
			"model call f call_1 {}\nmodel call f call_2 {}\nuser result call_1 f\nuser result call_2 f",
		},
		"and come before what else is said": {
			loop(call(`"id":"x","name":"f"`), `{"text":"go on"},`+answer(`"id":"x","response":{"result":{"a": [1, "b c"]}}`)),
			"model call f x {}\nuser result x f [text {\"result\":{\"a\":[1,\"b c\"]}}]\nuser text go on",
		},
		"whatever they are wrapped in": {
			loop(call(`"id":"x","name":"f"`), answer(`"id":"x","response":{"error":"no","output":null}`)+","+answer(`"id":"x","response":{"temp": 3, "unit": "C"}`)+","+answer(`"id":"x","response":"plain"`)+","+answer(`"id":"x","response":{"result":42}`)),
			"model call f x {}\nuser result x f failed [text {\"error\":\"no\",\"output\":null}]\nuser result x f [text {\"temp\":3,\"unit\":\"C\"}]\nuser result x f [text plain]\nuser result x f [text {\"result\":42}]",
		},
		"in the wrappers of SDKs, or with an error beside something else": {
			loop(call(`"id":"x","name":"f"`), answer(`"id":"x","response":{"result":"a\"b","error":null}`)+","+answer(`"id":"x","response":{"return_value":"c"}`)+","+answer(`"id":"x","response":{"content":"d"}`)+","+answer(`"id":"x","response":{"output":""}`)+","+answer(`"id":"x","response":{"error":"e","code":1}`)+","+answer(`"id":"x","response":{}`)),
			"model call f x {}\nuser result x f [text a\"b]\nuser result x f [text c]\nuser result x f [text d]\nuser result x f [text {\"output\":\"\"}]\nuser result x f [text {\"error\":\"e\",\"code\":1}]\nuser result x f [text {}]",
		},
		"with their media": {
			loop(call(`"id":"x","name":"f"`), answer(`"parts":[{"inline_data":{"mime_type":"image/png","data":"iVBO"}}],"id":"x","response":{"output":"see"}`)),
			"model call f x {}\nuser result x f [text see] [image image/png iVBO]",
		},
		"with the signature of the call": {
			`{"contents":[{"role":"model","parts":[{"thoughtSignature":"c2ln","functionCall":{"id":"x","name":"f","args":{}}}]}]}`,
			"model call f x {} signature=c2ln@gemini",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := turns(mustDecode(t, tt.body)); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestTheNextTurnDoesNotAnswerTheLast(t *testing.T) {
	body := `{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"parts":[{"text":"never mind"}]},
		{"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"role":"model","parts":[{"functionCall":{"name":"g"}}]},
		{"parts":[{"functionResponse":{"name":"f"}}]},{"parts":[{"functionResponse":{"name":"g"}}]}]}`
	got := turns(mustDecode(t, body))
	if !strings.HasSuffix(got, "user result call_2 f\nuser result call_3 g") {
		t.Error(got)
	}
}

func TestWhatIsWrongIsNamed(t *testing.T) {
	for body, want := range map[string]string{
		`{}`:                "contents",
		`{"contents":[]}`:   "contents",
		`{"contents":"hi"}`: "contents",
		ask(`{"text":""}`):  "contents",
		ask(`{"text":7}`):   "contents[0].parts[0].text",
		ask(`7`):            "contents[0].parts[0]",
		`{"contents":[7]}`:  "contents[0]",
		`{"contents":[{"role":"assistant","parts":[{"text":"a"}]}]}`:                            "contents[0].role",
		ask(`{"functionCall":{"name":"f"}}`):                                                    "contents[0].parts",
		ask(`{"functionResponse":{"name":"f"}}`):                                                "contents[0].parts[0].functionResponse",
		ask(`{"inlineData":{"mimeType":"a/b"}}`):                                                "contents[0].parts[0].inlineData.data",
		ask(`{"fileData":{}}`):                                                                  "contents[0].parts[0].fileData.fileUri",
		`{"contents":[{"role":"model","parts":[{"functionCall":{"args":{}}}]}]}`:                "contents[0].parts[0].functionCall.name",
		`{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":"{}"}}]}]}`:   "contents[0].parts[0].functionCall.args",
		with(`"systemInstruction":{"parts":[{"inlineData":{"mimeType":"a/b","data":"YQ=="}}]}`): "systemInstruction",
		with(`"cachedContent":"cachedContents/1"`):                                              "cachedContent",
		with(`"cached_content":"cachedContents/1"`):                                             "cachedContent",
		with(`"tools":"x"`): "tools",
		with(`"tools":[{"functionDeclarations":[{"description":"d"}]}]`):       "tools[0].functionDeclarations[0].name",
		with(`"toolConfig":{"functionCallingConfig":{"mode":"SOME"}}`):         "toolConfig.functionCallingConfig.mode",
		with(`"generationConfig":{"temperature":"hot"}`):                       "generationConfig.temperature",
		with(`"generationConfig":{"stopSequences":[1]}`):                       "generationConfig.stopSequences",
		with(`"generationConfig":{"thinkingConfig":{"thinkingBudget":-2}}`):    "generationConfig.thinkingConfig.thinkingBudget",
		with(`"generationConfig":{"thinkingConfig":{"thinkingLevel":"HUGE"}}`): "generationConfig.thinkingConfig.thinkingLevel",
		with(`"generationConfig":{"responseSchema":7}`):                        "generationConfig.responseSchema",
	} {
		_, err := decode(body)
		var e *dialects.RequestError
		if !errors.As(err, &e) || e.Param != want || e.Status != 400 {
			t.Errorf("%s: %v at %s, want %s", body, err, paramOf(err), want)
		}
	}
}

// with is a request with a question and more members.
func with(members string) string { return `{"contents":[{"parts":[{"text":"hi"}]}],` + members + `}` }

func TestSettingsAreRead(t *testing.T) {
	for name, tt := range map[string]struct{ body, want string }{
		"numbers as numbers": {
			with(`"generationConfig":{"temperature":0.5,"topP":0.9,"topK":40.0,"maxOutputTokens":100,"candidateCount":2,"seed":7,"presencePenalty":0.1,"frequencyPenalty":0.2,"responseLogprobs":true,"logprobs":3,"stopSequences":["a","b"]}`),
			`{"MaxTokens":100,"Temperature":"0.5","TopP":"0.9","TopK":"40.0","FrequencyPenalty":"0.2","PresencePenalty":"0.1","Seed":7,"N":2,"Stop":["a","b"],"Logprobs":true,"TopLogprobs":3}`,
		},
		"numbers as strings, names in snake case": {
			with(`"generation_config":{"max_output_tokens":"100","seed":"-7","temperature":"0.5","top_k":1e1,"stop_sequences":"a"}`),
			`{"MaxTokens":100,"Temperature":"0.5","TopK":"1e1","Seed":-7,"Stop":["a"]}`,
		},
		"JSON of any shape": {with(`"generationConfig":{"responseMimeType":"application/json"}`), `{"Format":{}}`},
		"text":              {with(`"generationConfig":{"responseMimeType":"text/plain","responseModalities":["TEXT"]}`), `{}`},
		"JSON Schema":       {with(`"generationConfig":{"responseSchema":{"type":"STRING"},"response_json_schema":{"type":"object","x":1}}`), `{"Format":{"Schema":{"type":"object","x":1}}}`},
		"a schema":          {with(`"generationConfig":{"responseSchema":{"type":"STRING"}}`), `{"Format":{"Schema":{"type":"string"}}}`},
		"an enum":           {with(`"generationConfig":{"responseMimeType":"text/x.enum","responseSchema":{"type":"STRING"}}`), `{"Extra":[{"Name":"generationConfig.responseMimeType","Value":"text/x.enum"}]}`},
		"no thinking":       {with(`"generationConfig":{"thinkingConfig":{"thinkingBudget":0}}`), `{"Reasoning":{"Off":true}}`},
		"adaptive thinking": {with(`"generationConfig":{"thinkingConfig":{"thinking_budget":"-1","include_thoughts":true}}`), `{"Reasoning":{"Adaptive":true,"Summary":"auto"}}`},
		"a budget":          {with(`"generationConfig":{"thinkingConfig":{"thinkingBudget":512,"includeThoughts":false}}`), `{"Reasoning":{"Budget":512,"Summary":"none"}}`},
		"a level":           {with(`"generationConfig":{"thinkingConfig":{"thinkingLevel":"HIGH"}}`), `{"Reasoning":{"Effort":"high"}}`},
		"a level by number": {with(`"generationConfig":{"thinkingConfig":{"thinkingLevel":1}}`), `{"Reasoning":{"Effort":"low"}}`},
		"what is Google's own": {
			with(`"safety_settings":[],"labels":{"a":"b"},"generationConfig":{"responseModalities":["IMAGE"],"speech_config":{}},"toolConfig":{"retrievalConfig":{}}`),
			`{"Extra":[{"Name":"safetySettings","Value":[]},{"Name":"labels","Value":{"a":"b"}},{"Name":"generationConfig.responseModalities","Value":["IMAGE"]},{"Name":"generationConfig.speechConfig","Value":{}},{"Name":"toolConfig.retrievalConfig","Value":{}}]}`,
		},
		"what is lost on the way to another vendor": {
			`{"contents":[{"parts":[{"text":"a","partMetadata":{"a":1}},{"fileData":{"fileUri":"https://youtu.be/1"},"video_metadata":{"fps":1},"mediaResolution":null},{"text":"b","partMetadata":{"a":2}}]}],` +
				`"tools":[{"functionDeclarations":[{"name":"f","response":{},"behavior":"BLOCKING"}]}],"toolConfig":{"functionCallingConfig":{"streamFunctionCallArguments":true,"new":1}}}`,
			`{"Tools":[{"Name":"f"}],"Extra":[{"Name":"tools.response","Value":{}},{"Name":"tools.behavior","Value":"BLOCKING"},{"Name":"toolConfig.functionCallingConfig.new","Value":1},{"Name":"parts.partMetadata","Value":{"a":1}},{"Name":"parts.videoMetadata","Value":{"fps":1}}]}`,
		},
		"tools": {
			with(`"tools":[{"googleSearch":{},"functionDeclarations":[{"name":"f","description":"d","parameters":{"type":"OBJECT"}}]},{"function_declarations":[{"name":"g","parameters_json_schema":{"b":1,"a":2}},{"name":"h"}]}],"tool_config":{"function_calling_config":{"mode":"ANY","allowed_function_names":["f"]}}`),
			`{"Tools":[{"Name":"googleSearch","Raw":{"googleSearch":{}},"Origin":"gemini"},{"Name":"f","Description":"d","Schema":{"type":"object"}},{"Name":"g","Schema":{"b":1,"a":2}},{"Name":"h"}],"Choice":{"Mode":4,"Name":"f"}}`,
		},
		"one tool without its list":   {with(`"tools":{"function_declarations":{"name":"f"}}`), `{"Tools":[{"Name":"f"}]}`},
		"any tool of several":         {with(`"toolConfig":{"functionCallingConfig":{"mode":2,"allowedFunctionNames":["f","g"]}}`), `{"Choice":{"Mode":3,"Allowed":["f","g"]}}`},
		"a choice of some":            {with(`"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED","allowedFunctionNames":["f"]}}`), `{"Choice":{"Mode":1,"Allowed":["f"]}}`},
		"no tool":                     {with(`"toolConfig":{"functionCallingConfig":{"mode":"NONE"}}`), `{"Choice":{"Mode":2}}`},
		"tools as the model sees fit": {with(`"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}}`), `{"Choice":{"Mode":1}}`},
	} {
		t.Run(name, func(t *testing.T) {
			r := mustDecode(t, tt.body)
			if r.Model != "public-name" || !r.Stream || r.Origin != origin {
				t.Errorf("%q %v %q", r.Model, r.Stream, r.Origin)
			}
			r.Messages, r.Model, r.Stream, r.Origin = nil, "", false, ""
			if got := brief(t, r); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// brief is a value as JSON without the members that are empty.
func brief(t testing.TB, v any) string {
	t.Helper()
	doc, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	s := string(doc)
	for _, empty := range []string{"null", `""`, "false"} {
		for _, key := range fields {
			s = strings.ReplaceAll(s, `"`+key+`":`+empty, "")
		}
	}
	s = strings.ReplaceAll(s, `"Choice":{"Mode":0,,}`, "")
	for strings.Contains(s, ",,") {
		s = strings.ReplaceAll(s, ",,", ",")
	}
	return strings.NewReplacer("{,", "{", ",}", "}", `"Choice":{"Mode":0},`, "", `"Choice":{"Mode":0}`, "").Replace(s)
}

var fields = []string{
	"Model", "Stream", "Messages", "Tools", "ParallelTools", "MaxTokens", "Temperature", "TopP", "TopK", "FrequencyPenalty", "PresencePenalty",
	"Seed", "N", "Stop", "Logprobs", "TopLogprobs", "Format", "Reasoning", "User", "ServiceTier", "CacheKey", "Metadata", "Extra", "Origin",
	"IncludeUsage", "LegacyCalls", "Legacy", "Name", "Description", "Schema", "Strict", "Custom", "Grammar", "Cache", "Raw", "Allowed", "Off", "Effort", "Budget", "Adaptive", "Summary",
}

func TestSchemasBecomeJSONSchema(t *testing.T) {
	for in, want := range map[string]string{
		`{"type":"OBJECT","properties":{"type":{"type":"STRING"},"max_items":{"type":6}},"required":["type"],"property_ordering":["type"]}`: `{"type":"object","properties":{"type":{"type":"string"},"max_items":{"type":"object"}},"required":["type"]}`,
		`{"properties":{"a":{"type":"STRING"},"b":{"type":"STRING"},"c\"":{"type":"STRING"}},"propertyOrdering":["c\"","x","a","a"]}`:       `{"properties":{"c\"":{"type":"string"},"a":{"type":"string"},"b":{"type":"string"}}}`,
		`{"nullable":true,"type":"STRING","enum":["A","B"],"format":"enum"}`:                                                                `{"type":["string","null"],"enum":["A","B",null]}`,
		`{"any_of":[{"type":"INTEGER"},{"type":"STRING"}],"nullable":true}`:                                                                 `{"anyOf":[{"type":"integer"},{"type":"string"},{"type":"null"}]}`,
		`{"type":"ARRAY","items":{"type":"NUMBER","minimum":0.50},"min_items":"1","maxItems":3}`:                                            `{"type":"array","items":{"type":"number","minimum":0.50},"minItems":1,"maxItems":3}`,
		`{"type":"TYPE_UNSPECIFIED","title":"T","description":"a \"b\""}`:                                                                   `{"title":"T","description":"a \"b\""}`,
		`{"type":["string","NULL"],"format":"date-time","default":null}`:                                                                    `{"type":["string","null"],"format":"date-time","default":null}`,
		`{"ref":"#/$defs/x","defs":{"x":{"type":"BOOLEAN","nullable":false}},"additionalProperties":false}`:                                 `{"$ref":"#/$defs/x","$defs":{"x":{"type":"boolean"}},"additionalProperties":false}`,
		`{}`: `{}`,
	} {
		r := jsonedit.NewReader([]byte(in))
		if got := string(appendSchema(nil, &r)); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", in, got, want)
		}
	}
}

// A request that this dialect wrote reads as what it was written from, for models that carry everything.
func TestWhatTheEncoderWritesReadsTheSame(t *testing.T) {
	body := `{"systemInstruction":{"parts":[{"text":"be brief"}]},"contents":[{"role":"user","parts":[{"text":"hi"},{"inlineData":{"mimeType":"image/png","data":"iVBO"}}]},` +
		`{"role":"model","parts":[{"text":"Hm.","thought":true,"thoughtSignature":"c2ln"},{"text":"I will."},{"functionCall":{"name":"f","args":{"a": 1.50},"id":"x"},"thoughtSignature":"YQ=="},{"executableCode":{"code":"1"}}]},` +
		`{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"error":"no"},"id":"x"}}]}],` +
		`"tools":[{"functionDeclarations":[{"name":"f","description":"d","parametersJsonSchema":{"type":"object","properties":{"z":{},"a":{}}}}]},{"googleSearch":{}}],"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED","allowedFunctionNames":["f"]}},` +
		`"generationConfig":{"maxOutputTokens":9,"candidateCount":2,"stopSequences":["a"],"temperature":0.5,"topP":0.5,"topK":4,"presencePenalty":1,"frequencyPenalty":1,"seed":3,"responseLogprobs":true,"logprobs":2,"responseMimeType":"application/json","responseJsonSchema":{"type":"object"},"thinkingConfig":{"thinkingLevel":"LOW","includeThoughts":true},"speechConfig":{}},"safetySettings":[]}`
	r := mustDecode(t, body)
	got, notes, err := Codec{}.EncodeRequest(nil, r, dialects.EncodeOptions{Model: "gemini-3-pro"})
	if err != nil || len(notes) > 0 {
		t.Fatal(err, notes)
	}
	if string(got) != body {
		t.Errorf("got  %s\nwant %s", got, body)
	}
}
