package converse

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// recordedUsage reads a recorded usage the slow way.
type recordedUsage struct {
	InputTokens, OutputTokens, CacheReadInputTokens, CacheWriteInputTokens int64
}

func (u recordedUsage) equals(c conversation.Usage) bool {
	return c.Input == u.InputTokens && c.TotalOutput() == u.OutputTokens && c.CacheRead == u.CacheReadInputTokens &&
		c.CacheWrite+c.CacheWrite1h == u.CacheWriteInputTokens
}

func TestRecordedAnswersAreReadWhole(t *testing.T) {
	dialecttest.EachRecorded(t, "bedrock.converse", func(t *testing.T, rec *dialecttest.Exchange) {
		if rec.Streaming {
			return
		}
		body := []byte(rec.Body)
		if rec.Status != 200 {
			if e := (Codec{}).ParseError(rec.Status, body); e.Message == "" {
				t.Errorf("no message in %s", body)
			}
			return
		}
		m := Codec{}.NewMeter()
		defer m.Release()
		sig := m.Body(body)
		got, err := Codec{}.DecodeResponse(body)
		if err != nil || sig != dialects.SignalContent|dialects.SignalTerminal {
			t.Fatalf("signal %b, error %v", sig, err)
		}
		var want struct {
			Output struct {
				Message struct{ Content []map[string]any }
			}
			Usage recordedUsage
		}
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatal(err)
		}
		c := &got.Choices[0]
		if len(c.Blocks) != len(want.Output.Message.Content) {
			t.Errorf("%d blocks of %d", len(c.Blocks), len(want.Output.Message.Content))
		}
		if !want.Usage.equals(got.Usage) || !got.UsageKnown || m.Observation().Usage != got.Usage || !m.Observation().UsageFinal {
			t.Errorf("usage %+v, want %+v", got.Usage, want.Usage)
		}
		if c.Stop == conversation.StopUnknown || m.Observation().Stop != c.Stop {
			t.Errorf("stop %d", c.Stop)
		}
	})
}

func TestRecordedStreamsAreReadWhole(t *testing.T) {
	dialecttest.EachRecorded(t, "bedrock.converse", func(t *testing.T, rec *dialecttest.Exchange) {
		if !rec.Streaming {
			return
		}
		s := rec.Body
		var texts, thinking, arguments strings.Builder
		var usage recordedUsage
		blocks := map[int]bool{}
		if err := eachFrame(strings.NewReader(s), func(ev sse.Event) {
			var e struct {
				ContentBlockIndex *int
				Delta             struct {
					Text             string
					ToolUse          struct{ Input string }
					ReasoningContent struct{ Text string }
				}
				Usage *recordedUsage
			}
			if err := json.Unmarshal(ev.Data, &e); err != nil {
				t.Fatalf("%v in %s", err, ev.Data)
			}
			if e.ContentBlockIndex != nil && string(ev.Name) != "contentBlockStop" {
				blocks[*e.ContentBlockIndex] = true
			}
			texts.WriteString(e.Delta.Text)
			arguments.WriteString(e.Delta.ToolUse.Input)
			thinking.WriteString(e.Delta.ReasoningContent.Text)
			if e.Usage != nil {
				usage = *e.Usage
			}
		}); err != nil {
			t.Fatal(err)
		}
		r := fold(mustRead(t, s))
		var got [3]string
		for _, b := range r.Choices[0].Blocks {
			switch b.Kind {
			case conversation.Text:
				got[0] += b.Text
			case conversation.Thinking:
				got[1] += b.Text
			case conversation.Call:
				got[2] += b.Call.Arguments
			}
		}
		if want := [3]string{texts.String(), thinking.String(), arguments.String()}; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if n := len(r.Choices[0].Blocks); n > len(blocks) {
			t.Errorf("%d blocks of %d", n, len(blocks))
		}
		m, _ := watch(t, s)
		defer m.Release()
		if !usage.equals(r.Usage) || m.Observation().Usage != r.Usage || !m.Observation().UsageFinal {
			t.Errorf("usage %+v, want %+v", r.Usage, usage)
		}
		if want := int64(texts.Len() + thinking.Len() + arguments.Len()); m.Observation().OutputBytes != want {
			t.Errorf("%d bytes of output, want %d", m.Observation().OutputBytes, want)
		}
	})
}

// TestRecordedStreamsAreTheSameHoweverTheyArrive cuts short streams anywhere and long ones in a thousand places.
func TestRecordedStreamsAreTheSameHoweverTheyArrive(t *testing.T) {
	dialecttest.EachRecorded(t, "bedrock.converse", func(t *testing.T, rec *dialecttest.Exchange) {
		if !rec.Streaming {
			return
		}
		s := rec.Body
		want := mustRead(t, s)
		for split, r := range dialecttest.Splits(s, 1000) {
			got, err := readStream(r)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("%s: %d events of %d, %v", split, len(got), len(want), err)
			}
		}
	})
}

func TestRecordedStreamsThatAreCutOffAreNoAnswers(t *testing.T) {
	dialecttest.EachRecorded(t, "bedrock.converse", func(t *testing.T, rec *dialecttest.Exchange) {
		if !rec.Streaming {
			return
		}
		s := rec.Body
		var ends []int // of the frames before the stop
		at := 0
		if err := eachFrame(strings.NewReader(s), func(ev sse.Event) {
			if at += len(ev.Raw); string(ev.Name) != "messageStop" && string(ev.Name) != "metadata" {
				ends = append(ends, at)
			}
		}); err != nil {
			t.Fatal(err)
		}
		for _, end := range ends {
			for _, cut := range []int{end, end - 1} {
				if _, err := readStream(strings.NewReader(s[:cut])); err == nil {
					t.Fatalf("a stream cut at %d of %d was read as an answer", cut, len(s))
				}
			}
		}
	})
}

func TestRecordedTokenCountsAreRead(t *testing.T) {
	dialecttest.EachRecorded(t, "bedrock.count_tokens", func(t *testing.T, rec *dialecttest.Exchange) {
		n, ok := Codec{}.DecodeCount([]byte(rec.Body))
		if ok != (rec.Status == 200) || ok && n <= 0 {
			t.Errorf("status %d, count %d, %v", rec.Status, n, ok)
		}
	})
}
