package sse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// event is an Event that outlives the Reader. none stands for nil.
type event struct {
	raw, name, data string
	incomplete      bool
}

const none = "(none)"

func (e event) String() string {
	return fmt.Sprintf("{%q %q %q %v}", e.raw, e.name, e.data, e.incomplete)
}

func text(b []byte) string {
	if b == nil {
		return none
	}
	return string(b)
}

// pieces returns the stream in the given pieces, one with each Read.
type pieces struct {
	rest [][]byte
	err  error // at the end; nil means io.EOF
}

func (p *pieces) Read(b []byte) (int, error) {
	for len(p.rest) > 0 && len(p.rest[0]) == 0 {
		p.rest = p.rest[1:]
	}
	if len(p.rest) == 0 {
		if p.err != nil {
			return 0, p.err
		}
		return 0, io.EOF
	}
	n := copy(b, p.rest[0])
	p.rest[0] = p.rest[0][n:]
	return n, nil
}

// cut splits a stream at the given offsets.
func cut(stream []byte, at ...int) *pieces {
	var p pieces
	from := 0
	for _, k := range at {
		p.rest = append(p.rest, stream[from:k])
		from = k
	}
	p.rest = append(p.rest, stream[from:])
	return &p
}

// readAll returns all events of a stream and the error that ended it.
func readAll(src io.Reader, maxEvent int) ([]event, error) {
	r := NewReader(src, maxEvent)
	defer r.Release()
	var events []event
	for {
		ev, err := r.Next()
		if err != nil {
			return events, err
		}
		events = append(events, event{string(ev.Raw), text(ev.Name), text(ev.Data), ev.Incomplete})
	}
}

// spoken are the events that say something, without their Raw; where a stream is split must make no difference to
// them.
func spoken(events []event) (said []event, raw string) {
	for _, ev := range events {
		raw += ev.raw
		if ev.name != none || ev.data != none {
			ev.raw = ""
			said = append(said, ev)
		}
	}
	return said, raw
}

func TestStreamsAreReadAsTheStandardSays(t *testing.T) {
	for _, tt := range streams {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readAll(strings.NewReader(tt.stream), 0)
			if err != io.EOF || !slices.Equal(got, tt.want) {
				t.Errorf("got  %v, %v\nwant %v", got, err, tt.want)
			}
		})
	}
}

// said returns what a stream says when it arrives at once.
func said(stream []byte) []event {
	whole, _ := readAll(bytes.NewReader(stream), 0)
	events, _ := spoken(whole)
	return events
}

// checkSplit reads a stream in pieces and compares with what it says at once.
func checkSplit(t *testing.T, stream []byte, want []event, at ...int) {
	t.Helper()
	events, err := readAll(cut(stream, at...), 0)
	got, raw := spoken(events)
	if err != io.EOF || !slices.Equal(got, want) || raw != string(stream) {
		t.Fatalf("split at %v: got %v, %v\nwant %v", at, events, err, want)
	}
}

func TestWhereReadsSplitAStreamMakesNoDifference(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var all []byte
	for _, tt := range streams {
		all = append(all, tt.stream...)
	}
	fixtures := [][]byte{all, bytes.Repeat(all, 6)} // larger than a buffer
	for _, tt := range streams {
		fixtures = append(fixtures, []byte(tt.stream))
	}
	for _, stream := range fixtures {
		if len(stream) == 0 {
			continue
		}
		want := said(stream)
		for k := range len(stream) {
			checkSplit(t, stream, want, k)
		}
		for range 1000 {
			at := make([]int, 1+rnd.IntN(min(len(stream), 40)))
			for i := range at {
				at[i] = rnd.IntN(len(stream) + 1)
			}
			slices.Sort(at)
			checkSplit(t, stream, want, at...)
		}
		single, err := readAll(iotest.OneByteReader(bytes.NewReader(stream)), 0)
		if got, raw := spoken(single); err != io.EOF || !slices.Equal(got, want) || raw != string(stream) {
			t.Fatalf("byte for byte: got %v, %v, want %v", single, err, want)
		}
		atEnd, err := readAll(iotest.DataErrReader(bytes.NewReader(stream)), 0)
		if got, raw := spoken(atEnd); err != io.EOF || !slices.Equal(got, want) || raw != string(stream) {
			t.Fatalf("EOF together with data: got %v, %v, want %v", atEnd, err, want)
		}
	}
}

func TestALoneCRDoesNotHoldBackItsEvent(t *testing.T) {
	src := cut([]byte("data: x\r\n\r\ndata: y\r\n\r\n"), 10, 11)
	r := NewReader(src, 0)
	defer r.Release()
	want := []event{{"data: x\r\n\r", none, "x", false}, {"\n", none, none, false}, {"data: y\r\n\r\n", none, "y", false}}
	for i, w := range want {
		left := len(src.rest)
		ev, err := r.Next()
		if got := (event{string(ev.Raw), text(ev.Name), text(ev.Data), false}); err != nil || got != w {
			t.Errorf("got %v, %v, want %v", got, err, w)
		}
		if i == 0 && (left != 3 || len(src.rest[1]) == 0) {
			t.Error("the LF was waited for")
		}
	}
}

func TestBufferedSeesWhatNextCanReturnWithoutReading(t *testing.T) {
	src := cut([]byte("data: a\n\ndata: b\ndata: c\n\ndata: d\n"), 9+18+5)
	r := NewReader(src, 0)
	defer r.Release()
	if r.Buffered() {
		t.Error("an event before anything was read")
	}
	first, err := r.Next()
	if err != nil || !r.Buffered() || !r.Buffered() {
		t.Fatal("the second event arrived with the first one", err)
	}
	if string(first.Data) != "a" || string(first.Raw) != "data: a\n\n" {
		t.Errorf("Buffered changed the event before to %q", first.Raw)
	}
	second, err := r.Next()
	if err != nil || string(second.Data) != "b\nc" || r.Buffered() {
		t.Errorf("got %q, %v; another one: %v", second.Data, err, r.Buffered())
	}
	if string(second.Data) != "b\nc" {
		t.Errorf("Buffered changed the joined data to %q", second.Data)
	}
	if last, err := r.Next(); err != nil || !last.Incomplete || r.Buffered() {
		t.Errorf("got %q, %v", last.Raw, err)
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("got %v at the end", err)
	}
}

func TestErrorsOfTheSourceComeAfterTheEventsBeforeThem(t *testing.T) {
	broken := errors.New("connection reset")
	events, err := readAll(&pieces{rest: [][]byte{[]byte("data: a\n\ndata: b\n\ndata: c\n")}, err: broken}, 0)
	if err != broken || len(events) != 2 || events[1].data != "b" {
		t.Errorf("got %v, %v", events, err)
	}
	if _, err := readAll(iotest.ErrReader(io.ErrUnexpectedEOF), 0); err != io.ErrUnexpectedEOF {
		t.Errorf("got %v", err)
	}
	if _, err := readAll(silent{}, 0); err != io.ErrNoProgress {
		t.Errorf("got %v of a source that returns nothing", err)
	}
}

// silent is a faulty source.
type silent struct{}

func (silent) Read([]byte) (int, error) { return 0, nil }

func TestAFrameMayBeAsLargeAsTheLimitAndNoLarger(t *testing.T) {
	for _, limit := range []int{10, 100, startBuffer, startBuffer + 1, 3 * startBuffer, 1 << 20} {
		frame := []byte("data: " + strings.Repeat("x", limit-8) + "\n\n")
		stream := slices.Concat([]byte("\n"), frame, []byte(":\n\n"), frame, frame)
		events, err := readAll(bytes.NewReader(stream), limit)
		if _, raw := spoken(events); err != io.EOF || raw != string(stream) {
			t.Errorf("limit %d: got %d events, %v", limit, len(events), err)
		}
		if events, err = readAll(iotest.HalfReader(bytes.NewReader(stream)), limit); err != io.EOF || len(events) != 5 {
			t.Errorf("limit %d in parts: got %d events, %v", limit, len(events), err)
		}
		if events, err = readAll(bytes.NewReader(stream), limit-1); err != ErrTooLarge || len(events) != 1 {
			t.Errorf("limit %d: got %d events, %v of frames one byte larger", limit-1, len(events), err)
		}
	}
}

// endless is a line that never ends.
type endless struct{ read int }

func (e *endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	e.read += len(b)
	return len(b), nil
}

func TestAnEndlessLineIsCutAtTheLimit(t *testing.T) {
	var src endless
	if _, err := readAll(&src, 0); err != ErrTooLarge || src.read != DefaultMaxEvent {
		t.Errorf("got %v after %d bytes", err, src.read)
	}
}

// Each of these takes minutes when bytes are looked at again with every read or line.
func TestTheWorkIsLinear(t *testing.T) {
	large := 2 << 20
	for name, src := range map[string]io.Reader{
		"a large line byte by byte":  iotest.OneByteReader(strings.NewReader("data: " + strings.Repeat("x", large) + "\n\n")),
		"blank lines":                strings.NewReader(strings.Repeat("\n", large)),
		"CR lines in one frame":      strings.NewReader(strings.Repeat("data\r", large/5) + "\r"),
		"LF lines in one frame":      strings.NewReader(strings.Repeat("data\n", large/5) + "\n"),
		"small CR frames":            strings.NewReader(strings.Repeat("data: x\r\r", large/9)),
		"a large frame, then small":  strings.NewReader("data: " + strings.Repeat("x", large) + "\n\n" + strings.Repeat("data: x\r\r", large/9)),
		"many lines byte by byte":    iotest.OneByteReader(strings.NewReader(strings.Repeat("data: x\r\n", large/9) + "\r\n")),
		"many frames byte by byte":   iotest.OneByteReader(strings.NewReader(strings.Repeat("data: x\r\n\r\n", large/11))),
		"frames of half the maximum": strings.NewReader(strings.Repeat("data: "+strings.Repeat("x", large)+"\n\n", 4)),
	} {
		start := time.Now()
		r := NewReader(src, 2*large)
		var err error
		for err == nil {
			_, err = r.Next()
		}
		r.Release()
		if d := time.Since(start); err != io.EOF || d > 20*time.Second {
			t.Errorf("%s: %v after %v", name, err, d)
		}
	}
}

func TestReleaseEndsAReaderAndKeepsNoLargeBuffers(t *testing.T) {
	r := NewReader(strings.NewReader("data: a\n\ndata: b\n\n"), 0)
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	r.Release()
	r.Release()
	if r.Buffered() {
		t.Error("a released reader has an event")
	}
	if _, err := r.Next(); !errors.Is(err, errReleased) {
		t.Errorf("got %v", err)
	}
	for range 100 {
		large := NewReader(strings.NewReader("data: "+strings.Repeat("x", 1<<20)+"\n\n"), 0)
		if _, err := large.Next(); err != nil {
			t.Fatal(err)
		}
		large.Release()
		next := NewReader(strings.NewReader(""), 0)
		if len(next.buf) > keepBuffer || cap(next.joined) > keepBuffer {
			t.Fatalf("a new reader starts with %d bytes", len(next.buf))
		}
		next.Release()
	}
}

// openAIStream is a stream as chat completions sends them, with frames of about 200 bytes.
func openAIStream(events int) []byte {
	var stream []byte
	for i := range events {
		stream = AppendData(stream, fmt.Appendf(nil, `{"id":"chatcmpl-8Yx0","object":"chat.completion.chunk","created":1760000000,`+
			`"model":"gpt-5-mini","choices":[{"index":0,"delta":{"content":" word%d"},"logprobs":null,"finish_reason":null}]}`, i))
	}
	return AppendData(stream, []byte("[DONE]"))
}

func TestNextDoesNotAllocate(t *testing.T) {
	stream := bytes.Repeat([]byte("event: a\ndata: x\ndata: y\n\ndata: z\r\n\r\n: c\n\n"), 100)
	src := bytes.NewReader(nil)
	r := NewReader(&again{stream: stream, src: src}, 0)
	defer r.Release()
	if n := testing.AllocsPerRun(2000, func() {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// again repeats a stream for ever.
type again struct {
	stream []byte
	src    *bytes.Reader
}

func (a *again) Read(b []byte) (int, error) {
	if a.src.Len() == 0 {
		a.src.Reset(a.stream)
	}
	return a.src.Read(b)
}
