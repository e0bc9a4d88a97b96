package llmgateway

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/balancing"
)

const (
	defaultMaxBody    = 32 << 20
	defaultFirstToken = 120 * time.Second
	defaultIdle       = 120 * time.Second
	defaultRequest    = 10 * time.Minute
	defaultStream     = 30 * time.Minute
	// maxScopeValue bounds what a client can write into logs and the ledger through a scope.
	maxScopeValue = 128
	// maxModelName bounds what a client can write through a model name.
	maxModelName = 256
)

// settings is the load balancing and the timeouts of one model, defaults filled in.
type settings struct {
	policy   balancing.Policy
	affinity string // placeholder, from a policy that names one
	retry    balancing.RetryRules
	hedge    *hedging // nil without

	firstToken, idle, request, stream time.Duration
	// drain is how long an answer is read on after its client has left.
	drain time.Duration
}

func (h *Handler) baseSettings() (settings, error) {
	s := settings{
		policy:     new(balancing.Priority),
		retry:      balancing.DefaultRetryRules(),
		firstToken: defaultFirstToken,
		idle:       defaultIdle,
		request:    defaultRequest,
		stream:     defaultStream,
	}
	return s.overlay(h.ctx, h.LoadBalancing, h.Timeouts)
}

// overlay returns s with everything replaced that lb and t set.
func (s settings) overlay(ctx caddy.Context, lb *LoadBalancing, t *Timeouts) (settings, error) {
	if t != nil {
		for _, f := range []struct {
			from caddy.Duration
			to   *time.Duration
		}{{t.FirstToken, &s.firstToken}, {t.Idle, &s.idle}, {t.Request, &s.request}, {t.Stream, &s.stream}} {
			if f.from < 0 {
				return s, fmt.Errorf("timeouts: %s is negative", time.Duration(f.from))
			}
			if f.from > 0 {
				*f.to = time.Duration(f.from)
			}
		}
	}
	if t != nil && t.Drain != 0 {
		s.drain = max(time.Duration(t.Drain), 0)
	}
	if lb == nil {
		return s, nil
	}
	if lb.Retries != nil {
		if s.retry.Retries = *lb.Retries; s.retry.Retries < 0 {
			return s, fmt.Errorf("load_balancing: %d retries", s.retry.Retries)
		}
		s.retry.TargetTries = s.retry.Retries + 1 // who asks for five retries wants them of a single target, too
	}
	if lb.TryDuration < 0 || lb.TryInterval < 0 {
		return s, errors.New("load_balancing: try_duration and try_interval cannot be negative")
	}
	if lb.TryDuration > 0 {
		s.retry.TryDuration = time.Duration(lb.TryDuration)
	}
	if lb.TryInterval > 0 {
		s.retry.TryInterval = time.Duration(lb.TryInterval)
	}
	if lb.RetryOn != nil {
		classes, err := balancing.ParseClasses(lb.RetryOn...)
		if err != nil {
			return s, fmt.Errorf("retry_on: %w", err)
		}
		s.retry.On = classes
	}
	if lb.Hedge != nil {
		h, err := lb.Hedge.rules()
		if err != nil {
			return s, err
		}
		s.hedge = h
	}
	if len(lb.PolicyRaw) > 0 {
		p, err := loadPolicy(ctx, lb)
		if err != nil {
			return s, err
		}
		s.policy, s.affinity = p, affinityPlaceholder(p)
	}
	return s, nil
}

// affinityPlaceholder is what a policy wants to know sessions by; empty for the gateway's own choice.
func affinityPlaceholder(p balancing.Policy) string {
	if k, ok := p.(balancing.AffinityKeyer); ok {
		return k.AffinityPlaceholder()
	}
	return ""
}

func loadPolicy(ctx caddy.Context, lb *LoadBalancing) (balancing.Policy, error) {
	mod, err := ctx.LoadModule(lb, "PolicyRaw")
	if err != nil {
		return nil, fmt.Errorf("loading selection policy: %w", err)
	}
	p, ok := mod.(balancing.Policy)
	if !ok {
		return nil, fmt.Errorf("module %T is not a selection policy", mod)
	}
	return p, nil
}

// scope is a ScopeConfig ready for use.
type scope struct {
	name    string
	keys    []string // placeholder names without braces, or whole templates with them
	builtin bool     // filled from Caddy's authentication
}

// value returns the first of the scope's placeholders that is not empty.
func (s *scope) value(repl *caddy.Replacer) string {
	for _, k := range s.keys {
		var v string
		if strings.IndexByte(k, '{') >= 0 {
			v = repl.ReplaceAll(k, "")
		} else {
			v, _ = repl.GetString(k)
		}
		if v != "" {
			return cleanLabel(v, maxScopeValue)
		}
	}
	return ""
}

// cleanLabel makes text that a client sent fit for logs and the ledger: no control characters, not longer than n bytes.
func cleanLabel(v string, n int) string {
	if len(v) > n {
		v = v[:n]
	}
	if !utf8.ValidString(v) {
		v = strings.ToValidUTF8(v, "")
	}
	for i := 0; i < len(v); i++ {
		if v[i] < 0x20 || v[i] == 0x7f {
			return strings.Map(func(r rune) rune {
				if r < 0x20 || r == 0x7f {
					return -1
				}
				return r
			}, v)
		}
	}
	return v
}

func (h *Handler) provisionScopes() error {
	builtin := []scope{
		{name: "user", keys: []string{userID}, builtin: true},
		{name: "team", keys: []string{"http.auth.user.team"}, builtin: true},
		{name: "key", keys: []string{"http.auth.user.key"}, builtin: true},
	}
	seen := map[string]int{}
	for i, s := range builtin {
		seen[s.name] = i
	}
	configured := map[string]bool{}
	for _, c := range h.Identify {
		if c.Scope == "" || strings.ContainsAny(c.Scope, " {}\"\\") {
			return fmt.Errorf("identify: %q is not a scope name", c.Scope)
		}
		if reservedScope(c.Scope) {
			return errReservedScope(c.Scope)
		}
		if configured[c.Scope] {
			return fmt.Errorf("identify: scope %q is named twice; write its placeholders in one line", c.Scope)
		}
		configured[c.Scope] = true
		if len(c.Placeholders) == 0 {
			return fmt.Errorf("identify: scope %q has no placeholder", c.Scope)
		}
		s := scope{name: c.Scope}
		for _, p := range c.Placeholders {
			if !strings.Contains(p, "{") {
				return fmt.Errorf("identify: %q of scope %q is not a placeholder such as {http.request.header.X-Feature}", p, c.Scope)
			}
			s.keys = append(s.keys, simplePlaceholder(p))
		}
		if i, ok := seen[c.Scope]; ok {
			builtin[i] = s
			continue
		}
		seen[c.Scope] = len(builtin)
		builtin = append(builtin, s)
	}
	h.scopes = builtin
	return nil
}

// recordFields are the names that usage lines and reports have for something else.
var recordFields = []string{
	"request_id", "model", "provider", "upstream_model", "target", "dialect", "stream", "attempts", "status", "error",
	"input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "usage", "cost_usd", "ttft_ms",
	"duration_ms", "tier", "certainty", "error_class", "hour", "day", "month",
}

func reservedScope(name string) bool { return slices.Contains(recordFields, name) }

func errReservedScope(name string) error {
	return fmt.Errorf("identify: %q is the name of another field of every record; give the scope another one, such as client_%s", name, name)
}

// simplePlaceholder strips the braces of a value that is exactly one placeholder, which can then be looked up without
// going through a template.
func simplePlaceholder(p string) string {
	if inner, ok := strings.CutPrefix(p, "{"); ok {
		if inner, ok = strings.CutSuffix(inner, "}"); ok && !strings.ContainsAny(inner, "{}") {
			return inner
		}
	}
	return p
}

// privateRanges are loopback, private and link-local addresses.
var privateRanges = []string{
	"127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "169.254.0.0/16", "fe80::/10",
}

func (h *Handler) provisionAnonymous() error {
	ranges := h.AllowAnonymous
	switch {
	case ranges == nil:
		ranges = privateRanges
	case slices.Contains(ranges, anonymousOff):
		if len(ranges) > 1 {
			return fmt.Errorf("allow_anonymous: off stands alone")
		}
		return nil
	}
	for _, r := range ranges {
		prefixes, err := parseRange(r)
		if err != nil {
			return err
		}
		h.anonymous = append(h.anonymous, prefixes...)
	}
	return nil
}

// anonymousOff allows no anonymous client at all, for gateways behind a tunnel or proxy on the same machine, to which
// every client seems to come from loopback.
const anonymousOff = "off"

// parseRange reads an address, a CIDR range, or private_ranges.
func parseRange(r string) ([]netip.Prefix, error) {
	if r == "private_ranges" {
		var all []netip.Prefix
		for _, p := range privateRanges {
			all = append(all, netip.MustParsePrefix(p))
		}
		return all, nil
	}
	if a, err := netip.ParseAddr(r); err == nil {
		a = a.Unmap()
		return []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}, nil
	}
	p, err := netip.ParsePrefix(r)
	if err != nil {
		return nil, fmt.Errorf("allow_anonymous: %q is not an address range such as 10.0.0.0/8", r)
	}
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return []netip.Prefix{p.Masked()}, nil
}

func (h *Handler) provisionPrices() error {
	book, err := accounting.Embedded()
	if err != nil {
		return err
	}
	repl := caddy.NewReplacer()
	files := make([]string, len(h.PriceFiles))
	for i, name := range h.PriceFiles {
		files[i] = repl.ReplaceAll(name, "")
	}
	if h.prices, err = accounting.NewLiveBook(book, files, h.Prices, h.pricesChanged); err != nil {
		return err
	}
	h.estimator = &sharedEstimator
	return nil
}

// sharedEstimator learns across reloads: it holds nothing but bytes per token by model.
var sharedEstimator accounting.Estimator

var (
	errNoTargets   = errors.New("has no targets")
	errNoProviders = errors.New("no provider is declared; models need the providers of their targets by name")
)
