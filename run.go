package llmgateway

import (
	"context"
	"slices"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/balancing"
	"github.com/caddy-llm/llmgateway/providers"
)

// choice is the slot that the next attempt goes to, with the passes that let it through.
type choice struct {
	target         *target
	slot           *slot
	upPass, mdPass balancing.Pass
	grant          balancing.Grant
	fresh          bool // over a connection of its own
}

// run tries targets until the client has an answer or none is left.
func (x *exchange) run() error {
	x.limitStalls()
	x.wait()
	ctx, done := x.attemptContext()
	defer done()
	var again repeat
	defer func() { again.budget.Done() }()
	for {
		now := time.Now()
		c, wait, ok := x.next(now, again)
		if !ok && x.queue(now) {
			continue
		}
		if !ok {
			return x.giveUp(wait)
		}
		if again.slot == nil {
			c.slot.model.budget.Request(now)
		}
		c.fresh = c.target.provider.fresh != nil && (again.fresh || now.UnixNano() < c.slot.up.state.freshUntil.Load())
		again.target, again.slot, again.fresh = nil, nil, false
		x.answering = 0
		x.tried = append(x.tried, c.slot)
		x.attempts = slices.Grow(x.attempts, 2) // the attempts of a race must not move
		a, out, f := x.prepare(c)
		if f != nil {
			continue // the target cannot take this request; it was not asked
		}
		a.budget, again.budget = again.budget, nil
		if after := x.hedgeAfter(a); after > 0 {
			a, f = x.hedged(ctx, a, out, after)
			c = a.choice
		} else {
			f = x.perform(ctx, a, out)
		}
		switch {
		case f == nil:
			return nil
		case x.committed || f.Class == providers.ClassCanceled:
			if f.Class == providers.ClassCanceled && x.r.Context().Err() != nil {
				x.takeOver()
				return x.abandon()
			}
			x.keep.Class = f.Class
			return nil
		}
		x.log(c, f)
		if ctx.Err() != nil || x.r.Context().Err() != nil {
			return x.giveUp(0)
		}
		if again, wait, ok = x.follow(a, f); !ok {
			return x.giveUp(wait)
		}
	}
}

// maxQueue is how long a request waits for a target whose limit it has to keep, at most.
const maxQueue = 2 * time.Second

// queue waits until a target may be asked that nothing but its limit keeps away, if that is soon: within two seconds and a
// tenth of the time left. It reports false when there is none.
func (x *exchange) queue(now time.Time) bool {
	wait := time.Duration(-1)
	for _, tier := range x.route.tiers {
		for _, t := range tier {
			for _, s := range t.slots {
				if d := s.limited(now, x); d > 0 && (wait < 0 || d < wait) {
					wait = d
				}
			}
		}
	}
	if wait < 0 || x.queued+wait > min(maxQueue, x.deadline.Sub(now)/10) {
		return false
	}
	x.queued += wait
	return x.sleep(wait)
}

// wait has keep-alives written to a client that waits for a stream, in the dialects that have some.
func (x *exchange) wait() {
	if !x.head.Stream || x.operation != providers.Generate || x.wantsArray() {
		return
	}
	if frame := x.codec.AppendKeepAlive(nil); len(frame) > 0 {
		x.waiting = startKeepAlive(x.w, x.id, frame)
	}
}

// abandon ends a request whose client has left. Should the client only have closed its half of the connection it learns why
// there is no answer; the status is for the access log.
func (x *exchange) abandon() error {
	x.keep.Status, x.keep.Class = statusClientClosed, providers.ClassCanceled
	if !x.opened && !x.committed {
		x.w.WriteHeader(statusClientClosed)
	}
	return nil
}

// giveUp answers after the last attempt. A request that no target could even be asked for is the client's to mend.
func (x *exchange) giveUp(wait time.Duration) error {
	x.takeOver()
	if x.r.Context().Err() != nil {
		return x.abandon()
	}
	if x.estimable() {
		return x.estimate()
	}
	if len(x.attempts) == 0 && x.refusal != nil {
		return x.reject(x.refusal)
	}
	return x.exhausted(wait)
}

// next finds the slot for the next attempt: in the earliest tier that has one, the target that the policy picks, and of
// its slots the one that the provider's policy picks. wait is how long until one may be available, when none is.
func (x *exchange) next(now time.Time, again repeat) (c choice, wait time.Duration, ok bool) {
	if again.slot != nil {
		if c, ok = x.begin(again.target, again.slot, now); ok {
			return c, 0, true
		}
		return c, again.slot.nextAllowed(now, x).Sub(now), false
	}
	if c, ok = x.pick(now); ok {
		return c, 0, true
	}
	if !x.lenient {
		x.lenient = true
		if c, ok = x.pick(now); ok {
			return c, 0, true
		}
	}
	if len(x.attempts) == 0 && x.refusal == nil {
		return x.lastResort(now)
	}
	return c, x.soonest(now), false
}

// pick goes through the tiers.
func (x *exchange) pick(now time.Time) (c choice, ok bool) {
	for _, tier := range x.route.tiers {
		for {
			t := x.pickTarget(now, tier)
			if t == nil {
				break
			}
			s := x.pickSlot(now, t)
			if s == nil {
				break
			}
			if c, ok = x.begin(t, s, now); ok {
				return c, true
			}
			if s.up.state.limiter.Wait(now, x.tokens()) == 0 {
				x.tried = append(x.tried, s) // somebody else took the last place
			}
		}
	}
	return c, false
}

// pickTarget lets the policy choose among the available targets of a tier.
func (x *exchange) pickTarget(now time.Time, tier []*target) *target {
	if len(tier) == 1 {
		if tier[0].sound(x, now) && tier[0].available(now, x) {
			return tier[0]
		}
		return nil
	}
	candidates, at := x.pool[:0], x.poolAt[:0]
	for i, t := range tier {
		if c, ok := t.candidate(now, x); ok {
			candidates, at = append(candidates, c), append(at, i)
		}
	}
	x.pool, x.poolAt = candidates, at
	switch len(candidates) {
	case 0:
		return nil
	case 1:
		return tier[at[0]]
	}
	return tier[at[x.route.policy.Pick(balancing.Hint{Affinity: x.affinity}, candidates)]]
}

// pickSlot lets the provider's policy choose among the available endpoints and keys of a target.
func (x *exchange) pickSlot(now time.Time, t *target) *slot {
	if len(t.slots) == 1 {
		if t.slots[0].usable(now, x) {
			return t.slots[0]
		}
		return nil
	}
	candidates, at := x.pool[:0], x.poolAt[:0]
	for i, s := range t.slots {
		if s.usable(now, x) {
			candidates = append(candidates, balancing.Candidate{
				ID: s.id, Weight: 1, InFlight: s.model.health.InFlight(), Latency: s.model.health.Latency(now),
			})
			at = append(at, i)
		}
	}
	x.pool, x.poolAt = candidates, at
	switch len(candidates) {
	case 0:
		return nil
	case 1:
		return t.slots[at[0]]
	}
	return t.slots[at[t.provider.policy.Pick(balancing.Hint{Affinity: x.slotAffinity(t.provider)}, candidates)]]
}

// begin takes a place on a slot, on its endpoint and its model.
func (x *exchange) begin(t *target, s *slot, now time.Time) (choice, bool) {
	grant, ok := s.up.state.limiter.Take(now, x.tokens())
	if !ok {
		return choice{}, false
	}
	up, ok := s.up.state.health.Begin(now)
	if !ok {
		s.up.state.limiter.Cancel(now, grant)
		return choice{}, false
	}
	md, ok := s.model.health.Begin(now)
	if !ok {
		s.up.state.health.End(&up)
		s.up.state.limiter.Cancel(now, grant)
		return choice{}, false
	}
	if !x.route.several() {
		up.Sole()
		md.Sole()
	}
	return choice{target: t, slot: s, upPass: up, mdPass: md, grant: grant}, true
}

// lastResort asks a target that rests after failures when there is no other: one that still answers some, or else once a
// second, so that a gateway whose only target came back notices at once.
func (x *exchange) lastResort(now time.Time) (choice, time.Duration, bool) {
	for _, tier := range x.route.tiers {
		for _, t := range tier {
			for _, s := range t.slots {
				if slices.Contains(x.tried, s) {
					continue
				}
				if c, ok := x.beginLastResort(t, s, now); ok {
					return c, 0, true
				}
			}
		}
	}
	return choice{}, x.soonest(now), false
}

// beginLastResort is begin on a slot that rests after failures. What the vendor allows stands.
func (x *exchange) beginLastResort(t *target, s *slot, now time.Time) (choice, bool) {
	grant, ok := s.up.state.limiter.Take(now, x.tokens())
	if !ok {
		return choice{}, false
	}
	up, ok := s.up.state.health.LastResort(now)
	if !ok {
		s.up.state.limiter.Cancel(now, grant)
		return choice{}, false
	}
	md, ok := s.model.health.LastResort(now)
	if !ok {
		s.up.state.health.End(&up)
		s.up.state.limiter.Cancel(now, grant)
		return choice{}, false
	}
	return choice{target: t, slot: s, upPass: up, mdPass: md, grant: grant}, true
}

// soonest is how long until any slot of the route may be used again.
func (x *exchange) soonest(now time.Time) time.Duration {
	best := time.Duration(-1)
	for _, tier := range x.route.tiers {
		for _, t := range tier {
			for _, s := range t.slots {
				if d := s.nextAllowed(now, x).Sub(now); best < 0 || d < best {
					best = d
				}
			}
		}
	}
	return max(best, 0)
}

// defaultOutput is the length of an answer, in tokens, that costs are estimated with when the client set no limit.
const defaultOutput = 512

// expectedTokens estimates the size of the request for comparing costs.
func (x *exchange) expectedTokens() (in, out int64) {
	in, out = x.inputSize/accounting.BytesPerToken, x.head.MaxTokens
	if out <= 0 || out > 4*defaultOutput {
		out = defaultOutput
	}
	return in, out
}

// tokens is how many tokens the request is expected to use, for the limits of vendors.
func (x *exchange) tokens() int64 {
	in, out := x.expectedTokens()
	return in + out
}

// sleep waits before the same target is asked again. It reports false when the client left meanwhile.
func (x *exchange) sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(x.r.Context(), d)
	defer cancel()
	<-ctx.Done()
	return x.r.Context().Err() == nil
}
