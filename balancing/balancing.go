// Package balancing decides which target is tried next, and holds the arithmetic of health, cooldown, latency and
// backoff as plain values that know no clock of their own.
//
// Policies are Caddy modules in the namespace http.llm_gateway.policies and implement [Policy].
package balancing

import "time"

// Candidate is a target that may be picked: allowed for this request, healthy and not yet tried.
type Candidate struct {
	// ID is a stable hash of the target's identity. It is the same after a reload and on every gateway.
	ID uint64
	// Weight is the configured share; at least 1.
	Weight int
	// InFlight counts requests that the target is working on, from all routes.
	InFlight int64
	// Latency is the time to the first token to expect of a request that is sent now; 0 when nothing is known yet.
	Latency time.Duration
	// Cost is the expected cost of this request in nano-dollars. Unpriced candidates have Priced false.
	Cost   int64
	Priced bool
}

// Hint is what a policy may know about the request.
type Hint struct {
	// Affinity is a hash of the key that ties requests together (a session); 0 when the request has none.
	Affinity uint64
	// Rand returns a pseudo-random number; tests replace it.
	Rand func() uint64
}

// Policy picks. It gets at least one candidate, in the order they are written in the configuration, and returns an
// index into pool. It is called concurrently and does not keep pool.
type Policy interface {
	Pick(h Hint, pool []Candidate) int
}

// AffinityKeyer is implemented by policies that name a placeholder to take the affinity from.
type AffinityKeyer interface{ AffinityPlaceholder() string }
