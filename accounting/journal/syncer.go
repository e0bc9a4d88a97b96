package journal

import (
	"sync"
)

// syncer syncs the segments that were written to. Everybody who waits for it while a sync is running shares the next
// one; nobody waits for a third.
type syncer struct {
	mu      sync.Mutex
	dirty   []*segment
	next    *round // the one that begins after the one that runs; nil if nobody waits for it
	running bool

	io chan struct{} // of capacity one, and full while files are synced or closed
}

// round is one sync that some wait for.
type round struct {
	lead chan struct{} // makes one of them run it
	done chan struct{}
	err  error
}

// touched remembers that a segment was written to, after that was done. It says whether it was clean before.
func (s *syncer) touched(seg *segment) bool {
	if seg.dirty.Load() || !seg.dirty.CompareAndSwap(false, true) {
		return false
	}
	s.mu.Lock()
	s.dirty = append(s.dirty, seg)
	s.mu.Unlock()
	return true
}

// wait returns when everything is durable that was written before the call.
func (s *syncer) wait() error {
	s.mu.Lock()
	r := s.next
	if r == nil {
		r = &round{lead: make(chan struct{}, 1), done: make(chan struct{})}
		s.next = r
	}
	if !s.running {
		s.running = true
		r.lead <- struct{}{}
	}
	s.mu.Unlock()

	select {
	case <-r.done:
		return r.err
	case <-r.lead:
	}
	s.mu.Lock()
	s.next = nil // who comes from here on may have written too late for this one
	s.mu.Unlock()
	r.err = s.sync()
	close(r.done)
	s.mu.Lock()
	if s.running = s.next != nil; s.running {
		s.next.lead <- struct{}{}
	}
	s.mu.Unlock()
	return r.err
}

// sync syncs what is dirty. A segment that cannot be synced takes no more regions: what of it reached the disk is not
// known, and trying again would not tell.
func (s *syncer) sync() error {
	s.io <- struct{}{}
	defer func() { <-s.io }()
	s.mu.Lock()
	dirty := s.dirty
	s.dirty = nil
	s.mu.Unlock()
	var failed error
	for _, seg := range dirty {
		seg.dirty.Store(false) // before: what is written from here on makes it dirty again
		if seg.closed {
			continue
		}
		if err := seg.file.Sync(); err != nil {
			seg.seal()
			failed = err
		}
	}
	return failed
}

// exclusively calls f while no file is synced.
func (s *syncer) exclusively(f func()) {
	s.io <- struct{}{}
	defer func() { <-s.io }()
	f()
}
