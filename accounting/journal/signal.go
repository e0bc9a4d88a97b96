package journal

import "sync"

// signal wakes everybody who waits for something to change. A waiter gets its channel first and then looks, so that it
// misses nothing.
type signal struct {
	mu sync.Mutex
	ch chan struct{}
}

// next is closed when the signal is fired for the next time.
func (s *signal) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch == nil {
		s.ch = make(chan struct{})
	}
	return s.ch
}

func (s *signal) fire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch != nil {
		close(s.ch)
		s.ch = nil
	}
}

// poke fills a channel of capacity one: somebody has something to do.
func poke(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
