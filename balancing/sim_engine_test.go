package balancing

import (
	"math"
	"math/rand/v2"
	"time"
)

// engine runs events in virtual time, one after the other: a discrete-event simulation. Nothing in it depends on the
// machine, so that a seed gives the same run everywhere.
type engine struct {
	now    time.Duration // since epoch
	events []event       // a binary heap
	seq    uint64
}

type event struct {
	at  time.Duration
	seq uint64 // events of one moment keep their order
	do  func()
}

func (e *event) before(o *event) bool { return e.at < o.at || e.at == o.at && e.seq < o.seq }

// after has something done when a time has passed.
func (e *engine) after(d time.Duration, do func()) {
	e.seq++
	h := append(e.events, event{e.now + max(d, 0), e.seq, do})
	i := len(h) - 1
	for i > 0 && h[i].before(&h[(i-1)/2]) {
		h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
		i = (i - 1) / 2
	}
	e.events = h
}

// run goes through all events.
func (e *engine) run() {
	for len(e.events) > 0 {
		first := e.events[0]
		e.now = first.at
		e.pop()
		first.do()
	}
}

func (e *engine) pop() {
	h, last := e.events, len(e.events)-1
	h[0] = h[last]
	h[last] = event{}
	h = h[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child+1 < last && h[child+1].before(&h[child]) {
			child++
		}
		if child >= last || !h[child].before(&h[i]) {
			break
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
	e.events = h
}

// clock is the virtual time as the package takes it.
func (e *engine) clock() time.Time { return epoch.Add(e.now) }

// draw is a random number in (0, 1) that depends on what it is for and not on what was drawn before: policy and oracle
// meet the same luck, so that they can be compared request by request.
func draw(seed uint64, of ...uint64) float64 {
	h := mix(seed)
	for _, v := range of {
		h = mix(h ^ v + golden)
	}
	return (float64(h>>11) + 0.5) / (1 << 53)
}

// What is drawn for.
const (
	drawArrival uint64 = iota
	drawLatency
	drawFault
	drawSize
	drawSession
)

// spread is a distribution of latencies.
type spread struct {
	median time.Duration
	sigma  float64 // of a log-normal distribution
	alpha  float64 // of a Pareto distribution, where sigma is 0; above 1
}

// sample is the latency at the quantile u.
func (s spread) sample(u float64) float64 {
	m := s.median.Seconds()
	switch {
	case s.alpha > 0:
		return m * math.Pow(2*(1-u), -1/s.alpha)
	case s.sigma > 0:
		return m * math.Exp(s.sigma*math.Sqrt2*math.Erfinv(2*u-1))
	}
	return m
}

// mean is the expected latency.
func (s spread) mean() float64 {
	m := s.median.Seconds()
	if s.alpha > 0 {
		return m * math.Pow(2, -1/s.alpha) * s.alpha / (s.alpha - 1)
	}
	return m * math.Exp(s.sigma*s.sigma/2)
}

// seededRand is a source for policies and rests.
func seededRand(seed uint64) func() uint64 { return rand.New(rand.NewPCG(seed, golden)).Uint64 }
