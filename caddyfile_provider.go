package llmgateway

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/caddy-llm/llmgateway/providers"
)

// providerOptions are the options that every provider has; a kind may add its own.
var providerOptions = providers.CommonOptions()

// parseProvider reads one provider:
//
//	provider <name> [<kind>] [<api_key> | <base_url>...] {
//		api_key   <key>...
//		base_url  <url>...
//		dialect   chat|responses|messages|gemini|cohere|ollama...
//		models    <pattern>...
//		header_up [+|-]<field> [<value> [<replacement>]]
//		transport http { ... }
//		lb_policy <policy>
//		limit     <n>/min [<n>_tokens/min] [<n>_concurrent]
//		max_fails, fail_duration, unhealthy_*
//		<options of the kind>
//	}
func (h *Handler) parseProvider(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return wrongArgs(d, "provider")
	}
	c := &ProviderConfig{Name: d.Val()}
	if err := checkProviderName(c.Name); err != nil {
		return d.WrapErr(err)
	}
	if h.hasProvider(c.Name) {
		return d.Errf("provider '%s' already specified; a second one of its kind needs another name: provider <name> %s ...", c.Name, c.Name)
	}
	at := d.Token()
	kind, args := c.Name, d.RemainingArgs()
	for n, arg := range args {
		switch {
		case n == 0 && isKind(arg):
			kind = arg
		case strings.HasPrefix(arg, "http://"), strings.HasPrefix(arg, "https://"):
			c.BaseURLs = append(c.BaseURLs, arg)
		default:
			c.APIKeys = append(c.APIKeys, arg)
		}
	}
	raw, err := kindConfig(kind)
	if err != nil {
		return d.WrapErr(misplacedKind(c.Name, args, err))
	}
	if err := checkKeys(c.APIKeys); err != nil {
		return d.WrapErr(err)
	}
	var own []caddyfile.Token // options of the kind
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		taken, err := c.parseOption(d)
		if err != nil {
			return err
		}
		if !taken {
			own = append(own, d.NextSegment()...)
		}
	}
	if c.ProviderRaw, err = unmarshalKind(d, raw, at, own); err != nil {
		return err
	}
	return c.dialectToKind(d, h)
}

func (h *Handler) hasProvider(name string) bool {
	return slices.ContainsFunc(h.Providers, func(p *ProviderConfig) bool { return p.Name == name })
}

// isKind reports whether an argument names a kind of provider rather than an API key.
func isKind(s string) bool { return slices.Contains(kindNames(), s) }

// parseOption reads an option that every provider has. It reports false for all others.
func (c *ProviderConfig) parseOption(d *caddyfile.Dispenser) (bool, error) {
	option := d.Val()
	if slices.Contains(healthOptions, option) {
		return true, parseHealth(d, &c.PassiveHealth)
	}
	if slices.Contains(activeHealthOptions, option) {
		return true, parseActiveHealth(d, &c.ActiveHealth)
	}
	switch option {
	case "api_key":
		if err := appendArgs(d, &c.APIKeys); err != nil {
			return true, err
		}
		if err := checkKeys(c.APIKeys); err != nil {
			return true, d.WrapErr(err)
		}
		return true, nil
	case "base_url":
		return true, c.parseBaseURLs(d)
	case "models":
		return true, appendArgs(d, &c.Models)
	case "dialect":
		return true, c.parseDialects(d)
	case "lb_policy":
		if c.LoadBalancing == nil {
			c.LoadBalancing = new(LoadBalancing)
		}
		return true, parsePolicy(d, c.LoadBalancing)
	case "limit":
		return true, parseLimit(d, &c.Limit)
	case "header_up":
		return true, c.parseHeaderUp(d)
	case "transport":
		return true, c.parseTransport(d)
	case "lb_retries", "lb_try_duration", "lb_try_interval", "retry_on", "hedge":
		return true, d.Errf("%s counts tries over all targets: write it on the model or on llm_gateway, not on a provider", option)
	}
	switch {
	case slices.Contains(timeoutOptions, option), slices.Contains(modelOptions, option):
		return true, d.Errf("%s is about a model: write it on a model, not on a provider", option)
	}
	return false, nil
}

func (c *ProviderConfig) parseBaseURLs(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return wrongArgs(d, "base_url")
	}
	for _, a := range args {
		if !strings.Contains(a, "{") && !strings.HasPrefix(a, "http://") && !strings.HasPrefix(a, "https://") {
			// The argument is not repeated: it may be a key in the wrong place.
			return d.Err("base_url takes URLs that start with http:// or https://")
		}
	}
	c.BaseURLs = append(c.BaseURLs, args...)
	return nil
}

func (c *ProviderConfig) parseDialects(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return wrongArgs(d, "dialect")
	}
	for _, a := range args {
		if _, err := parseDialect(a); err != nil {
			return d.WrapErr(err)
		}
	}
	c.Dialects = append(c.Dialects, args...)
	return nil
}

func (c *ProviderConfig) parseHeaderUp(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 3 {
		return wrongArgs(d, "header_up")
	}
	if c.Headers == nil {
		c.Headers = new(headers.HeaderOps)
	}
	var replacement *string
	if len(args) == 3 {
		replacement = &args[2] // an empty one deletes what the expression matches
	}
	args = append(args, "")
	if err := headers.CaddyfileHeaderOp(c.Headers, args[0], args[1], replacement); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func (c *ProviderConfig) parseTransport(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return wrongArgs(d, "transport")
	}
	if c.TransportRaw != nil {
		return d.Err("transport already specified")
	}
	name := d.Val()
	id := "http.reverse_proxy.transport." + name
	if _, err := caddy.GetModule(id); err != nil {
		return d.Errf("there is no transport '%s'; providers are reached with: transport http", name)
	}
	unm, err := caddyfile.UnmarshalModule(d, id)
	if err != nil {
		return err
	}
	t, ok := unm.(*reverseproxy.HTTPTransport)
	if !ok {
		return d.Errf("transport '%s' cannot carry requests to a provider; use: transport http", name)
	}
	c.TransportRaw = caddyconfig.JSONModuleObject(t, "protocol", name, nil)
	return nil
}

// unmarshalKind lets the kind parse the options that are its own. They keep their file and line for errors.
func unmarshalKind(d *caddyfile.Dispenser, raw json.RawMessage, at caddyfile.Token, own []caddyfile.Token) (json.RawMessage, error) {
	if len(own) == 0 {
		return raw, nil
	}
	var config map[string]any
	if err := json.Unmarshal(raw, &config); err != nil {
		return nil, d.WrapErr(err)
	}
	kind, _ := config["kind"].(string)
	info, err := caddy.GetModule(providerNamespace + "." + kind)
	if err != nil {
		return nil, d.WrapErr(err)
	}
	mod := info.New()
	unm, ok := mod.(caddyfile.Unmarshaler)
	if !ok {
		return nil, caddyfile.NewDispenser(own).Errf("providers of the kind %s have no options of their own", kind)
	}
	token := func(text string) caddyfile.Token {
		t := at
		t.Text = text
		return t
	}
	last := own[len(own)-1]
	last.Text = "}"
	last.Line++
	tokens := slices.Concat([]caddyfile.Token{token(kind), token("{")}, own, []caddyfile.Token{last})
	if err := unm.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens)); err != nil {
		return nil, err
	}
	if _, ok := mod.(providers.Provider); !ok {
		return nil, d.Errf("module %T is not a provider", mod)
	}
	parsed := caddyconfig.JSON(mod, nil)
	var merged map[string]any
	if err := json.Unmarshal(parsed, &merged); err != nil {
		return nil, d.WrapErr(err)
	}
	maps.Copy(merged, config)
	return caddyconfig.JSON(merged, nil), nil
}

// dialectToKind hands the dialects to a compatible endpoint, which has none of its own, and adds the provider.
func (c *ProviderConfig) dialectToKind(d *caddyfile.Dispenser, h *Handler) error {
	var config map[string]any
	if err := json.Unmarshal(c.ProviderRaw, &config); err != nil {
		return d.WrapErr(err)
	}
	if config["kind"] == "compatible" && len(c.Dialects) > 0 {
		config["dialects"] = c.Dialects
		c.ProviderRaw, c.Dialects = caddyconfig.JSON(config, nil), nil
	}
	h.Providers = append(h.Providers, c)
	return nil
}
