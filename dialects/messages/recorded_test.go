package messages

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// usageOf reads the usage of a recorded message the slow way.
func usageOf(v map[string]any) (in, out int64) {
	n := func(k string) int64 { f, _ := v[k].(float64); return int64(f) }
	return n("input_tokens") + n("cache_read_input_tokens") + n("cache_creation_input_tokens"), n("output_tokens")
}

func TestRecordedUnaryAnswersAreReadWhole(t *testing.T) {
	dialecttest.EachRecorded(t, "anthropic.messages", func(t *testing.T, rec *dialecttest.Exchange) {
		if rec.Streaming {
			return
		}
		body := []byte(rec.Body)
		m := Codec{}.NewMeter()
		defer m.Release()
		sig := m.Body(body)
		got, err := Codec{}.DecodeResponse(body)
		if rec.Status != 200 {
			var e *conversation.Error
			if sig != dialects.SignalError || !errors.As(err, &e) || e.Status != rec.Status || e.Message == "" {
				t.Fatalf("signal %v, error %v", sig, err)
			}
			return
		}
		if err != nil || sig&dialects.SignalTerminal == 0 {
			t.Fatalf("signal %v, error %v", sig, err)
		}
		var msg struct {
			Content []map[string]any
			Usage   map[string]any
		}
		if err := json.Unmarshal(body, &msg); err != nil {
			t.Fatal(err)
		}
		in, out := usageOf(msg.Usage)
		if got.Usage.TotalInput() != in || got.Usage.TotalOutput() != out || !m.Observation().UsageFinal {
			t.Errorf("usage %+v, want %d in, %d out", got.Usage, in, out)
		}
		// Writing it again gives the same message but for what the gateway makes anew.
		var again struct{ Content []map[string]any }
		if err := json.Unmarshal(Codec{}.EncodeResponse(nil, got, "m"), &again); err != nil {
			t.Fatal(err)
		}
		if len(again.Content) != len(msg.Content) {
			t.Fatalf("%d blocks became %d", len(msg.Content), len(again.Content))
		}
		for i := range msg.Content {
			want := msg.Content[i]
			if want["citations"] == nil {
				delete(want, "citations")
			}
			if !reflect.DeepEqual(again.Content[i], want) {
				t.Errorf("block %d: got %v, want %v", i, again.Content[i], want)
			}
		}
	})
}

func TestRecordedStreamsAreReadWhole(t *testing.T) {
	dialecttest.EachRecorded(t, "anthropic.messages", func(t *testing.T, rec *dialecttest.Exchange) {
		if !rec.Streaming {
			return
		}
		m := Codec{}.NewMeter()
		defer m.Release()
		var signals dialects.Signal
		want := map[string]any{}
		text := ""
		dialecttest.EachFrame(t, strings.NewReader(rec.Body), func(ev sse.Event) {
			signals |= m.Event(ev)
			var e struct {
				Message struct{ Usage map[string]any }
				Usage   map[string]any
				Delta   struct{ Text string }
			}
			if json.Unmarshal(ev.Data, &e) != nil {
				return
			}
			text += e.Delta.Text
			for _, u := range []map[string]any{e.Message.Usage, e.Usage} {
				maps.Copy(want, u)
			}
		})
		events, err := readStream(strings.NewReader(rec.Body))
		if signals&dialects.SignalTerminal == 0 {
			if !errors.Is(err, dialects.ErrTruncated) {
				t.Fatalf("a stream without its end was read with error %v", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		dialecttest.CheckGrammar(t, events)
		if bytewise, err := readStream(iotest.OneByteReader(strings.NewReader(rec.Body))); err != nil || !reflect.DeepEqual(bytewise, events) {
			t.Errorf("byte by byte it reads differently: %v", err)
		}
		got := fold(events)
		in, out := usageOf(want)
		if got.Usage.TotalInput() != in || got.Usage.TotalOutput() != out || !m.Observation().UsageFinal {
			t.Errorf("usage %+v, want %d in, %d out", got.Usage, in, out)
		}
		var gotText string
		for _, b := range got.Choices[0].Blocks {
			if b.Kind == conversation.Text {
				gotText += b.Text
			}
		}
		if gotText != text {
			t.Errorf("text %q, want %q", gotText, text)
		}
		// The writer's stream says the same as the one that was read.
		again, err := readStream(strings.NewReader(write(dialects.WriterOptions{Model: got.Model}, events...)))
		if err != nil {
			t.Fatal(err)
		}
		dialecttest.CheckGrammar(t, again)
		if g := fold(again); !reflect.DeepEqual(g, got) {
			t.Errorf("written and read again:\n%s\nwant\n%s", dialecttest.JSONText(g), dialecttest.JSONText(got))
		}
	})
}

func TestRecordedRequestsSurviveDecodingAndEncoding(t *testing.T) {
	dialecttest.EachRecorded(t, "anthropic.messages", func(t *testing.T, rec *dialecttest.Exchange) {
		if rec.Request == nil {
			return
		}
		r := dialecttest.MustDecode(t, Codec{}, string(rec.Request))
		got, notes := dialecttest.MustEncode(t, Codec{}, r, dialects.EncodeOptions{Model: r.Model})
		for _, n := range notes {
			if !strings.HasPrefix(n, "tools.") {
				t.Errorf("dropped %s", n)
			}
		}
		var g, w any
		if err := errors.Join(json.Unmarshal([]byte(got), &g), json.Unmarshal(rec.Request, &w)); err != nil {
			t.Fatal(err)
		}
		if g, w = normal(g), normal(w); !reflect.DeepEqual(g, w) {
			t.Errorf("got  %s\nwant %s", dialecttest.JSONText(g), dialecttest.JSONText(w))
		}
	})
}

// normal applies the normalizations that the package documents to a request.
func normal(v any) any {
	req := v.(map[string]any)
	if req["stream"] == false {
		delete(req, "stream")
	}
	blocksOf(req, "system")
	var merged []any
	for _, m := range req["messages"].([]any) {
		msg := m.(map[string]any)
		blocksOf(msg, "content")
		if n := len(merged); n > 0 && merged[n-1].(map[string]any)["role"] == msg["role"] {
			last := merged[n-1].(map[string]any)
			last["content"] = append(last["content"].([]any), msg["content"].([]any)...)
			continue
		}
		merged = append(merged, msg)
	}
	req["messages"] = merged
	tools, _ := req["tools"].([]any)
	for _, t := range tools {
		tool := t.(map[string]any)
		if _, isFunction := tool["input_schema"]; isFunction {
			delete(tool, "defer_loading")
			if tool["description"] == "" {
				delete(tool, "description")
			}
		}
	}
	if len(tools) == 0 {
		delete(req, "tools")
	}
	for k, v := range req {
		if v == nil {
			delete(req, k)
		}
	}
	return req
}

// blocksOf turns a string into a text block and drops texts that say nothing, also inside of tool results.
func blocksOf(parent map[string]any, key string) {
	switch c := parent[key].(type) {
	case string:
		parent[key] = []any{map[string]any{"type": "text", "text": c}}
	case []any:
		var kept []any
		for _, b := range c {
			block := b.(map[string]any)
			if text, ok := block["text"].(string); ok && block["type"] == "text" && strings.TrimSpace(text) == "" {
				continue
			}
			if block["type"] == "tool_result" {
				blocksOf(block, "content")
				if block["is_error"] == false {
					delete(block, "is_error")
				}
			}
			kept = append(kept, block)
		}
		parent[key] = kept
	}
}

func TestRecordedTokenCountsCostNothing(t *testing.T) {
	dialecttest.EachRecorded(t, "anthropic.count_tokens", func(t *testing.T, rec *dialecttest.Exchange) {
		m := Codec{}.NewMeter()
		defer m.Release()
		if sig := m.Body([]byte(rec.Body)); sig != 0 || m.Observation().UsageKnown {
			t.Errorf("signal %v, %+v", sig, m.Observation())
		}
	})
}
