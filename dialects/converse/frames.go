package converse

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"strings"
	"sync"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// A frame of application/vnd.amazon.eventstream, all numbers big endian, checksums CRC-32 (IEEE):
//
//	total length (4) | length of the headers (4) | checksum of these 8 bytes (4) | headers | payload | checksum of all before (4)
const (
	preludeLen = 12
	trailerLen = 4

	startBuffer = 4 << 10  // what an idle stream costs
	keepBuffer  = 16 << 10 // the largest buffer that goes back to the pool

	// maxEmptyReads is how often in a row a source may return neither data nor an error, as in package bufio.
	maxEmptyReads = 100
)

var (
	errPrelude  = errors.New("event stream: the checksum of a frame's lengths is wrong")
	errChecksum = errors.New("event stream: the checksum of a frame is wrong")
	errLengths  = errors.New("event stream: the lengths of a frame are impossible")
	errHeaders  = errors.New("event stream: the headers of a frame are damaged")
	errReleased = errors.New("event stream: the reader was released")
)

// StreamType is the media type of Bedrock's streams.
func (Codec) StreamType() string { return "application/vnd.amazon.eventstream" }

// NewFrameReader reads frames without a goroutine and without allocating per frame. The decoder of the vendor's SDK
// allocates for every header and payload and cannot tell whether it would have to wait.
//
// Of an event, Name is its type; of an exception, the type of that, which ends in "Exception"; of any other error it is
// "error", and Data is made of the headers.
func (Codec) NewFrameReader(r io.Reader, maxFrame int) dialects.FrameReader {
	if maxFrame <= 0 {
		maxFrame = sse.DefaultMaxEvent
	}
	return &frameReader{src: r, max: maxFrame, buf: buffers.Get().(*[]byte)}
}

var buffers = sync.Pool{New: func() any {
	b := make([]byte, startBuffer)
	return &b
}}

// frameReader splits a stream into frames. It is not safe for concurrent use.
type frameReader struct {
	src        io.Reader
	max        int
	buf        *[]byte // nil once released
	start, end int     // the unread part of buf
	err        error   // what Next returns when there is no more complete frame
}

// Next returns the next frame. It waits only when the buffer has no complete one. A stream that ends inside of a frame
// is an error; a source's error comes after the complete frames that arrived before it.
func (r *frameReader) Next() (sse.Event, error) {
	for {
		if r.buf == nil {
			return sse.Event{}, errReleased
		}
		n, err := r.size()
		if err != nil {
			return sse.Event{}, r.fail(err)
		}
		if n > 0 && r.end-r.start >= n {
			return r.take(n)
		}
		if r.err != nil {
			if r.err == io.EOF && r.start < r.end {
				return sse.Event{}, r.fail(io.ErrUnexpectedEOF)
			}
			return sse.Event{}, r.err
		}
		r.fill(n)
	}
}

// fail makes an error final: after damage nobody knows where the next frame starts.
func (r *frameReader) fail(err error) error {
	r.start, r.end, r.err = 0, 0, err
	return err
}

// size is the length of the frame at the start of the buffer; 0 when not even its prelude is there.
func (r *frameReader) size() (int, error) {
	b := (*r.buf)[r.start:r.end]
	if len(b) < preludeLen {
		return 0, nil
	}
	total, headers := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	switch {
	case crc32.ChecksumIEEE(b[:8]) != binary.BigEndian.Uint32(b[8:]):
		return 0, errPrelude
	case uint64(total) > uint64(r.max):
		return 0, sse.ErrTooLarge
	case uint64(headers)+preludeLen+trailerLen > uint64(total):
		return 0, errLengths
	}
	return int(total), nil
}

// take returns the complete frame of n bytes at the start of the buffer.
func (r *frameReader) take(n int) (sse.Event, error) {
	raw := (*r.buf)[r.start : r.start+n : r.start+n]
	if crc32.ChecksumIEEE(raw[:n-trailerLen]) != binary.BigEndian.Uint32(raw[n-trailerLen:]) {
		return sse.Event{}, r.fail(errChecksum)
	}
	r.start += n
	payload := preludeLen + int(binary.BigEndian.Uint32(raw[4:]))
	h, err := readHeaders(raw[preludeLen:payload])
	if err != nil {
		return sse.Event{}, r.fail(err)
	}
	return h.event(raw, raw[payload:n-trailerLen]), nil
}

// fill reads once, after making room for a frame of n bytes, or for a prelude.
func (r *frameReader) fill(n int) {
	buf := *r.buf
	n = max(n, preludeLen)
	if r.start == r.end {
		r.start, r.end = 0, 0
	}
	if r.start+n > len(buf) {
		if n > len(buf) {
			buf = make([]byte, min(max(n, 2*len(buf)), max(r.max, n)))
		}
		r.end = copy(buf, (*r.buf)[r.start:r.end])
		r.start = 0
		*r.buf = buf
	}
	for range maxEmptyReads {
		got, err := r.src.Read(buf[r.end:])
		r.end += got
		r.err = err
		if got > 0 || err != nil {
			return
		}
	}
	r.err = io.ErrNoProgress
}

// Buffered reports whether Next will return without waiting.
func (r *frameReader) Buffered() bool {
	if r.buf == nil {
		return false
	}
	n, err := r.size()
	return err == nil && n > 0 && r.end-r.start >= n
}

// Release ends the use of the reader and of all that Next returned. It does not close the source.
func (r *frameReader) Release() {
	if b := r.buf; b != nil && len(*b) <= keepBuffer {
		buffers.Put(b)
	}
	*r = frameReader{err: errReleased}
}

// headers are the headers that matter, as views of the frame.
type headers struct {
	messageType, eventType, exceptionType, code, message []byte
}

// valueLen is the length of a header's value by its type; -1 where two bytes before it say so: booleans have none, then
// come integers of 1, 2, 4 and 8 bytes, blobs, texts, a time and a UUID.
var valueLen = [...]int{0, 0, 1, 2, 4, 8, -1, -1, 8, 16}

const textType = 7

func readHeaders(b []byte) (h headers, err error) {
	for len(b) > 0 {
		nameLen := int(b[0])
		if len(b) < nameLen+2 {
			return h, errHeaders
		}
		name, kind := b[1:1+nameLen], int(b[1+nameLen])
		b = b[nameLen+2:]
		if kind >= len(valueLen) {
			return h, errHeaders
		}
		size := valueLen[kind]
		if size < 0 {
			if len(b) < 2 {
				return h, errHeaders
			}
			size = int(binary.BigEndian.Uint16(b))
			b = b[2:]
		}
		if len(b) < size {
			return h, errHeaders
		}
		if kind == textType {
			h.set(name, b[:size:size])
		}
		b = b[size:]
	}
	return h, nil
}

func (h *headers) set(name, value []byte) {
	switch string(name) {
	case ":message-type":
		h.messageType = value
	case ":event-type":
		h.eventType = value
	case ":exception-type":
		h.exceptionType = value
	case ":error-code":
		h.code = value
	case ":error-message":
		h.message = value
	}
}

// event makes an event of a frame. What is an error gets a name that says so and cannot be that of an event.
func (h *headers) event(raw, payload []byte) sse.Event {
	ev := sse.Event{Raw: raw, Data: payload}
	switch string(h.messageType) {
	case "exception":
		if ev.Name = exceptionName(h.exceptionType); string(ev.Name) == errorFrame {
			ev.Data = errorData(h.exceptionType, payload)
		}
	case "error":
		ev.Name, ev.Data = []byte(errorFrame), errorData(h.code, h.message)
	default:
		if ev.Name = h.eventType; isError(ev.Name) {
			ev.Name = nil
		}
	}
	return ev
}

// exceptionName is the type of an exception where that says that it is one, else the name of an error frame.
func exceptionName(kind []byte) []byte {
	if strings.HasSuffix(jsonedit.View(kind), exceptionSuffix) {
		return kind
	}
	return []byte(errorFrame)
}

// errorData is the JSON of an error that has a type and a text only.
func errorData(kind, message []byte) []byte {
	data := jsonedit.AppendStringMember([]byte("{"), "__type", jsonedit.View(kind))
	return append(jsonedit.AppendStringMember(data, "message", jsonedit.View(message)), '}')
}

// Interface guard.
var _ dialects.FrameReader = (*frameReader)(nil)
