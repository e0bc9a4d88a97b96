package llmgateway

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/providers"
)

func draining(d time.Duration) option {
	return with(func(h *Handler) { h.Timeouts = &Timeouts{Drain: caddy.Duration(d)} })
}

// leave sends a request whose client leaves after a time, and returns how long the gateway was at work.
func (g *gateway) leave(after time.Duration, body string) time.Duration {
	ctx, cancel := context.WithTimeout(context.Background(), after)
	defer cancel()
	start := time.Now()
	g.do(newRequest(http.MethodPost, chatPath, strings.NewReader(body)).WithContext(ctx))
	return time.Since(start)
}

func TestAnswersAreReadOnWithoutTheirClientsWhereThatIsConfigured(t *testing.T) {
	long := make([]string, 0, 40)
	long = append(long, chatRole)
	for range 60 {
		long = append(long, chatDelta)
	}
	for name, c := range map[string]struct {
		drain     time.Duration
		answer    answer
		body      string
		took      time.Duration
		certainty accounting.Certainty
	}{
		"canceled at once":              {0, paced(false, chatRole, chatDelta, chatDelta, chatDelta, chatFinish+chatUsage+chatDone), askStream("up/m"), 2500 * time.Millisecond, accounting.Estimated},
		"a stream to its end":           {30 * time.Second, paced(false, chatRole, chatDelta, chatDelta, chatDelta, chatFinish+chatUsage+chatDone), askStream("up/m"), 5 * time.Second, accounting.Reported},
		"a stream before its content":   {30 * time.Second, paced(false, chatRole, chatRole, chatRole, chatDelta, chatFinish+chatUsage+chatDone), askStream("up/m"), 5 * time.Second, accounting.Reported},
		"a stream that takes too long":  {30 * time.Second, paced(false, long...), askStream("up/m"), 32500 * time.Millisecond, accounting.Estimated},
		"an answer in one piece":        {30 * time.Second, later(6*time.Second, respond(200, chatAnswer)), ask("up/m"), 6 * time.Second, accounting.Reported},
		"a failure is not tried again":  {30 * time.Second, later(6*time.Second, respond(500, serverError)), ask("up/m"), 6 * time.Second, accounting.Unknown},
		"an answer that takes too long": {30 * time.Second, later(time.Minute, respond(200, chatAnswer)), ask("up/m"), 32500 * time.Millisecond, accounting.Estimated},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newGateway(t, withProvider("up", c.answer), draining(c.drain))
			if took := g.leave(2500*time.Millisecond, c.body); took != c.took {
				t.Errorf("%s: took %s, want %s", name, took, c.took)
			}
			e := g.entries()
			if len(e) != 1 || e[0].Certainty != c.certainty || e[0].ErrorClass != string(providers.ClassCanceled) && e[0].ErrorClass != string(providers.ClassServerError) {
				t.Errorf("%s: %+v", name, e)
			}
			synctest.Wait()
			if len(drains) != 0 {
				t.Errorf("%s: %d drains are left", name, len(drains))
			}
		})
	}
}

func TestOnlySoManyAnswersAreReadOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range maxDrains {
			drains <- struct{}{}
		}
		defer func() {
			for range maxDrains {
				<-drains
			}
		}()
		g := newGateway(t, withProvider("up", silent), draining(30*time.Second))
		if took := g.leave(time.Second, ask("up/m")); took != time.Second {
			t.Errorf("took %s", took)
		}
	})
}
