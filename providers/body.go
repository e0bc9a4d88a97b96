package providers

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

var errBodyClosed = errors.New("read of a closed request body")

// Body is a request body made of segments that are sent one after the other, so that replacing a few bytes in a
// large document needs no copy of it. A Body can be read several times at once.
type Body struct {
	segments [][]byte
	size     int64
	buf      *Shared
}

// Shared counts the users of a pooled buffer. The transport may still read a request body after RoundTrip has
// returned, so a buffer goes back to its pool only when the last reader has closed.
type Shared struct {
	refs atomic.Int32
	free func()
}

// NewShared returns a count of one; free runs when it drops to zero.
func NewShared(free func()) *Shared {
	s := &Shared{free: free}
	s.refs.Store(1)
	return s
}

// Retain adds a reference. It does nothing on nil.
func (s *Shared) Retain() {
	if s != nil {
		s.refs.Add(1)
	}
}

// Release drops one reference. It does nothing on nil.
func (s *Shared) Release() {
	if s != nil && s.refs.Add(-1) == 0 {
		s.free()
	}
}

// NewBody makes a body of segments that live in buf, which may be nil for memory that nobody reuses.
func NewBody(buf *Shared, segments ...[]byte) Body {
	b := Body{segments: segments, buf: buf}
	for _, s := range segments {
		b.size += int64(len(s))
	}
	return b
}

// Len is the number of bytes.
func (b Body) Len() int64 { return b.size }

// Bytes returns the whole body in one piece: the only segment itself, or a copy.
func (b Body) Bytes() []byte {
	if len(b.segments) == 1 {
		return b.segments[0]
	}
	return b.clone()
}

func (b Body) clone() []byte {
	out := make([]byte, 0, b.size)
	for _, s := range b.segments {
		out = append(out, s...)
	}
	return out
}

// SmallBody is up to what size a body is copied rather than shared.
const SmallBody = 3 << 10

// Reader returns a new reader of the body. It holds the underlying buffer until it is closed.
//
// A small body is copied into a reader of a type that net/http knows to be in memory: it then sends headers and body in
// one write instead of two, which is worth far more than the copy.
func (b Body) Reader() io.ReadCloser {
	if b.size <= SmallBody {
		if b.buf == nil { // nobody will reuse the memory
			return io.NopCloser(bytes.NewReader(b.Bytes()))
		}
		return io.NopCloser(bytes.NewReader(b.clone()))
	}
	b.buf.Retain()
	return &bodyReader{body: b}
}

// BodyReader is what [Body.Reader] returns for a large body, for transports that can send it without copying.
type BodyReader interface {
	io.ReadCloser
	io.WriterTo
	// Len is how many bytes are left to be read.
	Len() int64
}

// bodyReader locks because HTTP/2 transports may close a body while another goroutine still reads it, and what is read
// after the close may belong to another request by then.
type bodyReader struct {
	mu     sync.Mutex
	body   Body
	seg    int
	off    int
	closed bool
}

func (r *bodyReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return 0, errBodyClosed
	}
	n := 0
	for n < len(p) && r.seg < len(r.body.segments) {
		s := r.body.segments[r.seg][r.off:]
		c := copy(p[n:], s)
		n += c
		if r.off += c; c == len(s) {
			r.seg, r.off = r.seg+1, 0
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Len is how many bytes are left.
func (r *bodyReader) Len() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := -int64(r.off)
	for _, s := range r.body.segments[r.seg:] {
		n += int64(len(s))
	}
	return n
}

// WriteTo writes what is left of the body, without copying it.
func (r *bodyReader) WriteTo(w io.Writer) (int64, error) {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return 0, errBodyClosed
	}
	var rest net.Buffers
	if r.seg < len(r.body.segments) {
		rest = append(rest, r.body.segments[r.seg][r.off:])
		rest = append(rest, r.body.segments[r.seg+1:]...)
		r.seg, r.off = len(r.body.segments), 0
	}
	// The lock is not held while writing, which may block; a reference of its own keeps the buffer instead.
	r.body.buf.Retain()
	r.mu.Unlock()
	defer r.body.buf.Release()
	return rest.WriteTo(w)
}

func (r *bodyReader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.closed = true
		r.body.buf.Release()
	}
	return nil
}

// Interface guards
var (
	_ BodyReader = (*bodyReader)(nil)
)
