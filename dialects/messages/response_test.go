package messages

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/providers"
)

func TestDecodeResponseReportsWhatIsNoAnswer(t *testing.T) {
	for name, body := range map[string]string{
		"no JSON": "oops", "no content": `{"id":"msg_1"}`, "cut off": fullBody[:100], "too deep": strings.Repeat("[", 1<<20),
	} {
		if _, err := (Codec{}).DecodeResponse([]byte(body)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	_, err := Codec{}.DecodeResponse([]byte(`{"type":"error","error":{"type":"billing_error","message":"m"}}`))
	var e *conversation.Error
	if !errors.As(err, &e) || e.Status != 402 || e.Type != "billing_error" {
		t.Errorf("got %v", err)
	}
}

func TestDecodeResponseReadsTheEnd(t *testing.T) {
	for members, want := range map[string]conversation.Choice{
		`"stop_reason":"end_turn"`:                          {Stop: conversation.StopEnd},
		`"stop_reason":"stop_sequence","stop_sequence":"X"`: {Stop: conversation.StopSequence, StopSequence: "X"},
		`"stop_reason":"max_tokens"`:                        {Stop: conversation.StopLength},
		`"stop_reason":"model_context_window_exceeded"`:     {Stop: conversation.StopLength},
		`"stop_reason":"tool_use"`:                          {Stop: conversation.StopToolCalls},
		`"stop_reason":"pause_turn"`:                        {Stop: conversation.StopPause},
		`"stop_reason":null`:                                {},
		`"stop_reason":"tired"`:                             {Stop: conversation.StopEnd},

		`"stop_reason":"refusal","stop_details":{"type":"refusal","explanation":"No."}`: {Stop: conversation.StopRefusal, StopDetail: "No."},
	} {
		r, err := Codec{}.DecodeResponse([]byte(`{"id":"m","content":[],` + members + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Choices[0]; got.Stop != want.Stop || got.StopSequence != want.StopSequence || got.StopDetail != want.StopDetail {
			t.Errorf("%s: got %+v", members, got)
		}
		if r.UsageKnown {
			t.Error("usage that was not reported is known")
		}
	}
}

func TestEncodeResponseGivesOtherVendorsAnswersThisShape(t *testing.T) {
	r := &conversation.Response{
		ID: "chatcmpl-1", Model: "gpt", Origin: "chat", ServiceTier: "default",
		Usage: conversation.Usage{Input: 5, CacheRead: 2, Output: 3, Reasoning: 4},
		Choices: []conversation.Choice{{Stop: conversation.StopFiltered, StopDetail: "No.", Blocks: []conversation.Block{
			{Kind: conversation.Thinking, Text: "hm", Signature: "s", Origin: "gemini"},
			{Kind: conversation.Thinking, Signature: "e", Redacted: true, Origin: "responses"},
			{Kind: conversation.Opaque, Raw: []byte(`{"type":"x"}`), Origin: "responses"},
			{Kind: conversation.Image, Media: &conversation.Media{Data: "AA=="}},
			{Text: ""},
			{Text: "see", Citations: []conversation.Citation{{URL: "https://x", Title: "T"}}},
			{Kind: conversation.Refusal, Text: "I will not."},
			{Kind: conversation.Call, Call: &conversation.ToolCall{ID: "call_1", Name: "f", Arguments: `{"a": 1}`}, Signature: "p", Origin: "gemini"},
			call("call_2", "g", ``),
		}}, {Blocks: []conversation.Block{{Text: "second"}}}},
	}
	dialecttest.SameJSON(t, string(Codec{}.EncodeResponse(nil, r, "alias")), `{"id":"msg_1","type":"message","role":"assistant","model":"alias","content":[
		{"type":"thinking","thinking":"hm","signature":"~gemini:s"},{"type":"redacted_thinking","data":"~responses:e"},
		{"type":"text","text":"see","citations":[{"type":"web_search_result_location","cited_text":"","url":"https://x","title":"T","encrypted_index":"~chat:"}]},
		{"type":"text","text":"I will not."},{"type":"thinking","thinking":"","signature":"~gemini:p"},{"type":"tool_use","id":"call_1","name":"f","input":{"a":1}},{"type":"tool_use","id":"call_2","name":"g","input":{}}],
		"stop_reason":"refusal","stop_sequence":null,"stop_details":{"type":"refusal","category":null,"explanation":"No."},
		"usage":{"input_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":2,"output_tokens":7,"output_tokens_details":{"thinking_tokens":4},"service_tier":"standard"}}`)
}

func TestIdsThatAreMissingAreMadeUp(t *testing.T) {
	r := &conversation.Response{Choices: []conversation.Choice{{Blocks: []conversation.Block{call("", "f", "")}}}}
	a, b := string(Codec{}.EncodeResponse(nil, r, "m")), string(Codec{}.EncodeResponse(nil, r, "m"))
	shape := regexp.MustCompile(`^\{"id":"msg_[0-9a-z]{20,}".*"id":"toolu_[0-9a-z]{20,}".*"stop_reason":"tool_use"`)
	if !shape.MatchString(a) || a == b {
		t.Errorf("got %s and %s", a, b)
	}
}

func TestSignaturesFindTheirMakerAgain(t *testing.T) {
	for _, from := range append(makers[:], providers.Messages) {
		for _, signature := range []string{"c2lnbmF0dXJl:x", "~c2ln", ""} {
			b := decodeThinking("t", label(signature, string(from)))
			if b.Origin != string(from) || b.Signature != signature {
				t.Errorf("%s: %q became %+v", from, signature, b)
			}
		}
	}
}
