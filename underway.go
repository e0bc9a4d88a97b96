package llmgateway

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errExit cancels what is still under way when the process exits.
var errExit = errors.New("the gateway is shutting down")

// exitPatience is how long an exit waits for the requests that it canceled to be recorded.
const exitPatience = 5 * time.Second

// inFlight are the requests under way, of all configurations: when the process exits the streams among them are told so and all of
// them are recorded. Caddy has waited for its grace period by then.
type inFlight struct {
	mu     sync.Mutex
	cancel map[*exchange]context.CancelCauseFunc
	none   chan struct{} // closed when there are none any more; nil while nobody waits
}

var underway = inFlight{cancel: map[*exchange]context.CancelCauseFunc{}}

func (r *inFlight) enter(x *exchange, cancel context.CancelCauseFunc) {
	r.mu.Lock()
	r.cancel[x] = cancel
	r.mu.Unlock()
}

func (r *inFlight) leave(x *exchange) {
	r.mu.Lock()
	delete(r.cancel, x)
	if len(r.cancel) == 0 && r.none != nil {
		close(r.none)
		r.none = nil
	}
	r.mu.Unlock()
}

// end cancels all requests and waits until they have left, for a while.
func (r *inFlight) end(patience time.Duration) {
	r.mu.Lock()
	if len(r.cancel) == 0 {
		r.mu.Unlock()
		return
	}
	if r.none == nil {
		r.none = make(chan struct{})
	}
	none := r.none
	for _, cancel := range r.cancel {
		cancel(errExit)
	}
	r.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-none:
	case <-timer.C:
	}
}
