package sse

import (
	"errors"
	"io"
	"slices"
	"sync"
)

const (
	// DefaultMaxEvent is the largest frame, in bytes, that a Reader takes unless told otherwise: 16 MiB. Providers
	// send images and whole responses as one line of several MiB.
	DefaultMaxEvent = 16 << 20

	// startBuffer is the size of a new buffer. It is what an idle stream costs.
	startBuffer = 4 << 10
	// keepBuffer is the largest buffer that goes back to the pool, so that one large event does not make all later
	// streams expensive.
	keepBuffer = 16 << 10

	// maxEmptyReads is how often in a row a source may return neither data nor an error, as in package bufio.
	maxEmptyReads = 100
)

var (
	// ErrTooLarge is returned when a frame is larger than the limit of the Reader.
	ErrTooLarge = errors.New("server-sent event is too large")

	errReleased = errors.New("reader of server-sent events was released")
)

// Reader splits a stream into frames. It is not safe for concurrent use.
//
// A line ends with LF, CRLF or CR. A CR that is the last byte that has arrived ends its line at once, since nobody
// knows whether an LF follows, or when; if one does, it is part of that line end. So the frame that such a CR ends is
// not held back, and a late LF comes as a frame of its own with nothing in it but Raw. Where reads split the stream
// therefore has no influence on the frames that have data or a name, nor on the sequence of all Raw bytes.
type Reader struct {
	src io.Reader
	max int
	err error // what Next returns when the buffer has no more complete frame
	*buffers

	start, end int // the unread part of buf
	frame      frame
}

// buffers are what is pooled.
type buffers struct {
	buf    []byte
	joined []byte // data of more than one line
}

var pool = sync.Pool{New: func() any { return &buffers{buf: make([]byte, startBuffer)} }}

// NewReader returns a Reader of r. maxEvent is the largest frame to take, in bytes; 0 means [DefaultMaxEvent]. The
// Reader never reads ahead more than it has room for, and never more than maxEvent. Release gives its buffers back.
func NewReader(r io.Reader, maxEvent int) *Reader {
	if maxEvent <= 0 {
		maxEvent = DefaultMaxEvent
	}
	return &Reader{src: r, max: maxEvent, buffers: pool.Get().(*buffers), frame: frame{first: true}}
}

// Release ends the use of the Reader and of all that Next returned. It does not close the source.
func (r *Reader) Release() {
	b := r.buffers
	if b == nil {
		return
	}
	*r = Reader{err: errReleased}
	if len(b.buf) > keepBuffer {
		return
	}
	if cap(b.joined) > keepBuffer {
		b.joined = nil
	}
	pool.Put(b)
}

// Next returns the next frame. It waits only when the buffer has no complete one.
//
// At the end of the stream what is left is returned once, as an Incomplete event, and then io.EOF. Another error of the
// source is returned as it is after the complete frames that arrived before it; what is left then is dropped.
func (r *Reader) Next() (Event, error) {
	for !r.Buffered() {
		if r.err != nil {
			if r.err == io.EOF && r.start < r.end {
				return r.leftover(), nil
			}
			return Event{}, r.err
		}
		r.fill()
	}
	return r.take(), nil
}

// Buffered reports whether Next will return another frame without waiting, so that a relay can flush once for all
// frames that arrived together.
func (r *Reader) Buffered() bool {
	return r.buffers != nil && r.frame.scan(r.buf[r.start:r.end])
}

// take returns the complete frame at the start of the buffer.
func (r *Reader) take() Event {
	f := &r.frame
	raw := r.buf[r.start : r.start+f.pos : r.start+f.pos]
	ev := Event{Raw: raw}
	if f.name.set {
		ev.Name = f.name.of(raw)
	}
	switch {
	case f.dataLines == 1:
		ev.Data = f.data.of(raw)
	case f.dataLines > 1:
		r.joined = joinData(slices.Grow(r.joined[:0], len(raw)), raw[f.skip:])
		ev.Data = r.joined
	}
	r.start += f.pos
	f.next()
	return ev
}

// leftover returns what is there at the end of a stream as a frame.
func (r *Reader) leftover() Event {
	r.frame.finish(r.buf[r.start:r.end])
	ev := r.take()
	ev.Incomplete = true
	return ev
}

// fill reads once, after making room.
func (r *Reader) fill() {
	// Moving no more bytes than were given out since the last time keeps the work linear.
	if r.start > 0 && (r.end-r.start <= r.start || r.end >= r.max) {
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
	}
	if r.end == len(r.buf) && r.end < r.max {
		r.grow()
	}
	room := r.buf[r.end:min(len(r.buf), r.max)]
	if len(room) == 0 {
		r.err = ErrTooLarge
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

// grow doubles the buffer.
func (r *Reader) grow() {
	buf := make([]byte, min(2*len(r.buf), max(r.max, startBuffer)))
	r.end = copy(buf, r.buf[r.start:r.end])
	r.start, r.buf = 0, buf
}

// joinData appends the values of the data fields of a frame, with line feeds between them.
func joinData(dst, raw []byte) []byte {
	first := true
	for l := (lines{}); l.pos < len(raw); {
		begin, end := l.pos, l.end(raw)
		l.pos = end + 1 // of a CRLF, the LF then looks like a blank line, which is no field
		key, value := field(raw[begin:end])
		if key != fieldData {
			continue
		}
		if !first {
			dst = append(dst, '\n')
		}
		first = false
		dst = append(dst, raw[begin+value:end]...)
	}
	return dst
}
