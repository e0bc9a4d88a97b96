package llmgateway

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/balancing"
	"github.com/caddy-llm/llmgateway/providers"
)

// provider is a configured provider, ready for use.
type provider struct {
	name     string
	vendor   string // preset or kind
	guest    providers.Provider
	defaults providers.Defaults
	adjuster providers.Adjuster   // nil unless the guest is one
	classify providers.Classifier // nil unless the guest is one
	dialects []providers.Dialect  // overrides the guest's; nil for its own
	models   []string             // patterns; nil for all
	headers  *headers.HeaderOps
	policy   balancing.Policy // among the slots of one target
	affinity string           // placeholder, from a policy that names one
	rules    balancing.Rules
	limit    balancing.Limit
	statuses []int // unhealthy_status

	upstreams []*upstream
	transport http.RoundTripper
	traced    bool              // transport says when a request has a connection
	fresh     http.RoundTripper // makes a new connection for every request; nil when that is not known how to do

	mu    sync.RWMutex
	slots map[string][]*slot // by upstream model
}

// upstream is one endpoint of a provider with one credential.
type upstream struct {
	provider *provider
	label    string // the provider's name, with "#2" and so on for the second and later upstreams
	baseURL  *url.URL
	key      providers.Secret
	id       uint64
	state    *upstreamState
}

func (h *Handler) provisionProviders() error {
	configs := h.Providers
	if len(configs) == 0 {
		if len(h.Models) > 0 {
			return fmt.Errorf("model %s: %w", h.Models[0].Name, errNoProviders)
		}
		h.discover = newDiscovery()
		configs = h.discover.configs()
	}
	seen := map[string]bool{}
	for _, c := range configs {
		if err := checkProviderName(c.Name); err != nil {
			return err
		}
		if seen[c.Name] {
			return fmt.Errorf("provider %s: declared twice; give one of them another name: provider <name> <kind> …", c.Name)
		}
		seen[c.Name] = true
		p, err := h.newProvider(c)
		if err != nil {
			return fmt.Errorf("provider %s: %w", c.Name, err)
		}
		h.providers = append(h.providers, p)
	}
	return nil
}

func checkProviderName(name string) error {
	if name == "" {
		return fmt.Errorf("a provider has no name")
	}
	for _, r := range name {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r)) {
			return fmt.Errorf("provider %q: a name may hold letters, digits, dots, dashes and underscores", name)
		}
	}
	if strings.Contains(name, "--") {
		return fmt.Errorf("provider %q: two dashes separate provider and model and cannot be part of a name", name)
	}
	return nil
}

func (h *Handler) newProvider(c *ProviderConfig) (*provider, error) {
	mod, vendor, err := h.loadKind(c)
	if err != nil {
		return nil, err
	}
	guest, ok := mod.(providers.Provider)
	if !ok {
		return nil, fmt.Errorf("module %T is not a provider", mod)
	}
	p := &provider{name: c.Name, vendor: vendor, guest: guest, headers: c.Headers, slots: map[string][]*slot{}, policy: new(balancing.RoundRobin)}
	if d, ok := guest.(providers.Defaulter); ok {
		p.defaults = d.Defaults()
	}
	p.adjuster, _ = guest.(providers.Adjuster)
	p.classify, _ = guest.(providers.Classifier)
	for _, name := range c.Dialects {
		d, err := parseDialect(name)
		if err != nil {
			return nil, err
		}
		p.dialects = append(p.dialects, d)
	}
	p.models = c.Models
	if p.headers != nil {
		if err := p.headers.Provision(h.ctx); err != nil {
			return nil, fmt.Errorf("header_up: %w", err)
		}
	}
	if c.LoadBalancing != nil && len(c.LoadBalancing.PolicyRaw) > 0 {
		if p.policy, err = loadPolicy(h.ctx, c.LoadBalancing); err != nil {
			return nil, err
		}
		p.affinity = affinityPlaceholder(p.policy)
	}
	health := c.PassiveHealth
	if health == nil {
		health = h.PassiveHealth
	}
	if p.rules, p.statuses, err = healthRules(health); err != nil {
		return nil, err
	}
	if p.limit, err = c.Limit.rules(); err != nil {
		return nil, err
	}
	if err := h.provisionTransport(c, p); err != nil {
		return nil, err
	}
	if err := h.provisionUpstreams(c, p); err != nil {
		return nil, err
	}
	active := c.ActiveHealth
	if active == nil {
		active = h.ActiveHealth
	}
	return p, h.checkHealth(active, p)
}

// loadKind loads the guest module of a provider and names its vendor. Without one, the provider's name is its kind.
func (h *Handler) loadKind(c *ProviderConfig) (mod any, vendor string, err error) {
	if len(c.ProviderRaw) == 0 {
		raw, err := kindConfig(c.Name)
		if err != nil {
			return nil, "", err
		}
		c.ProviderRaw = raw
	}
	vendor = vendorOf(c.ProviderRaw) // now, because loading empties it
	mod, err = h.ctx.LoadModule(c, "ProviderRaw")
	return mod, vendor, err
}

func healthRules(c *PassiveHealth) (balancing.Rules, []int, error) {
	if c == nil {
		return balancing.Rules{}, nil, nil
	}
	if c.MaxFails < 0 || c.FailDuration < 0 || c.SlowStart < 0 || c.UnhealthyLatency < 0 || c.UnhealthyRequestCount < 0 {
		return balancing.Rules{}, nil, fmt.Errorf("passive_health: a value is negative")
	}
	for _, code := range c.UnhealthyStatus {
		if (code < 100 || code > 599) && (code < 1 || code > 5) {
			return balancing.Rules{}, nil, fmt.Errorf("passive_health: %d is neither an HTTP status nor the first digit of some", code)
		}
	}
	return balancing.Rules{
		MaxFails:              c.MaxFails,
		FailDuration:          time.Duration(c.FailDuration),
		SlowStart:             time.Duration(c.SlowStart),
		UnhealthyLatency:      time.Duration(c.UnhealthyLatency),
		UnhealthyRequestCount: c.UnhealthyRequestCount,
	}, c.UnhealthyStatus, nil
}

// provisionUpstreams makes one upstream of every endpoint and key.
func (h *Handler) provisionUpstreams(c *ProviderConfig, p *provider) error {
	repl := caddy.NewReplacer()
	keys, err := resolveKeys(c, p, repl)
	if err != nil {
		return err
	}
	bases := c.BaseURLs
	if len(bases) == 0 {
		if needs := p.defaults.BaseURLNeeds; needs != "" && p.defaults.BaseURL == "" {
			return fmt.Errorf("no base URL: %s, or write `base_url https://…`", needs)
		}
		bases = []string{p.defaults.BaseURL}
	}
	for _, b := range bases {
		u, err := parseBaseURL(b, repl)
		if err != nil {
			return err
		}
		for _, k := range keys {
			up := &upstream{provider: p, label: p.name, baseURL: u, key: k}
			if n := len(p.upstreams); n > 0 {
				up.label += "#" + strconv.Itoa(n+1)
			}
			// The same endpoint and credential share their health, whichever block, provider name or configuration
			// generation they belong to. The key goes in as a digest: pool keys may end up in a dump.
			sum := sha256.Sum256([]byte(k.Reveal()))
			poolKey := u.String() + " " + hex.EncodeToString(sum[:8])
			if _, ok := p.guest.(providers.Transporter); ok {
				poolKey = "in-process " + p.name + " " + poolKey
			}
			up.id = balancing.ID(poolKey)
			st, _, err := upstreamStates.LoadOrNew(poolKey, func() (caddy.Destructor, error) {
				return newUpstreamState(poolKey, p.rules), nil
			})
			if err != nil {
				return err
			}
			h.held = append(h.held, reference{upstreamStates, poolKey})
			up.state = st.(*upstreamState)
			h.shared = append(h.shared, up.state)
			label := up.label // of its own: a pointer into up would keep the credential alive in the pool
			up.state.label.Store(&label)
			up.state.agree(terms{h, p.rules, p.limit})
			p.upstreams = append(p.upstreams, up)
		}
	}
	return nil
}

func resolveKeys(c *ProviderConfig, p *provider, repl *caddy.Replacer) ([]providers.Secret, error) {
	var keys []providers.Secret
	for _, k := range c.APIKeys {
		v, err := repl.ReplaceOrErr(k, true, true)
		if err != nil || strings.TrimSpace(v) == "" {
			if strings.Contains(k, "{") {
				return nil, fmt.Errorf("the API key %s is empty or cannot be resolved", k)
			}
			return nil, fmt.Errorf("an API key is empty")
		}
		keys = append(keys, providers.NewSecret(strings.TrimSpace(v)))
	}
	if len(keys) > 0 {
		return keys, nil
	}
	// A vendor's key from the environment goes to the vendor only, not to an endpoint that somebody configured.
	if len(c.BaseURLs) > 0 {
		return []providers.Secret{{}}, nil
	}
	for _, env := range p.defaults.KeyEnv {
		if v := strings.TrimSpace(os.Getenv(env)); v != "" {
			return []providers.Secret{providers.NewSecret(v)}, nil
		}
	}
	if p.defaults.KeyOptional || len(p.defaults.KeyEnv) == 0 {
		return []providers.Secret{{}}, nil
	}
	hint := ""
	if p.defaults.KeyElse != "" {
		hint = ", or configure " + p.defaults.KeyElse
	}
	return nil, fmt.Errorf("no API key: set %s in the environment, or write `provider %s {env.%s}`%s",
		p.defaults.KeyEnv[0], c.Name, p.defaults.KeyEnv[0], hint)
}

func parseBaseURL(raw string, repl *caddy.Replacer) (*url.URL, error) {
	v, err := repl.ReplaceOrErr(raw, true, true)
	if err != nil {
		return nil, fmt.Errorf("base URL %s: %w", raw, err)
	}
	if v == "" {
		return nil, fmt.Errorf("no base URL: this kind has no default, write `base_url https://…`")
	}
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("base URL %q is not an http:// or https:// URL", raw)
	}
	if u.User != nil {
		return nil, fmt.Errorf("a base URL cannot hold a user name or password; use header_up Authorization")
	}
	if u.Fragment != "" {
		return nil, fmt.Errorf("base URL %q has a fragment", raw)
	}
	return u, nil
}

// speaks lists the dialects of the provider for a model, best first.
func (p *provider) speaks(model string) []providers.Dialect {
	if p.dialects != nil {
		return p.dialects
	}
	return p.guest.Dialects(model)
}

// serves reports whether the provider may be asked for a model.
func (p *provider) serves(model string) bool {
	if p.models == nil {
		return true
	}
	return slices.ContainsFunc(p.models, func(pattern string) bool {
		_, ok := matchPattern(pattern, model)
		return ok
	})
}

// price looks up what a model of this provider costs; nil when that is unknown.
func (t *table) price(p *provider, model string) *accounting.Model {
	m, ok := t.book.Find(p.name, p.defaults.PriceBook, model)
	if !ok {
		return nil
	}
	return m
}
