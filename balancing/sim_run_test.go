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

	// attempts is how many attempts a request may take on average. 0: one.
	attempts float64
	// down says that at some time no target answers.
	down bool
	// recovers says that a target comes back that every policy has a use for.
	recovers bool
	// erratic says that fastest is not held to the oracle, which knows at once what only attempts could tell.
	erratic bool
	// guesswork says that the cheapest target cannot be known before the answer.
	guesswork bool
}

const (
	simSeed  = 20260101 // of the first run; further runs of a scenario count on from it
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
}

func newSimRun(sc scenario, seed uint64) *simRun {
	if sc.firstToken <= 0 {
		sc.firstToken = 2 * time.Minute
	}
	sc.gateways = max(sc.gateways, 1)
	r := &simRun{scenario: sc, seed: seed, targets: sc.targets()}
	for i, t := range r.targets {
		t.id = ID("target", string(rune('a'+i)))
		t.weight = max(t.weight, 1)
		t.cache = map[uint64]time.Duration{}
		for j := range t.troubles {
			if f := &t.troubles[j]; f.class == ClassTimeout {
				f.after = sc.firstToken
			}
		}
	}
	return r
}

// play sends all requests through drivers, in turn.
func (r *simRun) play(drivers []driver) {
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
}

// session is what a request belongs to: several sessions take turns, and each ends after its own turns.
func (r *simRun) session(n uint64) uint64 {
	if r.scenario.sessions == 0 {
		return 0
	}
	at, turns := uint64(r.scenario.sessions), uint64(r.scenario.turns)
	return nonZero(mix(1 + n%at + at*(n/(at*turns))))
}

// misplaced reports whether a slot rests while another one is free that the request has not tried.
func (r *simRun) misplaced(g *simGateway, s *simSlot, q *simRequest, now time.Time) bool {
	if !s.resting(now) {
		return false
	}
	for _, o := range g.slots {
		if o != s && o.usable(q, now) {
			return true
		}
	}
	return false
}

// resting reports whether health keeps requests from the slot.
func (s *simSlot) resting(now time.Time) bool {
	for _, h := range [2]*Health{s.up, s.model} {
		if !h.guarded.Load() {
			continue
		}
		switch h.Snapshot(now).Status {
		case StatusDown, StatusQuarantined, StatusOpen, StatusCooldown:
			return true
		}
	}
	return false
}

func (sc *scenario) changing(at time.Duration) bool {
	if at < simGrace {
		return true
	}
	return slices.ContainsFunc(sc.changes, func(c time.Duration) bool { return at >= c && at < c+simGrace })
}

// playPolicy runs a scenario under a policy; each gateway has one of its own, and all of its own state.
func playPolicy(sc scenario, runs int, policy func() Policy) result {
	return sc.play(runs, func(r *simRun) []driver {
		var drivers []driver
		for i := range r.scenario.gateways {
			drivers = append(drivers, newSimGateway(r, policy(), r.seed+uint64(i)<<32))
		}
		return drivers
	})
}

// playOracle runs a scenario under an oracle.
func playOracle(sc scenario, runs int, aim func(*simTarget, *simRequest, time.Duration) float64) result {
	return sc.play(runs, func(r *simRun) []driver { return []driver{&oracle{run: r, aim: aim}} })
}

// play runs a scenario with several seeds and adds up what they came to.
func (sc scenario) play(runs int, drivers func(*simRun) []driver) result {
	res := result{}
	for i := range runs {
		r := newSimRun(sc, simSeed+uint64(i))
		r.play(drivers(r))
		res.add(r)
	}
	slices.Sort(res.firsts)
	return res
}
