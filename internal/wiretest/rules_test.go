package wiretest

import (
	"slices"
	"strings"
	"testing"
)

// TestBreachesAreFound breaks every rule once. Each body keeps all the others.
func TestBreachesAreFound(t *testing.T) {
	const (
		user  = `{"role":"user","content":"Hi"}`
		chat  = `"model":"m","messages":[` + user + `]`
		call  = `{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}}]}`
		tools = `"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}]`

		msg      = `"model":"m","max_tokens":5000`
		messages = msg + `,"messages":[` + user + `]`
		use      = `{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{}}]}`
		fact     = `{"type":"tool_result","tool_use_id":"t1","content":"x"}`

		contents = `"contents":[{"role":"user","parts":[{"text":"Hi"}]}]`
		fc       = `{"role":"user","parts":[{"text":"Hi"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]}`

		hi       = `{"role":"user","content":[{"text":"Hi"}]}`
		converse = `"messages":[` + hi + `]`
	)
	for _, tc := range []struct{ endpoint, body, want string }{
		{Chat, `{` + chat + `,"maxTokens":1}`, "unknown member maxTokens"},
		{Chat, `{"model":"m","messages":[]}`, "no messages"},
		{Chat, `{"messages":[` + user + `]}`, "no model"},
		{Chat, `{"model":"m","messages":[{"role":"bot","content":"Hi"}]}`, `the role "bot"`},
		{Chat, `{"model":"m","messages":[{"role":"user"}]}`, "no content"},
		{Chat, `{"model":"m","messages":[` + user + `,{"role":"assistant","content":null}]}`, "message 1 is empty"},
		{Chat, `{"model":"m","messages":[` + user + `,{"role":"assistant","content":"a","tool_calls":[]}]}`, "an empty list of calls"},
		{Chat, `{"model":"m","messages":[` + user + `,` + call + `,` + user + `]}`, "call 0 is not answered"},
		{Chat, `{"model":"m","messages":[{"role":"tool","tool_call_id":"call_1","content":"x"}]}`, "answers no call"},
		{Chat, `{"model":"m","messages":[` + user + `,` + call + `,{"role":"tool","tool_call_id":"call_1","content":[{"type":"image_url","image_url":{"url":"https://x/y"}}]}]}`, "image_url in a tool's message"},
		{Chat, `{"model":"m","messages":[` + user + `,{"role":"assistant","content":[{"type":"image_url","image_url":{"url":"https://x/y"}}]}]}`, "image_url in an assistant's message"},
		{Chat, `{"model":"m","messages":[{"role":"user","content":[{"type":"input_text","text":"Hi"}]}]}`, "a part of type input_text"},
		{Chat, `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,***"}}]}]}`, "no base64"},
		{Chat, `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url"}]}]}`, "the image is empty"},
		{Chat, `{` + chat + `,"tools":[]}`, "an empty list of tools"},
		{Chat, `{` + chat + `,"tool_choice":"auto"}`, "a tool choice without tools"},
		{Chat, `{` + chat + `,"parallel_tool_calls":true}`, "parallel_tool_calls without tools"},
		{Chat, `{` + chat + `,"tools":[{"type":"function","function":{"name":"a.b"}}]}`, `the tool name "a.b"`},
		{Chat, `{` + chat + `,` + tools + `,"tool_choice":{"type":"function","function":{"name":"g"}}}`, `unknown tool "g"`},
		{Chat, `{` + chat + `,"tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"f"}}]}`, `two tools are called "f"`},
		{Chat, `{` + chat + `,"stop":["1","2","3","4","5"]}`, "5 stop sequences"},
		{Chat, `{` + chat + `,"temperature":2.1}`, "temperature is 2.1"},
		{Chat, `{` + chat + `,"max_tokens":1,"max_completion_tokens":1}`, "max_tokens and max_completion_tokens"},
		{Chat, `{` + chat + `,"stream_options":{"include_usage":true}}`, "stream_options without a stream"},
		{Chat, `{` + chat + `,"response_format":{"type":"json_schema","json_schema":{"name":"a b","schema":{}}}}`, `the schema name "a b"`},

		{Mistral, `{` + chat + `,"seed":1}`, "unknown member seed"},
		{Mistral, `{"model":"m","messages":[{"role":"developer","content":"Hi"}]}`, "a developer message"},
		{Mistral, `{"model":"m","messages":[` + user + `,` + call + `,{"role":"tool","tool_call_id":"call_1","content":"x"}]}`, `the call id "call_1"`},
		{Mistral, strings.ReplaceAll(`{"model":"m","messages":[`+user+`,`+call+`,{"role":"tool","tool_call_id":"call_1","content":"x"},`+user+`]}`, "call_1", "abcdefgh1"), "a user message after a tool message"},
		{Cohere, `{` + chat + `,"top_p":1}`, "unknown member top_p"},
		{Cohere, `{` + chat + `,` + tools + `,"tool_choice":"auto"}`, `tool_choice is "auto"`},
		{Ollama, `{` + chat + `,"temperature":1}`, "unknown member temperature"},
		{Ollama, `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}]}`, "the content is no string"},
		{Ollama, `{"model":"m","messages":[{"role":"user","content":"Hi","images":["data:image/png;base64,AA"]}]}`, "the image is no base64"},
		{Ollama, `{"model":"m","messages":[` + user + `,` + call + `,{"role":"tool","tool_call_id":"call_1","content":"x"}]}`, "arguments are no object"},

		{Responses, `{"model":"m","input":[]}`, "no input"},
		{Responses, `{"model":"m","input":"Hi","max_tokens":20}`, "unknown member max_tokens"},
		{Responses, `{"model":"m","input":"Hi","max_output_tokens":15}`, "max_output_tokens is 15"},
		{Responses, `{"model":"m","input":[{"role":"user","content":[{"type":"text","text":"Hi"}]}]}`, `a part of type "text"`},
		{Responses, `{"model":"m","input":[{"role":"assistant","content":[{"type":"input_text","text":"Hi"}]}]}`, `a part of type "input_text"`},
		{Responses, `{"model":"m","input":[{"role":"user","content":[{"type":"input_image","image_url":{"url":"https://x/y"}}]}]}`, "image_url is an object"},
		{Responses, `{"model":"m","input":[{"role":"user","content":[]}]}`, "item 0 is empty"},
		{Responses, `{"model":"m","input":[{"role":"tool","content":"Hi"}]}`, `the role "tool"`},
		{Responses, `{"model":"m","input":[{"role":"user","content":"Hi"},{"type":"reasoning","summary":[]}]}`, "reasoning that nothing follows"},
		{Responses, `{"model":"m","input":[{"type":"function_call","call_id":"c","name":"f","arguments":{}},{"type":"function_call_output","call_id":"c","output":"x"}]}`, "arguments are no string"},
		{Responses, `{"model":"m","input":[{"type":"function_call","id":"call_1","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"x"}]}`, `the id "call_1"`},
		{Responses, `{"model":"m","input":[{"type":"function_call_output","call_id":"c","output":"x"}]}`, "answers no call"},
		{Responses, `{"model":"m","input":[{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":1}]}`, "neither text nor parts"},

		{Messages, `{"model":"m","messages":[` + user + `]}`, "max_tokens is"},
		{Messages, `{` + messages + `,"stop":["x"]}`, "unknown member stop"},
		{Messages, `{` + msg + `,"messages":[]}`, "no messages"},
		{Messages, `{` + msg + `,"messages":[{"role":"user","content":""}]}`, "message 0 is empty"},
		{Messages, `{` + msg + `,"messages":[{"role":"user","content":[{"type":"text","text":" "}]}]}`, "an empty text"},
		{Messages, `{` + msg + `,"messages":[{"role":"tool","content":"x"}]}`, `the role "tool"`},
		{Messages, `{` + messages + `,"system":""}`, "an empty system prompt"},
		{Messages, `{` + msg + `,"messages":[` + user + `,` + use + `,{"role":"user","content":[{"type":"text","text":"So:"},` + fact + `]}]}`, "a tool result after something else"},
		{Messages, `{` + msg + `,"messages":[` + user + `,` + use + `,` + user + `]}`, "call 0 is not answered"},
		{Messages, `{` + msg + `,"messages":[{"role":"user","content":[` + fact + `]}]}`, "answers no call"},
		{Messages, strings.ReplaceAll(`{`+msg+`,"messages":[`+user+`,`+use+`,{"role":"user","content":[`+fact+`]}]}`, `"t1"`, `"t:1"`), `the call id "t:1"`},
		{Messages, `{` + msg + `,"messages":[` + user + `,{"role":"assistant","content":[{"type":"thinking","thinking":"x","signature":""},{"type":"text","text":"y"}]}]}`, "a thought without a signature"},
		{Messages, `{` + msg + `,"messages":[` + user + `,{"role":"assistant","content":[{"type":"text","text":"So: "}]}]}`, "ends in white space"},
		{Messages, `{` + messages + `,"tools":[{"name":"f","input_schema":{"properties":{}}}]}`, "the parameters of f are no object"},
		{Messages, `{` + messages + `,"temperature":1.5}`, "temperature is 1.5"},
		{Messages, `{` + messages + `,"stop_sequences":["\n"]}`, "a stop sequence of white space"},
		{Messages, `{` + messages + `,"thinking":{"type":"enabled","budget_tokens":5000}}`, "a budget of 5000"},
		{Messages, `{` + messages + `,"thinking":{"type":"enabled","budget_tokens":1000}}`, "a budget of 1000"},
		{Messages, `{` + messages + `,"thinking":{"type":"adaptive"},"temperature":0.5}`, "temperature 0.5 while thinking"},
		{Messages, `{` + messages + `,"thinking":{"type":"adaptive"},"top_p":0.5}`, "top_p 0.5 while thinking"},
		{Messages, `{` + messages + `,"thinking":{"type":"adaptive"},"top_k":5}`, "top_k while thinking"},
		{Messages, `{` + messages + `,"thinking":{"type":"adaptive"},"tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"any"}}`, "a forced tool call while thinking"},
		{Messages, `{` + messages + `,"output_config":{"format":{"type":"json_schema","schema":{"type":"object","properties":{"a":{"type":"array","items":{"type":"object"}}},"additionalProperties":false}}}}`, "is open"},
		{Messages, `{` + msg + `,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/tiff","data":"AA"}}]}]}`, `an image of the type "image/tiff"`},
		{Messages, `{` + msg + `,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"text/plain","data":"AA"}}]}]}`, `a document of the type "text/plain"`},
		{Messages, `{` + msg + `,"system":[` + strings.Repeat(`{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},`, 4) + `{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}],"messages":[` + user + `]}`, "5 cache marks"},

		{Gemini, `{"contents":[]}`, "no contents"},
		{Gemini, `{` + contents + `,"temperature":1}`, "unknown member temperature"},
		{Gemini, `{"contents":[{"role":"assistant","parts":[{"text":"Hi"}]}]}`, `the role "assistant"`},
		{Gemini, `{"contents":[{"role":"user","parts":[]}]}`, "content 0 is empty"},
		{Gemini, `{"contents":[{"role":"user","parts":[{"text":""}]}]}`, "an empty text"},
		{Gemini, `{"contents":[{"role":"user","parts":[{"text":"Hi","inlineData":{"mimeType":"image/png","data":"AA"}}]}]}`, "a part with"},
		{Gemini, `{"contents":[{"role":"user","parts":[{"inlineData":{"data":"AA"}}]}]}`, "data without a type"},
		{Gemini, `{"contents":[` + fc + `,{"role":"user","parts":[{"functionResponse":{"name":"f","response":"x"}}]}]}`, "the result is no object"},
		{Gemini, `{"contents":[` + fc + `,{"role":"user","parts":[{"functionResponse":{"response":{}}}]}]}`, "a result without a name"},
		{Gemini, `{"contents":[` + fc + `,{"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}},{"functionResponse":{"name":"f","response":{}}}]}]}`, "2 results of 1 calls"},
		{Gemini, `{` + contents + `,"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT"},"parametersJsonSchema":{"type":"object"}}]}]}`, "two kinds of parameters"},
		{Gemini, `{` + contents + `,"tools":[{"functionDeclarations":[{"name":"1f"}]}]}`, `the tool name "1f"`},
		{Gemini, `{` + contents + `,"generationConfig":{"stopSequences":["1","2","3","4","5","6"]}}`, "6 stop sequences"},
		{Gemini, `{` + contents + `,"generationConfig":{"responseJsonSchema":{"type":"string"}}}`, "a schema for answers"},

		{Converse, `{` + converse + `,"max_tokens":1}`, "unknown member max_tokens"},
		{Converse, `{"messages":[` + hi + `,` + hi + `]}`, "messages 0 and 1 are both the user's"},
		{Converse, `{"messages":[{"role":"assistant","content":[{"text":"Hi"}]}]}`, "the first message is the assistant's"},
		{Converse, `{"messages":[{"role":"user","content":[]}]}`, "message 0 is empty"},
		{Converse, `{"messages":[{"role":"user","content":[{"text":""}]}]}`, "an empty text"},
		{Converse, `{"messages":[{"role":"user","content":[{"document":{"format":"pdf","name":"a","source":{"bytes":"AA"}}}]}]}`, "a document without a text"},
		{Converse, `{"messages":[{"role":"user","content":[{"text":"x"},{"document":{"format":"pdf","name":"a.pdf","source":{"bytes":"AA"}}}]}]}`, `the document name "a.pdf"`},
		{Converse, `{"messages":[{"role":"user","content":[{"text":"x"},{"document":{"format":"exe","name":"a","source":{"bytes":"AA"}}}]}]}`, `the format "exe"`},
		{Converse, `{"messages":[{"role":"user","content":[{"text":"x"},{"image":{"format":"jpg","source":{"bytes":"AA"}}}]}]}`, `the format "jpg"`},
		{Converse, `{"messages":[` + hi + `,{"role":"assistant","content":[{"toolUse":{"toolUseId":"t","name":"f","input":{}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"t","content":[{"text":"x"}]}}]}]}`, "but no toolConfig"},
		{Converse, `{` + converse + `,"toolConfig":{"tools":[]}}`, "an empty list of tools"},
		{Converse, `{` + converse + `,"toolConfig":{"tools":[{"toolSpec":{"name":"f","description":"","inputSchema":{"json":{"type":"object"}}}}]}}`, "an empty description"},
		{Converse, `{` + converse + `,"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{}}}}]}}`, "the parameters of f are no object"},
		{Converse, `{` + converse + `,"inferenceConfig":{"temperature":1.1}}`, "temperature is 1.1"},
	} {
		breaches := ReadAsk(tc.endpoint, false, []byte(tc.body)).Breaches
		if !slices.ContainsFunc(breaches, func(b string) bool { return strings.Contains(b, tc.want) }) {
			t.Errorf("%s %s\n\tfound %q, not %q", tc.endpoint, tc.body, breaches, tc.want)
		}
		if len(breaches) > 1 && !strings.Contains(tc.want, "results of") {
			t.Errorf("%s %s\n\tbreaks more than one rule: %q", tc.endpoint, tc.body, breaches)
		}
	}
}

func TestWhatIsNoRequestIsSaid(t *testing.T) {
	for _, body := range []string{"", "[]", "{} {}", "nonsense"} {
		if got := ReadAsk(Chat, false, []byte(body)); len(got.Breaches) != 1 {
			t.Errorf("%q: %q", body, got.Breaches)
		}
	}
	if got := ReadAsk("telex", false, []byte("{}")); len(got.Breaches) != 1 {
		t.Errorf("%q", got.Breaches)
	}
}

func TestErrorsAreRead(t *testing.T) {
	for _, tc := range []struct {
		endpoint, body, want string
		breaches             int
	}{
		{Chat, `{"error":{"message":"no","type":"invalid_request_error","param":null,"code":null}}`, "no", 0},
		{Chat, `{"error":{"message":"no"}}`, "no", 1},
		{Responses, `<html>`, "<html>", 1},
		{Messages, `{"type":"error","error":{"type":"api_error","message":"no"}}`, "no", 0},
		{Messages, `{"error":{"type":"api_error","message":"no"}}`, "no", 1},
		{Gemini, `{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT"}}`, "no", 0},
		{Gemini, `[{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT"}}]`, "no", 0},
		{Gemini, `{"error":{"message":"no"}}`, "no", 1},
		{Converse, `{"Message":"no"}`, "no", 0},
		{Cohere, `{"id":"x","message":"no"}`, "no", 0},
		{Mistral, `{"detail":"no"}`, "no", 0},
		{Ollama, `{"error":"no"}`, "no", 0},
	} {
		got := ReadReply(tc.endpoint, 400, "application/json", []byte(tc.body))
		if got.Error != tc.want || len(got.Breaches) != tc.breaches {
			t.Errorf("%s %s: %q %q", tc.endpoint, tc.body, got.Error, got.Breaches)
		}
	}
}
