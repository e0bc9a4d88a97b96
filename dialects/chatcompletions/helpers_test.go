package chatcompletions

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// head scans a request body and reads its head, as the gateway does.
func head(doc []byte) (*jsonedit.Object, dialects.Head, error) {
	obj := new(jsonedit.Object)
	if err := jsonedit.Scan(doc, Codec{}.KnownKeys(), jsonedit.Limits{}, obj); err != nil {
		return nil, dialects.Head{}, err
	}
	h, err := Codec{}.Head(doc, obj)
	return obj, h, err
}

func decode(doc string) (*conversation.Request, error) {
	_, h, err := head([]byte(doc))
	if err != nil {
		return nil, err
	}
	return Codec{}.DecodeRequest([]byte(doc), h)
}

func mustDecode(t *testing.T, doc string) *conversation.Request {
	t.Helper()
	r, err := decode(doc)
	if err != nil {
		t.Fatalf("DecodeRequest: %v", err)
	}
	return r
}

// frames calls f for every frame of a stream.
func frames(r io.Reader, f func(sse.Event) error) error {
	reader := sse.NewReader(r, 0)
	defer reader.Release()
	for {
		ev, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f(ev); err != nil {
			return err
		}
	}
}

// readEvents reads a whole stream; the events are copies that stay valid.
func readEvents(r io.Reader) ([]conversation.Event, error) {
	er := Codec{}.NewEventReader()
	var all, out []conversation.Event
	keep := func() {
		for _, ev := range out {
			ev.Text = strings.Clone(ev.Text)
			ev.Logprobs = slices.Clone(ev.Logprobs)
			all = append(all, ev)
		}
	}
	err := frames(r, func(ev sse.Event) (err error) {
		out, err = er.Read(ev, out[:0])
		keep()
		return err
	})
	if err != nil {
		return all, err
	}
	out, err = er.End(out[:0])
	keep()
	return all, err
}

// dump prints events one per line.
func dump(events []conversation.Event) string {
	var b strings.Builder
	for _, ev := range events {
		at := fmt.Sprintf("%d.%d", ev.Choice, ev.Index)
		switch ev.Type {
		case conversation.EventStart:
			fmt.Fprintf(&b, "start %s %s %d\n", ev.ID, ev.Model, ev.Created)
		case conversation.EventBlockStart:
			fmt.Fprintf(&b, "block %s %s", at, kindName(ev.Block.Kind))
			if c := ev.Block.Call; c != nil {
				fmt.Fprintf(&b, " %s %s", c.ID, c.Name)
			}
			if ev.Block.Media != nil {
				fmt.Fprintf(&b, " %+v %q", *ev.Block.Media, ev.Block.Text)
			}
			if ev.Block.Signature != "" {
				fmt.Fprintf(&b, " signed %s %s", ev.Block.Origin, ev.Block.Signature)
			}
			b.WriteByte('\n')
		case conversation.EventDelta:
			if ev.Delta == conversation.DeltaCitation {
				fmt.Fprintf(&b, "cite %s %s %q %d-%d\n", at, ev.Citation.URL, ev.Citation.Title, ev.Citation.Start, ev.Citation.End)
				continue
			}
			fmt.Fprintf(&b, "delta %s %q", at, ev.Text)
			if ev.Delta == conversation.DeltaSignature {
				b.WriteString(" signature")
			}
			if ev.Logprobs != nil {
				fmt.Fprintf(&b, " logprobs %s", ev.Logprobs)
			}
			b.WriteByte('\n')
		case conversation.EventBlockStop:
			fmt.Fprintf(&b, "close %s", at)
			if ev.Block != nil {
				fmt.Fprintf(&b, " signed %s %s", ev.Block.Origin, ev.Block.Signature)
			}
			b.WriteByte('\n')
		case conversation.EventUsage:
			fmt.Fprintf(&b, "usage %+v\n", ev.Usage)
		case conversation.EventStop:
			fmt.Fprintf(&b, "stop %d %s", ev.Choice, finishReason(ev.Stop))
			if ev.StopSequence != "" {
				fmt.Fprintf(&b, " %q", ev.StopSequence)
			}
			b.WriteByte('\n')
		case conversation.EventEnd:
			b.WriteString("end\n")
		case conversation.EventError:
			fmt.Fprintf(&b, "error %d %s %s %q\n", ev.Error.Status, ev.Error.Type, ev.Error.Code, ev.Error.Message)
		case conversation.EventPing:
			b.WriteString("ping\n")
		}
	}
	return b.String()
}

func kindName(k conversation.Kind) string {
	return [...]string{"text", "image", "document", "audio", "video", "call", "result", "thinking", "refusal", "opaque"}[k]
}

// checkGrammar reports the first breach of the order that package conversation promises to writers.
func checkGrammar(events []conversation.Event) error {
	var started, ended bool
	open, next, stopped := map[int]int{}, map[int]int{}, map[int]bool{}
	for i, ev := range events {
		bad := func(what string) error { return fmt.Errorf("event %d: %s", i, what) }
		current, isOpen := open[ev.Choice]
		switch {
		case ended:
			return bad("after the end")
		case ev.Type == conversation.EventPing:
			continue
		case ev.Type == conversation.EventError:
			ended = true
			continue
		case ev.Type == conversation.EventStart:
			if started {
				return bad("second start")
			}
			started = true
			continue
		case !started:
			return bad("before the start")
		}
		switch ev.Type {
		case conversation.EventBlockStart:
			if isOpen || stopped[ev.Choice] || ev.Index != next[ev.Choice] {
				return bad("block out of order")
			}
			open[ev.Choice] = ev.Index
			next[ev.Choice]++
		case conversation.EventDelta:
			if !isOpen || current != ev.Index {
				return bad("delta outside of its block")
			}
		case conversation.EventBlockStop:
			if !isOpen || current != ev.Index {
				return bad("stop of a block that is not open")
			}
			delete(open, ev.Choice)
		case conversation.EventStop:
			if isOpen || stopped[ev.Choice] {
				return bad("stop out of order")
			}
			stopped[ev.Choice] = true
		case conversation.EventEnd:
			if len(stopped) == 0 {
				return bad("end without stop")
			}
			ended = true
		}
	}
	return nil
}

// fold puts a stream together as a response.
func fold(events []conversation.Event) *conversation.Response {
	r := &conversation.Response{Origin: origin}
	for _, ev := range events {
		for ev.Type != conversation.EventStart && len(r.Choices) <= ev.Choice {
			r.Choices = append(r.Choices, conversation.Choice{})
		}
		switch ev.Type {
		case conversation.EventStart:
			r.ID, r.Model, r.Created = ev.ID, ev.Model, ev.Created
		case conversation.EventBlockStart:
			c := &r.Choices[ev.Choice]
			c.Blocks = append(c.Blocks, *ev.Block)
		case conversation.EventDelta:
			foldDelta(&r.Choices[ev.Choice].Blocks[ev.Index], &ev)
		case conversation.EventBlockStop:
			if late := ev.Block; late != nil {
				b := &r.Choices[ev.Choice].Blocks[ev.Index]
				b.Signature, b.Origin = late.Signature, late.Origin
			}
		case conversation.EventUsage:
			r.Usage, r.UsageKnown = ev.Usage, true
		case conversation.EventStop:
			r.Choices[ev.Choice].Stop = ev.Stop
		}
	}
	return r
}

func foldDelta(b *conversation.Block, ev *conversation.Event) {
	switch ev.Delta {
	case conversation.DeltaArguments:
		b.Call.Arguments += ev.Text
	case conversation.DeltaCitation:
		b.Citations = append(b.Citations, *ev.Citation)
	case conversation.DeltaSignature:
		b.Signature += ev.Text
	default:
		b.Text += ev.Text
	}
}

// golden compares got with a file, or rewrites the file with -update.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s differs\n--- want\n%s\n--- got\n%s", path, want, got)
	}
}

// cases lists the folders below testdata/name.
func cases(t *testing.T, name string) []string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join("testdata", name, "*"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no test cases in testdata/%s: %v", name, err)
	}
	return dirs
}

func mustRead(t *testing.T, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// mustValid fails the test unless got is valid JSON.
func mustValid(t *testing.T, got []byte) gjson.Result {
	t.Helper()
	if !gjson.ValidBytes(got) {
		t.Fatalf("not valid JSON: %s", got)
	}
	return gjson.ParseBytes(got)
}
