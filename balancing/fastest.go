package balancing

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func init() {
	caddy.RegisterModule(Fastest{})
}

// Fastest is a policy that takes the target that is expected to answer first, by the times to the first token of its last
// answers and the requests that wait for theirs: see [Forecast]. Weights have no effect.
//
// Now and then it explores: it takes another target, to find out whether that is faster by now. The slower a target is
// expected to be the more seldom it is taken, so that exploring adds no more than 1 % to the time that clients wait, but
// about one request in 200 explores in any case. Targets that are about equally fast share the requests. Chance
// also keeps several gateways from running to the same target at the same moment.
//
// A target that nothing is known of is taken when it is idle, and passed over while it has requests in flight, so that
// one request at a time finds out. Among unknown targets the least busy one is taken.
//
// The probability of exploring is inverse gap weighting. Drawing two targets and taking the better one, which needs no
// exploring, gives the second fastest of three a third of all requests however slow it is, and clients feel it in
// their slowest percent. Sources: Abe and Long, "Associative Reinforcement Learning using Linear Probabilistic Concepts"
// (1999); Foster and Rakhlin, "Beyond UCB" (2020).
type Fastest struct{}

// The terms of exploring.
const (
	// exploreCost is the share that exploring adds to the latency, of all targets together and by what is expected of them.
	exploreCost = 1. / 125
	// exploreLeast is the share of the requests that explore at least, so that a target that was slow is not forgotten. It
	// has to stay well below a hundredth: those requests are the slowest ones.
	exploreLeast = 1. / 200
)

// CaddyModule returns the Caddy module information.
func (Fastest) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.llm_gateway.policies.fastest",
		New: func() caddy.Module { return new(Fastest) },
	}
}

// Pick returns the candidate that promises to answer first, or one to explore.
func (Fastest) Pick(h Hint, pool []Candidate) int {
	n := len(pool)
	if n < 2 {
		return 0
	}
	best := 0
	for i, lowest := 1, pool[0].Latency; i < n; i++ {
		l := pool[i].Latency
		if l > 0 && lowest > 0 && l >= lowest { // most of them
			continue
		}
		if faster(&pool[i], &pool[best]) {
			best, lowest = i, l
		}
	}
	if pool[best].Latency <= 0 {
		return best
	}
	// The two halves of one random number draw one of the others, and whether to explore it.
	r := h.rand()
	other := int((r >> 32) * uint64(n-1) >> 32)
	if other >= best {
		other++
	}
	if float64(r&0xffffffff) < exploring(&pool[other], &pool[best], n)*(1<<32) {
		return other
	}
	return best
}

// exploring is the probability with which a candidate is taken that was drawn from the n-1 that are not the best.
func exploring(c, best *Candidate, n int) float64 {
	if c.Latency <= 0 {
		return 0 // a request is on its way to find out
	}
	others := float64(n - 1)
	gap := float64(c.Latency-best.Latency) / float64(best.Latency)
	return max(others/(float64(n)+gap*others/exploreCost), exploreLeast)
}

func faster(a, b *Candidate) bool {
	switch knownA, knownB := a.Latency > 0, b.Latency > 0; {
	case knownA && knownB:
		return a.Latency < b.Latency
	case knownA:
		return b.InFlight > 0
	case knownB:
		return a.InFlight <= 0
	}
	return a.InFlight < b.InFlight
}

// UnmarshalCaddyfile parses the policy, which has no options:
//
//	fastest
func (*Fastest) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return parseBare(d) }

// Interface guards.
var (
	_ caddy.Module          = (*Fastest)(nil)
	_ caddyfile.Unmarshaler = (*Fastest)(nil)
	_ Policy                = (*Fastest)(nil)
)
