package journal

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-llm/llmgateway/accounting"
)

// batchSize is the largest number of entries that the sink gets at once.
const batchSize = 512

// pump hands entries to the sink. It reads them back from disk, so that a sink that is away does not fill the memory.
type pump struct {
	j      *Journal
	woken  atomic.Bool
	poked  chan struct{} // something is ready
	urgent chan struct{} // somebody waits: no window

	// A sweep takes everything that was ready when it began.
	started, done atomic.Uint64
	swept         signal // fired after every sweep
	moved         signal // fired whenever the sink has taken something

	batch    batch
	scratch  []byte
	suspects []suspect
	accused  atomic.Int64 // how many
	rejected atomic.Int64

	mu     sync.Mutex
	err    error
	since  time.Time
	logged time.Time
}

// batch is entries and where they are from, in the same order.
type batch struct {
	entries []accounting.Entry
	from    []kept // with a record only if the entry is in memory
}

func (b batch) part(i, k int) batch { return batch{b.entries[i:k], b.from[i:k]} }

func (p *pump) init(j *Journal) {
	p.j = j
	p.poked, p.urgent = make(chan struct{}, 1), make(chan struct{}, 1)
	p.scratch = make([]byte, 4096)
}

// wake says that something is ready.
func (p *pump) wake() {
	if p.woken.CompareAndSwap(false, true) {
		poke(p.poked)
	}
}

// run pumps until the journal is closed and everything is in the sink, or ctx ends.
func (p *pump) run(ctx context.Context) {
	defer close(p.j.pumping)
	var suspects <-chan time.Time // when they are due; other work does not put it off
	for ctx.Err() == nil {
		if len(p.suspects) == 0 {
			suspects = nil
		} else if suspects == nil {
			suspects = time.After(backoffLongest)
		}
		select {
		case <-p.poked:
			p.gather(ctx)
		case <-p.urgent:
		case <-suspects:
			suspects = nil
			p.retry(ctx, batch{})
		case <-p.j.closing:
			if p.j.pending.Load() == 0 {
				return
			}
			p.retry(ctx, batch{})
			if len(p.suspects) > 0 && !sleep(ctx, backoffFirst) {
				return
			}
		}
		p.sweep(ctx)
	}
}

// gather waits a moment for a batch to grow.
func (p *pump) gather(ctx context.Context) {
	if p.j.pending.Load() >= batchSize {
		return
	}
	t := time.NewTimer(p.j.options.Window)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.urgent:
	case <-p.j.closing:
	case <-ctx.Done():
	}
}

// sweep hands everything to the sink that is ready.
func (p *pump) sweep(ctx context.Context) {
	p.woken.Store(false) // before looking: what gets ready from here on wakes again
	n := p.started.Add(1)
	j := p.j
	j.mu.Lock()
	segments := append([]*segment(nil), j.segments...)
	j.mu.Unlock()
	for _, s := range segments {
		s.takeReady(func(offset int64) bool {
			p.load(s, offset)
			return len(p.batch.entries) < batchSize || p.deliver(ctx)
		})
	}
	for _, k := range j.buffer.take(j.buffer.entries()) {
		e, err := decodeEntry(k.record)
		if err != nil {
			j.log.Error("an entry in memory is damaged", zap.Error(err))
			continue
		}
		p.add(e, k)
		if len(p.batch.entries) == batchSize {
			p.deliver(ctx)
		}
	}
	if p.deliver(ctx) {
		p.done.Store(n)
		p.swept.fire()
	}
}

func (p *pump) add(e accounting.Entry, k kept) {
	p.batch.entries = append(p.batch.entries, e)
	p.batch.from = append(p.batch.from, k)
}

// load reads a region that is ready. One that cannot be read stays where it is, and is looked at again at the next start.
func (p *pump) load(s *segment, offset int64) {
	e, b, err := s.read(offset, p.scratch)
	if cap(b) <= 64<<10 {
		p.scratch = b[:cap(b)]
	}
	if err != nil {
		p.j.pending.Add(-1)
		p.j.log.Error("an entry of the ledger's journal cannot be read, and stays there",
			zap.String("file", s.path()), zap.Int64("offset", offset), zap.Error(err))
		return
	}
	p.add(e, kept{segment: s, offset: offset})
}

// finish gives up the places of entries that are in the sink, or rejected.
func (p *pump) finish(b batch) {
	for _, k := range b.from {
		if k.segment != nil {
			p.j.finish(k.segment, k.offset)
		}
	}
	p.j.pending.Add(-int64(len(b.from)))
	p.moved.fire()
}

// putBack makes entries wait for another sweep.
func (p *pump) putBack(b batch) {
	for _, k := range b.from {
		if k.record != nil {
			p.j.buffer.put(k)
		} else {
			k.segment.setReady(k.offset)
		}
	}
	p.wake()
}

// sync waits for a sweep that begins after the call, and for what the sink refused before.
func (p *pump) sync(ctx context.Context) error {
	target := p.started.Load() + 1
	for {
		swept := p.swept.next()
		if p.done.Load() < target {
			poke(p.urgent)
		} else if p.accused.Load() == 0 {
			return nil
		}
		select {
		case <-swept:
		case <-ctx.Done():
			return ctx.Err()
		case <-p.j.pumping:
			if p.j.pending.Load() == 0 {
				return nil
			}
			return accounting.ErrUnavailable
		}
	}
}
