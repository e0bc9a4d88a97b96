package llmgateway

import (
	"context"
	"errors"
	"time"

	"github.com/caddy-llm/llmgateway/balancing"
)

// minShare is the least that a share of a request's time has to be where nothing is known about how long a target takes.
const minShare = time.Minute

// errShare cancels an attempt whose answer did not come in its share of the time.
var errShare = errors.New("no answer in two thirds of the time allowed, the rest of which is for another target")

// unaryContext limits an attempt whose answer is not streamed. Such an answer gives no sign of life before it is complete,
// so that one that hangs is not told from one that is long, and would use up all the time there is. Where another target
// could follow, it gets two thirds of what is left.
func (x *exchange) unaryContext(ctx context.Context, a *attempt) (context.Context, context.CancelFunc) {
	if share := x.share(a); share > 0 {
		return context.WithDeadlineCause(ctx, a.start.Add(share), errShare)
	}
	return context.WithDeadlineCause(ctx, x.deadline, errRequestTimeout)
}

// share is how long an attempt may take so that there is time for another target; 0 for all the time there is. The latter
// is so when none could follow, and for targets that are known to need more, or of which nothing is known while time is
// short.
func (x *exchange) share(a *attempt) time.Duration {
	if x.race != nil { // in which the other attempt is made long before
		return 0
	}
	if retry := &x.route.retry; !x.route.several() || len(x.attempts) > retry.Retries || !retry.On.Has(balancing.ClassTimeout) {
		return 0
	}
	share := x.deadline.Sub(a.start) * 2 / 3
	usual, known := a.slot.model.whole.Value(a.start, 0.95)
	if known && usual > share || !known && share < minShare || !x.another(a.start) {
		return 0
	}
	return share
}

// another reports whether any target of the route could be tried now.
func (x *exchange) another(now time.Time) bool {
	for _, tier := range x.route.tiers {
		for _, t := range tier {
			if t.available(now, x) {
				return true
			}
		}
	}
	return false
}
