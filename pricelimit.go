package llmgateway

import (
	"slices"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/providers"
)

// priceCap is the most that a million output tokens may cost; 0 means no limit.
type priceCap accounting.Money

func priceLimit(c *ModelConfig) (priceCap, error) {
	if c.PriceLimit == "" {
		return 0, nil
	}
	m, err := accounting.ParseMoney(c.PriceLimit)
	return priceCap(m), err
}

// admits reports whether a target may be used under the limit, which the target is then held to with every request. One
// whose price varies with time may be, even if it is too dear at the moment.
func (l priceCap) admits(t *target) bool {
	if l == 0 {
		return true
	}
	if t.price == nil || !t.price.Varies() && !l.covers(t, time.Now(), 0) {
		return false
	}
	if t.limit == 0 || l < t.limit {
		t.limit = l
	}
	return true
}

// covers reports whether the output of a target costs no more than the limit at a time, after so much input: some models
// have higher prices for long contexts.
func (l priceCap) covers(t *target, now time.Time, input int64) bool {
	p, ok := t.price.Price(now)
	if !ok {
		return false
	}
	rates := &p.Rates
	tiers := p.Tiers()
	for i := range tiers {
		if input > tiers[i].Above {
			rates = &tiers[i].Rates
		}
	}
	nano, known := rates.Get(accounting.ClassOutput)
	return known && accounting.Money(nano) <= accounting.Money(l)
}

// dropDear takes the targets out of the request's route that are above their price limit at the moment, or for a request of
// this size. Counting tokens is free.
func (x *exchange) dropDear() {
	if x.operation == providers.CountTokens {
		return
	}
	now := time.Now()
	dear := func(t *target) bool {
		return t.limit != 0 && !t.limit.covers(t, now, x.h.estimator.Input(t.label, x.inputSize))
	}
	if !slices.ContainsFunc(x.route.tiers, func(tier []*target) bool { return slices.ContainsFunc(tier, dear) }) {
		return
	}
	route := *x.route // others use it, too
	route.tiers = nil
	for _, tier := range x.route.tiers {
		if kept := slices.DeleteFunc(slices.Clone(tier), dear); len(kept) > 0 {
			route.tiers = append(route.tiers, kept)
		}
	}
	x.route = &route
}
