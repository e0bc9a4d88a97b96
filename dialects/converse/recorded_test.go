package converse

import (
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// recording is one exchange with the real API.
type recording struct {
	Response struct {
		Status         int
		Encoding, Body string
	}
}

// stream is the bytes of a streamed answer; empty for a whole one.
func (r *recording) stream(t *testing.T) string {
	if r.Response.Encoding != "base64" {
		return ""
	}
	b, err := base64.StdEncoding.DecodeString(r.Response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// eachRecording runs f for every recorded exchange of an endpoint.
func eachRecording(t *testing.T, endpoint string, f func(t *testing.T, r recording)) {
	root := os.Getenv("LLMGATEWAY_RECORDED")
	if root == "" {
		t.Skip("LLMGATEWAY_RECORDED does not name a folder of recorded exchanges")
	}
	files, err := filepath.Glob(filepath.Join(root, endpoint, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings in %s: %v", root, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var r recording
			if err := json.Unmarshal(data, &r); err != nil {
				t.Fatal(err)
			}
			f(t, r)
		})
	}
}

// recordedUsage reads a recorded usage the slow way.
type recordedUsage struct {
	InputTokens, OutputTokens, CacheReadInputTokens, CacheWriteInputTokens int64
}

func (u recordedUsage) equals(c conversation.Usage) bool {
	return c.Input == u.InputTokens && c.TotalOutput() == u.OutputTokens && c.CacheRead == u.CacheReadInputTokens &&
		c.CacheWrite+c.CacheWrite1h == u.CacheWriteInputTokens
}

func TestRecordedAnswersAreReadWhole(t *testing.T) {
	eachRecording(t, "bedrock.converse", func(t *testing.T, rec recording) {
		if rec.Response.Encoding == "base64" {
			return
		}
		body := []byte(rec.Response.Body)
		if rec.Response.Status != 200 {
			if e := (Codec{}).ParseError(rec.Response.Status, body); e.Message == "" {
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
	eachRecording(t, "bedrock.converse", func(t *testing.T, rec recording) {
		s := rec.stream(t)
		if s == "" {
			return
		}
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
	eachRecording(t, "bedrock.converse", func(t *testing.T, rec recording) {
		s := rec.stream(t)
		if s == "" {
			return
		}
		want := mustRead(t, s)
		cuts := make([]int, 0, 1000)
		for i := range min(len(s), cap(cuts)) {
			if len(s) > cap(cuts) {
				i = rand.IntN(len(s))
			}
			cuts = append(cuts, i)
		}
		for _, cut := range cuts {
			got, err := readStream(&chunks{pieces: []string{s[:cut], s[cut:]}})
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("cut at %d of %d: %d events of %d, %v", cut, len(s), len(got), len(want), err)
			}
		}
		if got, err := readStream(&chunks{pieces: strings.Split(s, "")}); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("byte by byte: %d events of %d, %v", len(got), len(want), err)
		}
	})
}

func TestRecordedStreamsThatAreCutOffAreNoAnswers(t *testing.T) {
	eachRecording(t, "bedrock.converse", func(t *testing.T, rec recording) {
		s := rec.stream(t)
		if s == "" {
			return
		}
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
	eachRecording(t, "bedrock.count_tokens", func(t *testing.T, rec recording) {
		n, ok := Codec{}.DecodeCount([]byte(rec.Response.Body))
		if ok != (rec.Response.Status == 200) || ok && n <= 0 {
			t.Errorf("status %d, count %d, %v", rec.Response.Status, n, ok)
		}
	})
}
