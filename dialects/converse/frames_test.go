package converse

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// frames reads a whole stream.
func frames(src io.Reader, maxFrame int) (names, data []string, raw string, err error) {
	r := Codec{}.NewFrameReader(src, maxFrame)
	defer r.Release()
	for {
		ev, err := r.Next()
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			return names, data, raw, err
		}
		names, data, raw = append(names, string(ev.Name)), append(data, string(ev.Data)), raw+string(ev.Raw)
	}
}

func TestFramesAreTheSameHoweverTheyArrive(t *testing.T) {
	s := string(frame(`{"a":1}`, ":message-type", "event", ":event-type", "messageStart")) +
		string(frame("", ":event-type", "empty")) +
		string(frame(`{"text":"`+strings.Repeat("é", 3000)+`"}`, ":event-type", "contentBlockDelta", ":content-type", "application/json"))
	wantNames, wantData, _, err := frames(strings.NewReader(s), 0)
	if err != nil || strings.Join(wantNames, " ") != "messageStart empty contentBlockDelta" || wantData[0] != `{"a":1}` {
		t.Fatalf("%v %q, %v", wantNames, wantData[0], err)
	}
	for cut := range len(s) {
		names, data, raw, err := frames(dialecttest.Halves(s, cut), 0)
		if err != nil || raw != s || strings.Join(names, " ") != strings.Join(wantNames, " ") || strings.Join(data, " ") != strings.Join(wantData, " ") {
			t.Fatalf("cut at %d: %v, %v", cut, names, err)
		}
	}
	if _, _, raw, err := frames(iotest.OneByteReader(strings.NewReader(s)), 0); err != nil || raw != s {
		t.Fatalf("byte by byte: %v", err)
	}
}

func TestDamagedFramesAreErrors(t *testing.T) {
	good := string(frame(`{"a":1}`, ":event-type", "x"))
	damage := func(at int) string {
		b := []byte(good)
		b[at] ^= 1
		return string(b)
	}
	// A frame whose checksums are right and whose lengths are not.
	impossible := binary.BigEndian.AppendUint32(nil, 20)
	impossible = binary.BigEndian.AppendUint32(impossible, 8)
	impossible = binary.BigEndian.AppendUint32(impossible, crc32.ChecksumIEEE(impossible))
	for _, tc := range []struct {
		name, stream string
		want         error
	}{
		{"length", damage(3), errPrelude},
		{"checksum of the lengths", damage(9), errPrelude},
		{"header", damage(14), errChecksum},
		{"payload", damage(len(good) - 6), errChecksum},
		{"checksum", damage(len(good) - 1), errChecksum},
		{"impossible lengths", string(impossible) + "12345678", errLengths},
		{"end inside of a frame", good[:len(good)-1], io.ErrUnexpectedEOF},
		{"end inside of the lengths", good[:5], io.ErrUnexpectedEOF},
		{"header name without its value", string(rawFrame([]byte("\x09:mess"), "")), errHeaders},
		{"header type that does not exist", string(rawFrame([]byte("\x01a\x0a"), "")), errHeaders},
		{"header value that is cut off", string(rawFrame([]byte("\x01a\x07\x00\x09x"), "")), errHeaders},
		{"header length that is cut off", string(rawFrame([]byte("\x01a\x06\x00"), "")), errHeaders},
	} {
		names, _, _, err := frames(strings.NewReader(good+tc.stream+good), 0)
		if tc.want == io.ErrUnexpectedEOF {
			names, _, _, err = frames(strings.NewReader(good+tc.stream), 0)
		}
		if !errors.Is(err, tc.want) || len(names) != 1 {
			t.Errorf("%s: %d frames, error %v, want %v", tc.name, len(names), err, tc.want)
		}
	}
}

func TestHeadersOfOtherTypesArePassedOver(t *testing.T) {
	h := []byte("\x01a\x00" + "\x01b\x01" + "\x01c\x02x" + "\x01d\x03xx" + "\x01e\x04xxxx" + "\x01f\x05xxxxxxxx" +
		"\x01g\x06\x00\x03abc" + "\x01h\x08xxxxxxxx" + "\x01i\x09xxxxxxxxxxxxxxxx" + "\x0b:event-type\x07\x00\x02ok")
	names, _, _, err := frames(bytes.NewReader(rawFrame(h, "{}")), 0)
	if err != nil || len(names) != 1 || names[0] != "ok" {
		t.Errorf("%q, %v", names, err)
	}
}

func TestErrorsHaveNamesThatEventsCannotHave(t *testing.T) {
	for _, tc := range []struct {
		headers          []string
		payload          string
		wantName, wantTo string
	}{
		{[]string{":message-type", "exception", ":exception-type", "throttlingException"}, `{"message":"slow"}`, "throttlingException", `{"message":"slow"}`},
		{[]string{":message-type", "exception", ":exception-type", "odd"}, `slow "down"`, "error", `{"__type":"odd","message":"slow \"down\""}`},
		{[]string{":message-type", "error", ":error-code", "InternalFailure", ":error-message", "oops"}, ``, "error", `{"__type":"InternalFailure","message":"oops"}`},
		{[]string{":message-type", "event", ":event-type", "fakeException"}, `{}`, "", `{}`},
		{[]string{":message-type", "event", ":event-type", "error"}, `{}`, "", `{}`},
	} {
		names, data, _, err := frames(bytes.NewReader(frame(tc.payload, tc.headers...)), 0)
		if err != nil || len(names) != 1 || names[0] != tc.wantName || data[0] != tc.wantTo {
			t.Errorf("%v: %q %q, %v", tc.headers, names, data, err)
		}
	}
}

func TestFramesAreBounded(t *testing.T) {
	s := string(frame(strings.Repeat("x", 100), ":event-type", "x"))
	if _, _, _, err := frames(strings.NewReader(s), len(s)); err != nil {
		t.Errorf("a frame of just the size: %v", err)
	}
	if _, _, _, err := frames(strings.NewReader(s), len(s)-1); !errors.Is(err, sse.ErrTooLarge) {
		t.Errorf("a frame that is too large: %v", err)
	}
	// A length alone must not make the reader ask for memory.
	head := binary.BigEndian.AppendUint32(nil, 1<<31)
	head = binary.BigEndian.AppendUint32(head, 0)
	head = binary.BigEndian.AppendUint32(head, crc32.ChecksumIEEE(head))
	if _, _, _, err := frames(bytes.NewReader(head), 0); !errors.Is(err, sse.ErrTooLarge) {
		t.Errorf("a length of 2 GiB: %v", err)
	}
}

func TestBufferedTellsWhetherNextWouldWait(t *testing.T) {
	one := string(frame("{}", ":event-type", "x"))
	r := Codec{}.NewFrameReader(dialecttest.Halves(one+one+one, 2*len(one)+7), 0)
	defer r.Release()
	var got []bool
	for {
		if _, err := r.Next(); err != nil {
			break
		}
		got = append(got, r.Buffered())
	}
	if want := []bool{true, false, false}; len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAReleasedReaderReadsNothing(t *testing.T) {
	r := Codec{}.NewFrameReader(strings.NewReader(stream("messageStart {}")), 0)
	r.Release()
	r.Release()
	if _, err := r.Next(); err == nil || r.Buffered() {
		t.Errorf("error %v", err)
	}
}

// stuck is a source that returns nothing for ever.
type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

func TestASourceThatReturnsNothingIsGivenUp(t *testing.T) {
	if _, _, _, err := frames(stuck{}, 0); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("error %v", err)
	}
}

func TestTheErrorOfTheSourceComesAfterItsFrames(t *testing.T) {
	broken := errors.New("broken")
	s := stream("messageStart {}")
	names, _, _, err := frames(io.MultiReader(strings.NewReader(s+s[:20]), &failing{broken}), 0)
	if len(names) != 1 || !errors.Is(err, broken) {
		t.Errorf("%q, %v", names, err)
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

// endless repeats a stream.
type endless struct {
	s  string
	at int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p[:min(len(p), 700)], e.s[e.at:])
	e.at = (e.at + n) % len(e.s)
	return n, nil
}

func TestFramesAreReadWithoutAllocating(t *testing.T) {
	r := Codec{}.NewFrameReader(&endless{s: stream(`contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"a few words"}}`)}, 0)
	defer r.Release()
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

var _ dialects.FrameReader = (*sse.Reader)(nil) // the contract is the same
