package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// warmStreams are opened and closed again before the memory is first read: code is paged in, pools exist.
	warmStreams = 32
	// openers is how many streams are being opened at the same time.
	openers = 32
	// holdIdle bounds the silence, should nobody close the streams.
	holdIdle = 2 * time.Minute
	// settleLimit bounds the wait for the memory to settle.
	settleLimit = 10 * time.Second
)

// idleSample is what idle streams added to the memory of a lane's process, in bytes per stream.
type idleSample struct {
	resident float64 // as an operator sees it: with the garbage of opening them
	live     float64 // heap objects that survive a collection, and stacks: what the streams really need
}

// measureIdle opens streams that stay silent after their first event and reads what they cost in memory. Every round
// starts new processes: a heap that was large once does not become small again.
func (b *bench) measureIdle(ctx context.Context, s scenario) ([]row, error) {
	fmt.Fprintf(b.progress, "measuring %s, %d of them ...\n", s.name, b.plan.idleStreams)
	if err := b.control.setScript(script{Deltas: 1, Hold: holdIdle}); err != nil {
		return nil, err
	}
	samples := map[laneID][]idleSample{}
	for range b.plan.idleRounds {
		for _, id := range b.laneIDs {
			if id == direct {
				continue
			}
			got, err := b.idleLane(ctx, id, requestBody(s))
			if err != nil {
				return nil, fmt.Errorf("lane %s: %w", id, err)
			}
			samples[id] = append(samples[id], got)
		}
	}
	return idleRows(s, b.laneIDs, samples), nil
}

func (b *bench) idleLane(ctx context.Context, id laneID, body []byte) (idleSample, error) {
	l, err := b.startLane(ctx, id)
	if err != nil {
		return idleSample{}, err
	}
	defer b.stopLanes()
	request := renderRequest(l.addr, body)

	warm, err := openStreams(ctx, l.addr, request, warmStreams)
	closeStreams(warm)
	if err != nil {
		return idleSample{}, err
	}
	liveBefore, err := liveBytes(ctx, l)
	if err != nil {
		return idleSample{}, err
	}
	before, err := b.settledBytes(ctx, l)
	if err != nil {
		return idleSample{}, err
	}
	open, err := openStreams(ctx, l.addr, request, b.plan.idleStreams)
	defer closeStreams(open)
	if err != nil {
		return idleSample{}, err
	}
	after, err := b.settledBytes(ctx, l)
	if err != nil {
		return idleSample{}, err
	}
	liveAfter, err := liveBytes(ctx, l)
	if err != nil {
		return idleSample{}, err
	}
	if err := stillOpen(open); err != nil {
		return idleSample{}, err
	}
	n := float64(len(open))
	return idleSample{resident: float64(after-before) / n, live: float64(liveAfter-liveBefore) / n}, nil
}

// openStreams opens n streams and reads the first content of each. It returns those that it opened in any case.
func openStreams(ctx context.Context, addr string, request []byte, n int) ([]*conn, error) {
	conns := make([]*conn, n)
	workers, ctx := errgroup.WithContext(ctx)
	workers.SetLimit(openers)
	for i := range conns {
		workers.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			c, err := dial(addr)
			if err != nil {
				return err
			}
			conns[i] = c
			if err := c.nc.SetDeadline(time.Now().Add(grace)); err != nil {
				return err
			}
			if err := c.send(request); err != nil {
				return err
			}
			return c.readFrames(2) // the head and the first content
		})
	}
	err := workers.Wait()
	return conns, err
}

// readFrames reads events until n of them have arrived.
func (c *conn) readFrames(n int) error {
	var buf [1024]byte
	var seen frames
	for seen.n < n {
		size, err := c.body.Read(buf[:])
		if err != nil {
			return fmt.Errorf("after %d events of a stream: %w", seen.n, err)
		}
		seen.write(buf[:size])
	}
	return nil
}

func closeStreams(conns []*conn) {
	for _, c := range conns {
		if c != nil {
			_ = c.nc.Close()
		}
	}
}

// stillOpen makes sure that no stream has ended: one that has would make the others look cheap. What arrives meanwhile
// is a keep-alive.
func stillOpen(conns []*conn) error {
	deadline := time.Now().Add(100 * time.Millisecond)
	for _, c := range conns {
		if err := c.nc.SetReadDeadline(deadline); err != nil {
			return err
		}
	}
	var buf [256]byte
	for i, c := range conns {
		var err error
		for err == nil {
			_, err = c.body.Read(buf[:])
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("stream %d of %d has ended while it was idle: %w", i+1, len(conns), err)
		}
	}
	return nil
}

// liveBytes makes the process collect its garbage, twice so that pools are emptied too, and asks for what is left.
func liveBytes(ctx context.Context, l *lane) (int64, error) {
	var text bytes.Buffer
	for range 2 {
		text.Reset()
		if err := fetch(ctx, "http://"+l.admin+"/debug/pprof/heap?gc=1&debug=1", &text); err != nil {
			return 0, err
		}
	}
	return parseLive(text.Bytes())
}

// settledBytes waits until the resident set has moved by less than a percent for the plan's settle time.
func (b *bench) settledBytes(ctx context.Context, l *lane) (int64, error) {
	poll := time.NewTicker(b.plan.settle / 10)
	defer poll.Stop()
	limit := time.Now().Add(settleLimit)
	var reference int64
	var since time.Time
	for {
		now := time.Now()
		size, err := residentBytes(l.proc.pid())
		if err != nil {
			return 0, err
		}
		if moved := size - reference; moved > reference/100 || -moved > reference/100 {
			reference, since = size, now
		}
		if now.Sub(since) >= b.plan.settle || now.After(limit) {
			return size, nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// fetch copies what a GET returns to w.
func fetch(ctx context.Context, url string, w io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: status %d", url, resp.StatusCode)
	}
	_, err = io.Copy(w, resp.Body)
	return err
}
