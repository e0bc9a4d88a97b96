package balancing

import "time"

// Status says in a word whether a target is used.
type Status string

// The statuses. Where several apply the first one in this order is shown.
const (
	StatusDown        Status = "down"        // active checks fail
	StatusQuarantined Status = "quarantined" // the credential is refused
	StatusOpen        Status = "open"        // too many failures
	StatusCooldown    Status = "cooldown"    // the provider asked for a rest
	StatusHalfOpen    Status = "half_open"   // the rest is over, a request has to succeed
	StatusFull        Status = "full"        // as many requests in flight as allowed
	StatusHealthy     Status = "healthy"
)

// State is a picture of a [Health] for people and their tools.
type State struct {
	// Whether the target is used: down, quarantined, open, cooldown, half_open, full or healthy.
	Status Status `json:"status"`
	// Requests that the target is working on.
	InFlight int64 `json:"in_flight"`
	// Smoothed time to the first token in milliseconds; 0 when it is not known.
	LatencyMS float64 `json:"latency_ms"`
	// Failures since the last success.
	FailuresInRow int `json:"failures_in_row"`
	// Requests and failures in the last 10 seconds, or in fail_duration where that is set.
	RecentRequests int64 `json:"recent_requests"`
	RecentFailures int64 `json:"recent_failures"`
	// The class of the last failure and how many seconds ago it was; left out when there was none.
	LastFailure       string  `json:"last_failure,omitempty"`
	LastFailureBefore float64 `json:"last_failure_seconds_ago,omitempty"`
	// In how many seconds a request may be sent again; 0 when one may be sent now.
	RetryAfter float64 `json:"retry_after_seconds"`
}

// Snapshot returns the state at now.
func (h *Health) Snapshot(now time.Time) State {
	retry := h.NextAllowed(now).Sub(now)
	h.mu.Lock()
	defer h.mu.Unlock()
	status := h.status(now) // first: it closes a breaker whose time is up
	sum := h.breaker.window.at(now)
	s := State{
		Status:         status,
		InFlight:       h.inFlight.Load(),
		LatencyMS:      float64(h.forecast.Mean()) / float64(time.Millisecond),
		FailuresInRow:  h.breaker.row,
		RecentRequests: sum.requests,
		RecentFailures: sum.strikes,
		LastFailure:    h.lastFault,
		RetryAfter:     retry.Seconds(),
	}
	if h.lastFault != "" {
		s.LastFailureBefore = now.Sub(h.lastFailed).Seconds()
	}
	return s
}

func (h *Health) status(now time.Time) Status {
	resting := h.breaker.resting(now, &h.rules)
	h.guard()
	switch {
	case h.checks.down:
		return StatusDown
	case h.quarantine.active && now.Before(h.quarantine.until):
		return StatusQuarantined
	case resting:
		return StatusOpen
	case h.cooldown.active && now.Before(h.cooldown.until):
		return StatusCooldown
	case h.breaker.open, h.quarantine.active, h.cooldown.active:
		return StatusHalfOpen
	case h.full():
		return StatusFull
	}
	return StatusHealthy
}
