package balancing

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func init() {
	caddy.RegisterModule(Fastest{})
}

// Fastest is a policy that favors the target with the shortest time to the first token. Of two targets drawn at random it
// takes the one with the lower product of smoothed latency and requests in flight plus one: what a request that joins now
// has to expect. The latency is a peak-sensitive moving average, which a slow answer raises at once. Drawing only two keeps
// all requests (and all gateways) from running to the same target at the same moment. Weights have no effect.
//
// A target that nothing is known of, because it is new or has not been used for some minutes, is explored: it is taken
// when drawn while it is idle, and passed over while it has requests in flight, so that one request at a time finds out.
// Between two unknown targets the less busy one is taken.
//
// Sources: Finagle's Peak EWMA; Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (2001).
type Fastest struct{}

// CaddyModule returns the Caddy module information.
func (Fastest) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.llm_gateway.policies.fastest",
		New: func() caddy.Module { return new(Fastest) },
	}
}

// Pick draws two candidates and returns the one that promises to answer first.
func (Fastest) Pick(h Hint, pool []Candidate) int {
	n := uint64(len(pool))
	if n < 2 {
		return 0
	}
	r := h.rand()
	// The two halves of one random number draw two different candidates.
	i := (r >> 32) * n >> 32
	j := (r & 0xffffffff) * (n - 1) >> 32
	if j >= i {
		j++
	}
	if faster(&pool[j], &pool[i]) {
		return int(j)
	}
	return int(i)
}

func faster(a, b *Candidate) bool {
	switch knownA, knownB := a.Latency > 0, b.Latency > 0; {
	case knownA && knownB:
		return a.expected() < b.expected()
	case knownA:
		return b.InFlight > 0
	case knownB:
		return a.InFlight <= 0
	}
	return a.InFlight < b.InFlight
}

// expected is the latency that a request has to expect behind those in flight. It is a float because the product of two
// large integers would wrap around.
func (c *Candidate) expected() float64 {
	return float64(c.Latency) * (float64(max(c.InFlight, 0)) + 1)
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
