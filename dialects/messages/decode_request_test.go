package messages

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

func head(t *testing.T, body string) (dialects.Head, *jsonedit.Object, error) {
	t.Helper()
	var obj jsonedit.Object
	if err := jsonedit.Scan([]byte(body), knownKeys, jsonedit.Limits{}, &obj); err != nil {
		t.Fatal(err)
	}
	h, err := Codec{}.Head([]byte(body), &obj)
	return h, &obj, err
}

func TestHeadFindsWhatPlanningNeeds(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		want dialects.Head
	}{
		"everything": {
			`{"model":"claude","stream":true,"max_tokens":10,"metadata":{"user_id":"{\"session_id\":\"s\"}"},"tools":[{}]}`,
			dialects.Head{Model: "claude", Stream: true, MaxTokens: 10, N: 1, EndUser: `{"session_id":"s"}`, HasTools: true},
		},
		"a token count":          {`{"model":"claude","messages":[]}`, dialects.Head{Model: "claude", N: 1}},
		"null means not there":   {`{"model":"c","stream":null,"max_tokens":null,"metadata":null,"tools":null}`, dialects.Head{Model: "c", N: 1}},
		"an empty list of tools": {`{"model":"c","tools":[ ]}`, dialects.Head{Model: "c", N: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := head(t, tt.body)
			if err != nil || got != tt.want {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestHeadNamesTheMemberOfTheWrongType(t *testing.T) {
	for body, param := range map[string]string{
		`{}`:                                "model",
		`{"model":7}`:                       "model",
		`{"model":""}`:                      "model",
		`{"model":"c","stream":"yes"}`:      "stream",
		`{"model":"c","max_tokens":"many"}`: "max_tokens",
		`{"model":"c","max_tokens":-1}`:     "max_tokens",
		`{"model":"c","metadata":"me"}`:     "metadata",
		`{"model":"c","tools":{}}`:          "tools",
	} {
		_, _, err := head(t, body)
		var re *dialects.RequestError
		if !errors.As(err, &re) || re.Param != param {
			t.Errorf("%s: got %v, want an error about %s", body, err, param)
		}
	}
}

func TestSpliceReplacesTheModelAndNothingElse(t *testing.T) {
	body := `{"messages": [ ],  "model" : "alias", "x":1e0}`
	h, obj, err := head(t, body)
	if err != nil {
		t.Fatal(err)
	}
	s := Codec{}.Splice([]byte(body), obj, h, dialects.SpliceOptions{Model: `cl"aude`, AskUsage: true}, nil)
	if len(s.Edits) != 1 || s.HideUsage {
		t.Fatalf("got %+v", s)
	}
	e := s.Edits[0]
	if got := body[:e.Start] + string(e.With) + body[e.End:]; got != `{"messages": [ ],  "model" : "cl\"aude", "x":1e0}` {
		t.Errorf("got %s", got)
	}
	if s := (Codec{}).Splice([]byte(body), obj, h, dialects.SpliceOptions{Model: "alias"}, nil); len(s.Edits) != 0 {
		t.Errorf("the same name was edited: %+v", s)
	}
}

// ask makes a request of the members that a case is about.
func ask(members string) string {
	if !strings.Contains(members, `"messages"`) {
		members += `,"messages":[{"role":"user","content":"hi"}]`
	}
	return `{"model":"claude-opus-4-6","max_tokens":5,` + members + `}`
}

func TestDecodeRequestRefusesWhatAnthropicRefuses(t *testing.T) {
	for body, param := range map[string]string{
		`{"model":"c","messages":[{"role":"user","content":"x"}]}`:                        "max_tokens",
		`{"model":"c","max_tokens":0,"messages":[{"role":"user","content":"x"}]}`:         "max_tokens",
		`{"model":"c","max_tokens":1.5,"messages":[{"role":"user","content":"x"}]}`:       "max_tokens",
		`{"model":"c","max_tokens":1}`:                                                    "messages",
		`{"model":"c","max_tokens":1,"messages":[]}`:                                      "messages",
		`{"model":"c","max_tokens":1,"messages":["x"]}`:                                   "messages.0",
		ask(`"temperature":"hot"`):                                                        "temperature",
		ask(`"stop_sequences":"END"`):                                                     "stop_sequences",
		ask(`"stop_sequences":[1]`):                                                       "stop_sequences",
		ask(`"system":7`):                                                                 "system",
		ask(`"tools":[{"name":"f"}]`):                                                     "tools.0.input_schema",
		ask(`"tools":[{"input_schema":{}}]`):                                              "tools.0.name",
		ask(`"tool_choice":{"type":"tool"}`):                                              "tool_choice.name",
		ask(`"tool_choice":{"type":"required"}`):                                          "tool_choice.type",
		ask(`"thinking":{"type":"on"}`):                                                   "thinking.type",
		ask(`"thinking":{"type":"enabled"}`):                                              "thinking.budget_tokens",
		ask(`"output_config":{"format":{"type":"json"}}`):                                 "output_config.format",
		ask(`"messages":[{"role":"robot","content":"x"}]`):                                "messages.0.role",
		ask(`"messages":[{"role":"user","content":null}]`):                                "messages.0.content",
		ask(`"messages":[{"role":"user","content":[{"text":"x"}]}]`):                      "messages.0.content.0.type",
		ask(`"messages":[{"role":"user","content":[{"type":"text"}]}]`):                   "messages.0.content.0.text",
		ask(`"messages":[{"role":"user","content":[{"type":"image","source":"x"}]}]`):     "messages.0.content.0.source",
		ask(`"messages":[{"role":"user","content":[{"type":"tool_result"}]}]`):            "messages.0.content.0.tool_use_id",
		ask(`"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a"}]}]`): "messages.0.content.0.name",
	} {
		_, err := dialecttest.Decode(Codec{}, body)
		var re *dialects.RequestError
		if !errors.As(err, &re) || re.Param != param {
			t.Errorf("%s: got %#v, want an error about %s", body, err, param)
		}
	}
}

func TestDecodeRequestReadsTheOptions(t *testing.T) {
	r := dialecttest.MustDecode(t, Codec{}, ask(`"stream":true,"temperature":0.5,"top_p":0.9,"top_k":40,"stop_sequences":["a","b"],
		"metadata":{"user_id":"u"},"service_tier":"standard_only","tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true},
		"tools":[{"name":"f","description":"d","input_schema":{"b":1,"a":2},"strict":true,"defer_loading":true,"cache_control":{"type":"ephemeral","ttl":"1h"}},
			{"type":"web_search_20250305","name":"web_search","max_uses":3}],
		"thinking":{"type":"adaptive","display":"omitted"},"output_config":{"effort":"high","task_budget":{"total":1},"format":{"type":"json_schema","schema":{"type":"object"}}},
		"container":"c1","mcp_servers":null`))
	yes, no := true, false
	if !r.Stream || r.Temperature != "0.5" || r.TopP != "0.9" || r.TopK != "40" || len(r.Stop) != 2 || r.User != "u" || r.ServiceTier != "default" || r.Origin != "messages" {
		t.Errorf("got %+v", r)
	}
	if r.Choice.Mode != conversation.ChoiceTool || r.Choice.Name != "f" || *r.ParallelTools != no {
		t.Errorf("tool choice %+v", r.Choice)
	}
	want := conversation.Tool{Name: "f", Description: "d", Schema: []byte(`{"b":1,"a":2}`), Strict: &yes, Cache: &conversation.CacheMark{TTL: "1h"}}
	if !reflect.DeepEqual(r.Tools[0], want) {
		t.Errorf("tool %+v", r.Tools[0])
	}
	if s := r.Tools[1]; s.Name != "web_search_20250305" || s.Origin != "messages" || !strings.Contains(string(s.Raw), `"max_uses":3`) {
		t.Errorf("server tool %+v", s)
	}
	if q := r.Reasoning; !q.Adaptive || q.Effort != "high" || q.Summary != "none" || string(r.Format.Schema) != `{"type":"object"}` {
		t.Errorf("reasoning %+v, format %+v", q, r.Format)
	}
	var extras []string
	for _, f := range r.Extra {
		extras = append(extras, f.Name+"="+string(f.Value))
	}
	if got := strings.Join(extras, " "); got != `tools.defer_loading=true output_config.task_budget={"total":1} container="c1"` {
		t.Errorf("extra members: %s", got)
	}
}

func TestEffortAndBudgetDoNotMeetInWhateverOrderTheyCome(t *testing.T) {
	for _, members := range []string{
		`"thinking":{"type":"enabled","budget_tokens":2000},"output_config":{"effort":"low"}`,
		`"output_config":{"effort":"low"},"thinking":{"type":"enabled","budget_tokens":2000}`,
	} {
		r := dialecttest.MustDecode(t, Codec{}, ask(members))
		if r.Reasoning.Effort != "" || *r.Reasoning.Budget != 2000 || len(r.Extra) != 1 || string(r.Extra[0].Value) != `"low"` {
			t.Errorf("%s: got %+v and %v", members, r.Reasoning, r.Extra)
		}
	}
}

func TestDecodeRequestReadsEveryKindOfBlock(t *testing.T) {
	const sig = "c2ln"
	for name, tt := range map[string]struct {
		block string
		want  conversation.Block
	}{
		"text": {
			`{"type":"text","text":"a\nb","cache_control":{"type":"ephemeral"}}`,
			conversation.Block{Text: "a\nb", Cache: &conversation.CacheMark{}},
		},
		"image": {
			`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAEC"}}`,
			conversation.Block{Kind: conversation.Image, Media: &conversation.Media{MIME: "image/png", Data: "AAEC", Origin: origin}},
		},
		"image by address": {
			`{"type":"image","source":{"type":"url","url":"https://x/y.png"}}`,
			conversation.Block{Kind: conversation.Image, Media: &conversation.Media{URL: "https://x/y.png", Origin: origin}},
		},
		"file": {
			`{"type":"document","title":"T","context":"C","source":{"type":"file","file_id":"f1"}}`,
			conversation.Block{Kind: conversation.Document, Media: &conversation.Media{FileID: "f1", Title: "T", Context: "C", Origin: origin}},
		},
		"text document": {
			`{"type":"document","source":{"type":"text","media_type":"text/plain","data":"hello"}}`,
			conversation.Block{Kind: conversation.Document, Media: &conversation.Media{MIME: "text/plain", Text: "hello", Origin: origin}},
		},
		"call": {
			`{"type":"tool_use","id":"t1","name":"f","input":{"n": 1.50}}`,
			conversation.Block{Kind: conversation.Call, Call: &conversation.ToolCall{ID: "t1", Name: "f", Arguments: `{"n": 1.50}`}},
		},
		"result": {
			`{"type":"tool_result","tool_use_id":"t1","content":"ok","is_error":true}`,
			conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{CallID: "t1", IsError: true, Content: []conversation.Block{{Text: "ok"}}}},
		},
		"result without content": {
			`{"type":"tool_result","tool_use_id":"t1"}`,
			conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{CallID: "t1"}},
		},
		"thinking": {
			`{"type":"thinking","thinking":"hm","signature":"` + sig + `"}`,
			conversation.Block{Kind: conversation.Thinking, Text: "hm", Signature: sig, Origin: origin},
		},
		"another vendor's thinking": {
			`{"type":"thinking","thinking":"hm","signature":"~gemini:` + sig + `"}`,
			conversation.Block{Kind: conversation.Thinking, Text: "hm", Signature: sig, Origin: "gemini"},
		},
		"redacted thinking": {
			`{"type":"redacted_thinking","data":"` + sig + `"}`,
			conversation.Block{Kind: conversation.Thinking, Signature: sig, Redacted: true, Origin: origin},
		},
		"something new": {
			`{"type":"hologram","depth":3}`,
			conversation.Block{Kind: conversation.Opaque, Raw: []byte(`{"type":"hologram","depth":3}`), Origin: origin},
		},
		"what a search for tools found": {
			`{"type":"tool_result","tool_use_id":"t1","content":[{"type":"tool_reference","tool_name":"f"}]}`,
			conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{CallID: "t1", Content: []conversation.Block{{
				Text: `{"type":"tool_reference","tool_name":"f"}`, Raw: []byte(`{"type":"tool_reference","tool_name":"f"}`), Origin: origin,
			}}}},
		},
		"search result": {
			`{"type":"search_result","title":"T","source":"https://x","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"citations":{"enabled":true}}`,
			conversation.Block{
				Text: "T\nhttps://x\n\na\n\nb", Origin: origin,
				Raw: []byte(`{"type":"search_result","title":"T","source":"https://x","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"citations":{"enabled":true}}`),
			},
		},
		"the conversation so far in short": {
			`{"type":"compaction","content":"They greeted."}`,
			conversation.Block{Text: "They greeted.", Raw: []byte(`{"type":"compaction","content":"They greeted."}`), Origin: origin},
		},
		"a compaction that failed": {
			`{"type":"compaction","content":null}`,
			conversation.Block{Kind: conversation.Opaque, Raw: []byte(`{"type":"compaction","content":null}`), Origin: origin},
		},
		"another vendor's hidden thinking": {
			`{"type":"redacted_thinking","data":"~responses:` + sig + `"}`,
			conversation.Block{Kind: conversation.Thinking, Signature: sig, Redacted: true, Origin: "responses"},
		},
		"thinking that nobody signed": {
			`{"type":"thinking","thinking":"hm","signature":"~chat:"}`,
			conversation.Block{Kind: conversation.Thinking, Text: "hm", Origin: "chat"},
		},
		"document to be cited": {
			`{"type":"document","source":{"type":"url","url":"https://x"},"citations":{"enabled":true}}`,
			conversation.Block{
				Kind: conversation.Document, Media: &conversation.Media{URL: "https://x", Origin: origin}, Origin: origin,
				Raw: []byte(`{"type":"document","source":{"type":"url","url":"https://x"},"citations":{"enabled":true}}`),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := dialecttest.MustDecode(t, Codec{}, ask(`"messages":[{"role":"assistant","content":[`+tt.block+`]}]`))
			if got := r.Messages[0].Blocks[0]; !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestWhatADocumentHasBesidesItsTextIsNamed(t *testing.T) {
	for block, want := range map[string]string{
		`{"type":"document","source":{"type":"url","url":"https://x"},"citations":{"enabled":true}}`:                                                                              "messages.citations",
		`{"type":"document","source":{"type":"url","url":"https://x"},"citations":{"enabled":false}}`:                                                                             "",
		`{"type":"document","source":{"type":"content","content":[{"type":"text","text":"a"}]}}`:                                                                                  "",
		`{"type":"document","source":{"type":"content","content":"a"}}`:                                                                                                           "",
		`{"type":"document","source":{"type":"content","content":[{"type":"text","text":"a"},{"type":"image","source":{"type":"url","url":"https://x"}}]}}`:                       "messages.source.image",
		`{"type":"document","citations":{"enabled":true},"source":{"type":"content","content":[{"type":"text","text":"a"},{"type":"image"},{"type":"image"}]},"title":"content"}`: "messages.citations messages.source.image",
	} {
		r := dialecttest.MustDecode(t, Codec{}, ask(`"messages":[{"role":"user","content":[`+block+`]}]`))
		var names []string
		for _, f := range r.Extra {
			names = append(names, f.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: got %q", block, got)
		}
	}
}

func TestResultsLearnTheNameOfTheirTool(t *testing.T) {
	r := dialecttest.MustDecode(t, Codec{}, ask(`"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"ok"}]}]`))
	if got := r.Messages[1].Blocks[0].Result.Name; got != "f" {
		t.Errorf("got %q", got)
	}
}

func TestTheBillingHeaderIsNoPrompt(t *testing.T) {
	r := dialecttest.MustDecode(t, Codec{}, ask(`"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=2;"},{"type":"text","text":"Be brief."}]`))
	system := r.Messages[0]
	if system.Role != conversation.System || system.Blocks[0].Kind != conversation.Opaque || system.Blocks[0].Origin != origin {
		t.Fatalf("got %+v", system)
	}
	if system.Blocks[1].Text != "Be brief." {
		t.Errorf("the prompt is gone: %+v", system.Blocks[1])
	}
	got, _ := dialecttest.MustEncode(t, Codec{}, r, dialects.EncodeOptions{Model: "claude-opus-4-6"})
	if !strings.Contains(got, `[{"type":"text","text":"x-anthropic-billing-header: cc_version=2;"},{"type":"text","text":"Be brief."}]`) {
		t.Errorf("it did not survive for Anthropic: %s", got)
	}
}
