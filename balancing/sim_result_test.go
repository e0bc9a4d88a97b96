package balancing

import (
	"slices"
	"time"
)

// result is what runs of a scenario came to.
type result struct {
	firsts   []time.Duration // times to the first token, sorted; without those of the seconds after a change
	requests int
	attempts int
	errors   int
	spend    int64 // nano-dollars
	misses   int   // answers without the session's cache
	served   []int // answers of each target
	ejected  int   // attempts at a target at rest while a healthy one was there
	// recovery is how long after the last change the first target answered again, in the slowest run.
	recovery time.Duration
}

// add takes a run into the result.
func (r *result) add(run *simRun) {
	if r.served == nil {
		r.served = make([]int, len(run.targets))
	}
	r.requests += len(run.requests)
	r.ejected += run.ejected
	end := time.Duration(0)
	if n := len(run.scenario.changes); n > 0 {
		end = run.scenario.changes[n-1]
	}
	recovery := never
	for _, q := range run.requests {
		r.attempts += q.tries
		if q.served == nil {
			r.errors++
			continue
		}
		r.spend += q.spend
		r.served[slices.Index(run.targets, q.served)]++
		if q.miss {
			r.misses++
		}
		if !run.scenario.changing(q.begun) {
			r.firsts = append(r.firsts, q.first)
		}
		if at := q.begun + q.first; at >= end && q.served == run.targets[0] {
			recovery = min(recovery, at-end)
		}
	}
	r.recovery = max(r.recovery, recovery)
}

// never is the recovery of a target that did not recover.
const never = 1000 * time.Hour

// percentile is the time to the first token that a share of the answers does not exceed.
func (r *result) percentile(p float64) time.Duration {
	if len(r.firsts) == 0 {
		return 0
	}
	return r.firsts[min(int(p*float64(len(r.firsts))), len(r.firsts)-1)]
}

// perRequest is the number of attempts for each request.
func (r *result) perRequest() float64 { return float64(r.attempts) / float64(r.requests) }

// regret is by how many percent a figure is above the oracle's.
func regret[N ~int | ~int64](got, best N) float64 {
	if best == 0 {
		return 0
	}
	return 100 * (float64(got)/float64(best) - 1)
}
