package balancing

import "time"

// breaker is a circuit breaker: closed while requests succeed, open for a while after too many failed, half-open until a
// probe has shown that they succeed again. It is a plain state machine without a lock or a clock.
//
// Sources: Nygard, "Release It!" (the pattern); Envoy's outlier detection (five in a row, growing ejection that shrinks
// again by one step for each interval in good health).
type breaker struct {
	window window
	row    int  // failures in a row
	open   bool // open or half-open
	until  time.Time
	rests  int       // rests taken in short succession, the exponent of the next one
	closed time.Time // when it closed last
}

// resting reports whether the breaker is open. A rest of fixed length ends without a probe.
func (b *breaker) resting(now time.Time, r *Rules) bool {
	if !b.open || now.Before(b.until) {
		return b.open
	}
	if r.FailDuration > 0 {
		b.close(now)
	}
	return false
}

// fail counts a failure and reports whether it opened the breaker. While it is open there is nothing to learn from
// more of them but how many there are. A breaker that is spared opens only for what cannot pass by itself.
func (b *breaker) fail(now time.Time, r *Rules, v verdict, spared bool, random uint64) bool {
	b.row++
	if b.resting(now, r) {
		return false
	}
	sum := b.window.add(now, 1, 1)
	if b.open || v == broken || !spared && b.tooMany(sum, r) {
		b.rest(now, r, v, random)
		return true
	}
	return false
}

func (b *breaker) tooMany(sum tally, r *Rules) bool {
	if r.FailDuration > 0 {
		return sum.strikes >= int64(r.MaxFails)
	}
	return b.row >= r.MaxFails || sum.requests >= breakerRequests && sum.strikes*2 >= sum.requests
}

// succeed counts a success and reports whether it closed the breaker.
func (b *breaker) succeed(now time.Time) bool {
	if b.open {
		b.close(now)
		return true
	}
	b.window.add(now, 1, 0)
	b.row = 0
	return false
}

// rest opens the breaker. Rests get longer when a target fails again soon after it recovered, and when trying it out is
// dear: a request that runs into a timeout keeps its client waiting for that long. A target that fails at once is tried
// every ten seconds, so that its recovery does not go unnoticed for minutes.
func (b *breaker) rest(now time.Time, r *Rules, v verdict, random uint64) {
	length := r.FailDuration
	switch {
	case length > 0:
	case b.open && v == failing:
		length = jittered(breakerRest, random)
	default:
		if !b.open && !b.closed.IsZero() {
			b.rests = max(b.rests-int(now.Sub(b.closed)/breakerRest), 0)
		}
		length = jittered(doubled(breakerRest, breakerMaxRest, b.rests), random)
		// More steps than reach the longest rest would only take longer to live down.
		if doubled(breakerRest, breakerMaxRest, b.rests) < breakerMaxRest {
			b.rests++
		}
	}
	b.open, b.until = true, now.Add(length)
}

func (b *breaker) close(now time.Time) {
	b.open, b.row, b.closed = false, 0, now
	b.window.clear()
}

// jittered moves a rest by up to a fifth to either side, so that gateways that saw the same outage do not probe together.
func jittered(rest time.Duration, random uint64) time.Duration {
	spread := uint64(float64(rest) * 2 * breakerJitter)
	return rest - time.Duration(spread/2) + time.Duration(below(random, spread+1))
}
