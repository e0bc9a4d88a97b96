package fakellm

import (
	"context"
	"io"
	"net/http"
	"slices"
	"time"
)

// Break interrupts a successful answer. A stream is interrupted between two events, any other answer in the middle.
type Break struct {
	// After is how many tokens of a stream are delivered before. The last one never is: what comes then is the end, and a
	// stream that has its end is not broken.
	After int
	// Pause is how long nothing comes, before the rest does. Negative means until the context of the request ends; 0 that
	// there is no rest, because the connection is closed.
	Pause time.Duration
	// Body is an error, which ends a stream as an event, in place of all that.
	Body []byte

	err error // of the closed connection; nil means the one that net/http has for it
}

// refuse ends an exchange that gets no response.
func (b *Behavior) refuse(ctx context.Context) error {
	switch {
	case b.Err != nil:
		return b.Err
	case b.Hang:
		<-ctx.Done()
		return ctx.Err()
	case b.Status == 0 && b.Abort && b.CutAfter == 0:
		return errConnectionCut
	}
	return nil
}

// broken is an answer that is interrupted.
func (s *Server) broken(ctx context.Context, q *Request, ren *rendered, p pace, b *Break, h http.Header, entry *openEntry) (*reply, error) {
	st := &stream{ctx: ctx, ren: ren, pace: p, entry: entry}
	switch {
	case !ren.stream:
		if err := p.wait(ctx, ren.tokens()); err != nil {
			entry.close(0, 0, false)
			return nil, err
		}
		st.ren, st.pace, st.events, st.brk = ren.halves(), pace{}, 1, b
	case b.Body != nil:
		st.ren = ren.endIn(q.Dialect, ren.breakAt(b.After), b.Body)
		st.events = len(st.ren.ends)
	default:
		st.events, st.brk = ren.breakAt(b.After), b
	}
	return &reply{ren.status, h, st, len(ren.buf), ren.stream}, nil
}

// breakAt is the index of the first event that is not delivered when a stream breaks after so many tokens.
func (r *rendered) breakAt(tokens int) int {
	tokens = min(tokens, r.tokens()-1)
	return slices.IndexFunc(r.made, func(made int) bool { return made > tokens })
}

// halves is a unary answer in two pieces.
func (r *rendered) halves() *rendered {
	c := *r
	c.ends = []int{len(r.buf) / 2, len(r.buf)}
	c.made = []int{0, r.tokens()}
	return &c
}

// endIn is a stream whose event at an index is an error, and its last one.
func (r *rendered) endIn(dialect string, index int, body []byte) *rendered {
	c := &rendered{status: r.status, contentType: r.contentType, stream: true}
	tokens := 0
	if index > 0 {
		c.buf = append(c.buf, r.buf[:r.ends[index-1]]...)
		c.ends, c.made = append(c.ends, r.ends[:index]...), append(c.made, r.made[:index]...)
		tokens = r.made[index-1]
	}
	c.buf = appendErrorEvent(c.buf, dialect, index, body)
	c.event(tokens)
	return c
}

// interrupt waits until the next event is due and then does what the break says. It returns nil when the rest comes after
// all, at the pace that it had before.
func (s *stream) interrupt() error {
	if err := s.pace.wait(s.ctx, s.ren.made[s.next]); err != nil {
		return err
	}
	switch b := s.brk; {
	case b.Pause < 0:
		<-s.ctx.Done()
		return s.ctx.Err()
	case b.Pause > 0:
		if err := sleep(s.ctx, b.Pause); err != nil {
			return err
		}
		s.pace.start = s.pace.start.Add(b.Pause)
		s.events, s.brk = len(s.ren.ends), nil
		return nil
	case b.err != nil:
		return b.err
	}
	return io.ErrUnexpectedEOF
}
