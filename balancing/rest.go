package balancing

import "time"

// cooldown is a rest that the provider asked for. After it requests are let through one a second until one of them
// has succeeded, so that not all that have waited arrive at once only to be turned away again.
type cooldown struct {
	active bool
	until  time.Time
	next   time.Time // when the next request may go; until or later
}

// quarantine is the rest of a credential that was refused. After it a probe has to succeed.
type quarantine struct {
	active bool
	until  time.Time
	rests  int // without a success in between
}

// checks is the outcome of active health checks.
type checks struct {
	down   bool
	fails  int // in a row
	passes int // in a row
}

// Cooldown lets the target rest, after a rate limit. The rest is what the provider asked for, or a second if it did
// not say; at most five minutes. A cooldown in force is never shortened.
func (h *Health) Cooldown(now time.Time, rest time.Duration) {
	if rest <= 0 {
		rest = defaultCooldown
	}
	until := now.Add(min(rest, maxCooldown))
	h.mu.Lock()
	defer h.mu.Unlock()
	c := &h.cooldown
	if c.active && !until.After(c.until) {
		return
	}
	c.active, c.until, c.next = true, until, until
	h.guard()
}

// Quarantine takes a credential out of use that the provider refuses or whose account is out of money: for 5 minutes,
// then twice as long each time a probe is refused, up to an hour. Refusals of requests sent before the
// first one came back change nothing.
func (h *Health) Quarantine(now time.Time, p Pass) Change {
	h.mu.Lock()
	defer h.mu.Unlock()
	q := &h.quarantine
	if p.generation != h.generation || q.active && now.Before(q.until) {
		return Unchanged // known already, also when a last resort finds it out again
	}
	q.active, q.until = true, now.Add(doubled(quarantineRest, quarantineMax, q.rests))
	if doubled(quarantineRest, quarantineMax, q.rests) < quarantineMax {
		q.rests++
	}
	h.generation++
	h.guard()
	return TakenOut
}

// Checked takes the outcome of an active health check and reports what it changed. Checks only add to what requests
// show: a target that answers its checks but fails its requests stays out.
func (h *Health) Checked(ok bool) Change {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := &h.checks
	was := c.down
	if ok {
		c.fails, c.passes = 0, c.passes+1
		c.down = c.down && c.passes < h.rules.CheckPasses
	} else {
		c.fails, c.passes = c.fails+1, 0
		c.down = c.down || c.fails >= h.rules.CheckFails
	}
	h.guard()
	switch {
	case c.down == was:
		return Unchanged
	case c.down:
		return TakenOut
	}
	return Recovered
}

// Unchecked forgets what active checks found out, for a configuration that has none.
func (h *Health) Unchecked() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks = checks{}
	h.guard()
}

// NextAllowed is the soonest time at which a request may be let through, now at the earliest. For what ends with an event
// rather than a time, such as a full target, it is a second from now.
func (h *Health) NextAllowed(now time.Time) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := now
	later := func(t time.Time) {
		if t.After(next) {
			next = t
		}
	}
	if h.full() || h.checks.down || (h.breaker.open || h.quarantine.active) && h.probes >= h.rules.Probes {
		later(now.Add(probePace))
	}
	if h.breaker.open {
		later(h.breaker.until)
	}
	if h.cooldown.active {
		later(h.cooldown.next)
	}
	if h.quarantine.active {
		later(h.quarantine.until)
	}
	return next
}

// Ramp is the share of its weight that the target should get, from a tenth to 1, under [Rules.SlowStart]. As weights
// are integers, multiply all of them by the same constant first.
func (h *Health) Ramp(now time.Time) float64 {
	if now.UnixNano() >= h.ramped.Load() {
		return 1
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	length, closed := h.rules.SlowStart, h.breaker.closed
	if length <= 0 || closed.IsZero() {
		return 1
	}
	return min(max(float64(now.Sub(closed))/float64(length), slowStartFrom), 1)
}
