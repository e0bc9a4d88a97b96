package messages

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// The same answer as a stream and as a unary body.
var (
	fullStream = stream(
		`{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,"usage":{"input_tokens":10,"cache_creation_input_tokens":7,"cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":3},"cache_read_input_tokens":5,"output_tokens":1}}   }`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}`,
		`{"type": "ping"}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm.\n"}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}`,
		`{"type":"content_block_stop","index":0}`,
		`{"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"ZGF0YQ"}}`,
		`{"type":"content_block_stop","index":1}`,
		`{"type":"content_block_start","index":2,"content_block":{"type":"server_tool_use","id":"s1","name":"web_search","input":{}}}`,
		`{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"query\":"}}`,
		`{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":" \"x\"}"}}`,
		`{"type":"content_block_stop","index":2}`,
		`{"type":"content_block_start","index":3,"content_block":{"type":"text","text":""}}`,
		`{"type":"content_block_delta","index":3,"delta":{"type":"text_delta","text":"Gr\u00fc\u00df \ud83d\ude00 \"Gott\" 日本"}      }`,
		`{"type":"content_block_delta","index":3,"delta":{"type":"citations_delta","citation":{"type":"web_search_result_location","url":"https://x","title":"T","cited_text":"q"}}}`,
		`{"type":"content_block_stop","index":3}`,
		`{"type":"content_block_start","index":4,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{}}}`,
		`{"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta","partial_json":""}}`,
		`{"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta","partial_json":"{\"n\": 1.50}"}}`,
		`{"type":"content_block_stop","index":4}`,
		`{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":12,"cache_creation_input_tokens":7,"cache_read_input_tokens":5,"output_tokens":40,"output_tokens_details":{"thinking_tokens":15},"server_tool_use":{"web_search_requests":2}}}`,
		`{"type":"message_stop"}`,
	)
	fullBody = `{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[
		{"type":"thinking","thinking":"Hm.\n","signature":"c2ln"},{"type":"redacted_thinking","data":"ZGF0YQ"},
		{"type":"server_tool_use","id":"s1","name":"web_search","input":{"query": "x"}},
		{"type":"text","text":"Grüß 😀 \"Gott\" 日本","citations":[{"type":"web_search_result_location","url":"https://x","title":"T","cited_text":"q"}]},
		{"type":"tool_use","id":"toolu_1","name":"f","input":{"n": 1.50}}],
		"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":12,"cache_creation_input_tokens":7,"cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":3},
		"cache_read_input_tokens":5,"output_tokens":40,"output_tokens_details":{"thinking_tokens":15},"server_tool_use":{"web_search_requests":2}}}`
	fullUsage = conversation.Usage{Input: 12, CacheRead: 5, CacheWrite: 4, CacheWrite1h: 3, Output: 25, Reasoning: 15, WebSearches: 2}
)

func TestAStreamFoldsToTheUnaryAnswer(t *testing.T) {
	events, err := readStream(strings.NewReader(fullStream))
	if err != nil {
		t.Fatal(err)
	}
	dialecttest.CheckGrammar(t, events)
	got := fold(events)
	want, err := Codec{}.DecodeResponse([]byte(fullBody))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %s\nwant %s", dialecttest.JSONText(got), dialecttest.JSONText(want))
	}
	if want.Usage != fullUsage {
		t.Errorf("usage %+v", want.Usage)
	}
}

func TestWhatIsWrittenReadsTheSame(t *testing.T) {
	want, err := Codec{}.DecodeResponse([]byte(fullBody))
	if err != nil {
		t.Fatal(err)
	}
	body := Codec{}.EncodeResponse(nil, want, "claude-x")
	dialecttest.SameJSON(t, string(body), fullBody)
	events, err := readStream(strings.NewReader(fullStream))
	if err != nil {
		t.Fatal(err)
	}
	again, err := readStream(strings.NewReader(write(dialects.WriterOptions{Model: "claude-x"}, events...)))
	if err != nil {
		t.Fatal(err)
	}
	dialecttest.CheckGrammar(t, again)
	if got := fold(again); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %s\nwant %s", dialecttest.JSONText(got), dialecttest.JSONText(want))
	}
}

func TestWhereTheNetworkCutsAStreamMakesNoDifference(t *testing.T) {
	want, err := readStream(strings.NewReader(fullStream))
	if err != nil {
		t.Fatal(err)
	}
	for split, r := range dialecttest.Splits(fullStream, len(fullStream)) {
		got, err := readStream(r)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: %v\n%s", split, err, dialecttest.JSONText(got))
		}
	}
}

func TestTheReaderRepairsWhatServersGetWrong(t *testing.T) {
	const start = `{"type":"message_start","message":{"id":"msg_1","model":"m","content":[],"usage":{"input_tokens":1,"output_tokens":1}}}`
	const stop = `{"type":"message_stop"}`
	textStart := `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`
	hello := `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hello"}}`
	for name, tt := range map[string]struct {
		in   string
		want []conversation.Block
		stop conversation.StopReason
		err  error
	}{
		"content in message_start": {
			stream(`{"type":"message_start","message":{"id":"m","model":"m","stop_reason":"tool_use","content":[{"type":"tool_use","id":"t","name":"f","input":{"a":1},"caller":{"type":"direct"}},{"type":"text","text":"x"}]}}`, stop),
			[]conversation.Block{call("t", "f", `{"a":1}`), {Text: "x"}},
			conversation.StopToolCalls, nil,
		},
		"no event names":              {strings.ReplaceAll(stream(start, textStart, hello, stop), "event:", ":"), []conversation.Block{{Text: "hello"}}, 0, nil},
		"a second message_start":      {stream(start, start, textStart, hello, stop), []conversation.Block{{Text: "hello"}}, 0, nil},
		"a block that is not stopped": {stream(start, textStart, hello, textStart, hello, stop), []conversation.Block{{Text: "hello"}, {Text: "hello"}}, 0, nil},
		"a block that is missing":     {stream(start, `{"type":"content_block_start","index":0}`, hello, stop), nil, 0, nil},
		"a delta outside of a block":  {stream(start, hello, stop), nil, 0, nil},
		"text in the block's start":   {stream(start, strings.Replace(textStart, `""`, `"hey"`, 1), hello, stop), []conversation.Block{{Text: "heyhello"}}, 0, nil},
		"an event from the future":    {stream(start, `{"type":"message_sparkle"}`, stop), nil, 0, nil},
		"events after the end":        {stream(start, stop, textStart), nil, 0, nil},
		"a compaction": {
			stream(start, `{"type":"content_block_start","index":0,"content_block":{"type":"compaction","content":null}}`, `{"type":"content_block_delta","index":0,"delta":{"type":"compaction_delta","content":"a\n"}}`, `{"type":"content_block_stop","index":0}`, stop),
			[]conversation.Block{{Kind: conversation.Opaque, Raw: []byte(`{"type":"compaction","content":"a\n"}`), Origin: origin}},
			0, nil,
		},
		"no end":   {stream(start, textStart, hello), []conversation.Block{{Text: "hello"}}, 0, dialects.ErrTruncated},
		"no bytes": {"", nil, 0, dialects.ErrTruncated},
	} {
		t.Run(name, func(t *testing.T) {
			events, err := readStream(strings.NewReader(tt.in))
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			dialecttest.CheckGrammar(t, events)
			got := fold(events).Choices[0]
			if !reflect.DeepEqual(got.Blocks, tt.want) || got.Stop != tt.stop {
				t.Errorf("got  %s\nwant %s", dialecttest.JSONText(got), dialecttest.JSONText(tt.want))
			}
		})
	}
}

func TestBrokenEventsAndErrorEventsAreReported(t *testing.T) {
	if _, err := readStream(strings.NewReader("data: {\"type\":\n\n")); err == nil || errors.Is(err, dialects.ErrTruncated) {
		t.Errorf("a broken event was read with %v", err)
	}
	events, err := readStream(strings.NewReader(stream(`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`)))
	if err != nil || len(events) != 1 || events[0].Error.Status != 529 || events[0].Error.Message != "Overloaded" {
		t.Errorf("got %+v, %v", events, err)
	}
}

// foreign is a stream as another dialect's reader makes it.
func foreign(events ...conversation.Event) []conversation.Event {
	return append([]conversation.Event{{Type: conversation.EventStart, ID: "chatcmpl-9"}}, events...)
}

func TestTheWriterKeepsAnthropicsOrder(t *testing.T) {
	block := func(b conversation.Block) conversation.Event {
		return conversation.Event{Type: conversation.EventBlockStart, Block: &b}
	}
	delta := func(d conversation.DeltaType, s string) conversation.Event {
		return conversation.Event{Type: conversation.EventDelta, Delta: d, Text: s}
	}
	end := conversation.Event{Type: conversation.EventBlockStop}
	usage := conversation.Event{Type: conversation.EventUsage, Usage: conversation.Usage{Input: 3, CacheRead: 2, Output: 4, Reasoning: 1}, UsageKnown: true}
	stop := conversation.Event{Type: conversation.EventStop, Stop: conversation.StopEnd}
	done := conversation.Event{Type: conversation.EventEnd}
	const finish = "D end_turn 3/5\nS\n"
	for name, tt := range map[string]struct {
		in   []conversation.Event
		want string
	}{
		"usage after the stop":  {foreign(block(conversation.Block{}), delta(0, "a"), end, stop, usage, done), "M msg_9 0/1\n0 text\n0 text_delta \"a\"\n0 stop\n" + finish},
		"usage before the stop": {foreign(usage, block(conversation.Block{}), delta(0, "a"), end, stop, done), "M msg_9 0/1\n0 text\n0 text_delta \"a\"\n0 stop\n" + finish},
		"no usage":              {foreign(stop, done), "M msg_9 0/1\nD end_turn 0/0\nS\n"},
		"an empty block leaves no trace": {
			foreign(block(conversation.Block{}), end, block(conversation.Block{Kind: conversation.Thinking}), end, stop, usage, done), "M msg_9 0/1\n" + finish,
		},
		"a stop reason that is missing": {
			foreign(block(call("c", "f", "")), end, usage, done), "M msg_9 0/1\n0 tool_use\n0 stop\nD tool_use 3/5\nS\n",
		},
		"a stop reason that the calls contradict": {
			foreign(block(call("c", "f", "")), end, conversation.Event{Type: conversation.EventStop, Stop: conversation.StopError}, usage, done), "M msg_9 0/1\n0 tool_use\n0 stop\nD tool_use 3/5\nS\n",
		},
		"another vendor's blocks": {
			foreign(block(conversation.Block{Kind: conversation.Opaque, Origin: "responses", Raw: []byte(`{}`)}), delta(0, "x"), end, block(conversation.Block{Text: "y"}), end, stop, usage, done),
			"M msg_9 0/1\n0 text\n0 text_delta \"y\"\n0 stop\n" + finish,
		},
		"another vendor's signature": {
			foreign(block(conversation.Block{Kind: conversation.Thinking, Origin: "gemini"}), delta(conversation.DeltaSignature, "s"), delta(conversation.DeltaThinking, "t"), end, stop, usage, done),
			"M msg_9 0/1\n0 thinking\n0 thinking_delta \"t\"\n0 signature_delta \"~gemini:s\"\n0 stop\n" + finish,
		},
		"thinking that nobody signed": {
			foreign(block(conversation.Block{Kind: conversation.Thinking, Origin: "chat"}), delta(conversation.DeltaThinking, "t"), end, stop, usage, done),
			"M msg_9 0/1\n0 thinking\n0 thinking_delta \"t\"\n0 signature_delta \"~chat:\"\n0 stop\n" + finish,
		},
		"another vendor's signature of a call": {
			foreign(block(conversation.Block{Kind: conversation.Call, Call: &conversation.ToolCall{ID: "c", Name: "f"}, Signature: "s", Origin: "gemini"}), end, usage, done),
			"M msg_9 0/1\n0 thinking\n0 signature_delta \"~gemini:s\"\n0 stop\n1 tool_use\n1 stop\nD tool_use 3/5\nS\n",
		},
		"free text for arguments": {
			foreign(block(conversation.Block{Kind: conversation.Call, Call: &conversation.ToolCall{ID: "c", Name: "f", Custom: true}}), delta(conversation.DeltaArguments, "a\"b"), end, stop, usage, done),
			"M msg_9 0/1\n0 tool_use\n0 input_json_delta \"{\\\"input\\\":\\\"\"\n0 input_json_delta \"a\\\\\\\"b\"\n0 input_json_delta \"\\\"}\"\n0 stop\nD tool_use 3/5\nS\n",
		},
		"a block that is not stopped": {
			foreign(block(conversation.Block{Text: "a"}), block(conversation.Block{Text: "b"}), stop, usage, done),
			"M msg_9 0/1\n0 text\n0 text_delta \"a\"\n0 stop\n1 text\n1 text_delta \"b\"\n1 stop\n" + finish,
		},
		"a second answer": {foreign(conversation.Event{Type: conversation.EventBlockStart, Choice: 1, Block: &conversation.Block{Text: "x"}}, stop, usage, done), "M msg_9 0/1\n" + finish},
		"a ping first":    {[]conversation.Event{{Type: conversation.EventPing}}, "P\n"},
		"an error":        {foreign(conversation.Event{Type: conversation.EventError, Error: &conversation.Error{Status: 503, Message: "m"}}), "M msg_9 0/1\nE overloaded_error\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := outline(t, write(dialects.WriterOptions{Model: "m"}, tt.in...)); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// outline makes a stream short enough to compare, and checks its framing.
func outline(t *testing.T, s string) string {
	t.Helper()
	var b strings.Builder
	dialecttest.EachFrame(t, strings.NewReader(s), func(ev sse.Event) {
		v, _ := dialecttest.Value(t, string(ev.Data)).(map[string]any)
		if v["type"] != string(ev.Name) {
			t.Errorf("event %s of type %v", ev.Name, v["type"])
		}
		get := func(path string) string {
			var at any = v
			for k := range strings.SplitSeq(path, ".") {
				m, _ := at.(map[string]any)
				at = m[k]
			}
			if s, ok := at.(string); ok {
				return s
			}
			return dialecttest.JSONText(at)
		}
		switch v["type"] {
		case "message_start":
			b.WriteString("M " + get("message.id") + " " + get("message.usage.input_tokens") + "/" + get("message.usage.output_tokens"))
		case "content_block_start":
			b.WriteString(get("index") + " " + get("content_block.type"))
		case "content_block_delta":
			b.WriteString(get("index") + " " + get("delta.type"))
			for _, k := range []string{"text", "thinking", "signature", "partial_json"} {
				if s := get("delta." + k); s != "null" {
					b.WriteString(" " + dialecttest.JSONText(s))
				}
			}
		case "content_block_stop":
			b.WriteString(get("index") + " stop")
		case "message_delta":
			b.WriteString("D " + get("delta.stop_reason") + " " + get("usage.input_tokens") + "/" + get("usage.output_tokens"))
		case "message_stop":
			b.WriteString("S")
		case "ping":
			b.WriteString("P")
		case "error":
			b.WriteString("E " + get("error.type"))
		}
		b.WriteString("\n")
	})
	return b.String()
}
