package converse

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
)

const cited = `{"location":{"documentChar":{"documentIndex":0,"start":1,"end":2}},"sourceContent":[{"text":"the quote"}],"title":"policy"}`

// A whole answer and the same as a stream.
const wholeBody = `{"metrics":{"latencyMs":1},"output":{"message":{"role":"assistant","content":[` +
	`{"reasoningContent":{"reasoningText":{"text":"Let me \"see\".","signature":"c2ln"}}},` +
	`{"reasoningContent":{"redactedContent":"cmVk"}},` +
	`{"text":"Hello,\nworld"},` +
	`{"citationsContent":{"content":[{"text":" cited"}],"citations":[` + cited + `]}},` +
	`{"toolUse":{"toolUseId":"tooluse_1","name":"f","input":{"a":[1,"x"]},"type":"tool_use"}},` +
	`{"toolUse":{"toolUseId":"tooluse_2","name":"g","input":{}}},` +
	`{"toolUse":{"toolUseId":"srv","name":"grounding","input":{},"type":"server_tool_use"}}]}},` +
	`"stopReason":"tool_use","usage":{"inputTokens":10,"outputTokens":20,"totalTokens":137,"cacheReadInputTokens":100,"cacheReadInputTokenCount":100,` +
	`"cacheWriteInputTokens":7,"cacheWriteInputTokenCount":7,"cacheDetails":[{"ttl":"1h","inputTokens":5},{"ttl":"5m","inputTokens":2}],"serverToolUsage":{}}}`

var wholeStream = stream(
	`messageStart {"role":"assistant"}`,
	`contentBlockDelta {"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"Let me "}}}`,
	`contentBlockDelta {"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"\"see\"."}}}`,
	`contentBlockDelta {"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"c2ln"}}}`,
	`contentBlockStop {"contentBlockIndex":0}`,
	`contentBlockDelta {"contentBlockIndex":1,"delta":{"reasoningContent":{"redactedContent":"cmVk"}}}`,
	`contentBlockStop {"contentBlockIndex":1}`,
	`contentBlockDelta {"contentBlockIndex":2,"delta":{"text":"Hello,"}}`,
	`contentBlockDelta {"contentBlockIndex":2,"delta":{"text":"\nworld"}}`,
	`contentBlockStop {"contentBlockIndex":2}`,
	`contentBlockDelta {"delta":{"text":" cited"},"contentBlockIndex":3}`,
	`contentBlockDelta {"contentBlockIndex":3,"delta":{"citation":`+cited+`}}`,
	`contentBlockStop {"contentBlockIndex":3}`,
	`contentBlockStart {"contentBlockIndex":4,"start":{"toolUse":{"toolUseId":"tooluse_1","name":"f"}}}`,
	`contentBlockDelta {"contentBlockIndex":4,"delta":{"toolUse":{"input":""}}}`,
	`contentBlockDelta {"contentBlockIndex":4,"delta":{"toolUse":{"input":"{\"a\":"}}}`,
	`contentBlockDelta {"contentBlockIndex":4,"delta":{"toolUse":{"input":"[1,\"x\"]}"}}}`,
	`contentBlockStop {"contentBlockIndex":4}`,
	`contentBlockStart {"contentBlockIndex":5,"start":{"toolUse":{"toolUseId":"tooluse_2","name":"g"}}}`,
	`contentBlockDelta {"contentBlockIndex":5,"delta":{"toolUse":{"input":"{}"}}}`,
	`contentBlockStop {"contentBlockIndex":5}`,
	`contentBlockStart {"contentBlockIndex":6,"start":{"toolUse":{"toolUseId":"srv","name":"grounding","type":"server_tool_use"}}}`,
	`contentBlockDelta {"contentBlockIndex":6,"delta":{"toolUse":{"input":"{}"}}}`,
	`contentBlockStop {"contentBlockIndex":6}`,
	`messageStop {"stopReason":"tool_use"}`,
	`metadata {"metrics":{"latencyMs":1},"usage":{"inputTokens":10,"outputTokens":20,"cacheReadInputTokens":100,"cacheWriteInputTokens":7,"cacheDetails":[{"ttl":"1h","inputTokens":5},{"ttl":"5m","inputTokens":2}]}}`,
)

var whole = conversation.Response{
	Origin: origin, UsageKnown: true,
	Usage: conversation.Usage{Input: 10, CacheRead: 100, CacheWrite: 2, CacheWrite1h: 5, Output: 20},
	Choices: []conversation.Choice{{Stop: conversation.StopToolCalls, Blocks: []conversation.Block{
		{Kind: conversation.Thinking, Text: `Let me "see".`, Signature: "c2ln", Origin: origin},
		{Kind: conversation.Thinking, Signature: "cmVk", Redacted: true, Origin: origin},
		text("Hello,\nworld"),
		{Text: " cited", Citations: []conversation.Citation{{Title: "policy", Quote: "the quote", Raw: json.RawMessage(cited), Origin: origin}}},
		call("tooluse_1", "f", `{"a":[1,"x"]}`),
		call("tooluse_2", "g", `{}`),
	}}},
}

func TestAnAnswerIsTheSameWholeAndStreamed(t *testing.T) {
	got, err := Codec{}.DecodeResponse([]byte(wholeBody))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, &whole) {
		t.Errorf("whole: %+v", got)
	}
	if got := fold(mustRead(t, wholeStream)); !reflect.DeepEqual(got, &whole) {
		t.Errorf("streamed: %+v", got)
	}
}

func TestStopReasons(t *testing.T) {
	for _, tc := range []struct {
		members      string
		want         conversation.StopReason
		text, detail string
	}{
		{`"stopReason":"end_turn"`, conversation.StopEnd, "", ""},
		{`"stopReason":"tool_use"`, conversation.StopToolCalls, "", ""},
		{`"stopReason":"max_tokens"`, conversation.StopLength, "", ""},
		{`"stopReason":"model_context_window_exceeded"`, conversation.StopLength, "", ""},
		{`"stopReason":"stop_sequence"`, conversation.StopSequence, "", ""},
		{`"stopReason":"stop_sequence","additionalModelResponseFields":{"stop_sequence":"END"}`, conversation.StopSequence, "END", ""},
		{`"stopReason":"end_turn","additionalModelResponseFields":{"stop_sequence":"END"}`, conversation.StopSequence, "END", ""},
		{`"stopReason":"end_turn","additionalModelResponseFields":{"stop_sequence":null}`, conversation.StopEnd, "", ""},
		{`"stopReason":"content_filtered"`, conversation.StopFiltered, "", "Guardrail blocked."},
		{`"stopReason":"malformed_tool_use"`, conversation.StopError, "", ""},
		{`"stopReason":"from_the_future"`, conversation.StopEnd, "", ""},
		{`"stopReason":"guardrail_intervened"`, conversation.StopFiltered, "", "Guardrail blocked."},
	} {
		const usage = `"usage":{"inputTokens":1,"outputTokens":2},"trace":{"guardrail":{"actionReason":"Guardrail blocked."}}`
		r, err := Codec{}.DecodeResponse([]byte(`{"output":{"message":{"content":[{"text":"x"}]}},` + tc.members + `,` + usage + `}`))
		if err != nil {
			t.Fatal(err)
		}
		streamed := fold(mustRead(t, stream("messageStart {}", `contentBlockDelta {"delta":{"text":"x"}}`, "messageStop {"+tc.members+"}", "metadata {"+usage+"}")))
		for _, c := range []conversation.Choice{r.Choices[0], streamed.Choices[0]} {
			if c.Stop != tc.want || c.StopSequence != tc.text || c.StopDetail != tc.detail {
				t.Errorf("%s: stop %d %q %q", tc.members, c.Stop, c.StopSequence, c.StopDetail)
			}
		}
	}
}

func TestOddAnswers(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		want       []conversation.Block
		fails      bool
	}{
		{name: "no content", body: `{"output":{"message":{"role":"assistant","content":[]}},"stopReason":"end_turn"}`},
		{name: "a text that says what it is", body: `{"output":{"message":{"content":[{"type":"text","text":"t"}]}}}`, want: []conversation.Block{text("t")}},
		{name: "an empty text", body: `{"output":{"message":{"content":[{"text":""}]}}}`},
		{name: "thinking without a signature", body: `{"output":{"message":{"content":[{"reasoningContent":{"reasoningText":{"text":"hm"}}}]}}}`, want: []conversation.Block{{Kind: conversation.Thinking, Text: "hm", Origin: origin}}},
		{name: "an image", body: `{"output":{"message":{"content":[{"image":{"format":"png","source":{"bytes":"AAEC"}}}]}}}`, want: []conversation.Block{media(conversation.Image, conversation.Media{MIME: "image/png", Data: "AAEC"})}},
		{name: "the result of a tool of the model's own", body: `{"output":{"message":{"content":[{"toolResult":{"toolUseId":"x","content":[]}},{"text":"t"}]}}}`, want: []conversation.Block{text("t")}},
		{name: "no message", body: `{"output":{}}`, fails: true},
		{name: "a message that is none", body: `{"output":{"message":null}}`, fails: true},
		{name: "not JSON", body: `{"output":`, fails: true},
	} {
		r, err := Codec{}.DecodeResponse([]byte(tc.body))
		if (err != nil) != tc.fails {
			t.Errorf("%s: error %v", tc.name, err)
		} else if err == nil && !reflect.DeepEqual(r.Choices[0].Blocks, tc.want) {
			t.Errorf("%s: %+v", tc.name, r.Choices[0].Blocks)
		}
	}
}

func TestTheServiceTierOfAnAnswerIsTold(t *testing.T) {
	body := []byte(`{"output":{"message":{"content":[]}},"serviceTier":{"type":"flex"}}`)
	r, err := Codec{}.DecodeResponse(body)
	m := Codec{}.NewMeter()
	defer m.Release()
	m.Body(body)
	if err != nil || r.ServiceTier != "flex" || m.Observation().Tier != "flex" || r.UsageKnown {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestStreamsThatAreNotAsTheyShouldBe(t *testing.T) {
	const stop, usage = `messageStop {"stopReason":"end_turn"}`, `metadata {"usage":{"inputTokens":1,"outputTokens":2}}`
	for _, tc := range []struct {
		name   string
		stream string
		want   []conversation.Block
	}{
		{"no start of the message", stream(`contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"x"}}`, stop, usage), []conversation.Block{text("x")}},
		{"no stop of a block", stream(`contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"x"}}`, `contentBlockDelta {"contentBlockIndex":1,"delta":{"text":"y"}}`, stop, usage), []conversation.Block{text("x"), text("y")}},
		{"usage before the stop", stream("messageStart {}", usage, stop), nil},
		{"an event from the future", stream("messageStart {}", `contentBlockLook {"x":1}`, stop, usage), nil},
		{"the start of a text", stream(`contentBlockStart {"contentBlockIndex":0,"start":{}}`, `contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"x"}}`, stop, usage), []conversation.Block{text("x")}},
		{"arguments without a call", stream(`contentBlockDelta {"contentBlockIndex":0,"delta":{"toolUse":{"input":"{}"}}}`, stop, usage), nil},
		{"text in the block of a call", stream(`contentBlockStart {"start":{"toolUse":{"toolUseId":"i","name":"f"}}}`, `contentBlockDelta {"delta":{"text":"x"}}`, stop, usage), []conversation.Block{call("i", "f", ""), text("x")}},
		{"a redacted block in two pieces", stream(`contentBlockDelta {"delta":{"reasoningContent":{"redactedContent":"YWI="}}}`, `contentBlockDelta {"delta":{"reasoningContent":{"redactedContent":"Yw=="}}}`, stop, usage), []conversation.Block{{Kind: conversation.Thinking, Redacted: true, Signature: "YWJj", Origin: origin}}},
		{"more after the end", stream("messageStart {}", stop, usage, `contentBlockDelta {"delta":{"text":"x"}}`, stop), nil},
		{"a delta after the stop", stream("messageStart {}", stop, `contentBlockDelta {"delta":{"text":"x"}}`, usage), nil},
	} {
		r := fold(mustRead(t, tc.stream))
		if !reflect.DeepEqual(r.Choices[0].Blocks, tc.want) || r.Usage.Output != 2 || r.Choices[0].Stop != conversation.StopEnd {
			t.Errorf("%s: %+v", tc.name, r)
		}
	}
}

func TestAStreamWithoutUsageIsCompleteWithoutAStopItIsNot(t *testing.T) {
	events, err := readStream(strings.NewReader(stream("messageStart {}", `messageStop {"stopReason":"end_turn"}`)))
	if err != nil || events[len(events)-1].Type != conversation.EventEnd || fold(events).UsageKnown {
		t.Errorf("%+v, %v", events, err)
	}
	_, err = readStream(strings.NewReader(stream("messageStart {}", `contentBlockDelta {"delta":{"text":"x"}}`)))
	if !errors.Is(err, dialects.ErrTruncated) {
		t.Errorf("error %v", err)
	}
	if _, err = readStream(strings.NewReader(stream("messageStart [") + "")); err == nil {
		t.Error("an event that is no JSON was read")
	}
}

func TestCounts(t *testing.T) {
	for body, want := range map[string]int64{
		`{"inputTokens":375}`: 375, `{"inputTokens":"7"}`: 7, `{"inputTokens":-1}`: -1, `{"message":"no"}`: -1, ``: -1, `[]`: -1,
	} {
		n, ok := Codec{}.DecodeCount([]byte(body))
		if ok != (want >= 0) || ok && n != want {
			t.Errorf("%s: %d, %v", body, n, ok)
		}
	}
}

func TestUsageThatCannotBeIsNotBelieved(t *testing.T) {
	for usage, want := range map[string]conversation.Usage{
		`{"inputTokens":"5","outputTokens":1e1}`: {Input: 5, Output: 10},
		`{"inputTokens":-5,"outputTokens":2.5}`:  {},
		`{"inputTokens":1,"outputTokens":1,"cacheWriteInputTokens":3,"cacheDetails":[{"ttl":"1h","inputTokens":9}]}`: {},
		`{"inputTokens":50000001,"outputTokens":1}`:                                          {},
		`{"inputTokens":1,"outputTokens":1,"totalTokens":2,"cacheReadInputTokens":9}`:        {Input: 1, CacheRead: 9, Output: 1},
		`{"inputTokens":1,"outputTokens":1,"cacheDetails":null,"cacheReadInputTokens":null}`: {Input: 1, Output: 1},
	} {
		r, err := Codec{}.DecodeResponse([]byte(`{"output":{"message":{}},"usage":` + usage + `}`))
		if err != nil || r.Usage != want || r.UsageKnown != (want != conversation.Usage{}) {
			t.Errorf("%s: %+v, %v", usage, r, err)
		}
	}
}
