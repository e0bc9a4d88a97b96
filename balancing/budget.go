package balancing

import (
	"sync"
	"time"
)

// The terms of [RetryBudget].
const (
	budgetSpan = 10 * time.Second
	// budgetPercent is how many retries a hundred requests allow.
	budgetPercent = 20
	// budgetFloor is how many retries are allowed in each span however few requests there are, so that the only request
	// of a quiet minute can be retried. It stands for the three concurrent retries that Envoy always grants.
	budgetFloor = 10
)

// RetryBudget keeps retries from feeding an outage. Retries of a struggling target are extra load on it, so all retries
// together may cost a fifth of the requests of the last 10 seconds, and at least 10. The zero value is ready for use;
// all methods are safe for concurrent use.
//
// Sources: Finagle's RetryBudget (20 %, 10 s, a floor), Envoy's retry budget (20 %).
type RetryBudget struct {
	mu     sync.Mutex
	window window
}

// Request counts a request that is sent for the first time. It does nothing on nil.
func (b *RetryBudget) Request(now time.Time) {
	if b == nil {
		return
	}
	b.mu.Lock()
	b.ready()
	b.window.add(now, 1, 0)
	b.mu.Unlock()
}

// Withdraw asks for a retry and reports whether it may be made. A cost below 1 is taken as 1; a retry after a timeout
// costs 2, as the first attempt may still be worked on and be billed. A refused retry costs nothing. A nil budget is
// unlimited.
func (b *RetryBudget) Withdraw(now time.Time, cost int) bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ready()
	sum, want := b.window.at(now), int64(max(cost, 1))
	if sum.strikes+want > max(sum.requests*budgetPercent/100, budgetFloor) {
		return false
	}
	b.window.add(now, 0, want)
	return true
}

func (b *RetryBudget) ready() {
	if b.window.width == 0 {
		b.window.resize(budgetSpan)
	}
}
