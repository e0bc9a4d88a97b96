package balancing

import (
	"math"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func init() {
	caddy.RegisterModule(new(Session))
}

// Session is a policy that sends the requests of one session to one target, which then finds the conversation in its
// prompt cache. Sessions are spread over the targets by weight. When a target is lost only its own sessions move, and they
// return when it does. All gateways choose alike without talking to each other, also after a restart.
//
// Requests without a session are spread at random by weight.
//
// The choice is a weighted rendezvous hash: each target draws a number from the hash of session and target, and the
// lowest exponential variate −ln(u)/weight wins. Sources: Thaler and Ravishankar, "A Name-Based Mapping Scheme for
// Rendezvous" (1996); Schindelhauer and Schomaker, "Weighted Distributed Hash Tables" (2005).
type Session struct {
	// A placeholder whose value names the session, for example `{http.request.header.X-Session-Id}`. Requests
	// for which it is empty have no session. Default: what the gateway itself knows of the session, such as the prompt cache
	// key or the user named in the request.
	Key string `json:"key,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*Session) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.llm_gateway.policies.session",
		New: func() caddy.Module { return new(Session) },
	}
}

// AffinityPlaceholder returns the placeholder to take the session from, or nothing for the gateway's own choice.
func (p *Session) AffinityPlaceholder() string { return p.Key }

// Pick returns the session's candidate.
func (p *Session) Pick(h Hint, pool []Candidate) int {
	switch {
	case len(pool) < 2:
		return 0
	case h.Affinity == 0:
		return weightedRandom(h, pool)
	case sameWeights(pool):
		return rendezvous(h.Affinity, pool)
	}
	return weightedRendezvous(h.Affinity, pool)
}

// rendezvous makes the same choice as weightedRendezvous among equal weights, without the logarithms: the lowest −ln(u)
// has the highest u. That the two agree lets a session stay where it is when a weight changes and changes back.
func rendezvous(affinity uint64, pool []Candidate) int {
	best, highest := 0, uint64(0)
	for i := range pool {
		if u := mix(affinity ^ mix(pool[i].ID)); u > highest {
			best, highest = i, u
		}
	}
	return best
}

func weightedRendezvous(affinity uint64, pool []Candidate) int {
	best, lowest := 0, math.Inf(1)
	for i := range pool {
		// The upper 53 bits and a half: never 0 or 1, so the logarithm is finite and negative.
		u := (float64(mix(affinity^mix(pool[i].ID))>>11) + 0.5) / (1 << 53)
		if v := -math.Log(u) / float64(pool[i].weight()); v < lowest {
			best, lowest = i, v
		}
	}
	return best
}

func sameWeights(pool []Candidate) bool {
	for i := 1; i < len(pool); i++ {
		if pool[i].weight() != pool[0].weight() {
			return false
		}
	}
	return true
}

// UnmarshalCaddyfile parses the policy with an optional placeholder that names the session:
//
//	session [<placeholder>]
func (p *Session) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume policy name
	if d.NextArg() {
		if p.Key = d.Val(); !strings.Contains(p.Key, "{") {
			return d.Errf("session key '%s' holds no placeholder: all requests would be one session", p.Key)
		}
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	return refuseBlock(d)
}

// Interface guards.
var (
	_ caddy.Module          = (*Session)(nil)
	_ caddyfile.Unmarshaler = (*Session)(nil)
	_ Policy                = (*Session)(nil)
	_ AffinityKeyer         = (*Session)(nil)
)
