package llmgateway

import (
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-llm/llmgateway/accounting"
)

// modelOptions are the options of a model, for suggestions.
var modelOptions = slices.Concat([]string{"to", "fallback", "price_limit"}, balancingOptions, timeoutOptions)

// parseModel reads one public model:
//
//	model <name or pattern> [<target>...] {
//		to          <target> [weight <n>]
//		fallback    <target or public model>...
//		price_limit <dollars per million output tokens>
//		<balancing and timeout options>
//	}
func (h *Handler) parseModel(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return wrongArgs(d, "model")
	}
	c := &ModelConfig{Name: d.Val(), at: d.Token()}
	for _, m := range h.Models {
		if m.Name == c.Name {
			return d.Errf("model '%s' already specified; write all its targets in one line or block", c.Name)
		}
	}
	for _, t := range d.RemainingArgs() {
		if t == "weight" {
			return d.Errf("a weight belongs into the block of a model: model %s { to <provider>/<model> weight <n> }", c.Name)
		}
		c.To = append(c.To, TargetConfig{Target: t})
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := c.parseOption(d); err != nil {
			return err
		}
	}
	if len(c.To) == 0 && len(c.Fallbacks) == 0 {
		return d.Errf("model '%s' has no target; write: model %s <provider>/<model>", c.Name, c.Name)
	}
	h.Models = append(h.Models, c)
	return nil
}

func (c *ModelConfig) parseOption(d *caddyfile.Dispenser) error {
	option := d.Val()
	switch {
	case slices.Contains(balancingOptions, option):
		return parseBalancing(d, &c.LoadBalancing)
	case slices.Contains(timeoutOptions, option):
		return parseTimeout(d, &c.Timeouts)
	case slices.Contains(healthOptions, option), slices.Contains(activeHealthOptions, option):
		return d.Errf("%s is about an endpoint, whichever model it serves: write it on the provider or on llm_gateway", option)
	}
	switch option {
	case "to":
		return c.parseTo(d)
	case "fallback":
		return appendArgs(d, &c.Fallbacks)
	case "price_limit":
		var v string
		if c.PriceLimit != "" {
			return d.Err("price_limit already specified")
		}
		if !d.Args(&v) || d.NextArg() {
			return wrongArgs(d, option)
		}
		if m, err := accounting.ParseMoney(strings.TrimPrefix(v, "$")); err != nil || m <= 0 {
			return d.Errf("price_limit '%s' is not an amount of dollars per million output tokens", v)
		}
		c.PriceLimit = v
		return nil
	}
	return unrecognized(d, modelOptions)
}

func (c *ModelConfig) parseTo(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	switch {
	case len(args) == 1:
		c.To = append(c.To, TargetConfig{Target: args[0]})
		return nil
	case len(args) == 3 && args[1] == "weight":
		n, err := strconv.Atoi(args[2])
		if err != nil || n < 1 {
			return d.Errf("weight '%s' is not a whole number of at least 1", args[2])
		}
		c.To = append(c.To, TargetConfig{Target: args[0], Weight: n})
		return nil
	}
	return d.Err("to takes one target and, if wanted, its weight: to <provider>/<model> [weight <n>]")
}

// checkModels finds the mistakes in models that show only when all providers and models are known.
func (h *Handler) checkModels() error {
	for _, c := range h.Models {
		if err := h.checkModel(c); err != nil {
			at := caddyfile.NewDispenser([]caddyfile.Token{c.at})
			at.Next()
			return at.Errf("model %s: %w", c.Name, err)
		}
	}
	return nil
}
