package balancing

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func init() {
	caddy.RegisterModule(Random{})
}

// Random is a policy that draws a target at random, each with a probability in proportion to its weight. It shares
// nothing between requests, so several gateways together keep the same proportions as one.
type Random struct{}

// CaddyModule returns the Caddy module information.
func (Random) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.llm_gateway.policies.random",
		New: func() caddy.Module { return new(Random) },
	}
}

// Pick draws a candidate.
func (Random) Pick(h Hint, pool []Candidate) int { return weightedRandom(h, pool) }

// UnmarshalCaddyfile parses the policy, which has no options:
//
//	random
func (*Random) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return parseBare(d) }

// Interface guards.
var (
	_ caddy.Module          = (*Random)(nil)
	_ caddyfile.Unmarshaler = (*Random)(nil)
	_ Policy                = (*Random)(nil)
)
