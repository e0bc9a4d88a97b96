package llmgateway

import (
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/providers"
)

// settle works out what an attempt used and cost. It may be called again with more known.
func (x *exchange) settle(a *attempt) {
	a.usage, a.certainty, a.cost, a.atRisk = accounting.Usage{}, accounting.Void, 0, 0
	switch {
	case x.operation == providers.CountTokens:
		return // free of charge everywhere
	case a.fault != nil && a.fault.Billed == providers.BilledNo:
		return
	case a.fault != nil && a.fault.Billed == providers.BilledUnknown:
		a.certainty = accounting.Unknown
		_, a.atRisk = x.inputEstimate(a)
		return
	}
	a.usage, a.certainty = x.measured(a)
	if p := a.price(); p != nil {
		a.cost = p.Cost(a.usage)
	}
}

// measured is the usage that the provider reported, or else an estimate from what went by. A stream that broke has
// reported its input at most, so its output is what was seen of it. Of a report that cannot be true, what was believed
// before bounds the estimate from below.
func (x *exchange) measured(a *attempt) (accounting.Usage, accounting.Certainty) {
	u := accounting.Usage(a.obs.Usage)
	name := a.target.label
	if a.obs.UsageFinal && !a.obs.UsageInvalid {
		return u, accounting.Reported
	}
	if !a.obs.UsageKnown || a.obs.UsageInvalid {
		u.Input += max(x.h.estimator.Input(name, x.inputSize)-u.TotalInput(), 0)
	}
	if x.operation == providers.Generate || x.operation == providers.Completions || x.operation == providers.Compact {
		u.Output = max(u.Output, x.h.estimator.Output(name, a.obs.OutputBytes))
	}
	return u, accounting.Estimated
}

// inputEstimate is what is known of an attempt's cost before it has an answer.
func (x *exchange) inputEstimate(a *attempt) (accounting.Usage, accounting.Money) {
	if x.operation == providers.CountTokens {
		return accounting.Usage{}, 0 // free of charge everywhere
	}
	u := accounting.Usage{Input: x.h.estimator.Input(a.target.label, x.inputSize)}
	if p := a.price(); p != nil {
		return u, p.Cost(u)
	}
	return u, 0
}

// tokens is what the attempt used of a vendor's limit; -1 when that is not known.
func (a *attempt) tokens() int64 {
	if a.certainty == accounting.Unknown {
		return -1
	}
	return a.usage.TotalInput() + a.usage.TotalOutput()
}

// teach lets the estimator learn from what the provider reported, and remembers what it has cached.
func (x *exchange) teach(a *attempt) {
	if a.certainty != accounting.Reported || x.operation != providers.Generate {
		return
	}
	if x.affinity != 0 && a.usage.CacheRead+a.usage.CacheWrite+a.usage.CacheWrite1h > 0 {
		a.slot.model.remember(x.affinity, a.usage.TotalInput(), time.Now())
	}
	x.h.estimator.LearnInput(a.target.label, x.inputSize, a.usage.TotalInput())
	if a.obs.OutputBytes > 0 {
		x.h.estimator.LearnOutput(a.target.label, a.obs.OutputBytes, a.usage.Output)
	}
}

// priced reports whether the cost of the attempt is known. A provider on the user's own machines costs nothing.
func (a *attempt) priced() bool {
	if a.target.provider.defaults.Local || a.certainty == accounting.Void {
		return true
	}
	p := a.price()
	return p != nil && p.Covers(a.usage)
}

// totalCost is what all attempts so far cost; it reports false when the price of one of them is unknown.
func (x *exchange) totalCost() (accounting.Money, bool) {
	var sum accounting.Money
	for i := range x.attempts {
		if !x.attempts[i].priced() {
			return 0, false
		}
		sum = sum.Add(x.attempts[i].cost)
	}
	return sum, true
}

// total adds the attempts up for the summary.
func (x *exchange) total() {
	k := x.keep
	k.Certainty, k.Usage = accounting.Reported, accounting.Usage{}
	billable := 0
	for i := range x.attempts {
		a := &x.attempts[i]
		k.Usage = addUsage(k.Usage, a.usage)
		if a.certainty == accounting.Void {
			continue
		}
		billable++
		if a.certainty == accounting.Unknown || a.certainty == accounting.Estimated && k.Certainty == accounting.Reported {
			k.Certainty = a.certainty
		}
	}
	if billable == 0 {
		k.Certainty = accounting.Void
	}
	k.Cost, k.Priced = x.totalCost()
}

func addUsage(a, b accounting.Usage) accounting.Usage {
	a.Input += b.Input
	a.CacheRead += b.CacheRead
	a.CacheWrite += b.CacheWrite
	a.CacheWrite1h += b.CacheWrite1h
	a.InputAudio += b.InputAudio
	a.InputImage += b.InputImage
	a.InputVideo += b.InputVideo
	a.CacheReadAudio += b.CacheReadAudio
	a.CacheReadImage += b.CacheReadImage
	a.Output += b.Output
	a.Reasoning += b.Reasoning
	a.OutputAudio += b.OutputAudio
	a.OutputImage += b.OutputImage
	a.WebSearches += b.WebSearches
	return a
}

// builtinScopes have columns of their own in the ledger; all other scopes are tags.
var builtinScopes = map[string]bool{"key": true, "user": true, "team": true}

// entry fills in the ledger's record of an attempt.
func (x *exchange) entry(a *attempt, e *accounting.Entry) {
	k := x.keep
	*e = accounting.Entry{
		AttemptID: a.id, RequestID: x.id, Attempt: a.number, Time: a.start,
		Key: k.value("key"), User: k.value("user"), Team: k.value("team"), Tags: k.tags,
		Provider: a.target.provider.name, Dialect: string(a.dialect), Model: x.route.name, UpstreamModel: a.target.model,
		AnsweredModel: cleanLabel(a.obs.Model, maxModelName), ProviderRequestID: a.requestID,
		Usage: a.usage, Certainty: a.certainty, Cost: a.cost, Priced: a.priced(), AtRisk: a.atRisk, PriceVersion: a.priceVersion,
		UsageInvalid: a.obs.UsageInvalid && a.certainty == accounting.Estimated,
		Tier:         accounting.ServiceTier(a.obs.Tier),
		Status:       a.status, Stream: x.head.Stream, Latency: a.latency.Round(time.Microsecond), TimeToFirstToken: a.ttft.Round(time.Microsecond),
	}
	if a.fault != nil {
		e.ErrorClass = string(a.fault.Class)
	}
}

// tag collects the scopes that have no columns of their own.
func (k *summary) tag() {
	for i := range k.values {
		if name := k.scopes[i].name; k.values[i] != "" && !builtinScopes[name] {
			if k.tags == nil {
				k.tags = map[string]string{}
			}
			k.tags[name] = k.values[i]
		}
	}
}
