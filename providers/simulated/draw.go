package simulated

import (
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/caddy-llm/llmgateway/internal/fakellm"
	"github.com/caddy-llm/llmgateway/providers"
)

// faults decides what happens to each request. It is shared by all of them.
type faults struct {
	seed  uint64
	drawn atomic.Uint64
	start time.Time
	rules []rule
	slow  *Slow
	down  *Down
}

// rule is something that happens to the requests whose number is below a bound and not below that of the rule before it.
type rule struct {
	below   float64
	happens func(*fakellm.Request) fakellm.Behavior
}

// newFaults returns nil where nothing is configured, which costs requests nothing.
func (p *Provider) newFaults() *faults {
	f := &faults{seed: uint64(p.Seed), start: time.Now(), slow: p.Slow, down: p.Down}
	if f.seed == 0 {
		f.seed = rand.Uint64()
	}
	sum := 0.0
	add := func(s Share, happens func(*fakellm.Request) fakellm.Behavior) {
		sum += s.fraction()
		f.rules = append(f.rules, rule{sum, happens})
	}
	for _, c := range p.Fail {
		add(c.Share, c.behavior)
	}
	for _, c := range p.Cut {
		b := fakellm.Behavior{Break: &fakellm.Break{After: c.After}}
		add(c.Share, func(*fakellm.Request) fakellm.Behavior { return b })
	}
	for _, c := range p.Stall {
		b := fakellm.Behavior{Break: &fakellm.Break{After: c.After, Pause: time.Duration(c.For)}}
		if c.For == 0 {
			b.Break.Pause = -1
		}
		add(c.Share, func(*fakellm.Request) fakellm.Behavior { return b })
	}
	if len(f.rules) == 0 && f.slow == nil && f.down == nil {
		return nil
	}
	return f
}

// behave is what happens to a request. The n-th call of a model is treated the same whenever the seed is the same.
func (f *faults) behave(q *fakellm.Request) fakellm.Behavior {
	if f.down.at(time.Since(f.start)) {
		class := f.down.Class
		if class == "" {
			class = string(providers.ClassConnect)
		}
		return refusal(q, providers.Class(class), 0)
	}
	if q.Method != http.MethodPost {
		return fakellm.Behavior{}
	}
	r := rand.New(rand.NewPCG(f.seed, f.drawn.Add(1)))
	what, late := r.Float64(), r.Float64()
	var b fakellm.Behavior
	for _, rule := range f.rules {
		if what < rule.below {
			b = rule.happens(q)
			break
		}
	}
	if f.slow != nil && late < f.slow.fraction() {
		b.Latency = time.Duration(f.slow.Latency)
	}
	return b
}

func (f *Fail) behavior(q *fakellm.Request) fakellm.Behavior {
	b := refusal(q, providers.Class(f.Class), time.Duration(f.RetryAfter))
	if f.After > 0 && q.Stream {
		return fakellm.Behavior{Break: &fakellm.Break{After: f.After, Body: b.Body}}
	}
	return b
}
