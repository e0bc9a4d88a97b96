package llmgateway

import (
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func TestAClientMayStallForHalfOfWhatCaddyAllows(t *testing.T) {
	for _, tc := range []struct {
		name     string
		deadline caddyhttp.IdleDeadline
		want     time.Duration
	}{
		{"by default", caddyhttp.IdleDeadline{Timeout: time.Minute}, 30 * time.Second},
		{"but as long as the operator wants", caddyhttp.IdleDeadline{Timeout: 5 * time.Minute}, 5 * time.Minute},
		{"or as short", caddyhttp.IdleDeadline{Timeout: time.Second}, time.Second},
		{"or as long as a least pace allows", caddyhttp.IdleDeadline{Timeout: time.Minute, MinRate: 100}, time.Minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := &caddyhttp.IdleTimeoutWriter{Deadline: tc.deadline}
			r := newRequest("POST", chatPath, nil)
			x := exchange{r: r.WithContext(caddyhttp.ContextWithIdleTimeouts(r.Context(), nil, w))}
			x.limitStalls()
			if w.Deadline.Timeout != tc.want {
				t.Errorf("got %v, want %v", w.Deadline.Timeout, tc.want)
			}
		})
	}
	t.Run("or for ever where there is no deadline", func(*testing.T) {
		x := exchange{r: newRequest("POST", chatPath, nil)}
		x.limitStalls()
	})
}
