package llmgateway

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/balancing"
)

// checkModel rejects targets that can never work.
func (h *Handler) checkModel(c *ModelConfig) error {
	if len(c.To) == 0 && len(c.Fallbacks) == 0 {
		return errNoTargets
	}
	if c.PriceLimit != "" {
		if _, err := accounting.ParseMoney(c.PriceLimit); err != nil {
			return fmt.Errorf("price_limit: %w", err)
		}
	}
	if len(h.Providers) == 0 {
		return errNoProviders
	}
	for _, to := range c.To {
		name, _, _ := strings.Cut(to.Target, "/")
		if !h.hasProvider(name) {
			return fmt.Errorf("target %s: there is no provider %q%s", to.Target, name, h.noProvider(to.Target, name))
		}
		if strings.Contains(to.Target, "*") && !strings.Contains(c.Name, "*") {
			return fmt.Errorf("target %s: its * stands for what a * in the name of the model matched, and there is none", to.Target)
		}
		if to.Weight < 0 {
			return fmt.Errorf("target %s: weight %d is negative", to.Target, to.Weight)
		}
	}
	for _, f := range c.Fallbacks {
		name, _, _ := strings.Cut(f, "/")
		if !h.hasProvider(name) && !h.isModel(f) {
			return fmt.Errorf("fallback %s: there is neither a provider nor a model of this name%s", f,
				didYouMean(f, append(h.providerNames(), h.modelNames()...)))
		}
	}
	return nil
}

// noProvider says what a target probably means whose provider does not exist.
func (h *Handler) noProvider(target, name string) string {
	switch hint := didYouMean(name, h.providerNames()); {
	case h.isModel(target):
		return "; a model that others fall back on is written as: fallback " + target
	case hint != "":
		return hint
	case isKind(name):
		return "; declare it: provider " + name
	case name == target:
		return "; a target is <provider>/<model>"
	}
	return ""
}

func (h *Handler) providerNames() []string {
	var names []string
	for _, p := range h.Providers {
		names = append(names, p.Name)
	}
	return names
}

func (h *Handler) isModel(name string) bool { return slices.Contains(h.modelNames(), name) }

func (h *Handler) modelNames() []string {
	var names []string
	for _, c := range h.Models {
		names = append(names, c.Name)
	}
	return names
}

// idleWeights reports whether targets have different weights and a policy that does not look at them.
func idleWeights(to []TargetConfig, p balancing.Policy) bool {
	switch p.(type) {
	case *balancing.Priority, *balancing.RoundRobin, *balancing.Fastest, *balancing.Cheapest:
		return slices.ContainsFunc(to, func(t TargetConfig) bool { return max(t.Weight, 1) != max(to[0].Weight, 1) })
	}
	return false
}

// strayPrices lists the patterns of price lines whose provider is none that is configured, no kind and no price list.
func (h *Handler) strayPrices() []string {
	var stray []string
	for _, o := range h.Prices {
		name, _, ok := strings.Cut(strings.ToLower(o.Match), "/")
		named := func(p *ProviderConfig) bool { return strings.EqualFold(p.Name, name) }
		if ok && !strings.Contains(name, "*") && !slices.ContainsFunc(h.Providers, named) && !isKind(name) &&
			!slices.Contains(h.prices.Book().Vendors(), name) {
			stray = append(stray, o.Match)
		}
	}
	return stray
}
