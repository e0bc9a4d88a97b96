package balancing

import (
	"slices"
	"time"
)

// simGateway is one instance of the gateway with its own state: the loop of the package above, restated without
// transports, prices and ledgers, around the same health, limits, budgets, rules and policies.
type simGateway struct {
	run    *simRun
	policy Policy
	rand   func() uint64
	retry  RetryRules
	slots  []*simSlot
	pool   []Candidate
	poolAt []int
}

// simSlot is what one gateway knows of a target.
type simSlot struct {
	target    *simTarget
	up, model *Health
	budget    RetryBudget
	limiter   Limiter
	prefixes  map[uint64]time.Duration // sessions that the provider should have cached
}

// simRequest is one request on its way.
type simRequest struct {
	number  uint64
	session uint64
	in, out int64
	begun   time.Duration

	tried   []*simSlot
	asked   []*simTarget // by an oracle
	tries   int
	again   *simSlot
	budget  *RetryBudget // that the attempt draws on
	lenient bool
	queued  time.Duration

	served *simTarget    // nil: none
	first  time.Duration // from the beginning to the first token
	spend  int64
	miss   bool
}

// simChoice is a slot with the passes that let a request through.
type simChoice struct {
	slot           *simSlot
	upPass, mdPass Pass
	grant          Grant
}

// simDeadline is the time that a request has in all.
const simDeadline = 10 * time.Minute

func newSimGateway(run *simRun, policy Policy, seed uint64) *simGateway {
	g := &simGateway{run: run, policy: policy, rand: seededRand(seed), retry: DefaultRetryRules()}
	for _, t := range run.targets {
		s := &simSlot{target: t, up: NewHealth(Rules{}), model: NewHealth(Rules{}), prefixes: map[uint64]time.Duration{}}
		s.up.random, s.model.random = g.rand, g.rand
		s.limiter.SetLimit(t.limit)
		g.slots = append(g.slots, s)
	}
	return g
}

// step makes the next attempt of a request, or ends it.
func (g *simGateway) step(q *simRequest) {
	now := g.run.engine.clock()
	c, ok := g.next(q, now)
	if !ok {
		q.budget.Done()
		q.budget = nil
		if wait := g.queue(q, now); wait > 0 {
			q.queued += wait
			g.run.engine.after(wait, func() { g.step(q) })
		}
		return
	}
	if q.again == nil {
		c.slot.budget.Request(now)
	}
	q.again = nil
	q.tried = append(q.tried, c.slot)
	q.tries++
	t := c.slot.target
	o := t.serve(g.run, q, q.tries)
	t.inFlight++
	g.run.engine.after(o.first, func() { g.arrived(q, &c, o) })
}

// arrived is called at the first token, or at the failure.
func (g *simGateway) arrived(q *simRequest, c *simChoice, o outcome) {
	e, t := &g.run.engine, c.slot.target
	q.budget.Done()
	q.budget = nil
	if o.class == noFault {
		c.slot.up.Success(e.clock(), &c.upPass, 0)
		c.slot.model.Success(e.clock(), &c.mdPass, o.first)
		q.served, q.first, q.miss = t, e.now-q.begun, o.miss
		q.spend += o.cost
		e.after(t.answer, func() {
			if q.session != 0 {
				c.slot.prefixes[q.session] = e.now
			}
			g.end(c)
		})
		return
	}
	g.learn(c, o)
	g.end(c)
	d := g.decide(q, c, o)
	switch d.Action {
	case Stop:
		return
	case SameTarget:
		if !c.slot.budget.Withdraw(e.clock(), d.Cost) {
			return
		}
		q.again, q.budget = c.slot, &c.slot.budget
	}
	e.after(d.After, func() { g.step(q) })
}

func (g *simGateway) end(c *simChoice) {
	c.slot.target.inFlight--
	c.slot.up.End(&c.upPass)
	c.slot.model.End(&c.mdPass)
	c.slot.limiter.Return(g.run.engine.clock(), c.grant, -1)
}

// learn feeds a failure into the health of endpoint and model.
func (g *simGateway) learn(c *simChoice, o outcome) {
	now := g.run.engine.clock()
	switch o.class {
	case ClassRateLimit:
		c.slot.up.Success(now, &c.upPass, 0)
		c.slot.model.Cooldown(now, o.rest)
	case ClassConnect:
		c.slot.up.Failure(now, c.upPass, o.class)
	default:
		c.slot.up.Success(now, &c.upPass, 0)
		c.slot.model.Failure(now, c.mdPass, o.class)
	}
}

func (g *simGateway) decide(q *simRequest, c *simChoice, o outcome) Decision {
	e := &g.run.engine
	s := Situation{
		Class: o.class, MaybeBilled: o.class == ClassTimeout, Tries: q.tries, RetryAfter: o.rest,
		Elapsed: e.now - q.begun, Remaining: simDeadline - (e.now - q.begun), Random: g.rand(),
	}
	for _, tried := range q.tried {
		if tried == c.slot {
			s.TargetTries++
		}
	}
	for _, slot := range g.slots {
		s.OtherTarget = s.OtherTarget || slot.usable(q, e.clock())
	}
	return g.retry.Next(s)
}

// next finds the slot for the next attempt.
func (g *simGateway) next(q *simRequest, now time.Time) (simChoice, bool) {
	if q.again != nil {
		return g.enter(q, q.again, now, (*Health).Begin)
	}
	if c, ok := g.pick(q, now); ok {
		return c, true
	}
	if !q.lenient {
		q.lenient = true
		if c, ok := g.pick(q, now); ok {
			return c, true
		}
	}
	if q.tries > 0 {
		return simChoice{}, false
	}
	for _, s := range g.slots {
		if c, ok := g.enter(q, s, now, (*Health).LastResort); ok {
			return c, true
		}
	}
	return simChoice{}, false
}

func (g *simGateway) pick(q *simRequest, now time.Time) (c simChoice, ok bool) {
	for {
		s := g.choose(q, now)
		if s == nil {
			return c, false
		}
		if c, ok = g.enter(q, s, now, (*Health).Begin); ok {
			return c, true
		}
		q.tried = append(q.tried, s) // somebody else took the last place
	}
}

// choose lets the policy choose among the candidates.
func (g *simGateway) choose(q *simRequest, now time.Time) *simSlot {
	g.pool, g.poolAt = g.pool[:0], g.poolAt[:0]
	for i, s := range g.slots {
		if !q.lenient && !s.sound(now, g.rand) || !s.usable(q, now) {
			continue
		}
		g.pool, g.poolAt = append(g.pool, s.candidate(q, g.run.engine.now)), append(g.poolAt, i)
	}
	if len(g.pool) == 0 {
		return nil
	}
	i := 0
	if len(g.pool) > 1 {
		i = g.policy.Pick(Hint{Affinity: q.session, Rand: g.rand}, g.pool)
	}
	return g.slots[g.poolAt[i]]
}

func (s *simSlot) usable(q *simRequest, now time.Time) bool {
	if slices.Contains(q.tried, s) || s.limiter.Wait(now, q.in+q.out) > 0 {
		return false
	}
	up, _ := s.up.Allow(now)
	model, _ := s.model.Allow(now)
	return up && model
}

func (s *simSlot) sound(now time.Time, random func() uint64) bool {
	ramp := min(s.up.Ramp(now), s.model.Ramp(now))
	return ramp >= 1 || float64(random()>>11)/(1<<53) < ramp
}

// expectedOutput is the output that costs are estimated with: clients rarely say how much they want.
const expectedOutput = 512

func (s *simSlot) candidate(q *simRequest, now time.Duration) Candidate {
	t, clock := s.target, epoch.Add(now)
	p := t.tariff(now)
	in := p.in
	if at, ok := s.prefixes[q.session]; ok && q.session != 0 && now-at < cacheLife {
		in = p.cached
	}
	return Candidate{
		ID: t.id, Weight: t.weight, InFlight: s.model.InFlight(), Latency: s.model.Latency(clock),
		Cost: q.in*in + expectedOutput*p.out, Priced: true,
	}
}

// enter takes a place on a slot, with Begin or LastResort.
func (g *simGateway) enter(q *simRequest, s *simSlot, now time.Time, by func(*Health, time.Time) (Pass, bool)) (simChoice, bool) {
	resting := g.run.misplaced(g, s, q, now)
	grant, ok := s.limiter.Take(now, 0)
	if !ok {
		return simChoice{}, false
	}
	up, ok := by(s.up, now)
	if !ok {
		s.limiter.Cancel(now, grant)
		return simChoice{}, false
	}
	md, ok := by(s.model, now)
	if !ok {
		s.up.End(&up)
		s.limiter.Cancel(now, grant)
		return simChoice{}, false
	}
	if resting {
		g.run.ejected++
	}
	return simChoice{slot: s, upPass: up, mdPass: md, grant: grant}, true
}

// queue is how long to wait for a slot that nothing but its limit keeps away; 0 when there is none, or not soon.
func (g *simGateway) queue(q *simRequest, now time.Time) time.Duration {
	wait := time.Duration(0)
	for _, s := range g.slots {
		d := s.limiter.Wait(now, q.in+q.out)
		if d <= 0 || slices.Contains(q.tried, s) || s.up.NextAllowed(now).After(now) || s.model.NextAllowed(now).After(now) {
			continue
		}
		if wait == 0 || d < wait {
			wait = d
		}
	}
	if q.queued+wait > 2*time.Second {
		return 0
	}
	return wait
}
