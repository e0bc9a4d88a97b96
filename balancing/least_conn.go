package balancing

import (
	"cmp"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func init() {
	caddy.RegisterModule(LeastConn{})
}

// LeastConn is a policy that takes the target with the fewest requests in flight relative to its weight: one of weight 2
// is given twice as many as one of weight 1 before they count as equally busy. Among equals one is drawn at random by
// weight. The word is reverse_proxy's; what is counted are requests, from the moment they are sent until the last byte
// of the answer, because many share a connection.
type LeastConn struct{}

// CaddyModule returns the Caddy module information.
func (LeastConn) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.llm_gateway.policies.least_conn",
		New: func() caddy.Module { return new(LeastConn) },
	}
}

// Pick returns the least busy candidate.
func (LeastConn) Pick(h Hint, pool []Candidate) int {
	best, ties := 0, uint64(0) // ties: total weight of the candidates as busy as the best
	for i := range pool {
		switch busier(&pool[best], &pool[i]) {
		case 1:
			best, ties = i, pool[i].weight()
		case 0:
			ties += pool[i].weight()
		}
	}
	if ties == pool[best].weight() {
		return best
	}
	position, first := below(h.rand(), ties), best
	for i := first; i < len(pool); i++ {
		if busier(&pool[first], &pool[i]) != 0 {
			continue
		}
		if w := pool[i].weight(); position >= w {
			position -= w
			continue
		}
		return i
	}
	return first
}

// busier compares requests in flight for each unit of weight, by cross-multiplication: 1 when a has more, -1 when b has.
func busier(a, b *Candidate) int {
	return cmp.Compare(a.load()*b.weight(), b.load()*a.weight())
}

// load is the number of requests in flight, bounded so that its product with a weight cannot overflow.
func (c *Candidate) load() uint64 {
	return uint64(min(max(c.InFlight, 0), 1<<32))
}

// UnmarshalCaddyfile parses the policy, which has no options:
//
//	least_conn
func (*LeastConn) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return parseBare(d) }

// Interface guards.
var (
	_ caddy.Module          = (*LeastConn)(nil)
	_ caddyfile.Unmarshaler = (*LeastConn)(nil)
	_ Policy                = (*LeastConn)(nil)
)
