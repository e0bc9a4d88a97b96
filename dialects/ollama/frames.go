package ollama

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

const (
	// startBuffer is the size of a new buffer. It is what an idle stream costs.
	startBuffer = 4 << 10
	// keepBuffer is the largest buffer that goes back to the pool, so that one large line does not make all later
	// streams expensive.
	keepBuffer = 16 << 10
	// maxEmptyReads is how often in a row a source may return neither data nor an error, as in package bufio.
	maxEmptyReads = 100
)

var errReleased = errors.New("reader of lines was released")

// StreamType implements [dialects.Framer].
func (Codec) StreamType() string { return "application/x-ndjson" }

// NewFrameReader implements [dialects.Framer]: a frame is a line.
func (Codec) NewFrameReader(r io.Reader, maxFrame int) dialects.FrameReader {
	if maxFrame <= 0 {
		maxFrame = sse.DefaultMaxEvent
	}
	return &lineReader{src: r, max: maxFrame, buf: buffers.Get().(*[]byte)}
}

// lineReader splits a stream into lines. Data is a line without its end and the blanks around it; nil for a blank one.
type lineReader struct {
	src io.Reader
	max int
	err error   // what Next returns when the buffer has no more complete line
	buf *[]byte // pooled

	start, end int // the unread part of buf
	seen       int // up to where no line ends
}

var buffers = sync.Pool{New: func() any {
	b := make([]byte, startBuffer)
	return &b
}}

// Release implements [dialects.FrameReader]. It does not close the source.
func (r *lineReader) Release() {
	b := r.buf
	*r = lineReader{err: errReleased}
	if b != nil && len(*b) <= keepBuffer {
		buffers.Put(b)
	}
}

// Next implements [dialects.FrameReader]. What is left when the stream ends without a line end is an Incomplete frame.
// Another error of the source is returned as it is, after the complete lines before it.
func (r *lineReader) Next() (sse.Event, error) {
	for {
		if n := r.line(); n > 0 {
			return r.take(n), nil
		}
		if r.err != nil {
			if r.err == io.EOF && r.start < r.end {
				ev := r.take(r.end - r.start)
				ev.Incomplete = true
				return ev, nil
			}
			return sse.Event{}, r.err
		}
		r.fill()
	}
}

// Buffered implements [dialects.FrameReader].
func (r *lineReader) Buffered() bool { return r.line() > 0 }

// line is the length of the complete line at the start of the buffer, its end included; 0 when there is none.
func (r *lineReader) line() int {
	if r.buf == nil {
		return 0
	}
	i := bytes.IndexByte((*r.buf)[r.seen:r.end], '\n')
	if i < 0 {
		r.seen = r.end
		return 0
	}
	r.seen += i
	return r.seen + 1 - r.start
}

func (r *lineReader) take(n int) sse.Event {
	raw := (*r.buf)[r.start : r.start+n : r.start+n]
	r.start += n
	r.seen = r.start
	ev := sse.Event{Raw: raw}
	if data := bytes.TrimSpace(raw); len(data) > 0 {
		ev.Data = data
	}
	return ev
}

// fill reads once, after making room.
func (r *lineReader) fill() {
	b := *r.buf
	if r.start > 0 {
		r.end = copy(b, b[r.start:r.end])
		r.seen -= r.start
		r.start = 0
	}
	if r.end == len(b) && r.end < r.max {
		b = make([]byte, min(2*len(b), max(r.max, startBuffer)))
		copy(b, (*r.buf)[:r.end])
		*r.buf = b
	}
	room := b[r.end:min(len(b), r.max)]
	if len(room) == 0 {
		r.err = sse.ErrTooLarge
		return
	}
	for range maxEmptyReads {
		n, err := r.src.Read(room)
		r.end += n
		r.err = err
		if n > 0 || err != nil {
			return
		}
	}
	r.err = io.ErrNoProgress
}

var _ dialects.FrameReader = (*lineReader)(nil)
