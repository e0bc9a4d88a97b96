package llmgateway

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

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
		if err := t.check(c); err != nil {
			return nil, fmt.Errorf("model %s: %w", c.Name, err)
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
		// Patterns are expanded here only to find mistakes in them.
		tiers, err := t.tiers(c, c.Name, c.Name, nil)
		if err != nil {
			return nil, fmt.Errorf("model %s: %w", c.Name, err)
		}
		if r := t.exact[c.Name]; r != nil {
			r.tiers = tiers
		}
	}
	return t, nil
}

// check rejects targets that can never work.
func (t *table) check(c *ModelConfig) error {
	if len(c.To) == 0 && len(c.Fallbacks) == 0 {
		return errNoTargets
	}
	if c.PriceLimit != "" {
		if _, err := accounting.ParseMoney(c.PriceLimit); err != nil {
			return fmt.Errorf("price_limit: %w", err)
		}
	}
	for _, to := range c.To {
		name, _, _ := strings.Cut(to.Target, "/")
		if t.byName[name] == nil {
			return fmt.Errorf("target %s: there is no provider %q%s", to.Target, name, t.noProvider(to.Target, name))
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
		if t.byName[name] == nil && !t.h.isModel(f) {
			return fmt.Errorf("fallback %s: there is neither a provider nor a model of this name%s", f,
				didYouMean(f, append(t.providerNames(), t.h.modelNames()...)))
		}
	}
	return nil
}

// noProvider says what a target probably means whose provider does not exist.
func (t *table) noProvider(target, name string) string {
	switch hint := didYouMean(name, t.providerNames()); {
	case t.h.isModel(target):
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

func (t *table) providerNames() []string {
	var names []string
	for _, p := range t.providers {
		names = append(names, p.name)
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
		if p.serves(name) && (p.models != nil || t.price(p, name) != nil) {
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
