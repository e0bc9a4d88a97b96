package balancing

import (
	"time"
)

// tariff is what a target charges, in nano-dollars a token.
type tariff struct{ in, cached, out int64 }

// trouble is something that is wrong with a target for a while.
type trouble struct {
	from, to time.Duration
	// every and on make it come and go: wrong for on out of every. 0: all the time.
	every, on time.Duration

	slow  float64 // factor on the time to the first token; 0 for none
	fails float64 // share of the requests that fail
	class string  // how; ClassTimeout hangs
	after time.Duration
	// rest is what the provider says in Retry-After.
	rest time.Duration
}

func (f *trouble) active(now time.Duration) bool {
	if now < f.from || now >= f.to {
		return false
	}
	return f.every <= 0 || (now-f.from)%f.every < f.on
}

// simTarget is a target as it really is: what its requests meet, whichever gateway they come from.
type simTarget struct {
	id       uint64
	weight   int
	latency  spread
	capacity float64       // requests in flight that double the latency; 0: load does not matter
	answer   time.Duration // from the first token to the last
	price    tariff
	later    tariff // from priceAt on
	priceAt  time.Duration
	troubles []trouble
	vendor   Rate  // what the vendor allows in any such span; refused with a Retry-After beyond it
	limit    Limit // what the gateway is told of that

	inFlight int
	accepted []time.Duration          // under the vendor's rate
	cache    map[uint64]time.Duration // sessions and when they were last served
}

// The simulated providers keep a session's prompt for five minutes. While they have it the first token takes half the time.
const (
	cacheLife   = 5 * time.Minute
	cacheFactor = 0.5
)

// condition is the state of a target at a moment.
type condition struct {
	slow  float64
	fault trouble
}

func (t *simTarget) condition(now time.Duration) condition {
	c := condition{slow: 1}
	for i := range t.troubles {
		if f := &t.troubles[i]; f.active(now) {
			if f.slow > 0 {
				c.slow *= f.slow
			}
			if f.fails > c.fault.fails {
				c.fault = *f
			}
		}
	}
	return c
}

func (t *simTarget) tariff(now time.Duration) tariff {
	if t.priceAt > 0 && now >= t.priceAt {
		return t.later
	}
	return t.price
}

// warm reports whether the target has a session in its cache.
func (t *simTarget) warm(session uint64, now time.Duration) bool {
	at, ok := t.cache[session]
	return ok && session != 0 && now-at < cacheLife
}

// refused is how long the vendor goes on refusing requests; 0 when it takes one now.
func (t *simTarget) refused(now time.Duration) time.Duration {
	n := len(t.accepted) - int(t.vendor.N)
	if t.vendor.N <= 0 || n < 0 {
		return 0
	}
	return max(t.accepted[n]+t.vendor.Per-now, 0)
}

// load is the factor on the latency that the requests in flight make.
func (t *simTarget) load() float64 {
	if t.capacity <= 0 {
		return 1
	}
	return 1 + float64(t.inFlight)/t.capacity
}

// expected is the mean time to the first token of a request that is sent now, in seconds.
func (t *simTarget) expected(now time.Duration, session uint64) float64 {
	e := t.latency.mean() * t.condition(now).slow * t.load()
	if t.warm(session, now) {
		e *= cacheFactor
	}
	return e
}

// cost is what a request really costs.
func (t *simTarget) cost(q *simRequest, now time.Duration) int64 {
	p := t.tariff(now)
	in := p.in
	if t.warm(q.session, now) {
		in = p.cached
	}
	return q.in*in + q.out*p.out
}

// outcome is what becomes of an attempt.
type outcome struct {
	class string        // "" for success
	first time.Duration // until the first token, or the failure
	rest  time.Duration
	cost  int64
	miss  bool
}

// serve is one attempt of a request.
func (t *simTarget) serve(s *simRun, q *simRequest, attempt int) outcome {
	now := s.engine.now
	c := t.condition(now)
	if t.vendor.N > 0 {
		if wait := t.refused(now); wait > 0 {
			rest := wait.Truncate(time.Second) + time.Second // Retry-After counts in seconds
			return outcome{class: ClassRateLimit, first: 30 * time.Millisecond, rest: rest}
		}
		t.accepted = append(t.accepted, now)
	}
	if f := &c.fault; f.fails > 0 && draw(s.seed, drawFault, t.id, q.number, uint64(attempt)) < f.fails {
		return outcome{class: f.class, first: f.after, rest: f.rest}
	}
	l := t.latency.sample(draw(s.seed, drawLatency, t.id, q.number)) * c.slow * t.load()
	o := outcome{cost: t.cost(q, now), miss: !t.warm(q.session, now)}
	if q.session != 0 {
		if !o.miss {
			l *= cacheFactor
		}
		t.cache[q.session] = now
	}
	o.first = time.Duration(l * float64(time.Second))
	if o.first > s.scenario.firstToken {
		return outcome{class: ClassTimeout, first: s.scenario.firstToken}
	}
	return o
}
