package balancing

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func init() {
	caddy.RegisterModule(Cheapest{})
}

// Cheapest is a policy that takes the target at which this request is expected to cost least, by the price book and the
// size of the request. Equal costs are taken in the order written. Targets without a known price come after all others:
// unknown is not free. Weights have no effect.
type Cheapest struct{}

// CaddyModule returns the Caddy module information.
func (Cheapest) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.llm_gateway.policies.cheapest",
		New: func() caddy.Module { return new(Cheapest) },
	}
}

// Pick returns the candidate with the lowest cost.
func (Cheapest) Pick(_ Hint, pool []Candidate) int {
	best := 0
	for i := 1; i < len(pool); i++ {
		if cheaper(&pool[i], &pool[best]) {
			best = i
		}
	}
	return best
}

func cheaper(a, b *Candidate) bool {
	if a.Priced != b.Priced {
		return a.Priced
	}
	return a.Priced && a.Cost < b.Cost
}

// UnmarshalCaddyfile parses the policy, which has no options:
//
//	cheapest
func (*Cheapest) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return parseBare(d) }

// Interface guards.
var (
	_ caddy.Module          = (*Cheapest)(nil)
	_ caddyfile.Unmarshaler = (*Cheapest)(nil)
	_ Policy                = (*Cheapest)(nil)
)
