package llmgateway

import (
	"time"

	"github.com/caddy-llm/llmgateway/balancing"
	"github.com/caddy-llm/llmgateway/providers"
)

// repeat is what the next attempt owes to the one before it.
type repeat struct {
	target *target
	slot   *slot                  // of target, to ask again; nil for a new choice
	fresh  bool                   // over a new connection
	budget *balancing.RetryBudget // that it draws on
}

// follow decides about the attempt after one that failed, and waits until it is time for it. It reports false when there is
// to be none, and then in how long the client may ask again.
func (x *exchange) follow(a *attempt, f *providers.Fault) (again repeat, wait time.Duration, ok bool) {
	c := a.choice
	if p := c.target.price; f.Class == providers.ClassContextLength && p != nil {
		x.needs.window = max(x.needs.window, p.ContextWindow) // another model has to be larger
	}
	if x.stale(a, f) {
		c.slot.up.state.freshUntil.Store(time.Now().Add(distrust).UnixNano())
		return repeat{target: c.target, slot: c.slot, fresh: true}, 0, true
	}
	d := x.decide(c, f)
	switch d.Action {
	case balancing.Stop:
		return again, 0, false
	case balancing.SameTarget:
		budget := &c.slot.model.budget
		if !budget.Withdraw(time.Now(), d.Cost) {
			return again, d.After, false
		}
		if !x.sleep(d.After) {
			budget.Done()
			return again, d.After, false
		}
		again = repeat{target: c.target, slot: c.slot, budget: budget}
	}
	return again, 0, true
}

// staleWithin is how soon an idle connection that the provider has given up shows that.
const staleWithin = time.Second

// distrust is how long the idle connections to an endpoint are not used after one turned out to be given up.
const distrust = 2 * time.Second

// stale reports whether an attempt probably met a connection that the provider had given up while it was idle. The request is
// then repeated once over a new connection, whatever is left of the retry budget, and it says nothing about the target. For a
// moment all requests get new connections, so that what fails then is a failure.
func (x *exchange) stale(a *attempt, f *providers.Fault) bool {
	return f.Dropped && !a.fresh && a.target.provider.fresh != nil && x.route.retry.Retries > 0 && a.latency < staleWithin &&
		a.start.UnixNano()-a.slot.up.state.answered.Load() < int64(idleConnections)
}

// decide says what follows a failed attempt.
func (x *exchange) decide(c choice, f *providers.Fault) balancing.Decision {
	now := time.Now()
	s := balancing.Situation{
		Class:       string(f.Class),
		MaybeBilled: f.Billed != providers.BilledNo,
		Tries:       len(x.attempts),
		RetryAfter:  f.RetryAfter,
		Elapsed:     now.Sub(x.start),
		Remaining:   x.deadline.Sub(now),
		Random:      balancing.Rand(),
	}
	for i := range x.attempts {
		if x.attempts[i].slot == c.slot {
			s.TargetTries++
		}
	}
	for _, tier := range x.route.tiers {
		for _, t := range tier {
			if !t.available(now, x) {
				continue
			}
			if t == c.target {
				s.OtherCredential = true
			} else {
				s.OtherTarget = true
			}
		}
	}
	if s.OtherCredential && !s.OtherTarget && f.Class != providers.ClassAuth && f.Class != providers.ClassBilling {
		s.OtherTarget = true // another endpoint or key of the same target is as good
	}
	return x.route.retry.Next(s)
}
