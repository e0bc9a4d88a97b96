package balancing

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func init() {
	caddy.RegisterModule(Priority{})
}

// Priority is a policy that takes the targets in the order they are written: a target is used only while all before it
// are unhealthy, unfit for the request or already tried. It is the default policy. Weights have no effect.
type Priority struct{}

// CaddyModule returns the Caddy module information.
func (Priority) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.llm_gateway.policies.priority",
		New: func() caddy.Module { return new(Priority) },
	}
}

// Pick returns the first candidate.
func (Priority) Pick(Hint, []Candidate) int { return 0 }

// UnmarshalCaddyfile parses the policy, which has no options:
//
//	priority
func (*Priority) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return parseBare(d) }

// Interface guards.
var (
	_ caddy.Module          = (*Priority)(nil)
	_ caddyfile.Unmarshaler = (*Priority)(nil)
	_ Policy                = (*Priority)(nil)
)
