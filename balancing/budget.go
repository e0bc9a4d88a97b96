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
	// budgetAtOnce is how many retries may be under way however few requests there are, so that the only request of a
	// quiet minute can be retried, as Envoy does. budgetFloor bounds what these cost in each span: three at a time of a
	// target that fails in a millisecond would otherwise be thousands.
	budgetAtOnce = 3
	budgetFloor  = 10
)

// RetryBudget keeps retries from feeding an outage. Retries of a struggling target are extra load on it, so all retries
// together may cost a fifth of the requests of the last 10 seconds. Beyond that three may be under way at a time, as long
// as all together cost no more than 10. The zero value is ready for use; all methods are safe for concurrent use.
//
// Sources: Finagle's RetryBudget (20 %, 10 s, a floor in each span), Envoy's retry budget (20 %, three at a time).
type RetryBudget struct {
	mu       sync.Mutex
	window   window
	underWay int
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

// Withdraw asks for a retry and reports whether it may be made. If so, [RetryBudget.Done] has to be called when its outcome
// is known. A cost below 1 is taken as 1; a retry after a timeout costs 2, as the first attempt may still be worked on and
// be billed. A refused retry costs nothing. A nil budget is unlimited.
func (b *RetryBudget) Withdraw(now time.Time, cost int) bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ready()
	sum, want := b.window.at(now), int64(max(cost, 1))
	if spent := sum.strikes + want; spent > sum.requests*budgetPercent/100 && (b.underWay >= budgetAtOnce || spent > budgetFloor) {
		return false
	}
	b.window.add(now, 0, want)
	b.underWay++
	return true
}

// Done says that a retry is not under way any more. It does nothing on nil.
func (b *RetryBudget) Done() {
	if b == nil {
		return
	}
	b.mu.Lock()
	b.underWay--
	b.mu.Unlock()
}

func (b *RetryBudget) ready() {
	if b.window.width == 0 {
		b.window.resize(budgetSpan)
	}
}
