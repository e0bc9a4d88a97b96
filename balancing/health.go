package balancing

import (
	"sync"
	"sync/atomic"
	"time"
)

// Health is what is known about one target, endpoint or credential: whether it may be used, how busy and how fast it is.
// It belongs to the thing itself, not to a configuration: it is pooled, survives reloads and is shared by all handlers that
// use the thing. It has no clock: every method is told the time. All methods are safe for concurrent use.
//
// A thing is kept from use by any of
//   - the breaker, opened by failures ([Health.Failure]),
//   - a cooldown, which the provider asked for ([Health.Cooldown]),
//   - a quarantine, for credentials that are refused ([Health.Quarantine]),
//   - failed active checks ([Health.Checked]),
//   - as many requests in flight as the rules allow.
//
// The order of calls of a request is [Health.Allow] while looking for candidates, [Health.Begin] on the one picked,
// [Health.Success] at its first token or [Health.Failure], and always [Health.End].
type Health struct {
	inFlight atomic.Int64
	// guarded is set while anything but the number of requests in flight may keep a request away. While it is not,
	// which is nearly always, Allow needs no lock.
	guarded     atomic.Bool
	maxInFlight atomic.Int64
	ramped      atomic.Int64 // when the last slow start ends, in Unix nanoseconds
	random      func() uint64

	mu         sync.Mutex
	rules      Rules
	breaker    breaker
	cooldown   cooldown
	quarantine quarantine
	checks     checks
	forecast   Forecast
	probes     int    // in flight
	generation uint32 // grows with each opening and quarantine
	lastResort time.Time
	probed     time.Time // last, when it was resting
	lastFault  string
	lastFailed time.Time
	answered   time.Time // last success
}

// Pass is the permission of one request to use a target, from [Health.Begin] to [Health.End].
type Pass struct {
	// generation tells requests that were sent before the target was taken out from those that try it out since. What
	// becomes of the former says nothing new.
	generation uint32
	// slot says that the request takes up one of the probes.
	slot bool
	// pioneer says that the request was let through to see whether a cooldown is really over.
	pioneer bool
	// sole says that there is nothing else that the request could have been sent to.
	sole bool
	// waiting says that the first token has not come since the request was sent.
	waiting bool
	sent    time.Time
}

// Change is what an observation did to the standing of a target, for logs and events.
type Change uint8

// The changes.
const (
	Unchanged Change = iota
	TakenOut         // no more requests for a while
	Recovered        // back in use
)

// Sole says that there is nothing else that the request could have been sent to. Then a failure does not take out a
// target that answers some: see [Health.LastResort].
func (p *Pass) Sole() { p.sole = true }

// Probe reports whether the request tries out a target that was taken out.
func (p Pass) Probe() bool { return p.slot || p.pioneer }

// NewHealth returns the state of a healthy target.
func NewHealth(rules Rules) *Health {
	h := &Health{random: Rand}
	h.SetRules(rules)
	return h
}

// SetRules replaces the rules, on a reload. The state is kept, except that failures are counted anew when the time over
// which they are counted changes. Among several handlers that share a Health the last one loaded sets the rules.
func (h *Health) SetRules(rules Rules) {
	rules = rules.withDefaults()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.rules.span() != rules.span() || h.breaker.window.width == 0 {
		h.breaker.window.resize(rules.span())
	}
	h.rules = rules
	h.maxInFlight.Store(int64(rules.UnhealthyRequestCount))
}

// Allow reports whether a request may be sent, and if so whether it would be a probe. It takes nothing: of several
// requests that are told so, [Health.Begin] lets through as many as there are probes left.
func (h *Health) Allow(now time.Time) (ok, probe bool) {
	if h.full() {
		return false, false
	}
	if !h.guarded.Load() {
		return true, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	p, ok := h.admit(now)
	return ok, p.Probe()
}

// Begin takes a place on the target and reports whether there was one. If so, the request must call [Health.End] with
// the pass, whatever becomes of it. The pass is one request's own: Success writes to it.
func (h *Health) Begin(now time.Time) (Pass, bool) {
	limit := h.maxInFlight.Load()
	if n := h.inFlight.Add(1); limit > 0 && n > limit {
		h.inFlight.Add(-1)
		return Pass{}, false
	}
	p, ok := h.enter(now)
	if !ok {
		h.inFlight.Add(-1)
		return Pass{}, false
	}
	return p, true
}

// enter takes what admit would give.
func (h *Health) enter(now time.Time) (Pass, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := Pass{generation: h.generation}
	if h.guarded.Load() {
		var ok bool
		if p, ok = h.admit(now); !ok {
			return p, false
		}
	}
	if p.slot {
		h.probes++
		h.probed = now
	}
	if p.pioneer {
		h.cooldown.next = now.Add(probePace)
	}
	p.waiting, p.sent = true, now
	h.forecast.Sent()
	return p, true
}

// admit is the decision of Allow and Begin while the target is guarded.
func (h *Health) admit(now time.Time) (Pass, bool) {
	resting := h.breaker.resting(now, &h.rules)
	h.guard()
	if resting || h.checks.down || h.cooldown.active && now.Before(h.cooldown.next) ||
		h.quarantine.active && now.Before(h.quarantine.until) {
		return Pass{}, false
	}
	p := Pass{
		generation: h.generation,
		slot:       h.breaker.open || h.quarantine.active,
		pioneer:    h.cooldown.active,
	}
	if h.breaker.open && within(now, h.lastResort, probePace) {
		return p, false // the last resort has just asked
	}
	return p, !p.slot || h.probes < h.rules.Probes
}

// within reports whether then, if it ever was, is less than d ago.
func within(now, then time.Time, d time.Duration) bool { return !then.IsZero() && now.Sub(then) < d }

// LastResort is Begin for a request that has no other target left. A target that still answers some is not lost to it: as
// long as one request of the last 10 seconds succeeded, and one of the last 20, all are let through an open breaker, and
// only the retry budget limits what is asked. Of a target that answers none one request a second finds out when it is back,
// and the others are refused at once. A quarantine keeps requests on other credentials; where there are none it would only
// hide the provider's own words from the client, so it is passed over. What the provider asked for in so many words, a
// cooldown, stands, and so does the limit of requests in flight.
func (h *Health) LastResort(now time.Time) (Pass, bool) {
	if h.full() {
		return Pass{}, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cooldown.active && now.Before(h.cooldown.next) {
		return Pass{}, false
	}
	if (h.breaker.open || h.checks.down) && !h.answers(now, h.breaker.row) {
		if within(now, h.lastResort, probePace) || within(now, h.probed, probePace) {
			return Pass{}, false
		}
		h.lastResort = now
	}
	if h.cooldown.active {
		h.cooldown.next = now.Add(probePace)
	}
	h.inFlight.Add(1)
	h.forecast.Sent()
	return Pass{generation: h.generation, pioneer: h.cooldown.active, waiting: true, sent: now}, true
}

// End gives back the place taken by [Health.Begin] or [Health.LastResort].
func (h *Health) End(p *Pass) {
	h.inFlight.Add(-1)
	if !p.slot && !p.waiting {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if p.slot {
		h.probes--
	}
	if p.waiting {
		h.forecast.Gone()
	}
}

// Success says that the first token arrived, after the given time; 0 when that is not known. Under
// [Rules.UnhealthyLatency] a slow one is a failure, although its latency still counts.
func (h *Health) Success(now time.Time, p *Pass, latency time.Duration) Change {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p.waiting {
		p.waiting = false
		h.forecast.Answered(now)
	}
	if p.slot { // it has found out; the rest of a stream may take long
		p.slot = false
		h.probes--
	}
	h.forecast.Observe(now, latency)
	if limit := h.rules.UnhealthyLatency; limit > 0 && latency >= limit {
		return h.fail(now, *p, ClassTimeout)
	}
	return h.succeed(now, *p)
}

// Failure says how a request failed, in one of the classes. It may follow a Success, when a stream breaks. Classes that
// blame the request count as a sign of life; those that are matters of [Health.Cooldown] and [Health.Quarantine], and
// unknown ones, count for nothing.
func (h *Health) Failure(now time.Time, p Pass, class string) Change {
	v := judge(class)
	if v == neutral {
		return Unchanged
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if v == answered {
		return h.succeed(now, p)
	}
	return h.fail(now, p, class)
}

func (h *Health) fail(now time.Time, p Pass, class string) Change {
	h.lastFault, h.lastFailed = class, now
	if p.waiting {
		h.forecast.Failed(now, now.Sub(p.sent))
	}
	if p.generation != h.generation || !h.breaker.fail(now, &h.rules, judge(class), p.sole && h.answers(now, h.breaker.row+1), h.random()) {
		return Unchanged
	}
	h.generation++
	h.guard()
	return TakenOut
}

// answers reports whether the target still succeeds now and then, after so many failures in a row.
func (h *Health) answers(now time.Time, failures int) bool {
	return !h.answered.IsZero() && now.Sub(h.answered) < breakerSpan && failures < breakerRequests
}

func (h *Health) succeed(now time.Time, p Pass) Change {
	h.answered = now
	change := Unchanged
	if p.pioneer && h.cooldown.active && !now.Before(h.cooldown.until) {
		h.cooldown.active = false
		change = Recovered
	}
	if p.generation == h.generation {
		if h.breaker.succeed(now) {
			change = Recovered
		}
		if h.quarantine.active {
			h.quarantine, change = quarantine{}, Recovered
		}
	}
	if change == Recovered {
		h.guard()
	}
	return change
}

// guard notes whether anything may keep requests away. The lock must be held.
func (h *Health) guard() {
	if !h.breaker.closed.IsZero() {
		h.ramped.Store(h.breaker.closed.Add(h.rules.SlowStart).UnixNano())
	}
	h.guarded.Store(h.breaker.open || h.cooldown.active || h.quarantine.active || h.checks.down)
}

func (h *Health) full() bool {
	limit := h.maxInFlight.Load()
	return limit > 0 && h.inFlight.Load() >= limit
}

// InFlight is the number of requests that the target is working on, for [Candidate.InFlight].
func (h *Health) InFlight() int64 { return h.inFlight.Load() }

// Latency is the time to the first token to expect of a request that is sent now, for [Candidate.Latency].
func (h *Health) Latency(now time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.forecast.Value(now)
}
