package balancing

import "time"

// Backoff is how long to wait before the given retry of the same target, 1 being the first: uniformly distributed between
// 0 and base, doubled with each retry up to limit. Full jitter spreads the retries of clients that failed together over the
// whole interval; a fixed share of it would let them arrive in waves. It is 0 where base or limit is not positive.
//
// Source: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog (2015).
func Backoff(retry int, base, limit time.Duration, random uint64) time.Duration {
	if base <= 0 || limit <= 0 {
		return 0
	}
	ceiling := limit
	// Asked this way round, nothing can overflow.
	if shift := max(retry-1, 0); base <= limit>>shift {
		ceiling = base << shift
	}
	return time.Duration(below(random, uint64(ceiling)+1))
}
