package messages

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/claude"
)

func text(role conversation.Role, s string) conversation.Message {
	return conversation.Message{Role: role, Blocks: []conversation.Block{{Text: s}}}
}

func call(id, name, args string) conversation.Block {
	return conversation.Block{Kind: conversation.Call, Call: &conversation.ToolCall{ID: id, Name: name, Arguments: args}}
}

func result(id, s string) conversation.Block {
	return conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{CallID: id, Content: []conversation.Block{{Text: s}}}}
}

// TestEncodeRequestAvoidsTheTraps compares with testdata/<case>/request.json. Each case is a neutral request as the
// dialects of other vendors would decode it.
func TestEncodeRequestAvoidsTheTraps(t *testing.T) {
	hi := []conversation.Message{text(conversation.User, "hi")}
	weather := conversation.Tool{Name: "weather", Schema: json.RawMessage(`{"properties":{"b":{},"a":{}}}`)}
	loop := []conversation.Message{
		text(conversation.User, "weather?"),
		{Role: conversation.Assistant, Blocks: []conversation.Block{
			{Kind: conversation.Thinking, Text: "hm", Origin: "chat"}, call("call.1:x", "weather", `{"city": "Paris"}`), call("b", "weather", ""),
		}},
		{Role: conversation.User, Blocks: []conversation.Block{{Text: "and?"}}},
		{Role: conversation.User, Blocks: []conversation.Block{result("call.1:x", "sun"), result("b", "rain")}},
	}
	// A turn of two steps, of which the second one began without thinking.
	ownLoop := []conversation.Message{
		text(conversation.User, "weather?"),
		{Role: conversation.Assistant, Blocks: []conversation.Block{{Kind: conversation.Thinking, Text: "hm", Signature: "c2ln", Origin: origin}, call("a", "weather", "{}")}},
		{Blocks: []conversation.Block{result("a", "sun")}},
		{Role: conversation.Assistant, Blocks: []conversation.Block{call("b", "weather", "{}")}},
		{Blocks: []conversation.Block{result("b", "rain")}},
	}
	freeText := []conversation.Message{
		text(conversation.User, "x"),
		{Role: conversation.Assistant, Blocks: []conversation.Block{{Kind: conversation.Call, Call: &conversation.ToolCall{ID: "a", Name: "sql", Arguments: "SELECT \"1\" <2>", Custom: true}}}},
		{Blocks: []conversation.Block{result("a", "1")}},
	}
	for name, tt := range map[string]struct {
		r     conversation.Request
		o     dialects.EncodeOptions
		notes string
	}{
		"system-hoisted": {r: conversation.Request{Origin: "chat", Messages: []conversation.Message{
			text(conversation.System, "One."), text(conversation.User, "a"), text(conversation.Developer, "Two."), text(conversation.User, "b"), text(conversation.Assistant, " "), text(conversation.User, "c"),
		}}},
		"tool-loop":         {r: conversation.Request{Messages: loop, Tools: []conversation.Tool{weather}}, notes: "thinking"},
		"ids-made-up":       {r: conversation.Request{Messages: []conversation.Message{text(conversation.User, "x"), {Role: conversation.Assistant, Blocks: []conversation.Block{call("", "f", "{}"), call("", "g", "{}")}}, {Blocks: []conversation.Block{{Kind: conversation.Result, Result: &conversation.ToolResult{Name: "g"}}, {Kind: conversation.Result, Result: &conversation.ToolResult{Name: "f"}}}}}}},
		"ids-reused":        {r: conversation.Request{Messages: []conversation.Message{text(conversation.User, "x"), {Role: conversation.Assistant, Blocks: []conversation.Block{call("call_0", "f", "{}")}}, {Blocks: []conversation.Block{result("call_0", "1")}}, {Role: conversation.Assistant, Blocks: []conversation.Block{call("call_0", "g", "{}")}}, {Blocks: []conversation.Block{result("call_0", "2")}}}}},
		"arguments":         {r: conversation.Request{Messages: []conversation.Message{text(conversation.User, "x"), {Role: conversation.Assistant, Blocks: []conversation.Block{call("a", "f", " "), call("b", "f", `{"cut": "o`), call("c", "f", `[1]`), {Kind: conversation.Call, Call: &conversation.ToolCall{ID: "d", Name: "f", Arguments: "SELECT 1", Custom: true}}}}}}},
		"tool-names":        {r: conversation.Request{Messages: hi, Choice: conversation.ToolChoice{Mode: conversation.ChoiceTool, Name: "a.b"}, Tools: []conversation.Tool{{Name: "a.b"}, {Name: "a:b"}}}},
		"choice-none":       {r: conversation.Request{Messages: hi, Choice: conversation.ToolChoice{Mode: conversation.ChoiceNone}, ParallelTools: new(false), Tools: []conversation.Tool{weather}}},
		"choice-serial":     {r: conversation.Request{Messages: hi, ParallelTools: new(false), Tools: []conversation.Tool{weather}}},
		"choice-thinking":   {r: conversation.Request{Messages: hi, Choice: conversation.ToolChoice{Mode: conversation.ChoiceRequired}, Reasoning: &conversation.Reasoning{Effort: "low"}, Tools: []conversation.Tool{weather}}, o: dialects.EncodeOptions{Model: "claude-opus-4-6"}, notes: "reasoning"},
		"choice-budget":     {r: conversation.Request{Messages: hi, Choice: conversation.ToolChoice{Mode: conversation.ChoiceTool, Name: "weather"}, Reasoning: &conversation.Reasoning{Effort: "low"}, Tools: []conversation.Tool{weather}, Temperature: "0.2"}, notes: "reasoning"},
		"choice-allowed":    {r: conversation.Request{Messages: hi, Choice: conversation.ToolChoice{Mode: conversation.ChoiceRequired, Allowed: []string{"weather"}}, Tools: []conversation.Tool{{Name: "other"}, weather}}},
		"server-tools":      {r: conversation.Request{Messages: hi, Tools: []conversation.Tool{{Name: "web_search_preview", Raw: json.RawMessage(`{}`), Origin: "responses"}, weather}}, notes: "tools.web_search_preview"},
		"sampling":          {r: conversation.Request{Messages: hi, Temperature: "1.5", TopP: "0.9", TopK: "40.0", Seed: new(int64(1)), PresencePenalty: "0.5", Logprobs: new(true), Stop: []string{"END", "\n"}}, notes: "logprobs seed presence_penalty temperature stop"},
		"sampling-one":      {r: conversation.Request{Messages: hi, Temperature: "0.3", TopP: "0.9"}, notes: "top_p"},
		"sampling-default":  {r: conversation.Request{Messages: hi, Temperature: "0.3", TopP: "1"}},
		"sampling-both":     {r: conversation.Request{Messages: hi, Temperature: "0.3", TopP: "0.9"}, o: dialects.EncodeOptions{Model: "claude-sonnet-4-20250514"}},
		"sampling-thinking": {r: conversation.Request{Messages: hi, Temperature: "0.3", TopP: "0.9", TopK: "40", Reasoning: &conversation.Reasoning{Effort: "medium"}}, o: dialects.EncodeOptions{Model: "claude-sonnet-4-5"}, notes: "temperature top_p top_k"},
		"sampling-newest":   {r: conversation.Request{Messages: hi, Temperature: "0.3", TopP: "1.0"}, o: dialects.EncodeOptions{Model: "claude-opus-5"}, notes: "temperature"},
		"budget-bounded":    {r: conversation.Request{Messages: hi, MaxTokens: new(int64(4000)), Reasoning: &conversation.Reasoning{Effort: "high"}}, o: dialects.EncodeOptions{Model: "claude-3-7-sonnet-20250219"}},
		"budget-no-room":    {r: conversation.Request{Messages: hi, MaxTokens: new(int64(100)), Reasoning: &conversation.Reasoning{Effort: "high"}}, o: dialects.EncodeOptions{Model: "claude-sonnet-4-5"}, notes: "reasoning"},
		"budget-lost-loop":  {r: conversation.Request{Messages: loop, Tools: []conversation.Tool{weather}, Reasoning: &conversation.Reasoning{Effort: "low"}}, o: dialects.EncodeOptions{Model: "claude-sonnet-4-5"}, notes: "thinking reasoning"},
		"budget-newest":     {r: conversation.Request{Messages: hi, Reasoning: &conversation.Reasoning{Budget: new(int64(5000)), Summary: "auto"}}, o: dialects.EncodeOptions{Model: "claude-opus-4-8", MaxOutput: 9000}},
		"effort-xhigh":      {r: conversation.Request{Messages: hi, Reasoning: &conversation.Reasoning{Effort: "xhigh"}}, o: dialects.EncodeOptions{Model: "claude-opus-4-6"}},
		"thinking-unknown":  {r: conversation.Request{Messages: hi, Reasoning: &conversation.Reasoning{Effort: "low"}}, o: dialects.EncodeOptions{Model: "claude-3-haiku-20240307"}, notes: "reasoning"},
		"format":            {r: conversation.Request{Messages: hi, Format: &conversation.Format{Name: "n", Schema: json.RawMessage(`{"type":"object","properties":{"z":{"type":"array","items":{"type":"object"}},"a":{"type":"object","additionalProperties":false}},"$defs":{"d":{"type":["object","null"]}},"default":{"type":"object"}}`)}}},
		"format-json":       {r: conversation.Request{Messages: hi, Format: &conversation.Format{}}, notes: "response_format"},
		"marks":             {r: conversation.Request{Messages: []conversation.Message{{Blocks: []conversation.Block{{Text: "1", Cache: &conversation.CacheMark{}}, {Text: "2", Cache: &conversation.CacheMark{TTL: "1h"}}, {Text: "3", Cache: &conversation.CacheMark{TTL: "30m"}}}}}, Tools: []conversation.Tool{{Name: "a", Cache: &conversation.CacheMark{}}, {Name: "b", Cache: &conversation.CacheMark{}}}}, notes: "cache_control"},
		"media":             {r: conversation.Request{Messages: []conversation.Message{{Blocks: []conversation.Block{{Kind: conversation.Image, Media: &conversation.Media{Data: "/9j/AA=="}}, {Kind: conversation.Image, Media: &conversation.Media{URL: "https://x/y"}}, {Kind: conversation.Document, Media: &conversation.Media{MIME: "application/pdf", Data: "JVBERi0=", Filename: "a.pdf"}}, {Kind: conversation.Document, Media: &conversation.Media{MIME: "text/csv", Data: "YSxi"}}, {Kind: conversation.Document, Media: &conversation.Media{Text: "t", Context: "c"}}}}}}},
		"prefill":           {r: conversation.Request{Messages: []conversation.Message{text(conversation.User, "x"), text(conversation.Assistant, "{ \n")}}},
		"user":              {r: conversation.Request{Messages: hi, User: "u", ServiceTier: "flex", Metadata: json.RawMessage(`{}`), Extra: []conversation.Field{{Name: "logit_bias", Value: json.RawMessage(`{}`)}}, Origin: "chat"}, notes: "logit_bias metadata service_tier"},
		"text-after-call":   {r: conversation.Request{Messages: []conversation.Message{text(conversation.User, "x"), {Role: conversation.Assistant, Blocks: []conversation.Block{{Text: "before"}, call("a", "f", ""), {Text: "after"}}}, {Blocks: []conversation.Block{result("a", "")}}}}},
		"result-media": {r: conversation.Request{Messages: []conversation.Message{text(conversation.User, "x"), {Role: conversation.Assistant, Blocks: []conversation.Block{call("a", "f", "")}}, {Blocks: []conversation.Block{{Kind: conversation.Result, Cache: &conversation.CacheMark{}, Result: &conversation.ToolResult{CallID: "a", IsError: true, Content: []conversation.Block{
			{Text: " "}, {Text: "see"}, {Kind: conversation.Image, Media: &conversation.Media{MIME: "image/jpg", Data: "AA=="}}, {Kind: conversation.Document, Media: &conversation.Media{URL: "https://x/y.pdf"}}, {Kind: conversation.Opaque, Raw: json.RawMessage(`{"type":"hologram"}`), Origin: "responses"},
		}}}}}}}, notes: "hologram is_error"},
		"citations":          {r: conversation.Request{Messages: []conversation.Message{text(conversation.User, "x"), {Role: conversation.Assistant, Blocks: []conversation.Block{{Text: "y", Citations: []conversation.Citation{{URL: "https://x"}}}}}, text(conversation.User, "z")}}, notes: "citations"},
		"media-of-assistant": {r: conversation.Request{Messages: []conversation.Message{text(conversation.User, "x"), {Role: conversation.Assistant, Blocks: []conversation.Block{{Text: "y"}, {Kind: conversation.Image, Media: &conversation.Media{Data: "AA=="}}}}, text(conversation.User, "z")}}, notes: "assistant_media"},
		"participants":       {r: conversation.Request{Messages: []conversation.Message{{Name: "ann", Blocks: []conversation.Block{{Text: "x"}}}}}, notes: "name"},
		"system-alone":       {r: conversation.Request{Messages: []conversation.Message{text(conversation.System, "You are a potato."), text(conversation.Developer, "Say so.")}}},
		"free-text":          {r: conversation.Request{Messages: freeText, Tools: []conversation.Tool{{Name: "sql", Description: "Runs SQL.", Custom: true, Grammar: &conversation.Grammar{Syntax: "lark", Definition: "start: /.+/"}, Raw: json.RawMessage(`{"type":"custom"}`), Origin: "responses"}}}},
		"strict":             {r: conversation.Request{Messages: hi, Tools: []conversation.Tool{{Name: "f", Strict: new(true), Schema: json.RawMessage(`{"type":"object","properties":{"n":{"type":"integer","minimum":1}}}`)}}}},
		"strict-refused":     {r: conversation.Request{Messages: hi, Tools: []conversation.Tool{{Name: "f", Strict: new(true), Schema: json.RawMessage(`{"type":"object","additionalProperties":{"type":"string"}}`)}}}, notes: "strict"},
		"schema-top":         {r: conversation.Request{Messages: hi, Tools: []conversation.Tool{{Name: "f", Schema: json.RawMessage(`{"description":"d","anyOf":[{"required":["a"]},{"required":["b"]}],"type":["object","null"],"properties":{"a":{},"b":{}}}`)}}}},
		"format-bounds":      {r: conversation.Request{Messages: hi, Format: &conversation.Format{Schema: json.RawMessage(`{"type":"object","properties":{"minimum":{"type":"integer","minimum":1,"description":"how many","maximum":5},"ids":{"type":"array","items":{"type":"string","format":"isbn","pattern":"^x"},"minItems":2,"maxItems":3},"at":{"type":"string","format":"date-time"}},"additionalProperties":true}`)}}},
		"format-tool":        {r: conversation.Request{Messages: hi, Format: &conversation.Format{Description: "A person.", Schema: json.RawMessage(`{"type":"object","properties":{"age":{"type":"integer","minimum":0}}}`)}}, o: dialects.EncodeOptions{Model: "claude-3-haiku-20240307"}},
		"format-map":         {r: conversation.Request{Messages: hi, Format: &conversation.Format{Schema: json.RawMessage(`{"type":"object","additionalProperties":{"type":"integer"}}`)}}},
		"format-recursive":   {r: conversation.Request{Messages: hi, Format: &conversation.Format{Schema: json.RawMessage(`{"type":"object","$defs":{"n":{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#/$defs/m"},{"type":"null"}]}}},"m":{"$ref":"#/$defs/n"}},"properties":{"n":{"$ref":"#/$defs/n"}}}`)}}},
		"format-hint":        {r: conversation.Request{Messages: hi, Tools: []conversation.Tool{weather}, Format: &conversation.Format{Schema: json.RawMessage(`{"type":"object"}`)}}, o: dialects.EncodeOptions{Model: "claude-3-haiku-20240307"}, notes: "response_format"},
		"budget-newer":       {r: conversation.Request{Messages: hi, MaxTokens: new(int64(4000)), Reasoning: &conversation.Reasoning{Budget: new(int64(2000))}}, o: dialects.EncodeOptions{Model: "claude-opus-4-6"}},
		"adaptive-older":     {r: conversation.Request{Messages: hi, MaxTokens: new(int64(20000)), Reasoning: &conversation.Reasoning{Adaptive: true, Summary: "none"}}},
		"effort-minimal":     {r: conversation.Request{Messages: hi, Reasoning: &conversation.Reasoning{Effort: "minimal"}}, o: dialects.EncodeOptions{Model: "claude-fable-5"}},
		"thinking-off":       {r: conversation.Request{Messages: hi, Reasoning: &conversation.Reasoning{Effort: "none"}}},
		"budget-newer-loop":  {r: conversation.Request{Messages: loop, Tools: []conversation.Tool{weather}, Reasoning: &conversation.Reasoning{Budget: new(int64(5000))}}, o: dialects.EncodeOptions{Model: "claude-opus-4-6"}, notes: "thinking"},
		"budget-large-loop":  {r: conversation.Request{Messages: loop, Tools: []conversation.Tool{weather}, Reasoning: &conversation.Reasoning{Budget: new(int64(40000))}}, o: dialects.EncodeOptions{Model: "claude-opus-4-6"}, notes: "thinking"},
		"thinking-always":    {r: conversation.Request{Messages: hi, Reasoning: &conversation.Reasoning{Off: true}}, o: dialects.EncodeOptions{Model: "anthropic.claude-mythos-preview"}, notes: "reasoning"},
		"budget-prefill":     {r: conversation.Request{Messages: []conversation.Message{text(conversation.User, "x"), text(conversation.Assistant, "{")}, Reasoning: &conversation.Reasoning{Effort: "low"}}, notes: "reasoning"},
		"budget-kept-loop":   {r: conversation.Request{Messages: ownLoop, Tools: []conversation.Tool{weather}, Reasoning: &conversation.Reasoning{Effort: "low"}}, o: dialects.EncodeOptions{Model: "claude-sonnet-4-5"}},
		"adaptive-lost-loop": {r: conversation.Request{Messages: loop, Tools: []conversation.Tool{weather}, Reasoning: &conversation.Reasoning{Effort: "low"}}, o: dialects.EncodeOptions{Model: "claude-opus-4-6"}, notes: "thinking"},
		"foreign-signature":  {r: conversation.Request{Messages: []conversation.Message{text(conversation.User, "x"), {Role: conversation.Assistant, Blocks: []conversation.Block{{Kind: conversation.Thinking, Text: "t", Signature: "c2ln", Origin: "gemini"}, {Text: "y"}}}, text(conversation.User, "z")}}, notes: "thinking"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.o.Rewrites = new(conversation.Rewrites)
			if tt.o.Model == "" {
				tt.o.Model = "claude-sonnet-4-5"
			}
			got, notes := dialecttest.MustEncode(t, Codec{}, &tt.r, tt.o)
			dialecttest.Golden(t, filepath.Join("testdata", name, "request.json"), []byte(got+"\n"))
			if s := strings.Join(notes, " "); s != tt.notes {
				t.Errorf("notes %q, want %q", s, tt.notes)
			}
		})
	}
}

func TestEncodeRequestRefusesWhatCannotBeLeftOut(t *testing.T) {
	user := func(b conversation.Block) conversation.Request {
		return conversation.Request{Messages: []conversation.Message{{Blocks: []conversation.Block{b}}}}
	}
	n := user(conversation.Block{Text: "x"})
	n.N = new(int64(2))
	stored := user(conversation.Block{Text: "x"})
	stored.Extra = []conversation.Field{{Name: "previous_response_id", Value: json.RawMessage(`"r"`)}}
	for name, r := range map[string]conversation.Request{
		"audio":                 user(conversation.Block{Kind: conversation.Audio, Media: &conversation.Media{Data: "AA=="}}),
		"video":                 user(conversation.Block{Kind: conversation.Video, Media: &conversation.Media{URL: "https://x"}}),
		"a foreign file":        user(conversation.Block{Kind: conversation.Image, Media: &conversation.Media{FileID: "f", Origin: "responses"}}),
		"a foreign address":     user(conversation.Block{Kind: conversation.Image, Media: &conversation.Media{URL: "gs://b/o"}}),
		"an office document":    user(conversation.Block{Kind: conversation.Document, Media: &conversation.Media{MIME: "application/msword", Data: "AA=="}}),
		"several answers":       n,
		"a stored conversation": stored,
		"nothing to say":        user(conversation.Block{Text: " "}),
	} {
		_, _, err := Codec{}.EncodeRequest(nil, &r, dialects.EncodeOptions{Model: "claude"})
		var re *dialects.RequestError
		if !errors.As(err, &re) || re.Param == "" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestDecodingAndEncodingKeepsARequest(t *testing.T) {
	for _, members := range []string{
		`"system":"Be brief.","temperature":0.5,"top_p":0.9,"top_k":5,"stop_sequences":["x"],"stream":true,"metadata":{"user_id":"u"},"service_tier":"standard_only"`,
		`"thinking":{"type":"enabled","budget_tokens":1024,"display":"summarized"},"max_tokens":2000`,
		`"thinking":{"type":"adaptive"},"output_config":{"effort":"max","task_budget":{"type":"tokens","total":1}}`,
		`"thinking":{"type":"disabled"},"output_config":{"effort":"low"}`,
		`"container":{"id":"c"},"context_management":{"edits":[]},"cache_control":{"type":"ephemeral"}`,
		`"tools":[{"name":"f","input_schema":{"type":"object","z":1,"a":2},"strict":true},{"type":"bash_20250124","name":"bash","cache_control":{"type":"ephemeral"}}],"tool_choice":{"type":"any","disable_parallel_tool_use":true}`,
		`"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"redacted_thinking","data":"d"},{"type":"tool_use","id":"t1","name":"f","input":{"x":1},"caller":{"type":"direct"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"5m"}},{"type":"image","source":{"type":"url","url":"https://x"}}],"is_error":true}]},{"role":"system","content":[{"type":"tool_addition","tool":{}}]}]`,
		`"messages":[{"role":"user","content":[{"type":"document","source":{"type":"content","content":[{"type":"text","text":"x"}]},"title":"t"},{"type":"container_upload","file_id":"f"}]}]`,
	} {
		body := ask(members)
		if strings.Contains(members, "max_tokens") {
			body = strings.Replace(body, `"max_tokens":5,`, "", 1)
		}
		r := dialecttest.MustDecode(t, Codec{}, body)
		got, notes := dialecttest.MustEncode(t, Codec{}, r, dialects.EncodeOptions{Model: r.Model})
		if len(notes) > 0 {
			t.Errorf("notes %v", notes)
		}
		dialecttest.SameJSON(t, got, body)
	}
}

func TestVersionsAreReadFromNames(t *testing.T) {
	for name, want := range map[string]claude.Version{
		"claude-2.1": 21, "claude-instant-1.2": 12, "claude-3-opus-latest": 30, "claude-3-5-haiku-20241022": 35,
		"claude-3-7-sonnet-20250219": 37, "claude-sonnet-4-0": 40, "claude-sonnet-4-20250514": 40, "claude-opus-4-6": 46,
		"us.anthropic.claude-sonnet-4-5-20250929-v1:0": 45, "anthropic/claude-opus-4.8": 48, "claude-sonnet-5": 50,
		"claude-opus-4-1@20250805": 41, "kimi-k2": 0, "claude-next": 0,
		"claude-mythos-preview": 47, "claude-mythos-5": 50, "claude-fable-5": 50,
	} {
		if got := versionOf(name); got != want {
			t.Errorf("%s: got %d, want %d", name, got, want)
		}
	}
}

func TestRewrittenNamesStayApartAndShort(t *testing.T) {
	long := strings.Repeat("x", 200)
	a, b := toolName(long+"a", 35), toolName(long+"b", 35)
	if a == b || len(a) > 64 || len(toolName(long, 45)) > 128 {
		t.Errorf("got %q and %q", a, b)
	}
	dot, again, colon := toolID("a.b"), toolID("a.b"), toolID("a:b")
	if toolID("call_9-Z") != "call_9-Z" || dot == colon || dot != again {
		t.Errorf("got %q, %q and %q", dot, again, colon)
	}
}

// TestWhatTheEncoderChangesIsChangedBack lets the model answer with what the request told it.
func TestWhatTheEncoderChangesIsChangedBack(t *testing.T) {
	hi := []conversation.Message{text(conversation.User, "hi")}
	for name, tt := range map[string]struct {
		r        conversation.Request
		provider string
		want     conversation.Choice
	}{
		"a name": {
			conversation.Request{Messages: hi, Tools: []conversation.Tool{{Name: "a.b"}}},
			`{"type":"tool_use","id":"1","name":"` + toolName("a.b", 45) + `","input":{}}`,
			conversation.Choice{Stop: conversation.StopToolCalls, Blocks: []conversation.Block{call("1", "a.b", "{}")}},
		},
		"a free-text tool": {
			conversation.Request{Messages: hi, Tools: []conversation.Tool{{Name: "sql", Custom: true}}},
			`{"type":"tool_use","id":"1","name":"sql","input":{"input":"SELECT 1"}}`,
			conversation.Choice{Stop: conversation.StopToolCalls, Blocks: []conversation.Block{{Kind: conversation.Call, Call: &conversation.ToolCall{ID: "1", Name: "sql", Arguments: "SELECT 1", Custom: true}}}},
		},
		"structured output": {
			conversation.Request{Messages: hi, Format: &conversation.Format{Schema: json.RawMessage(`{"type":"object","additionalProperties":{}}`)}},
			`{"type":"text","text":"{\"a\":1}"}`,
			conversation.Choice{Stop: conversation.StopToolCalls, Blocks: []conversation.Block{{Text: `{"a":1}`}}},
		},
		"structured output by a call": {
			conversation.Request{Messages: hi, Format: &conversation.Format{Schema: json.RawMessage(`{"type":"object","additionalProperties":{"type":"integer"}}`)}},
			`{"type":"tool_use","id":"1","name":"json_answer","input":{"a": 1}}`,
			conversation.Choice{Stop: conversation.StopEnd, Blocks: []conversation.Block{{Text: `{"a": 1}`}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var w conversation.Rewrites
			if _, notes := dialecttest.MustEncode(t, Codec{}, &tt.r, dialects.EncodeOptions{Model: "claude-sonnet-4-5", Rewrites: &w}); len(notes) > 0 {
				t.Errorf("notes %v", notes)
			}
			got, err := Codec{}.DecodeResponse([]byte(`{"id":"m","content":[` + tt.provider + `],"stop_reason":"tool_use"}`))
			if err != nil {
				t.Fatal(err)
			}
			if w.Response(got); !reflect.DeepEqual(got.Choices[0], tt.want) {
				t.Errorf("got %s, want %s", dialecttest.JSONText(got.Choices[0]), dialecttest.JSONText(tt.want))
			}
		})
	}
}

func TestCountingAsksForTheInputAlone(t *testing.T) {
	r, err := Codec{}.DecodeCountRequest([]byte(`{"model":"m","system":"s","tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"any"},"thinking":{"type":"disabled"},"messages":[{"role":"user","content":"hi"}]}`), dialects.Head{Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	r.N, r.Temperature, r.Stop, r.User, r.Seed = new(int64(2)), "0.5", []string{"x"}, "u", new(int64(1))
	got, notes, err := Codec{}.EncodeCount(nil, r, dialects.EncodeOptions{Model: "claude-sonnet-4-5"})
	const want = `{"model":"claude-sonnet-4-5","tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"any"},"system":"s","messages":[{"role":"user","content":"hi"}],"thinking":{"type":"disabled"}}`
	if err != nil || len(notes) > 0 || string(got) != want {
		t.Errorf("%v %v\ngot  %s\nwant %s", err, notes, got, want)
	}
	if _, _, err := (Codec{}).EncodeCount(nil, &conversation.Request{}, dialects.EncodeOptions{}); err == nil {
		t.Error("a conversation without messages can be counted")
	}
	if _, err := (Codec{}).DecodeCountRequest([]byte(`{"model":"m"}`), dialects.Head{Model: "m"}); err == nil {
		t.Error("a request without messages was read")
	}
	answer := Codec{}.AppendCount(nil, 19)
	if n, ok := (Codec{}).DecodeCount(answer); n != 19 || !ok || string(answer) != `{"input_tokens":19}` {
		t.Errorf("%s was read as %d, %v", answer, n, ok)
	}
	for _, none := range []string{`{}`, `{"input_tokens":null}`, `{"input_tokens":-1}`, `[]`, ``} {
		if n, ok := (Codec{}).DecodeCount([]byte(none)); ok {
			t.Errorf("%s was read as %d", none, n)
		}
	}
}
