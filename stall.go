package llmgateway

import (
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

const (
	// writePatience is how long a client may take nothing of an answer before it is given up: half of what Caddy allows, as
	// each of them holds a connection to a provider, and tokens are made and paid for that nobody reads.
	writePatience = 30 * time.Second
	// caddyPatience is Caddy's own default.
	caddyPatience = time.Minute
)

// limitStalls gives up a client that stops reading after 30 seconds. Caddy sets the deadline of every write anew, by the
// rules of the protocol, so that it costs nothing here and a slow client that makes progress is never cut. What an operator
// has set (write_idle_timeout, write_min_rate, the timeouts handler) stands.
func (x *exchange) limitStalls() {
	_, w := caddyhttp.IdleTimeoutsFromContext(x.r.Context())
	if w != nil && w.Deadline.Timeout == caddyPatience && w.Deadline.MinRate == 0 {
		w.Deadline.Timeout = writePatience
	}
}
