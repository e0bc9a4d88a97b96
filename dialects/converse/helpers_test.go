package converse

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// frame builds a frame of a stream from pairs of header names and texts.
func frame(payload string, headers ...string) []byte {
	var h []byte
	for i := 0; i < len(headers); i += 2 {
		h = append(append(h, byte(len(headers[i]))), headers[i]...)
		h = binary.BigEndian.AppendUint16(append(h, textType), uint16(len(headers[i+1])))
		h = append(h, headers[i+1]...)
	}
	return rawFrame(h, payload)
}

func rawFrame(headers []byte, payload string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(preludeLen+len(headers)+len(payload)+trailerLen))
	b = binary.BigEndian.AppendUint32(b, uint32(len(headers)))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(append(b, headers...), payload...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// event builds the frame of an event as Bedrock sends it, with its padding.
func event(kind, payload string) []byte {
	payload = strings.TrimSuffix(payload, "}") + `,"p":"abcd"}`
	return frame(strings.Replace(payload, "{,", "{", 1), ":event-type", kind, ":content-type", "application/json", ":message-type", "event")
}

// stream joins events, given as their type and payload in one: "messageStop {…}".
func stream(events ...string) string {
	var b []byte
	for _, e := range events {
		kind, payload, _ := strings.Cut(e, " ")
		b = append(b, event(kind, payload)...)
	}
	return string(b)
}

// chunks returns its pieces one Read at a time.
type chunks struct{ pieces []string }

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.pieces) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.pieces[0])
	if c.pieces[0] = c.pieces[0][n:]; c.pieces[0] == "" {
		c.pieces = c.pieces[1:]
	}
	return n, nil
}

// eachFrame calls f with every frame of a stream, and returns why it ended, nil for a clean end.
func eachFrame(src io.Reader, f func(sse.Event)) error {
	r := Codec{}.NewFrameReader(src, 0)
	defer r.Release()
	for {
		ev, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		f(ev)
	}
}

// readStream reads a stream into events that do not alias any buffer.
func readStream(src io.Reader) ([]conversation.Event, error) {
	var (
		reader   = Codec{}.NewEventReader()
		all, buf []conversation.Event
		failed   error
	)
	err := eachFrame(src, func(ev sse.Event) {
		if failed != nil {
			return
		}
		buf, failed = reader.Read(ev, buf[:0])
		for _, e := range buf {
			e.Text = strings.Clone(e.Text)
			all = append(all, e)
		}
	})
	if err = errors.Join(err, failed); err != nil {
		return all, err
	}
	return reader.End(all)
}

func mustRead(t testing.TB, s string) []conversation.Event {
	t.Helper()
	events, err := readStream(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	checkGrammar(t, events)
	return events
}

// checkGrammar reports the first event that breaks the grammar of conversation.Event.
func checkGrammar(t testing.TB, events []conversation.Event) {
	t.Helper()
	next, open, started, stopped := 0, false, false, false
	for i, e := range events {
		ok := true
		switch e.Type {
		case conversation.EventStart:
			ok, started = !started, true
		case conversation.EventBlockStart:
			ok, open = started && !open && !stopped && e.Index == next && e.Block != nil, true
		case conversation.EventDelta:
			ok = open && e.Index == next
		case conversation.EventBlockStop:
			ok, open = open && e.Index == next, false
			next++
		case conversation.EventUsage:
			ok = started
		case conversation.EventStop:
			ok, stopped = !open && !stopped, true
		case conversation.EventEnd:
			ok = stopped && i == len(events)-1
		case conversation.EventError:
			ok = i == len(events)-1
		}
		if !ok {
			t.Fatalf("event %d of %d breaks the grammar: %+v", i, len(events), e)
		}
	}
}

// fold makes a response of a stream.
func fold(events []conversation.Event) *conversation.Response {
	r := &conversation.Response{Origin: origin}
	var c conversation.Choice
	for _, e := range events {
		switch e.Type {
		case conversation.EventBlockStart:
			b := *e.Block
			if b.Call != nil {
				call := *b.Call
				b.Call = &call
			}
			c.Blocks = append(c.Blocks, b)
		case conversation.EventDelta:
			b := &c.Blocks[len(c.Blocks)-1]
			switch e.Delta {
			case conversation.DeltaArguments:
				b.Call.Arguments += e.Text
			case conversation.DeltaSignature:
				b.Signature += e.Text
			case conversation.DeltaCitation:
				b.Citations = append(b.Citations, *e.Citation)
			default:
				b.Text += e.Text
			}
		case conversation.EventUsage:
			r.Usage, r.UsageKnown = e.Usage, e.UsageKnown
		case conversation.EventStop:
			c.Stop, c.StopSequence, c.StopDetail = e.Stop, e.StopSequence, e.StopDetail
		}
	}
	r.Choices = []conversation.Choice{c}
	return r
}

// encode encodes a request, which has to be valid JSON.
func encode(t testing.TB, r *conversation.Request, model string) (string, []string) {
	t.Helper()
	out, notes, err := Codec{}.EncodeRequest(nil, r, dialects.EncodeOptions{Model: model, Rewrites: new(conversation.Rewrites)})
	if err != nil {
		t.Fatalf("encoding: %v", err)
	}
	if !json.Valid(out) {
		t.Fatalf("encoded request is not JSON: %s", out)
	}
	return string(out), notes
}

// value parses JSON for comparison by value.
func value(t testing.TB, doc string) any {
	t.Helper()
	var v any
	d := json.NewDecoder(strings.NewReader(doc))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, doc)
	}
	return v
}

func sameJSON(t testing.TB, got, want string) {
	t.Helper()
	if !reflect.DeepEqual(value(t, got), value(t, want)) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Short words for requests.

func user(blocks ...conversation.Block) conversation.Message {
	return conversation.Message{Role: conversation.User, Blocks: blocks}
}

func assistant(blocks ...conversation.Block) conversation.Message {
	return conversation.Message{Role: conversation.Assistant, Blocks: blocks}
}

func text(s string) conversation.Block { return conversation.Block{Text: s} }

func call(id, name, arguments string) conversation.Block {
	return conversation.Block{Kind: conversation.Call, Call: &conversation.ToolCall{ID: id, Name: name, Arguments: arguments}}
}

func result(id string, content ...conversation.Block) conversation.Block {
	return conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{CallID: id, Content: content}}
}

func marked(b conversation.Block, ttl string) conversation.Block {
	b.Cache = &conversation.CacheMark{TTL: ttl}
	return b
}

func media(k conversation.Kind, m conversation.Media) conversation.Block {
	return conversation.Block{Kind: k, Media: &m}
}
