package balancing

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func init() {
	caddy.RegisterModule(new(WeightedRoundRobin))
}

// golden is the fractional part of the golden ratio times 2^64. Its multiples modulo 2^64 are the most evenly spread of
// all such sequences.
const golden = 0x9e3779b97f4a7c15

// WeightedRoundRobin is a policy that takes the targets in turn, each as often as its weight says and evenly spread: a
// target of weight 5 next to one of weight 1 does not get its five in a row. Weights are written on the targets. Turns
// are kept separately for each set of available targets, so the proportions hold for whichever targets are left.
//
// Turn k falls on the point k·φ modulo 1 of a line on which each target owns a stretch as long as its share. By
// Weyl's theorem every stretch is met in proportion to its length, and for the golden ratio the count of any target is at
// every moment within a few turns of its exact share. That takes one atomic counter, where nginx's smooth weighted
// round-robin needs a lock and memory of each target, and it tolerates weights that change from one turn to the next.
type WeightedRoundRobin struct {
	turns rotation
}

// CaddyModule returns the Caddy module information.
func (*WeightedRoundRobin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.llm_gateway.policies.weighted_round_robin",
		New: func() caddy.Module { return new(WeightedRoundRobin) },
	}
}

// Pick returns the candidate whose turn it is.
func (p *WeightedRoundRobin) Pick(_ Hint, pool []Candidate) int {
	if len(pool) < 2 {
		return 0
	}
	point := p.turns.next(pool) * golden
	return atWeight(pool, below(point, totalWeight(pool)))
}

// UnmarshalCaddyfile parses the policy, which has no options. Weights are options of the targets:
//
//	weighted_round_robin
func (*WeightedRoundRobin) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return parseBare(d) }

// Interface guards.
var (
	_ caddy.Module          = (*WeightedRoundRobin)(nil)
	_ caddyfile.Unmarshaler = (*WeightedRoundRobin)(nil)
	_ Policy                = (*WeightedRoundRobin)(nil)
)
