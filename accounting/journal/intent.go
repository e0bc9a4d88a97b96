package journal

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"go.uber.org/zap"

	"github.com/caddy-llm/llmgateway/accounting"
)

// buffers are for records that are about to be written.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

func getBuffer() *[]byte { return buffers.Get().(*[]byte) }

func putBuffer(b *[]byte) {
	if cap(*b) <= 16<<10 {
		buffers.Put(b)
	}
}

// intent is an attempt under way. Without a segment there is nothing of it on disk.
type intent struct {
	journal *Journal
	segment *segment
	offset  int64
	outcome int // where its outcome goes, within its region
	room    int // for the outcome without its header
	held    int // bytes that it takes of the buffer
	ended   bool
}

// Intend writes an intent to disk before it returns.
func (j *Journal) Intend(ctx context.Context, e *accounting.Entry) (accounting.Intent, error) {
	j.flying.Add(1)
	i, err := j.intend(ctx, e)
	if err != nil {
		j.landed(1)
		return nil, err
	}
	return i, nil
}

func (j *Journal) intend(ctx context.Context, e *accounting.Entry) (*intent, error) {
	if j.closed.Load() {
		return nil, fmt.Errorf("%w: the journal is closed", accounting.ErrUnavailable)
	}
	if !j.onDisk {
		return &intent{journal: j}, j.queueUp(ctx)
	}
	b := getBuffer()
	defer putBuffer(b)
	*b = appendEntry((*b)[:headerSize], e)
	length := len(*b) - headerSize
	at := outcomeOffset(length)
	size := align(at + outcomeSize + length + spareRoom)
	s, offset, err := j.write(*b, size, kindIntent, 0, true)
	if err == nil && j.options.Durability == Power {
		if err = j.syncer.wait(); err != nil {
			j.finish(s, offset)
		}
	}
	if err != nil {
		if j.options.OnFailure == Refuse || !j.buffer.hold(size, j.options.bufferCount, j.options.bufferBytes) {
			return nil, fmt.Errorf("%w: %w", accounting.ErrUnavailable, err)
		}
		return &intent{journal: j, held: size}, nil
	}
	return &intent{journal: j, segment: s, offset: offset, outcome: at, room: size - at - outcomeSize}, nil
}

// write makes a region of size bytes that begins with b, in which the header is still free. With wait it waits for the keeper
// to make a segment.
func (j *Journal) write(b []byte, size int, kind, flags byte, wait bool) (*segment, int64, error) {
	if int64(size) > j.options.segmentSize-unit {
		return nil, 0, errTooLarge
	}
	for {
		s := j.current.Load()
		if s != nil {
			if offset, ok := s.reserve(size); ok {
				sealRegion(b, s.id, offset, size, kind, flags)
				if _, err := s.file.WriteAt(b, offset); err != nil {
					j.finish(s, offset) // some of it may be there
					j.retire(s, err)
					return nil, 0, err
				}
				j.touch(s)
				return s, offset, nil
			}
		}
		if err := j.rotate(s, wait); err != nil {
			return nil, 0, err
		}
	}
}

// Settle implements [accounting.Intent].
func (i *intent) Settle(e *accounting.Entry) {
	if i.ended {
		return
	}
	i.ended = true
	j := i.journal
	defer j.landed(1)
	b := getBuffer()
	defer putBuffer(b)
	if i.segment == nil {
		*b = appendEntry((*b)[:headerSize], e)
		j.buffer.unhold(i.held)
		if !j.onDisk {
			j.enqueue(kept{record: slices.Clone((*b)[headerSize:])})
			return
		}
		j.record(*b, nil, 0)
		return
	}
	*b = appendEntry((*b)[:outcomeSize], e)
	if len(*b)-outcomeSize <= i.room {
		sealOutcome(*b)
		_, err := i.segment.file.WriteAt(*b, i.offset+int64(i.outcome))
		if err == nil {
			j.touch(i.segment)
			if j.options.Durability == Power {
				err = j.syncer.wait()
			}
		}
		if err == nil {
			j.ready(i.segment, i.offset)
			return
		}
		j.retire(i.segment, err)
	}
	*b = appendEntry((*b)[:headerSize], e)
	j.record(*b, i.segment, i.offset)
}

// Withdraw implements [accounting.Intent].
func (i *intent) Withdraw() {
	if i.ended {
		return
	}
	i.ended = true
	j := i.journal
	defer j.landed(1)
	if i.segment == nil {
		j.buffer.unhold(i.held)
		return
	}
	j.finish(i.segment, i.offset)
	if j.options.Durability == Power {
		if err := j.syncer.wait(); err != nil {
			j.log.Error("the ledger's journal cannot be synced", zap.Error(err))
		}
	}
}

// record keeps an entry whose record is in b after room for a header, on disk or else in memory. It takes the place of the
// intent at an offset of old, if there is one.
func (j *Journal) record(b []byte, old *segment, offset int64) {
	if err := j.writeRecord(b, old != nil, true); err != nil {
		j.enqueue(kept{record: slices.Clone(b[headerSize:]), segment: old, offset: offset})
		poke(j.keep)
		return
	}
	// Both may not be lost.
	if old != nil && j.syncer.wait() == nil {
		j.finish(old, offset)
	}
}

// writeRecord writes a region of its own for an entry, whose intent may be in another one.
func (j *Journal) writeRecord(b []byte, moved, wait bool) error {
	var flags byte
	if moved {
		flags = flagMoved
	}
	s, at, err := j.write(b, align(len(b)), kindRecord, flags, wait)
	if err != nil {
		return err
	}
	if j.options.Durability == Power {
		if err = j.syncer.wait(); err != nil {
			j.finish(s, at)
			return err
		}
	}
	j.ready(s, at)
	return nil
}

// ready hands a region with an outcome to the pump.
func (j *Journal) ready(s *segment, offset int64) {
	j.pending.Add(1)
	s.setReady(offset)
	j.pump.wake()
}

// finish gives up a region.
func (j *Journal) finish(s *segment, offset int64) {
	if err := s.markDone(offset); err == nil {
		j.touch(s)
	}
	if s.live.Add(-1) == 0 && s.finished() {
		poke(j.keep)
	}
}

// Record keeps entries that had no intent. The journal has them when it returns; with an error it may have some.
func (j *Journal) Record(ctx context.Context, entries []accounting.Entry) error {
	j.flying.Add(1)
	defer j.landed(1)
	if err := ctx.Err(); err != nil {
		return err
	}
	if j.closed.Load() {
		return fmt.Errorf("%w: the journal is closed", accounting.ErrUnavailable)
	}
	b := getBuffer()
	defer putBuffer(b)
	for n := range entries {
		*b = appendEntry((*b)[:headerSize], &entries[n])
		if !j.onDisk {
			if err := j.queueUp(ctx); err != nil {
				return err
			}
			j.enqueue(kept{record: slices.Clone((*b)[headerSize:])})
			continue
		}
		if err := j.recordOne(*b); err != nil {
			return err
		}
	}
	return nil
}

func (j *Journal) recordOne(b []byte) error {
	err := j.writeRecord(b, false, true)
	if err == nil {
		return nil
	}
	if j.options.OnFailure == Refuse || !j.buffer.hold(len(b), j.options.bufferCount, j.options.bufferBytes) {
		return fmt.Errorf("%w: %w", accounting.ErrUnavailable, err)
	}
	j.enqueue(kept{record: slices.Clone(b[headerSize:])})
	j.buffer.unhold(len(b))
	return nil
}

// queueUp waits while too many entries of an Async journal wait for the sink.
func (j *Journal) queueUp(ctx context.Context) error {
	for {
		moved := j.pump.moved.next()
		if j.pending.Load() < j.options.queue {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("%w: waiting for the ledger: %w", accounting.ErrUnavailable, ctx.Err())
		case <-j.closing:
			return fmt.Errorf("%w: the journal is closed", accounting.ErrUnavailable)
		}
	}
}

// Interface guards.
var (
	_ accounting.Journal = (*Journal)(nil)
	_ accounting.Ledger  = (*Journal)(nil)
	_ accounting.Intent  = (*intent)(nil)
)
