package llmgateway

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-llm/llmgateway/providers"
)

// Hedge sends a request to a second target when the first token of the first one is late, takes the answer that comes first
// and cancels the other. Both are paid for, and both are in the ledger.
type Hedge struct {
	// How long the first token may take before the second attempt: a duration such as `2s`, or `p95`: longer than 95 % of
	// the target's answers of the last minutes took. While there are less than 20 of those nothing is hedged.
	After string `json:"after,omitempty"`
	// What the attempts that were canceled may cost, in percent of all that is spent. Default: 10.
	MaxSpend float64 `json:"max_spend,omitempty"`
}

const (
	hedgeP95        = "p95"
	defaultMaxSpend = 10
)

// hedging is a Hedge ready for use.
type hedging struct {
	after time.Duration // 0 for p95
	share float64
}

func (c *Hedge) rules() (*hedging, error) {
	if c == nil {
		return nil, nil
	}
	h := &hedging{share: c.MaxSpend / 100}
	if c.MaxSpend == 0 {
		h.share = defaultMaxSpend / 100.0
	}
	if h.share < 0 || h.share > 1 {
		return nil, fmt.Errorf("hedge: max_spend %v is not a percentage", c.MaxSpend)
	}
	if c.After == hedgeP95 {
		return h, nil
	}
	d, err := caddy.ParseDuration(c.After)
	if err != nil || d <= 0 {
		return nil, fmt.Errorf("hedge: after '%s' is neither a duration such as 2s nor p95", c.After)
	}
	h.after = d
	return h, nil
}

// spending is what was spent, what of that went to attempts that were canceled because another was faster, and what is
// reserved for second attempts that are under way, in nano-dollars. An attempt without a price counts one, so that what
// costs nothing is hedged by number.
type spending struct{ all, canceled, reserved atomic.Int64 }

func (s *spending) add(a *attempt) {
	cost := max(int64(a.cost), 1)
	s.all.Add(cost)
	if a.fault != nil && a.fault.Class == providers.ClassHedged {
		s.canceled.Add(cost)
	}
	s.reserved.Add(-a.reserved)
}

// reserve sets the expected cost of a second attempt aside, until it is added or given back. It reports false when all of
// them together would exceed a share of what is spent.
func (s *spending) reserve(cost int64, share float64) bool {
	for {
		reserved := s.reserved.Load()
		if sum := reserved + cost; float64(s.canceled.Load()+sum) > share*float64(s.all.Load()+sum) {
			return false
		}
		if s.reserved.CompareAndSwap(reserved, reserved+cost) {
			return true
		}
	}
}

func (s *spending) giveBack(cost int64) { s.reserved.Add(-cost) }

// errHedged cancels the slower of two attempts.
var errHedged = errors.New("another attempt was faster")

// race is two attempts of one request at a time. Until one of them claims the client, neither touches the exchange.
type race struct {
	x *exchange

	mu     sync.Mutex
	winner *runner
	runs   []*runner
}

// runner is one attempt in a race.
type runner struct {
	a        *attempt
	cancel   context.CancelCauseFunc
	done     chan struct{}
	fault    *providers.Fault
	panicked any
}

// hedgeAfter is how long to wait for the first token of an attempt before another is made; 0 for never.
func (x *exchange) hedgeAfter(a *attempt) time.Duration {
	h := x.route.hedge
	if h == nil || x.operation != providers.Generate || !x.route.several() {
		return 0
	}
	if h.after > 0 {
		return h.after
	}
	d, _ := a.slot.model.quantiles(x.head.Stream).Value(a.start, 0.95)
	return d
}

// hedged performs an attempt and, when its first token takes longer than after, another at the same time. It returns the
// attempt that the client was answered from or, when there was none, the one that failed last.
func (x *exchange) hedged(ctx context.Context, a *attempt, out outgoing, after time.Duration) (*attempt, *providers.Fault) {
	r := &race{x: x}
	x.race = r
	defer func() { x.race = nil }()
	first := r.start(ctx, a, out)
	timer := time.NewTimer(after)
	defer timer.Stop()
	select {
	case <-first.done:
	case <-timer.C:
		r.second(ctx)
	}
	for _, run := range r.runs { // nobody adds to them any more
		<-run.done
	}
	for _, run := range r.runs {
		if run.panicked != nil {
			panic(run.panicked)
		}
	}
	last := r.winner
	if last == nil {
		last = r.runs[len(r.runs)-1]
		for _, run := range r.runs[:len(r.runs)-1] {
			x.log(run.a.choice, run.fault)
		}
	}
	if last.fault != nil && last.fault.Class == providers.ClassCanceled {
		x.interrupted = byClient
	}
	return last.a, last.fault
}

// start performs an attempt in a goroutine of its own.
func (r *race) start(ctx context.Context, a *attempt, out outgoing) *runner {
	ctx, cancel := context.WithCancelCause(ctx)
	run := &runner{a: a, cancel: cancel, done: make(chan struct{})}
	a.run = run
	r.runs = append(r.runs, run)
	go func() {
		defer close(run.done)
		defer cancel(errDone)
		defer func() { run.panicked = recover() }()
		run.fault = r.x.perform(ctx, a, out)
	}()
	return run
}

// second makes the other attempt, if there is a target for it, the money and, of as many tries as allowed, one left.
func (r *race) second(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x := r.x
	if r.winner != nil || x.r.Context().Err() != nil || len(x.attempts) > max(x.route.retry.Retries, 1) {
		return
	}
	now := time.Now()
	c, ok := x.pick(now)
	if !ok {
		return
	}
	cost := x.expectedCost(c.target, now)
	if !x.h.spending.reserve(cost, x.route.hedge.share) {
		c.cancel(now)
		return
	}
	x.tried = append(x.tried, c.slot)
	a, out, f := x.prepare(c)
	if f != nil {
		x.h.spending.giveBack(cost)
		return // the target cannot take the request
	}
	a.reserved = cost
	r.start(ctx, a, out)
}

// claim makes an attempt the one that answers the client. It reports false when another is that already. When it returns
// true no other attempt is running.
func (x *exchange) claim(a *attempt) bool {
	r := x.race
	if r == nil || a.run == nil {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.winner != nil {
		return r.winner == a.run
	}
	r.winner = a.run
	for _, run := range r.runs {
		if run != a.run {
			run.cancel(errHedged)
			r.mu.Unlock() // it may be about to ask
			<-run.done
			r.mu.Lock()
		}
	}
	x.dropped = a.dropped
	for i := range x.attempts {
		if &x.attempts[i] == a {
			x.answering = i + 1
		}
	}
	return true
}

// superseded is the fault of an attempt that another was faster than. What it has generated is paid for.
func superseded() *providers.Fault {
	return &providers.Fault{Class: providers.ClassHedged, Message: errHedged.Error(), Billed: providers.BilledYes}
}

// expectedCost is what the request is expected to cost at a target, in nano-dollars; 1 when that is not known.
func (x *exchange) expectedCost(t *target, now time.Time) int64 {
	if t.price == nil {
		return 1
	}
	p, ok := t.price.Price(now)
	if !ok {
		return 1
	}
	in, out := x.expectedTokens()
	return max(int64(p.Expected(in, out, 0)), 1)
}

// parseHedge reads
//
//	hedge after <duration>|p95 [max <percent> of spend]
func parseHedge(d *caddyfile.Dispenser, to **Hedge) error {
	if *to != nil {
		return d.Err("hedge already specified")
	}
	args := d.RemainingArgs()
	wrong := func() error { return wrongArgs(d, "hedge") }
	if len(args) < 2 || args[0] != "after" {
		return wrong()
	}
	h := &Hedge{After: args[1]}
	switch rest := args[2:]; {
	case len(rest) == 0:
	case len(rest) >= 2 && rest[0] == "max" && (len(rest) == 2 || strings.Join(rest[2:], " ") == "of spend"):
		v, err := strconv.ParseFloat(strings.TrimSuffix(rest[1], "%"), 64)
		if err != nil || !(v > 0 && v <= 100) {
			return d.Errf("hedge: '%s' is not a percentage such as 10%%", rest[1])
		}
		h.MaxSpend = v
	default:
		return wrong()
	}
	if _, err := h.rules(); err != nil {
		return d.WrapErr(err)
	}
	*to = h
	return nil
}
