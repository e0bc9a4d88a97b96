package balancing

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func init() {
	caddy.RegisterModule(new(RoundRobin))
}

// RoundRobin is a policy that takes the targets in turn, starting with the first. Turns are kept separately for each set
// of available targets, so retries and targets that come and go do not disturb them. Weights have no effect.
type RoundRobin struct {
	turns rotation
}

// CaddyModule returns the Caddy module information.
func (*RoundRobin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.llm_gateway.policies.round_robin",
		New: func() caddy.Module { return new(RoundRobin) },
	}
}

// Pick returns the candidate whose turn it is.
func (p *RoundRobin) Pick(_ Hint, pool []Candidate) int {
	if len(pool) < 2 {
		return 0
	}
	return int(p.turns.next(pool) % uint64(len(pool)))
}

// UnmarshalCaddyfile parses the policy, which has no options:
//
//	round_robin
func (*RoundRobin) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return parseBare(d) }

// Interface guards.
var (
	_ caddy.Module          = (*RoundRobin)(nil)
	_ caddyfile.Unmarshaler = (*RoundRobin)(nil)
	_ Policy                = (*RoundRobin)(nil)
)
