package balancing

import (
	"math"
	"slices"
	"time"
)

// scenario is a script of what happens to requests and targets.
type scenario struct {
	name     string
	rate     float64 // requests a second, arriving by a Poisson process
	requests int
	gateways int // 0: one
	// sessions is how many sessions go on at a time, each of so many turns. 0: requests have no session.
	sessions, turns int
	firstToken      time.Duration // time allowed for the first token; 0: two minutes
	// changes are when something happens. The percentiles leave out the requests of the first seconds of the run and
	// after each change, in which even a perfect policy can only find out.
	changes []time.Duration
	targets func() []*simTarget
}

const (
	simSeed  = 20260101
	simGrace = 5 * time.Second
)

// driver makes the attempts of requests: a gateway, or an oracle.
type driver interface{ step(q *simRequest) }

// simRun is one run of a scenario.
type simRun struct {
	engine   engine
	scenario scenario
	seed     uint64
	targets  []*simTarget
	requests []*simRequest
	// ejected counts attempts at a target at rest while a healthy one was there.
	ejected int
	// back is when each target first answered after its last change; refused how many attempts the vendors turned away.
	answered [][]time.Duration
	refused  int
}

func newSimRun(sc scenario) *simRun {
	if sc.firstToken <= 0 {
		sc.firstToken = 2 * time.Minute
	}
	sc.gateways = max(sc.gateways, 1)
	r := &simRun{scenario: sc, seed: simSeed, targets: sc.targets()}
	for i, t := range r.targets {
		t.id = ID("target", string(rune('a'+i)))
		t.weight = max(t.weight, 1)
		t.cache = map[uint64]time.Duration{}
		t.vendors.SetLimit(Limit{Requests: t.vendor})
		for j := range t.troubles {
			if f := &t.troubles[j]; f.class == ClassTimeout {
				f.after = sc.firstToken
			}
		}
	}
	r.answered = make([][]time.Duration, len(r.targets))
	return r
}

// play sends all requests through drivers, in turn.
func (r *simRun) play(drivers []driver) result {
	var arrive func(n uint64)
	arrive = func(n uint64) {
		q := &simRequest{
			number: n, begun: r.engine.now, session: r.session(n),
			in:  200 + int64(4000*draw(r.seed, drawSize, n)),
			out: 100 + int64(900*draw(r.seed, drawSize, n, 1)),
		}
		r.requests = append(r.requests, q)
		if n++; n < uint64(r.scenario.requests) {
			gap := -math.Log(draw(r.seed, drawArrival, n)) / r.scenario.rate
			r.engine.after(time.Duration(gap*float64(time.Second)), func() { arrive(n) })
		}
		drivers[q.number%uint64(len(drivers))].step(q)
	}
	r.engine.after(0, func() { arrive(0) })
	r.engine.run()
	return r.result()
}

// session is what a request belongs to: several sessions take turns, and each ends after its own turns.
func (r *simRun) session(n uint64) uint64 {
	if r.scenario.sessions == 0 {
		return 0
	}
	at, turns := uint64(r.scenario.sessions), uint64(r.scenario.turns)
	return nonZero(mix(1 + n%at + at*(n/(at*turns))))
}

func (r *simRun) finish(q *simRequest, ok bool) {
	q.done, q.failed = true, !ok
	if ok {
		i := slices.Index(r.targets, q.served)
		r.answered[i] = append(r.answered[i], r.engine.now)
	}
}

// misplaced reports whether a slot rests while another one that the request has not tried does not.
func (r *simRun) misplaced(g *simGateway, s *simSlot, q *simRequest, now time.Time) bool {
	if !s.resting(now) {
		return false
	}
	for _, o := range g.slots {
		if o != s && !slices.Contains(q.tried, o) && !o.resting(now) && o.limiter.Wait(now, 0) == 0 {
			return true
		}
	}
	return false
}

// resting reports whether health keeps requests from the slot.
func (s *simSlot) resting(now time.Time) bool {
	for _, h := range [2]*Health{s.up, s.model} {
		switch h.Snapshot(now).Status {
		case StatusDown, StatusQuarantined, StatusOpen, StatusCooldown:
			return true
		}
	}
	return false
}

// result is what a run came to.
type result struct {
	p50, p99 time.Duration
	errors   float64 // share of the requests
	attempts float64 // for each request
	spend    int64
	misses   int
	shares   []float64 // of the targets, of all answers
	run      *simRun
}

func (r *simRun) result() result {
	res := result{run: r, shares: make([]float64, len(r.targets))}
	var firsts []time.Duration
	answers := 0
	for _, q := range r.requests {
		res.attempts += float64(q.tries())
		if !q.done || q.failed {
			res.errors++
			continue
		}
		answers++
		res.shares[slices.Index(r.targets, q.served)]++
		res.spend += q.spend
		if q.miss && q.session != 0 {
			res.misses++
		}
		if !r.scenario.changing(q.begun) {
			firsts = append(firsts, q.first)
		}
	}
	for i := range res.shares {
		res.shares[i] /= float64(answers)
	}
	n := float64(len(r.requests))
	res.attempts /= n
	res.errors /= n
	slices.Sort(firsts)
	res.p50, res.p99 = percentile(firsts, 0.50), percentile(firsts, 0.99)
	return res
}

func (q *simRequest) tries() int { return len(q.attempts) + q.oracle }

func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(p*float64(len(sorted))), len(sorted)-1)]
}

func (sc *scenario) changing(at time.Duration) bool {
	if at < simGrace {
		return true
	}
	return slices.ContainsFunc(sc.changes, func(c time.Duration) bool { return at >= c && at < c+simGrace })
}

// recovery is how long after a moment a target first answered again.
func (r *simRun) recovery(target int, from time.Duration) time.Duration {
	for _, at := range r.answered[target] {
		if at >= from {
			return at - from
		}
	}
	return math.MaxInt64
}

// playPolicy runs a scenario under a policy; each gateway has one of its own, and all of its own state.
func playPolicy(sc scenario, policy func() Policy) result {
	r := newSimRun(sc)
	var drivers []driver
	for i := range r.scenario.gateways {
		drivers = append(drivers, newSimGateway(r, policy(), simSeed+uint64(i)))
	}
	return r.play(drivers)
}

// playOracle runs a scenario under an oracle.
func playOracle(sc scenario, aim func(*simTarget, *simRequest, time.Duration) float64) result {
	r := newSimRun(sc)
	return r.play([]driver{&oracle{run: r, aim: aim}})
}
