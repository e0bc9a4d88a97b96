package balancing

import "time"

// Rules say when a target counts as unhealthy. The zero value is the default: five failures in a row, or half of at least
// twenty requests within 10 seconds, take the target out for 10 seconds, doubling up to 300.
type Rules struct {
	// MaxFails is how many failures take the target out: without FailDuration that many in a row, with it that many
	// within FailDuration. Default: 5 without FailDuration, 1 with it.
	MaxFails int
	// FailDuration is how long a failure is remembered and, once there are MaxFails of them, how long the target is
	// left alone before it takes part again, as in reverse_proxy. It replaces the rule of the half, the doubling and
	// the single probe. Failures are forgotten by tenths of it. Default: 0, the rules above.
	FailDuration time.Duration
	// UnhealthyLatency makes an answer a failure when its first token took this long. Default: 0, never.
	UnhealthyLatency time.Duration
	// UnhealthyRequestCount is how many requests the target works on at most at a time. Default: 0, no limit.
	UnhealthyRequestCount int
	// SlowStart is the time over which a recovered target's share grows from a tenth to all. Default: 3s; a negative one
	// gives it all at once.
	SlowStart time.Duration
	// Probes is how many requests at a time try out a target that was taken out. Default: 1, at most 3.
	Probes int
	// CheckFails and CheckPasses are how many failed active checks in a row take the target out, and how many passed
	// ones bring it back. Defaults: 3 and 2.
	CheckFails, CheckPasses int
}

// The terms of the breaker and of the rests that a target is given.
const (
	breakerFails    = 5
	breakerRequests = 20 // that the rule of the half needs
	breakerSpan     = 10 * time.Second
	breakerRest     = 10 * time.Second
	breakerMaxRest  = 300 * time.Second
	breakerJitter   = 0.2 // to each side
	maxProbes       = 3

	checkFails  = 3
	checkPasses = 2

	// slowStartFrom is the share with which a slow start begins.
	slowStartFrom    = 0.1
	defaultSlowStart = 3 * time.Second
	// probePace separates the requests that try out a target on which no number of probes is agreed.
	probePace = time.Second

	defaultCooldown = time.Second
	maxCooldown     = 300 * time.Second
	quarantineRest  = 5 * time.Minute
	quarantineMax   = time.Hour
)

// withDefaults fills in what is zero and bounds the rest.
func (r Rules) withDefaults() Rules {
	if r.MaxFails <= 0 {
		r.MaxFails = breakerFails
		if r.FailDuration > 0 {
			r.MaxFails = 1
		}
	}
	r.FailDuration = max(r.FailDuration, 0)
	if r.SlowStart == 0 {
		r.SlowStart = defaultSlowStart
	}
	r.Probes = min(max(r.Probes, 1), maxProbes)
	if r.CheckFails <= 0 {
		r.CheckFails = checkFails
	}
	if r.CheckPasses <= 0 {
		r.CheckPasses = checkPasses
	}
	return r
}

// span is the time over which requests and failures are counted.
func (r *Rules) span() time.Duration {
	if r.FailDuration > 0 {
		return r.FailDuration
	}
	return breakerSpan
}

// doubled is base·2ⁿ, at most limit.
func doubled(base, limit time.Duration, n int) time.Duration {
	for ; n > 0 && base < limit; n-- {
		base *= 2
	}
	return min(base, limit)
}
