package balancing

import (
	"slices"
	"time"
)

// oracle makes the choices of one who knows the targets as they are at the moment: which of them fail, how loaded each is
// by all gateways, the distribution of its latency, its cache and its prices. It does not know what will be, nor
// which latency a distribution is about to yield. Only the oracle of sessions keeps off targets that will fail: it cannot be
// beaten.
type oracle struct {
	run *simRun
	// aim is what is to be made small.
	aim func(*simTarget, *simRequest, time.Duration) float64
}

// The aims: the least expected latency, the least cost, the fewest cache misses.
func aimLatency(t *simTarget, q *simRequest, now time.Duration) float64 {
	return t.expected(now, q.session)
}

func aimCost(t *simTarget, q *simRequest, now time.Duration) float64 {
	return float64(t.cost(q, now))
}

func aimHits(t *simTarget, q *simRequest, now time.Duration) float64 {
	switch {
	case t.warm(q.session, now):
		return -1
	case len(t.troubles) > 0:
		return 1e9 // this one also knows what will be
	}
	return t.expected(now, 0)
}

func (o *oracle) step(q *simRequest) {
	now := o.run.engine.now
	t := o.best(q, now)
	if t == nil {
		return
	}
	q.tries++
	q.asked = append(q.asked, t)
	out := t.serve(o.run, q, q.tries)
	t.inFlight++
	o.run.engine.after(out.first, func() {
		if out.class != noFault {
			t.inFlight--
			o.step(q)
			return
		}
		q.served, q.first, q.miss = t, o.run.engine.now-q.begun, out.miss
		q.spend = out.cost
		o.run.engine.after(t.answer, func() { t.inFlight-- })
	})
}

// best is the target with the smallest aim of those that are least likely to fail.
func (o *oracle) best(q *simRequest, now time.Duration) *simTarget {
	var best *simTarget
	var lowest, fails float64
	if q.tries > DefaultRetries {
		return nil
	}
	for _, t := range o.run.targets {
		if slices.Contains(q.asked, t) {
			continue
		}
		f := t.condition(now).fault.fails
		if t.refused(now) > 0 {
			f = 1
		}
		aim := o.aim(t, q, now)
		if best == nil || f < fails || f == fails && aim < lowest {
			best, lowest, fails = t, aim, f
		}
	}
	return best
}
