package journal

import (
	"slices"
	"sync"

	"go.uber.org/zap"
)

// buffer holds in memory what cannot be on disk: with Async everything that waits for the sink, and else what waits for a
// place to be written to.
type buffer struct {
	mu    sync.Mutex
	list  []kept
	bytes int // of the records in list, and held
	held  int // calls under way whose entries will have a place here
}

// kept is an entry in memory.
type kept struct {
	record  []byte
	segment *segment // where its intent is; nil without one
	offset  int64
}

// hold keeps a place for an entry of about n bytes, if there is one.
func (b *buffer) hold(n, count int, bytes int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.list)+b.held >= count || int64(b.bytes+n) > bytes {
		return false
	}
	b.held++
	b.bytes += n
	return true
}

// unhold gives back what hold kept.
func (b *buffer) unhold(n int) {
	if n == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held--
	b.bytes -= n
}

// put takes entries at any time: calls under way are always recorded.
func (b *buffer) put(list ...kept) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = append(b.list, list...)
	for _, k := range list {
		b.bytes += len(k.record)
	}
}

// take removes the n oldest entries, or all.
func (b *buffer) take(n int) []kept {
	b.mu.Lock()
	defer b.mu.Unlock()
	n = min(n, len(b.list))
	if n == 0 {
		return nil
	}
	list := slices.Clone(b.list[:n])
	b.list = slices.Delete(b.list, 0, n)
	for _, k := range list {
		b.bytes -= len(k.record)
	}
	return list
}

func (b *buffer) entries() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.list)
}

func (b *buffer) count() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int64(len(b.list) + b.held)
}

// enqueue hands an entry in memory to the pump.
func (j *Journal) enqueue(k kept) {
	j.pending.Add(1)
	j.buffer.put(k)
	if j.stopped.Load() {
		j.log.Error("an entry of a call that ended after its ledger was closed is lost", zap.Int("bytes", len(k.record)))
	}
	j.pump.wake()
}

// flush writes what waits in memory to disk as far as there is room.
func (j *Journal) flush() {
	if !j.onDisk || j.buffer.entries() == 0 {
		return
	}
	var stay, moved []kept
	for _, k := range j.buffer.take(j.buffer.entries()) {
		b := append(make([]byte, headerSize, headerSize+len(k.record)), k.record...)
		if j.writeRecord(b, k.segment != nil, false) != nil {
			stay = append(stay, k)
			continue
		}
		j.pending.Add(-1) // it counted in memory already
		if k.segment != nil {
			moved = append(moved, k)
		}
	}
	j.buffer.put(stay...)
	if len(moved) == 0 || j.syncer.wait() != nil {
		return
	}
	for _, k := range moved {
		j.finish(k.segment, k.offset)
	}
}
