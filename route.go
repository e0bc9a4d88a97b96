package llmgateway

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/caddy-llm/llmgateway/accounting"
)

// otherModel is the metrics label of models that no configuration and no price book names: client text is never a label.
const otherModel = "_other"

// route is where requests for one public model name go.
type route struct {
	name  string // as configured, or as asked for
	label string // for metrics
	// tiers are tried one after the other: the policy picks within a tier, and the next one is used only when every
	// target of those before it is exhausted.
	tiers [][]*target
	settings
}

// lone reports whether there is but one target, which has to do whatever is asked.
func (r *route) lone() bool { return len(r.tiers) == 1 && len(r.tiers[0]) == 1 }

// several reports whether there is more than one slot to send a request to.
func (r *route) several() bool {
	n := 0
	for _, tier := range r.tiers {
		for _, t := range tier {
			if n += len(t.slots); n > 1 {
				return true
			}
		}
	}
	return false
}

// table resolves model names. It is built when the configuration is loaded and then only its cache changes.
type table struct {
	h         *Handler
	book      *accounting.Book // the prices that the targets have
	providers []*provider
	byName    map[string]*provider
	exact     map[string]*route
	patterns  []*pattern
	names     []string // public names in the order written, patterns without their wildcards left out

	cache  sync.Map // model name → *route, for names that are not configured
	cached atomic.Int32

	checking bool // targets are made to find mistakes in the configuration, and not to be used

	repricing sync.Mutex // held while the table that follows this one is built
}

// pattern is a model name with wildcards.
type pattern struct {
	config   *ModelConfig
	settings settings
	literal  int // length of the prefix before the first wildcard
}

// maxCachedRoutes bounds the cache of resolved names: clients choose them.
const maxCachedRoutes = 2048

func (h *Handler) newTable(ps []*provider) (*table, error) {
	t := &table{h: h, book: h.prices.Book(), providers: ps, byName: map[string]*provider{}, exact: map[string]*route{}}
	for _, p := range ps {
		t.byName[p.name] = p
	}
	for _, c := range h.Models {
		if c.Name == "" {
			return nil, fmt.Errorf("a model has no name")
		}
		s, err := h.defaults.overlay(h.ctx, c.LoadBalancing, c.Timeouts)
		if err != nil {
			return nil, fmt.Errorf("model %s: %w", c.Name, err)
		}
		if err := h.checkModel(c); err != nil {
			return nil, fmt.Errorf("model %s: %w", c.Name, err)
		}
		if idleWeights(c.To, s.policy) {
			h.logger.Warn("the weights of a model have no effect under its policy; one that heeds them is weighted_round_robin",
				zap.String("model", c.Name))
		}
		if i := strings.IndexByte(c.Name, '*'); i >= 0 {
			if slices.ContainsFunc(t.patterns, func(p *pattern) bool { return p.config.Name == c.Name }) {
				return nil, fmt.Errorf("model %s: declared twice", c.Name)
			}
			t.patterns = append(t.patterns, &pattern{config: c, settings: s, literal: i})
			continue
		}
		if t.exact[c.Name] != nil {
			return nil, fmt.Errorf("model %s: declared twice", c.Name)
		}
		t.exact[c.Name] = &route{name: c.Name, label: c.Name, settings: s}
		t.names = append(t.names, c.Name)
	}
	slices.SortStableFunc(t.patterns, func(a, b *pattern) int { return b.literal - a.literal })
	for _, c := range h.Models {
		r := t.exact[c.Name]
		t.checking = r == nil // patterns are expanded when a name is asked for
		tiers, err := t.tiers(c, c.Name, c.Name, nil)
		if err != nil {
			return nil, fmt.Errorf("model %s: %w", c.Name, err)
		}
		if r != nil {
			r.tiers = tiers
		}
	}
	t.checking = false
	return t, nil
}

func (t *table) providerNames() []string {
	var names []string
	for _, p := range t.providers {
		names = append(names, p.name)
	}
	return names
}

// tiers builds the targets of a model for the name asked for. Fallbacks to other public names are expanded in place;
// via holds the names being expanded, to find circles.
func (t *table) tiers(c *ModelConfig, asked, label string, via []string) ([][]*target, error) {
	if slices.Contains(via, c.Name) {
		return nil, fmt.Errorf("its fallbacks form a circle: %s → %s", strings.Join(via, " → "), c.Name)
	}
	via = append(via, c.Name)
	limit, err := priceLimit(c)
	if err != nil {
		return nil, err
	}
	captured, _ := matchPattern(c.Name, asked)
	var first []*target
	for _, to := range c.To {
		if tg := t.target(to.Target, captured, asked, label, to.Weight); limit.admits(tg) {
			first = append(first, tg)
		}
	}
	var out [][]*target
	if len(first) > 0 {
		out = append(out, first)
	}
	for _, f := range c.Fallbacks {
		if other := t.h.modelConfig(f); other != nil {
			name := other.Name
			if strings.Contains(name, "*") {
				if name = asked; !strings.Contains(asked, "*") && !matches(other.Name, name) {
					return nil, fmt.Errorf("fallback %s: %q does not match this pattern; fall back to a model or to <provider>/<model>", f, asked)
				}
			}
			more, err := t.tiers(other, name, label, via)
			if err != nil {
				return nil, err
			}
			for _, tier := range more {
				if tier = slices.DeleteFunc(tier, func(tg *target) bool { return !limit.admits(tg) }); len(tier) > 0 {
					out = append(out, tier)
				}
			}
			continue
		}
		if tg := t.target(f, captured, asked, label, 1); limit.admits(tg) {
			out = append(out, []*target{tg})
		}
	}
	return out, nil
}

func (h *Handler) modelConfig(name string) *ModelConfig {
	for _, c := range h.Models {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// target makes the target that spec names: provider/model, provider alone, or provider/*.
func (t *table) target(spec, captured, asked, label string, weight int) *target {
	name, model, ok := strings.Cut(spec, "/")
	ofClient := t.h.modelConfig(asked) == nil // asked is what a client wrote, and matches a pattern
	switch {
	case !ok:
		model = asked
	case strings.Contains(model, "*"):
		model = strings.Replace(model, "*", captured, 1)
	default:
		ofClient = false
	}
	tg := t.newTarget(t.byName[name], model, label, weight)
	if !ofClient {
		tg.publish()
	}
	return tg
}

// resolve finds the route of a model name, or nil.
func (t *table) resolve(name string) *route {
	if r := t.exact[name]; r != nil {
		return r
	}
	if r, ok := t.cache.Load(name); ok {
		return r.(*route)
	}
	r := t.build(name)
	if r != nil && t.cached.Load() < maxCachedRoutes {
		if _, loaded := t.cache.LoadOrStore(name, r); !loaded {
			t.cached.Add(1)
		}
	}
	return r
}

// build resolves a name that is not configured literally: by pattern, as provider/model, and by the price book.
func (t *table) build(name string) *route {
	for _, p := range t.patterns {
		if _, ok := matchPattern(p.config.Name, name); ok {
			tiers, err := t.tiers(p.config, name, p.config.Name, nil)
			if err != nil {
				return nil
			}
			return &route{name: name, label: p.config.Name, settings: p.settings, tiers: tiers}
		}
	}
	if t.h.ModelsOnly {
		return nil
	}
	if p, model := t.direct(name); p != nil {
		return t.single(name, []*provider{p}, model)
	}
	var listed []*provider
	for _, p := range t.providers {
		if p.serves(name) && (p.models != nil || t.lists(p, name)) {
			listed = append(listed, p)
		}
	}
	if len(listed) == 0 && len(t.providers) == 1 && t.providers[0].serves(name) {
		listed = t.providers
	}
	if len(listed) == 0 {
		return nil
	}
	return t.single(name, listed, name)
}

// lists reports whether the price book knows of a model at a provider. That a price line gives all of a provider's models a price
// does not say which it has.
func (t *table) lists(p *provider, model string) bool {
	m := t.price(p, model)
	return m != nil && m.ID != ""
}

// direct splits provider/model or provider--model. With nothing behind the slash the provider is asked without a model
// name, for servers that have just one.
func (t *table) direct(name string) (*provider, string) {
	for _, sep := range []string{"/", "--"} {
		if prov, model, ok := strings.Cut(name, sep); ok {
			if p := t.byName[prov]; p != nil && p.serves(model) {
				return p, model
			}
		}
	}
	return nil, ""
}

// single makes a route with one tier: the same model at each of the providers.
func (t *table) single(name string, ps []*provider, model string) *route {
	r := &route{name: name, label: t.modelLabel(ps[0], model), settings: t.h.defaults}
	var tier []*target
	for _, p := range ps {
		tg := t.newTarget(p, model, r.label, 1)
		if r.label == model {
			tg.publish()
		}
		tier = append(tier, tg)
	}
	r.tiers = [][]*target{tier}
	return r
}

// modelLabel is the metrics label of a model that has no public name of its own: its name in the price book or in the
// provider's list of models. Both are finite, whatever clients ask for.
func (t *table) modelLabel(p *provider, model string) string {
	if m := t.price(p, model); m != nil && m.ID != "" {
		return m.ID
	}
	if slices.Contains(p.models, model) {
		return model
	}
	return otherModel
}

func matches(pattern, name string) bool {
	_, ok := matchPattern(pattern, name)
	return ok
}

// matchPattern matches a name against a pattern in which * stands for any characters, and returns what the first *
// stood for.
func matchPattern(pattern, name string) (string, bool) {
	prefix, rest, ok := strings.Cut(pattern, "*")
	if !ok {
		return "", pattern == name
	}
	tail, found := strings.CutPrefix(name, prefix)
	if !found {
		return "", false
	}
	if !strings.Contains(rest, "*") {
		captured, found := strings.CutSuffix(tail, rest)
		return captured, found
	}
	for i := 0; i <= len(tail); i++ {
		if _, ok := matchPattern(rest, tail[i:]); ok {
			return tail[:i], true
		}
	}
	return "", false
}
