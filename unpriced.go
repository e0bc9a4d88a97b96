package llmgateway

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/providers"
)

// What is done with models whose price is not known.
const (
	unpricedAllow = "allow"
	unpricedDeny  = "deny"
)

// parseUnpriced reads
//
//	unpriced allow|deny
func (h *Handler) parseUnpriced(d *caddyfile.Dispenser) error {
	if h.Unpriced != "" {
		return d.Err("unpriced already specified")
	}
	var value string
	if !d.Args(&value) || d.NextArg() {
		return wrongArgs(d, "unpriced")
	}
	if value != unpricedAllow && value != unpricedDeny {
		return d.Errf("unpriced takes allow or deny, not '%s'", value)
	}
	h.Unpriced = value
	return nil
}

// dropUnpriced takes the targets out of the request's route whose price is not known, where they may not be used. When
// none is left, its error says how to give one a price.
func (x *exchange) dropUnpriced() error {
	if x.h.Unpriced != unpricedDeny || x.operation == providers.CountTokens {
		return nil
	}
	now := time.Now()
	unpriced := func(t *target) bool { return !t.pricedFor(x.operation, now) }
	if !slices.ContainsFunc(x.route.tiers, func(tier []*target) bool { return slices.ContainsFunc(tier, unpriced) }) {
		return nil
	}
	var labels []string
	route := *x.route // others use it, too
	route.tiers = nil
	for _, tier := range x.route.tiers {
		var kept []*target
		for _, t := range tier {
			if unpriced(t) {
				labels = append(labels, t.label)
			} else {
				kept = append(kept, t)
			}
		}
		if len(kept) > 0 {
			route.tiers = append(route.tiers, kept)
		}
	}
	if len(route.tiers) == 0 {
		return errUnpriced(x.route.name, labels)
	}
	x.route = &route
	return nil
}

// errUnpriced says which targets of a model have no price.
func errUnpriced(model string, labels []string) error {
	slices.Sort(labels)
	labels = slices.Compact(labels)
	const most = 3
	more := ""
	if len(labels) > most {
		labels, more = labels[:most], " and others"
	}
	return &dialects.RequestError{
		Status: http.StatusForbidden, Param: "model", Code: "model_unpriced",
		Message: "the model " + strconv.Quote(model) + " may not be used: no price is known of " + strings.Join(labels, ", ") + more +
			", and this gateway only uses models with a price. The operator can set one in the Caddyfile: " +
			"price " + labels[0] + " input <dollars per million tokens> output <dollars per million tokens>",
	}
}

// pricedFor reports whether the price is known of everything that an operation is sure to use. What is served by the
// user's own machines is free.
func (t *target) pricedFor(op providers.Operation, now time.Time) bool {
	if t.provider.defaults.Local {
		return true
	}
	if t.price == nil {
		return false
	}
	p, ok := t.price.Price(now)
	if !ok {
		return false
	}
	u := accounting.Usage{Input: 1}
	if op == providers.Generate || op == providers.Completions || op == providers.Compact {
		u.Output = 1
	}
	return p.Covers(u)
}

// price is what the target cost when the attempt was sent, in the service tier that was billed; nil when that is
// unknown.
//
// It is the price of the model that was asked for. Where that name has none, and wherever deployments are named at will,
// it is the price of the model that the provider says answered, unless a price line is about the name.
func (a *attempt) price() *accounting.Price {
	m := a.target.price
	if a.obs.Model != "" && (m == nil || a.target.provider.namesDeployments() && !m.ByLine()) {
		p := a.target.provider
		if answered, ok := a.target.book.Find(p.name, p.defaults.PriceBook, a.obs.Model); ok {
			m = answered
		}
	}
	if m == nil {
		return nil
	}
	p, ok := m.Price(a.start)
	if !ok {
		return nil
	}
	tiered, known := p.For(a.obs.Tier)
	if !known {
		a.target.reportTier(a.obs.Tier)
	}
	return tiered
}

// azureHosts are the domains below which Azure's customers name deployments as they like.
var azureHosts = []string{".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com"}

// namesDeployments reports whether the provider's customers choose the names that models are asked for by.
func (p *provider) namesDeployments() bool {
	return slices.ContainsFunc(p.upstreams, func(u *upstream) bool {
		return slices.ContainsFunc(azureHosts, func(domain string) bool { return strings.HasSuffix(u.baseURL.Hostname(), domain) })
	})
}

// strangeTiers are the service tiers without a price that were reported: once for each, whatever a provider writes.
var strangeTiers sync.Map

const maxStrangeTiers = 100

var strangeTierCount atomic.Int32

// reportTier logs once that a provider billed a service tier that nobody has heard of.
func (t *target) reportTier(name string) {
	name = cleanLabel(accounting.ServiceTier(name), maxScopeValue)
	if _, known := strangeTiers.Load(t.provider.name + "/" + name); known || strangeTierCount.Load() >= maxStrangeTiers {
		return
	}
	if _, known := strangeTiers.LoadOrStore(t.provider.name+"/"+name, true); known {
		return
	}
	strangeTierCount.Add(1)
	caddy.Log().Named("http.handlers.llm_gateway").Warn("unknown service tier: its price is taken to be the standard one",
		zap.String("provider", t.provider.name), zap.String("model", t.model), zap.String("tier", name))
}
