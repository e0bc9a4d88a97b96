package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// grace is how long a request may take beyond the time that was planned for it.
const grace = 15 * time.Second

// sample is what one slice of load did.
type sample struct {
	requests  int
	units     int // what the cost is divided by: requests, or events of streams
	wall      time.Duration
	cpu       time.Duration // of the lane's process; 0 for direct
	latencies []time.Duration
}

// generator sends load over connections that it keeps between slices: opening them is not what is measured.
type generator struct {
	mu    sync.Mutex
	conns map[string][]*conn // by address
}

// open returns n connections to an address, old ones first.
func (g *generator) open(addr string, n int) ([]*conn, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.conns == nil {
		g.conns = map[string][]*conn{}
	}
	for len(g.conns[addr]) < n {
		c, err := dial(addr)
		if err != nil {
			return nil, err
		}
		g.conns[addr] = append(g.conns[addr], c)
	}
	return g.conns[addr][:n], nil
}

// closeAll closes every connection.
func (g *generator) closeAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, conns := range g.conns {
		for _, c := range conns {
			_ = c.nc.Close()
		}
	}
	g.conns = nil
}

// slice runs work once per connection, all at the same time, and measures the lane's process meanwhile. It ends early
// with ctx.
func (g *generator) slice(ctx context.Context, l *lane, n int, planned time.Duration, work func(i int, c *conn, s *sample) error) (sample, error) {
	conns, err := g.open(l.addr, n)
	if err != nil {
		return sample{}, err
	}
	defer context.AfterFunc(ctx, g.closeAll)()
	before, err := l.cpu()
	if err != nil {
		return sample{}, err
	}
	start := time.Now()
	parts := make([]sample, n)
	var workers errgroup.Group
	for i, c := range conns {
		workers.Go(func() error {
			if err := c.nc.SetDeadline(start.Add(planned + grace)); err != nil {
				return err
			}
			return work(i, c, &parts[i])
		})
	}
	err = workers.Wait()
	if ctx.Err() != nil {
		return sample{}, ctx.Err()
	}
	if err != nil {
		return sample{}, fmt.Errorf("lane %s: %w", l.id, err)
	}
	total := sample{wall: time.Since(start)}
	after, err := l.cpu()
	if err != nil {
		return sample{}, err
	}
	total.cpu = after - before
	for _, p := range parts {
		total.requests += p.requests
		total.units += p.units
		total.latencies = append(total.latencies, p.latencies...)
	}
	return total, nil
}

// unary sends requests one after the other on n connections for the time d, at least one on each.
func (g *generator) unary(ctx context.Context, l *lane, request []byte, n int, d time.Duration) (sample, error) {
	deadline := time.Now().Add(d)
	return g.slice(ctx, l, n, d, func(_ int, c *conn, s *sample) error {
		var buf [1024]byte
		for now := time.Now(); s.requests == 0 || now.Before(deadline); {
			if err := c.send(request); err != nil {
				return err
			}
			size, err := c.discardBody(buf[:])
			if err != nil {
				return err
			}
			if size < len(answerText) {
				return fmt.Errorf("an answer of only %d bytes", size)
			}
			end := time.Now()
			s.requests++
			s.latencies = append(s.latencies, end.Sub(now))
			now = end
		}
		s.units = s.requests
		return nil
	})
}

// streams reads one stream on each of n connections. They start a little apart and each at another point of the
// interval, so that neither the requests nor the events come in bursts. The latency is the time to the first byte of
// the body.
func (g *generator) streams(ctx context.Context, l *lane, request []byte, n int, s script) (sample, error) {
	// With n a power of two, i*(1/8 + 1/n) has n different fractional parts.
	apart := s.Interval/8 + s.Interval/time.Duration(n)
	planned := time.Duration(s.Deltas)*s.Interval + time.Duration(n)*apart
	return g.slice(ctx, l, n, planned, func(i int, c *conn, out *sample) error {
		time.Sleep(time.Duration(i) * apart)
		start := time.Now()
		if err := c.send(request); err != nil {
			return err
		}
		var buf [4096]byte
		var seen frames
		for {
			size, err := c.body.Read(buf[:])
			if size > 0 && seen.n == 0 && len(seen.tail) == 0 {
				out.latencies = append(out.latencies, time.Since(start))
			}
			seen.write(buf[:size])
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
		}
		if !seen.complete() || seen.n < s.Deltas {
			return fmt.Errorf("a stream with %d of %d events that ends in %q", seen.n, s.Deltas, seen.tail)
		}
		out.requests, out.units = 1, s.Deltas
		return nil
	})
}

// cpu is the CPU time of the lane's process so far.
func (l *lane) cpu() (time.Duration, error) {
	if l.proc == nil {
		return 0, nil
	}
	select {
	case <-l.proc.done:
		return 0, errors.Join(fmt.Errorf("the process of lane %s has ended", l.id), errors.New(string(l.proc.logTail())))
	default:
		return cpuTime(l.proc.pid())
	}
}
