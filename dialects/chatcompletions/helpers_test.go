package chatcompletions

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// dump prints events one per line.
func dump(events []conversation.Event) string {
	var b strings.Builder
	for _, ev := range events {
		at := fmt.Sprintf("%d.%d", ev.Choice, ev.Index)
		switch ev.Type {
		case conversation.EventStart:
			fmt.Fprintf(&b, "start %s %s %d\n", ev.ID, ev.Model, ev.Created)
		case conversation.EventBlockStart:
			fmt.Fprintf(&b, "block %s %s", at, dialecttest.KindName(ev.Block.Kind))
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
			fmt.Fprintf(&b, "usage %s\n", dialecttest.UsageText(ev.Usage))
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

// frames calls f for every frame of a stream.
func frames(r io.Reader, f func(sse.Event) error) error {
	return dialecttest.Frames(sse.NewReader(r, 0), f)
}

// readEvents reads a whole stream.
func readEvents(r io.Reader) ([]conversation.Event, error) {
	return dialecttest.ReadEvents(sse.NewReader(r, 0), Codec{}.NewEventReader())
}

// fold puts a stream together as a response.
func fold(events []conversation.Event) *conversation.Response {
	return dialecttest.Fold(origin, events)
}
