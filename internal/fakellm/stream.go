package fakellm

import (
	"context"
	"io"
	"math"
	"time"
)

// rendered is a complete answer in its dialect. It is shared between requests and never changed.
type rendered struct {
	status      int
	contentType string
	stream      bool
	buf         []byte
	// ends are the offsets in buf where the events of a stream end, made[i] the output tokens up to and including
	// event i. A unary answer has one of each.
	ends, made []int
}

func (r *rendered) tokens() int {
	if len(r.made) == 0 {
		return 0
	}
	return r.made[len(r.made)-1]
}

// event ends an event that was just appended to buf; tokens are those made so far.
func (r *rendered) event(tokens int) {
	r.ends = append(r.ends, len(r.buf))
	r.made = append(r.made, tokens)
}

func unary(status int, body []byte, tokens int) *rendered {
	return &rendered{status: status, contentType: "application/json", buf: body, ends: []int{len(body)}, made: []int{tokens}}
}

func newStream() *rendered {
	return &rendered{status: 200, contentType: "text/event-stream; charset=utf-8", stream: true}
}

// pace says when tokens are ready.
type pace struct {
	start    time.Time
	latency  time.Duration
	perToken time.Duration
}

func (s *Server) pace(q *Request, r *rendered, latency time.Duration) pace {
	p := pace{start: time.Now()}
	if r.status != 200 || q.kind == kindModels || q.kind == kindCount {
		return p
	}
	p.latency = s.opts.Latency
	if s.opts.Jitter > 0 {
		spread := float64(hash(q.Prompt)%2001)/1000 - 1 // -1 … 1
		p.latency += time.Duration(float64(p.latency) * s.opts.Jitter * spread)
	}
	if latency > 0 {
		p.latency = latency
	}
	if s.opts.TokensPerSecond > 0 {
		p.perToken = time.Duration(math.Round(float64(time.Second) / s.opts.TokensPerSecond))
	}
	return p
}

// wait sleeps until n tokens are made. Nothing at all comes before the first token.
func (p *pace) wait(ctx context.Context, n int) error {
	if p.latency <= 0 && p.perToken <= 0 {
		return ctx.Err()
	}
	due := p.latency + time.Duration(max(n-1, 0))*p.perToken
	return sleep(ctx, due-time.Since(p.start))
}

// ready reports whether n tokens are made.
func (p *pace) ready(n int) bool {
	return p.perToken <= 0 || time.Since(p.start) >= p.latency+time.Duration(max(n-1, 0))*p.perToken
}

// stream is the body of a streaming answer. It hands out what is due when it is read; there is no goroutine behind it.
type stream struct {
	ctx    context.Context //nolint:containedctx // a response body lives as long as its request
	ren    *rendered
	pace   pace
	entry  *openEntry
	events int    // how many are delivered before the end
	brk    *Break // what happens in place of the end; nil for the end

	next int // event that is not yet due
	off  int // bytes handed out
	end  int // bytes due
	done bool
}

func (s *stream) Read(p []byte) (int, error) {
	if s.done {
		return 0, io.EOF
	}
	for s.off == s.end {
		if s.next == s.events && s.brk != nil {
			if err := s.interrupt(); err != nil {
				s.finish(false)
				return 0, err
			}
		}
		if s.next == s.events {
			s.finish(s.events == len(s.ren.ends))
			return 0, io.EOF
		}
		if err := s.pace.wait(s.ctx, s.ren.made[s.next]); err != nil {
			s.finish(false)
			return 0, err
		}
		s.next++
		for s.next < s.events && s.pace.ready(s.ren.made[s.next]) {
			s.next++
		}
		s.end = s.ren.ends[s.next-1]
	}
	n := copy(p, s.ren.buf[s.off:s.end])
	s.off += n
	return n, nil
}

// Close ends the stream. What was not read by then was made as far as it was due.
func (s *stream) Close() error {
	if !s.done {
		s.finish(s.next == len(s.ren.ends) && s.off == s.end)
	}
	return nil
}

func (s *stream) finish(complete bool) {
	s.done = true
	tokens := 0
	if s.next > 0 {
		tokens = s.ren.made[s.next-1]
	}
	s.entry.close(s.ren.status, tokens, complete)
}
