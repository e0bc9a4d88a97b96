package accounting

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// The service tiers that vendors price by tables of their own.
const (
	TierBatch    = "batch"
	TierFlex     = "flex"
	TierPriority = "priority"
	TierFast     = "fast" // Anthropic's higher speed
)

// standardTiers are what vendors call the tier that the base price is for, or no tier at all.
var standardTiers = []string{"", "default", "standard", "auto", "on_demand", "ondemand", "none", "null", "unspecified", "service_tier_unspecified"}

// ServiceTier returns the common name of a service tier that a vendor reported: empty for the standard one, batch, flex
// or priority, and else the vendor's name in lower case.
func ServiceTier(reported string) string {
	if reported == "" || reported == "default" || reported == "standard" { // nearly always, without allocating
		return ""
	}
	name := strings.ToLower(strings.TrimSpace(reported))
	for _, prefix := range [...]string{"service_tier_", "on_demand_"} {
		name = strings.TrimPrefix(name, prefix)
	}
	switch {
	case slices.Contains(standardTiers, name):
		return ""
	case name == "batches":
		return TierBatch
	}
	return name
}

// service is the price of a service tier.
type service struct {
	name  string
	price *Price
}

// unknownPrice is that of a service tier that the vendor charges for and that no table prices.
var unknownPrice Price

// For returns the price of a service tier, by the name that the vendor reported, and whether the tier is known.
//
// Batch, flex, priority and fast are known to cost something else than the standard tier: without a price of their own, their
// price is unknown, and the one returned covers nothing. Any other tier without a price has the standard price, and For
// reports false.
func (p *Price) For(tier string) (*Price, bool) {
	name := ServiceTier(tier)
	if name == "" {
		return p, true
	}
	for i := range p.services {
		if p.services[i].name == name {
			return p.services[i].price, true
		}
	}
	switch name {
	case TierBatch, TierFlex, TierPriority, TierFast:
		return &unknownPrice, true
	}
	return p, false
}

// ServiceTiers lists the service tiers that have a price, sorted.
func (p *Price) ServiceTiers() []string {
	names := make([]string, len(p.services))
	for i := range p.services {
		names[i] = p.services[i].name
	}
	return names
}

// WithServiceTier returns a copy of p that knows the price of one more service tier.
//
// It says nothing about the classes that it leaves out, least of all that they cost what they do in the standard tier.
// Where the standard tier has a price of its own for such a class, its price is unknown here, and above the thresholds
// of the standard tier everything is that the service tier has no long-context price for. All else falls back within
// the tier. What is priced per call is the same in all tiers.
func (p *Price) WithServiceTier(name string, base Rates, tiers ...Tier) (*Price, error) {
	if name == "" || name != ServiceTier(name) {
		return nil, fmt.Errorf("%q is not the name of a service tier such as %s, %s or %s", name, TierBatch, TierFlex, TierPriority)
	}
	if slices.Contains(p.ServiceTiers(), name) {
		return nil, fmt.Errorf("service tier %s is priced twice", name)
	}
	for c := ClassWebSearch; c < numClasses; c++ {
		if nano, ok := p.Get(c); ok && !base.Known.Has(c) {
			base.Set(c, nano)
		}
	}
	unknown := p.apart()
	for i := range p.tiers {
		unknown |= p.tiers[i].Rates.apart()
	}
	s, err := newPrice(base, unknown, tiers)
	if err != nil {
		return nil, fmt.Errorf("service tier %s: %w", name, err)
	}
	s.forget(p.tiers)
	out := *p
	out.services = append(slices.Clone(p.services), service{name, s})
	slices.SortFunc(out.services, func(a, b service) int { return cmp.Compare(a.name, b.name) })
	return &out, nil
}

// apart returns the classes whose price differs from that of their whole.
func (r *Rates) apart() Classes {
	var s Classes
	for c, whole := range wholes {
		nano, ok := r.Get(Class(c))
		if of, known := r.Get(whole); ok && whole != Class(c) && (!known || nano != of) {
			s.add(Class(c))
		}
	}
	return s
}

// forget makes the prices per token unknown above those thresholds of the standard tier that p has none for.
func (p *Price) forget(standard []Tier) {
	for _, t := range standard {
		if slices.ContainsFunc(p.tiers, func(own Tier) bool { return own.Above == t.Above }) {
			continue
		}
		var calls Rates
		for c := ClassWebSearch; c < numClasses; c++ {
			if nano, ok := p.Get(c); ok {
				calls.Set(c, nano)
			}
		}
		p.tiers = append(p.tiers, Tier{Above: t.Above, Rates: calls})
	}
	slices.SortFunc(p.tiers, func(a, b Tier) int { return cmp.Compare(a.Above, b.Above) })
}
