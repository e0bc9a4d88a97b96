package converse

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	_ "github.com/caddy-llm/llmgateway/dialects/messages" // the client
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/internal/sse"
	"github.com/caddy-llm/llmgateway/providers"
)

// decodeMessages decodes what a client of the dialect that is nearest to this one might send.
func decodeMessages(body string) (*conversation.Request, error) {
	codec := dialects.LookupClient(providers.Messages)
	doc := []byte(body)
	var obj jsonedit.Object
	if err := jsonedit.Scan(doc, codec.KnownKeys(), jsonedit.Limits{}, &obj); err != nil {
		return nil, err
	}
	h, err := codec.Head(doc, &obj)
	if err != nil {
		return nil, err
	}
	return codec.(dialects.Decoder).DecodeRequest(doc, h)
}

// FuzzEncodeRequest holds that whatever clients send becomes valid JSON in which roles take turns, for models of all
// families, and that no tool of it has a forbidden name.
func FuzzEncodeRequest(f *testing.F) {
	head := func(members string) string { return `{"model":"m","max_tokens":9,` + members + `}` }
	f.Add(head(`"system":"s","tools":[{"name":"f.g","input_schema":{}}],"thinking":{"type":"adaptive"},"messages":[{"role":"user","content":"x"}]`), uint8(0))
	f.Add(head(`"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a.b","name":"f","input":{}},{"type":"x"}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a.b","content":[{"type":"text","text":"t"}]}]}]`), uint8(1))
	f.Add(head(`"messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","data":"d"},"cache_control":{"type":"ephemeral"}}]}],"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}`), uint8(2))
	f.Add(head(`"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"redacted_thinking","data":"d"}]}],"temperature":1e1,"top_k":3.5,"stop_sequences":["a"," "]`), uint8(3))
	models := []string{sonnet45, nova2, llama, profile, sonnet37, "mistral.m", "qwen.q", "openai.gpt-oss-20b"}
	f.Fuzz(func(t *testing.T, body string, which uint8) {
		r, err := decodeMessages(body)
		if err != nil {
			return
		}
		o := dialects.EncodeOptions{Model: models[int(which)%len(models)], Rewrites: new(conversation.Rewrites)}
		out, _, err := Codec{}.EncodeRequest(nil, r, o)
		if err != nil {
			return
		}
		var doc struct {
			Messages []struct {
				Role    string
				Content []map[string]any
			}
			ToolConfig *struct {
				Tools []struct{ ToolSpec *struct{ Name string } }
			}
		}
		if err := json.Unmarshal(out, &doc); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		for i, m := range doc.Messages {
			if m.Role != [2]string{"user", "assistant"}[i%2] || len(m.Content) == 0 {
				t.Fatalf("message %d of %s", i, out)
			}
			for _, b := range m.Content {
				if (b["toolUse"] != nil || b["toolResult"] != nil) && doc.ToolConfig == nil {
					t.Fatalf("calls without tools: %s", out)
				}
			}
		}
		if doc.ToolConfig != nil {
			for _, tool := range doc.ToolConfig.Tools {
				if s := tool.ToolSpec; s != nil && names.Clean(s.Name) != s.Name {
					t.Fatalf("the tool %q", s.Name)
				}
			}
		}
		count, _, err := Codec{}.EncodeCount(nil, r, o)
		if err != nil || !json.Valid(count) {
			t.Fatalf("%v in %s", err, count)
		}
	})
}

// FuzzDecodeResponse holds that no answer breaks the reader, and that the meter agrees with it.
func FuzzDecodeResponse(f *testing.F) {
	f.Add([]byte(wholeBody))
	f.Add([]byte(`{"output":{"message":{"content":[{"image":{"format":"png","source":{"bytes":"x"}}},null,7,{"text":null}]}},"usage":null,"trace":[]}`))
	f.Add([]byte(`{"message":"x"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		m := Codec{}.NewMeter()
		defer m.Release()
		sig := m.Body(body)
		Codec{}.ParseError(500, body)
		Codec{}.DecodeCount(body)
		r, err := Codec{}.DecodeResponse(body)
		if err != nil {
			return
		}
		if sig != dialects.SignalContent|dialects.SignalTerminal {
			t.Fatalf("the meter signals %b for an answer", sig)
		}
		if m.Observation().Usage != r.Usage || m.Observation().UsageKnown != r.UsageKnown {
			t.Fatalf("usage %+v and %+v", m.Observation().Usage, r.Usage)
		}
		for _, b := range r.Choices[0].Blocks {
			if b.Kind == conversation.Call && b.Call.Arguments != "" && !json.Valid([]byte(b.Call.Arguments)) {
				t.Fatalf("arguments %q", b.Call.Arguments)
			}
		}
	})
}

// FuzzEventReader holds that no sequence of events, however senseless, breaks the grammar, and that the meter agrees with
// the reader about how it ended. A line is a type and its data.
func FuzzEventReader(f *testing.F) {
	f.Add("messageStart {}\ncontentBlockDelta {\"delta\":{\"text\":\"x\"}}\ncontentBlockStop {}\nmessageStop {\"stopReason\":\"end_turn\"}\nmetadata {\"usage\":{\"inputTokens\":1,\"outputTokens\":2}}")
	f.Add("contentBlockStart {\"start\":{\"toolUse\":{\"toolUseId\":\"i\",\"name\":\"n\"}}}\ncontentBlockDelta {\"delta\":{\"toolUse\":{\"input\":\"{}\"}}}\nthrottlingException {\"message\":\"m\"}")
	f.Add("contentBlockDelta {\"delta\":{\"reasoningContent\":{\"redactedContent\":\"?\",\"text\":\"t\",\"signature\":\"s\"},\"citation\":{}}}\nmetadata {}\nmessageStop {}")
	f.Fuzz(func(t *testing.T, lines string) {
		r := Codec{}.NewEventReader()
		m := Codec{}.NewMeter()
		defer m.Release()
		var (
			events []conversation.Event
			all    dialects.Signal
			err    error
		)
		for line := range strings.SplitSeq(lines, "\n") {
			name, data, _ := strings.Cut(line, " ")
			ev := sse.Event{Name: []byte(name), Data: []byte(data)}
			all |= m.Event(ev)
			if events, err = r.Read(ev, events); err != nil {
				return
			}
		}
		if events, err = r.End(events); err == nil && all&(dialects.SignalTerminal|dialects.SignalError) == 0 {
			t.Fatal("the reader saw an end that the meter did not see")
		}
		dialecttest.CheckGrammar(t, events)
	})
}

// FuzzFrames holds that no stream makes the reader panic, read on after damage, or lose a byte of what it returns.
func FuzzFrames(f *testing.F) {
	f.Add([]byte(wholeStream), 7)
	f.Add(frame(`{}`, ":message-type", "exception", ":exception-type", "x"), 1)
	f.Add(rawFrame([]byte("\x01a\x00\x01b\x06\x00\x01c"), ""), 3)
	f.Fuzz(func(t *testing.T, s []byte, size int) {
		r := Codec{}.NewFrameReader(&slow{s: s, size: size&1023 + 1}, 1<<20)
		defer r.Release()
		var raw []byte
		for {
			ev, err := r.Next()
			if err != nil {
				if _, again := r.Next(); again != err {
					t.Fatalf("after %v comes %v", err, again)
				}
				if err == io.EOF && len(raw) != len(s) {
					t.Fatalf("%d bytes of %d", len(raw), len(s))
				}
				break
			}
			raw = append(raw, ev.Raw...)
		}
		if !bytes.HasPrefix(s, raw) {
			t.Fatal("the frames are not the stream")
		}
	})
}

// slow returns a stream in pieces of one size.
type slow struct {
	s    []byte
	size int
}

func (r *slow) Read(p []byte) (int, error) {
	if len(r.s) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), r.size)], r.s)
	r.s = r.s[n:]
	return n, nil
}

// FuzzUsage checks what is made of usage that cannot be true.
func FuzzUsage(f *testing.F) {
	dialecttest.FuzzUsage(f, Codec{}, func(usage string) sse.Event {
		return sse.Event{Name: []byte("metadata"), Data: []byte(`{"usage":` + usage + `}`)}
	}, `{"inputTokens":N,"outputTokens":N,"totalTokens":N,"cacheReadInputTokens":N,"cacheWriteInputTokens":N,"cacheDetails":[{"ttl":"1h","inputTokens":N}]}`,
		`{"inputTokens":N,"outputTokens":N}`)
}
