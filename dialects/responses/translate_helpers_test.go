package responses

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// decode runs a request through Scan, Head and DecodeRequest, as the gateway does.
func decode(body string) (*conversation.Request, error) {
	var obj jsonedit.Object
	doc := []byte(body)
	if err := jsonedit.Scan(doc, knownKeys, jsonedit.Limits{}, &obj); err != nil {
		return nil, err
	}
	h, err := Codec{}.Head(doc, &obj)
	if err != nil {
		return nil, err
	}
	return Codec{}.DecodeRequest(doc, h)
}

func mustDecode(t testing.TB, body string) *conversation.Request {
	t.Helper()
	r, err := decode(body)
	if err != nil {
		t.Fatalf("decoding %s: %v", body, err)
	}
	return r
}

func mustEncode(t testing.TB, r *conversation.Request, o dialects.EncodeOptions) (string, []string) {
	t.Helper()
	out, notes, err := Codec{}.EncodeRequest(nil, r, o)
	if err != nil {
		t.Fatalf("encoding: %v", err)
	}
	if !json.Valid(out) {
		t.Fatalf("the encoded request is not JSON: %s", out)
	}
	return string(out), notes
}

func sameJSON(t testing.TB, got, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("%v in %s", err, want)
	}
	if !reflect.DeepEqual(g, w) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func jsonText(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// readStream reads a stream into events that do not alias any buffer.
func readStream(t testing.TB, src io.Reader) ([]conversation.Event, error) {
	t.Helper()
	var (
		reader   = Codec{}.NewEventReader()
		all, buf []conversation.Event
		failed   error
	)
	eachFrame(t, src, func(ev sse.Event) {
		if failed != nil {
			return
		}
		buf, failed = reader.Read(ev, buf[:0])
		for _, e := range buf {
			e.Text, e.Logprobs = strings.Clone(e.Text), bytes.Clone(e.Logprobs)
			all = append(all, e)
		}
	})
	if failed != nil {
		return all, failed
	}
	return reader.End(all)
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
	var logprobs []string
	for _, e := range events {
		if len(e.Logprobs) > 0 {
			logprobs = append(logprobs, string(e.Logprobs))
		}
		switch e.Type {
		case conversation.EventStart:
			r.ID, r.Model, r.Created, r.Usage, r.UsageKnown = e.ID, e.Model, e.Created, e.Usage, e.UsageKnown
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
	if logprobs != nil {
		c.Logprobs = json.RawMessage(`{"content":[` + strings.Join(logprobs, ",") + `]}`)
	}
	r.Choices = []conversation.Choice{c}
	return r
}

// write writes events as a stream.
func write(o dialects.WriterOptions, events ...conversation.Event) string {
	w := Codec{}.NewEventWriter(o)
	var out []byte
	for i := range events {
		out = w.Append(out, &events[i])
	}
	return string(out)
}
