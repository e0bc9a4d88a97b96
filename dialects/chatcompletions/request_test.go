package chatcompletions

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
)

// TestRequestsBecomeWhatTheVendorUnderstands decodes testdata/requests/*/in.json and encodes it for the vendors that
// there are files out.<vendor> of.
func TestRequestsBecomeWhatTheVendorUnderstands(t *testing.T) {
	for _, dir := range cases(t, "requests") {
		in := mustRead(t, dir, "in.json")
		outs, err := filepath.Glob(filepath.Join(dir, "out.*"))
		if err != nil || len(outs) == 0 {
			t.Fatalf("%s has no expectations: %v", dir, err)
		}
		for _, out := range outs {
			vendor := strings.TrimPrefix(filepath.Ext(out), ".")
			t.Run(filepath.Base(dir)+"/"+vendor, func(t *testing.T) {
				r := dialecttest.MustDecode(t, Codec{}, string(in))
				dialecttest.Golden(t, out, encoded(t, r, vendor))
			})
		}
	}
}

// encoded is the body for a vendor and the notes, or the reason why it was refused.
func encoded(t *testing.T, r *conversation.Request, vendor string) []byte {
	t.Helper()
	body, notes, err := Codec{}.EncodeRequest(nil, r, dialects.EncodeOptions{Model: r.Model, Vendor: vendor})
	if refused, ok := errors.AsType[*dialects.RequestError](err); ok {
		return fmt.Appendf(nil, "refused %s: %s\n", refused.Param, refused.Message)
	}
	if err != nil {
		t.Fatal(err)
	}
	dialecttest.ValidJSON(t, body)
	return fmt.Appendf(body, "\nnotes: %s\n", strings.Join(notes, " "))
}

func TestDecodingNamesTheMemberAtFault(t *testing.T) {
	user := func(message string) string {
		return `{"model":"m","messages":[{"role":"user","content":"x"},` + message + `]}`
	}
	with := func(member string) string {
		return `{"model":"m","messages":[{"role":"user","content":"x"}],` + member + `}`
	}
	for _, tt := range []struct{ doc, param string }{
		{`{"model":"m"}`, "messages"},
		{`{"model":"m","messages":[]}`, "messages"},
		{`{"model":"m","messages":"hi"}`, "messages"},
		{user(`7`), "messages[1]"},
		{user(`{"content":"x"}`), "messages[1].role"},
		{user(`{"role":"robot","content":"x"}`), "messages[1].role"},
		{user(`{"role":"user"}`), "messages[1].content"},
		{user(`{"role":"user","content":7}`), "messages[1].content"},
		{user(`{"role":"user","content":[7]}`), "messages[1].content[0]"},
		{user(`{"role":"user","content":[{"type":"text"}]}`), "messages[1].content[0].text"},
		{user(`{"role":"user","content":[{"x":1}]}`), "messages[1].content[0].type"},
		{user(`{"role":"user","content":[{"type":"image_url","image_url":{}}]}`), "messages[1].content[0].image_url"},
		{user(`{"role":"user","content":[{"type":"input_audio","input_audio":{}}]}`), "messages[1].content[0].input_audio.data"},
		{user(`{"role":"user","content":[{"type":"file","file":{}}]}`), "messages[1].content[0].file"},
		{user(`{"role":"assistant","tool_calls":{}}`), "messages[1].tool_calls"},
		{user(`{"role":"assistant","tool_calls":[{"function":{}}]}`), "messages[1].tool_calls[0].function.name"},
		{user(`{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":7}}]}`), "messages[1].tool_calls[0].function.arguments"},
		{user(`{"role":"tool","content":"x"}`), "messages[1].tool_call_id"},
		{with(`"tools":{}`), "tools"},
		{with(`"tools":[7]`), "tools[0]"},
		{with(`"tools":[{}]`), "tools[0].type"},
		{with(`"tools":[{"type":"function","function":{}}]`), "tools[0].function.name"},
		{with(`"tools":[{"type":"function","function":{"name":"f","parameters":"{}"}}]`), "tools[0].function.parameters"},
		{with(`"tool_choice":"always"`), "tool_choice"},
		{with(`"tool_choice":7`), "tool_choice"},
		{with(`"tool_choice":{"type":"function"}`), "tool_choice"},
		{with(`"tool_choice":{"type":"allowed_tools","allowed_tools":{"tools":[]}}`), "tool_choice.allowed_tools.mode"},
		{with(`"response_format":{"type":"xml"}`), "response_format.type"},
		{with(`"response_format":{"type":"json_schema","json_schema":{"name":"x"}}`), "response_format.json_schema.schema"},
		{with(`"temperature":"hot"`), "temperature"},
		{with(`"seed":1.5`), "seed"},
		{with(`"stop":[7]`), "stop"},
		{with(`"stop":7`), "stop"},
		{with(`"logprobs":1`), "logprobs"},
		{with(`"reasoning_effort":""`), "reasoning_effort"},
		{with(`"reasoning":"high"`), "reasoning"},
		{with(`"thinking":true`), "thinking"},
		{with(`"tools":[{"type":"custom","custom":{}}]`), "tools[0].custom.name"},
		{with(`"parallel_tool_calls":"no"`), "parallel_tool_calls"},
	} {
		_, err := dialecttest.Decode(Codec{}, tt.doc)
		var e *dialects.RequestError
		if !errors.As(err, &e) || e.Param != tt.param || e.Message == "" {
			t.Errorf("%s: got %v, want an error about %s", tt.doc, err, tt.param)
		}
	}
}

func ask(m ...conversation.Message) *conversation.Request {
	return &conversation.Request{Model: "m", Messages: m, Origin: "messages"}
}

// Short words for requests.
var (
	user, assistant = dialecttest.User, dialecttest.Assistant
	txt, callBlock  = dialecttest.Text, dialecttest.Call
)

func resultBlock(id string, content ...conversation.Block) conversation.Block {
	return conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{CallID: id, Content: content}}
}

func TestWhatOtherDialectsSayIsTranslated(t *testing.T) {
	png := conversation.Block{Kind: conversation.Image, Media: &conversation.Media{Data: "iVBORw0="}}
	marked := txt("long")
	marked.Cache = &conversation.CacheMark{TTL: "1h"}
	cited := txt("a")
	cited.Citations = []conversation.Citation{{URL: "https://example.com"}}
	signed := conversation.Block{Kind: conversation.Thinking, Text: "hm", Signature: "s", Origin: "messages"}
	unsigned := conversation.Block{Kind: conversation.Thinking, Text: "hm", Origin: "messages"}
	custom := conversation.Block{Kind: conversation.Call, Call: &conversation.ToolCall{ID: "c", Name: "sh", Arguments: "ls", Custom: true}}
	doc := func(m conversation.Media) conversation.Message {
		return user(conversation.Block{Kind: conversation.Document, Media: &m})
	}
	for _, tt := range []struct {
		name, vendor string
		messages     []conversation.Message
		want, notes  string
	}{
		{
			"images of a tool follow in a user message", "openai",
			[]conversation.Message{user(resultBlock("c", txt("see"), png), txt("and?"))},
			`[{"role":"tool","tool_call_id":"c","content":"see"},{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0="}},{"type":"text","text":"and?"}]}]`, "",
		},
		{
			"a result of nothing but an image", "openai",
			[]conversation.Message{user(resultBlock("c", png))},
			`[{"role":"tool","tool_call_id":"c","content":"The result is in the next message."},{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0="}}]}]`, "",
		},
		{"an empty result", "openai", []conversation.Message{user(resultBlock("c"))}, `[{"role":"tool","tool_call_id":"c","content":""}]`, ""},
		{"signed thoughts go nowhere else", "openrouter", []conversation.Message{assistant(signed, txt("a"))}, `[{"role":"assistant","content":"a"}]`, "thinking"},
		{"a message of nothing but thoughts is left out", "openai", []conversation.Message{user(txt("q")), assistant(signed)}, `[{"role":"user","content":"q"}]`, "thinking"},
		{
			"DeepSeek wants its thoughts back", "deepseek",
			[]conversation.Message{assistant(unsigned, callBlock("c", "f", "{}"))},
			`[{"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}]`, "",
		},
		{"but not those of others", "deepseek", []conversation.Message{assistant(signed, txt("a"))}, `[{"role":"assistant","content":"a"}]`, "thinking"},
		{
			"text after a call moves before it", "compatible",
			[]conversation.Message{assistant(txt("a"), callBlock("c", "f", ""), txt("b"))},
			`[{"role":"assistant","content":"ab","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}]`, "",
		},
		{
			"several texts of the model stay apart where the vendor takes them", "openai",
			[]conversation.Message{assistant(txt("a"), txt(""), txt("b"))},
			`[{"role":"assistant","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]`, "prefill",
		},
		{
			"thoughts are chunks to Mistral", "mistral",
			[]conversation.Message{assistant(conversation.Block{Kind: conversation.Thinking, Text: "hm", Origin: origin}, txt("b")), user(txt("c"))},
			`[{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"b"}]},{"role":"user","content":"c"}]`, "",
		},
		{
			"a text that the model is to go on with is marked for Mistral", "mistral",
			[]conversation.Message{user(txt("a")), assistant(txt("b"))},
			`[{"role":"user","content":"a"},{"role":"assistant","content":"b","prefix":true}]`, "",
		},
		{
			"foreign blocks in a result are given as they were written", "openai",
			[]conversation.Message{assistant(callBlock("c", "f", "{}")), user(resultBlock("c", txt("a"), conversation.Block{Kind: conversation.Opaque, Raw: json.RawMessage(`{"type":"tool_reference","tool_name":"x"}`), Origin: "messages"}))},
			`[{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":[{"type":"text","text":"a"},{"type":"text","text":"{\"type\":\"tool_reference\",\"tool_name\":\"x\"}"}]}]`, "",
		},
		{"cache marks are dropped", "openai", []conversation.Message{user(marked)}, `[{"role":"user","content":"long"}]`, "cache_control"},
		{
			"cache marks are kept by OpenRouter", "openrouter",
			[]conversation.Message{user(marked)},
			`[{"role":"user","content":[{"type":"text","text":"long","cache_control":{"type":"ephemeral","ttl":"1h"}}]}]`, "",
		},
		{"citations are dropped", "openai", []conversation.Message{assistant(cited)}, `[{"role":"assistant","content":"a"}]`, "citations prefill"},
		{"free-text calls", "openai", []conversation.Message{assistant(custom)}, `[{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"custom","custom":{"name":"sh","input":"ls"}}]}]`, ""},
		{
			"free-text calls elsewhere", "groq",
			[]conversation.Message{assistant(custom)},
			`[{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"sh","arguments":"{\"input\":\"ls\"}"}}]}]`, "",
		},
		{
			"calls in a row are one turn: their results have to follow at once", "openai",
			[]conversation.Message{assistant(callBlock("c", "f", "{}")), assistant(callBlock("d", "f", "{}")), user(resultBlock("c", txt("1"))), user(resultBlock("d", txt("2")))},
			`[{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"d","type":"function","function":{"name":"f","arguments":"{}"}}]},` +
				`{"role":"tool","tool_call_id":"c","content":"1"},{"role":"tool","tool_call_id":"d","content":"2"}]`, "",
		},
		{"the title of a text has no place", "openai", []conversation.Message{doc(conversation.Media{Text: "body", Title: "T"})}, `[{"role":"user","content":[{"type":"text","text":"body"}]}]`, "title"},
		{"plain text documents", "openai", []conversation.Message{doc(conversation.Media{Text: "body"})}, `[{"role":"user","content":[{"type":"text","text":"body"}]}]`, ""},
		{
			"documents get a name", "openai",
			[]conversation.Message{doc(conversation.Media{MIME: "application/pdf", Data: "JVBERi0="})},
			`[{"role":"user","content":[{"type":"file","file":{"filename":"document.pdf","file_data":"data:application/pdf;base64,JVBERi0="}}]}]`, "",
		},
		{
			"blocks of others are dropped", "openai",
			[]conversation.Message{assistant(txt("a"), conversation.Block{Kind: conversation.Opaque, Raw: json.RawMessage(`{"type":"server_tool_use"}`), Origin: "messages"})},
			`[{"role":"assistant","content":"a"}]`, "server_tool_use prefill",
		},
		{"refusals are text to others than OpenAI", "groq", []conversation.Message{assistant(conversation.Block{Kind: conversation.Refusal, Text: "no"})}, `[{"role":"assistant","content":"no"}]`, ""},
		{
			"calls without IDs get some", "openai",
			[]conversation.Message{assistant(callBlock("", "f", "{}")), user(conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{Name: "f", Content: []conversation.Block{txt("r")}}})},
			`[{"role":"assistant","content":null,"tool_calls":[{"id":"call_` + conversation.HashID("f 1", 12) + `","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"call_` + conversation.HashID("f 1", 12) + `","content":"r"}]`, "",
		},
		{
			"names are made valid", "openai",
			[]conversation.Message{assistant(callBlock("c", "ns.f", "{}"))},
			`[{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"ns_f_1iyz316","arguments":"{}"}}]}]`, "",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body, notes, err := Codec{}.EncodeRequest(nil, ask(tt.messages...), dialects.EncodeOptions{Model: "m", Vendor: tt.vendor})
			if err != nil {
				t.Fatal(err)
			}
			if got := dialecttest.ValidJSON(t, body).Get("messages").Raw; got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if got := strings.Join(notes, " "); got != tt.notes {
				t.Errorf("notes are %q, want %q", got, tt.notes)
			}
		})
	}
}

func TestMembersThatSayNothingAreNotDropped(t *testing.T) {
	for _, members := range []string{
		`"stop":""`, `"stop":[""]`, `"logprobs":false,"top_logprobs":0`, `"store":false`, `"logit_bias":{ }`, `"metadata":{}`, `"modalities":["text"]`, `"n":1`,
		`"frequency_penalty":0,"presence_penalty":0.0,"temperature":1,"top_p":1.0`,
	} {
		r := dialecttest.MustDecode(t, Codec{}, `{"model":"m","messages":[{"role":"user","content":"x"}],`+members+`}`)
		if len(r.Stop)+len(r.Metadata)+len(r.Extra) > 0 || r.TopLogprobs != nil {
			t.Errorf("%s: got %+v", members, r)
		}
		if _, notes := dialecttest.MustEncode(t, Codec{}, r, dialects.EncodeOptions{Model: "gpt-5", Vendor: "openai"}); len(notes) > 0 {
			t.Errorf("%s: dropped %q", members, notes)
		}
	}
}

func TestASchemaMayStandBesideTheTypeOfTheFormat(t *testing.T) {
	for _, kind := range []string{"json_object", "json_schema"} {
		r := dialecttest.MustDecode(t, Codec{}, `{"model":"m","messages":[{"role":"user","content":"x"}],"response_format":{"schema":{"type":"object"},"type":"`+kind+`"}}`)
		if r.Format == nil || string(r.Format.Schema) != `{"type":"object"}` {
			t.Errorf("%s: got %+v", kind, r.Format)
		}
	}
	r := dialecttest.MustDecode(t, Codec{}, `{"model":"m","messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_object","schema":null,"json_schema":null}}`)
	if r.Format == nil || r.Format.Schema != nil {
		t.Errorf("got %+v for JSON of any shape", r.Format)
	}
}

func TestWhatCannotBeSaidIsRefused(t *testing.T) {
	media := func(kind conversation.Kind, m conversation.Media) *conversation.Request {
		return ask(user(conversation.Block{Kind: kind, Media: &m}))
	}
	several := ask(user(txt("x")))
	several.N = new(int64(2))
	for _, tt := range []struct {
		name, vendor, param string
		r                   *conversation.Request
	}{
		{"documents by URL", "openai", "messages", media(conversation.Document, conversation.Media{URL: "https://example.com/a.pdf"})},
		{"files of another provider", "openai", "messages", media(conversation.Document, conversation.Media{FileID: "file_1", Origin: "messages"})},
		{"images by file ID", "openai", "messages", media(conversation.Image, conversation.Media{FileID: "file_1", Origin: "messages"})},
		{"video", "openai", "messages", media(conversation.Video, conversation.Media{URL: "https://example.com/a.mp4"})},
		{"audio that is neither wav nor mp3", "openai", "messages", media(conversation.Audio, conversation.Media{MIME: "audio/flac", Data: "Zkx="})},
		{"audio by URL", "compatible", "messages", media(conversation.Audio, conversation.Media{URL: "https://example.com/a.mp3"})},
		{"several answers of Groq", "groq", "n", several},
	} {
		_, _, err := Codec{}.EncodeRequest(nil, tt.r, dialects.EncodeOptions{Model: "m", Vendor: tt.vendor})
		var e *dialects.RequestError
		if !errors.As(err, &e) || e.Param != tt.param {
			t.Errorf("%s: got %v, want an error about %s", tt.name, err, tt.param)
		}
	}
}

// TestDecodingUndoesEncoding holds for what the wire can carry: no text after calls, no several texts of the
// assistant in a row, no results in a message with other blocks.
func TestDecodingUndoesEncoding(t *testing.T) {
	want := &conversation.Request{
		Model: "m", Stream: true, IncludeUsage: true, Origin: origin,
		Messages: []conversation.Message{
			{Role: conversation.System, Blocks: []conversation.Block{txt("s")}},
			{Role: conversation.Developer, Blocks: []conversation.Block{txt("d1"), txt("d2")}},
			{Role: conversation.User, Name: "ada", Blocks: []conversation.Block{
				txt("look é\n"),
				{Kind: conversation.Image, Media: &conversation.Media{URL: "https://example.com/a.png", Detail: "low"}},
				{Kind: conversation.Image, Media: &conversation.Media{MIME: "image/png", Data: "iVBORw0="}},
				{Kind: conversation.Audio, Media: &conversation.Media{MIME: "audio/mpeg", Data: "SUQz"}},
				{Kind: conversation.Document, Media: &conversation.Media{MIME: "application/pdf", Data: "JVBERi0=", Filename: "a.pdf"}},
				{Kind: conversation.Document, Media: &conversation.Media{FileID: "file_1", Origin: origin}},
				{Kind: conversation.Opaque, Raw: json.RawMessage(`{"type":"mystery","x":1}`), Origin: origin},
			}},
			assistant(txt("hm"), callBlock("a", "f", `{"x": 1}`), callBlock("b", "g", `{}`)),
			user(
				conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{CallID: "a", Name: "f", Content: []conversation.Block{txt("1")}}},
				conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{CallID: "b", Name: "g"}},
			),
			assistant(conversation.Block{Kind: conversation.Refusal, Text: "no"}),
		},
		Tools: []conversation.Tool{
			{Name: "f", Description: "d", Schema: json.RawMessage(`{"type":"object", "properties":{}}`), Strict: new(true)},
			{Name: "c", Custom: true, Raw: json.RawMessage(`{"type":"custom","custom":{"name":"c"}}`), Origin: origin},
		},
		Choice:        conversation.ToolChoice{Mode: conversation.ChoiceAuto, Allowed: []string{"f"}},
		ParallelTools: new(false),
		MaxTokens:     new(int64(9)), Temperature: "0.10", TopP: "1e-7", FrequencyPenalty: "-1.5", PresencePenalty: "2.0",
		Seed: new(int64(-1 << 62)), N: new(int64(2)), Stop: []string{"a", `"`}, Logprobs: new(true), TopLogprobs: new(int64(3)),
		Format: &conversation.Format{Name: "n", Description: "d", Schema: json.RawMessage(`{"type":"object"}`), Strict: new(false)},
		User:   "u", ServiceTier: "flex", CacheKey: "k", Metadata: json.RawMessage(`{"a":"b"}`),
		Extra: []conversation.Field{{Name: "store", Value: json.RawMessage(`true`)}},
	}
	body, notes, err := Codec{}.EncodeRequest(nil, want, dialects.EncodeOptions{Model: "m", Vendor: "openai"})
	if err != nil || len(notes) > 0 {
		t.Fatalf("notes %v, error %v", notes, err)
	}
	got := dialecttest.MustDecode(t, Codec{}, string(body))
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v\nbody %s", got, want, body)
	}
}

func TestSchemasAreToldToVendorsThatKnowJSONModeOnly(t *testing.T) {
	r := dialecttest.MustDecode(t, Codec{}, `{"model":"m","messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}}}`)
	for _, tt := range []struct {
		name, vendor, origin string
		schema               bool
		format, hint         string
	}{
		{"the schema is said in words", "deepseek", origin, true, "json_object", schemaHint + `{"type":"object"}`},
		{"the schema is sent", "groq", origin, true, "json_schema", ""},
		{"JSON mode has its own rule at clients of this dialect", "openai", origin, false, "json_object", ""},
		{"JSON mode gets the word it demands", "openai", "gemini", false, "json_object", jsonHint},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ask := *r
			ask.Origin = tt.origin
			if !tt.schema {
				ask.Format = &conversation.Format{}
			}
			body, _, err := Codec{}.EncodeRequest(nil, &ask, dialects.EncodeOptions{Model: "m", Vendor: tt.vendor})
			if err != nil {
				t.Fatal(err)
			}
			v := dialecttest.ValidJSON(t, body)
			if got := v.Get("response_format.type").Str; got != tt.format {
				t.Errorf("response_format is %s", got)
			}
			if got := v.Get(`messages.#(role=="system").content`).Str; got != tt.hint {
				t.Errorf("the hint is %q", got)
			}
		})
	}
}
