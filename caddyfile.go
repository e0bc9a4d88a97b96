package llmgateway

import (
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/dustin/go-humanize"

	"github.com/caddy-llm/llmgateway/accounting"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("llm_gateway", parseCaddyfile)
	httpcaddyfile.RegisterDirectiveOrder("llm_gateway", httpcaddyfile.Before, "reverse_proxy")
}

func parseCaddyfile(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	g := new(Handler)
	if err := g.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	return g, nil
}

// topOptions are the options of the directive, for suggestions.
var topOptions = slices.Concat([]string{
	"provider", "model", "models_only", "identify", "ledger", "prices", "price", "unpriced", "max_body", "strict", "errors",
	"allow_anonymous", "usage_log", "metrics",
}, balancingOptions, healthOptions, activeHealthOptions, timeoutOptions)

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	llm_gateway [<matcher>] [<provider kinds...>] {
//		provider <name> [<kind>] [<api_key> | <base_url>...] { ... }
//		model    <name or pattern> [<target>...] { ... }
//		models_only
//
//		lb_policy       <policy> [<args...>]
//		lb_retries      <n>
//		lb_try_duration <duration>
//		lb_try_interval <duration>
//		retry_on        <class>...
//
//		max_fails               <n>
//		fail_duration           <duration>
//		unhealthy_latency       <duration>
//		unhealthy_request_count <n>
//		unhealthy_status        <code>|<class such as 5xx>...
//
//		first_token_timeout <duration>
//		idle_timeout        <duration>
//		request_timeout     <unary duration> [<stream duration>]
//
//		identify <scope> <placeholder>...
//		ledger   <module> [<args...>] | off
//		prices   <file>...
//		price    <provider/model pattern> <class> <dollars>... [above <tokens> <class> <dollars>...] [tier <service tier> ...]
//		unpriced allow|deny
//		max_body <size>
//		strict
//		errors   dialect|caddy
//		allow_anonymous <cidr>...|private_ranges|off
//		usage_log on|off
//		metrics   on|off
//	}
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive
	for d.NextArg() {
		kind := d.Val()
		raw, err := kindConfig(kind)
		switch {
		case err != nil && !couldBeKind(kind): // nor is it repeated: it may be a key
			return d.Err("only kinds of providers stand beside llm_gateway, as in: llm_gateway openai; " +
				"keys and URLs belong to a provider in its block: provider <name> [<kind>] [<api_key> | <base_url>...]")
		case err != nil:
			return d.WrapErr(err)
		}
		if h.hasProvider(kind) {
			return d.Errf("provider '%s' already specified", kind)
		}
		h.Providers = append(h.Providers, &ProviderConfig{Name: kind, ProviderRaw: raw})
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := h.parseOption(d); err != nil {
			return err
		}
	}
	return h.checkModels()
}

func (h *Handler) parseOption(d *caddyfile.Dispenser) error {
	option := d.Val()
	switch {
	case slices.Contains(balancingOptions, option):
		return parseBalancing(d, &h.LoadBalancing)
	case slices.Contains(activeHealthOptions, option):
		return parseActiveHealth(d, &h.ActiveHealth)
	case slices.Contains(healthOptions, option):
		return parseHealth(d, &h.PassiveHealth)
	case slices.Contains(timeoutOptions, option):
		return parseTimeout(d, &h.Timeouts)
	}
	switch option {
	case "provider":
		return h.parseProvider(d)
	case "model":
		return h.parseModel(d)
	case "models_only":
		return parseFlag(d, &h.ModelsOnly)
	case "strict":
		return parseFlag(d, &h.Strict)
	case "identify":
		return h.parseIdentify(d)
	case "ledger":
		return h.parseLedger(d)
	case "prices":
		return appendArgs(d, &h.PriceFiles)
	case "price":
		o, err := accounting.ParseOverride(d.RemainingArgs())
		if err != nil {
			return d.WrapErr(err)
		}
		h.Prices = append(h.Prices, o)
		return nil
	case "unpriced":
		return h.parseUnpriced(d)
	case "max_body":
		return h.parseMaxBody(d)
	case "errors":
		return h.parseErrors(d)
	case "allow_anonymous":
		return h.parseAnonymous(d)
	case "usage_log":
		return parseSwitch(d, &h.UsageLogOff)
	case "metrics":
		return parseSwitch(d, &h.MetricsOff)
	}
	switch {
	case slices.Contains(providerOptions, option):
		return d.Errf("%s is an option of a provider: write it in the block of one", option)
	case slices.Contains(modelOptions, option):
		return d.Errf("%s is an option of a model: write it in the block of one", option)
	}
	return unrecognized(d, topOptions)
}

// parseFlag reads an option without arguments.
func parseFlag(d *caddyfile.Dispenser, flag *bool) error {
	option := d.Val()
	if d.NextArg() {
		return d.Errf("%s stands alone; what it switches on is off without it", option)
	}
	*flag = true
	return nil
}

// parseSwitch reads on or off into a field that is true for off.
func parseSwitch(d *caddyfile.Dispenser, off *bool) error {
	name, value := d.Val(), ""
	if !d.Args(&value) || d.NextArg() {
		return wrongArgs(d, name)
	}
	switch value {
	case "on":
		*off = false
	case "off":
		*off = true
	default:
		return d.Errf("%s takes on or off, not '%s'", name, value)
	}
	return nil
}

// appendArgs appends one or more arguments to a list.
func appendArgs(d *caddyfile.Dispenser, list *[]string) error {
	option, args := d.Val(), d.RemainingArgs()
	if len(args) == 0 {
		return wrongArgs(d, option)
	}
	*list = append(*list, args...)
	return nil
}

func (h *Handler) parseIdentify(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) < 2 {
		return d.Err("identify takes a scope and at least one placeholder, as in: identify feature {http.request.header.X-Feature}")
	}
	if reservedScope(args[0]) {
		return d.WrapErr(errReservedScope(args[0]))
	}
	for _, p := range args[1:] {
		if n := strings.Count(p, "{"); n == 0 || n != strings.Count(p, "}") {
			return d.Errf("identify %s: '%s' is not a placeholder such as {http.request.header.X-Feature}", args[0], p)
		}
	}
	for _, s := range h.Identify {
		if s.Scope == args[0] {
			return d.Errf("scope '%s' already specified; write all its placeholders in one line", args[0])
		}
	}
	h.Identify = append(h.Identify, ScopeConfig{Scope: args[0], Placeholders: args[1:]})
	return nil
}

func (h *Handler) parseLedger(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return wrongArgs(d, "ledger")
	}
	if h.LedgerRaw != nil {
		return d.Err("ledger already specified")
	}
	name := d.Val()
	id := ledgers + "." + name
	if _, err := caddy.GetModule(id); err != nil {
		return d.Errf("there is no ledger '%s' in this build; known are %s", name, strings.Join(moduleNames(ledgers), ", "))
	}
	unm, err := caddyfile.UnmarshalModule(d, id)
	if err != nil {
		return err
	}
	l, ok := unm.(accounting.Ledger)
	if !ok {
		return d.Errf("module %s (%T) is not a ledger", id, unm)
	}
	h.LedgerRaw = caddyconfig.JSONModuleObject(l, "ledger", name, nil)
	return nil
}

func (h *Handler) parseMaxBody(d *caddyfile.Dispenser) error {
	var size string
	if h.MaxBody != 0 {
		return d.Err("max_body already specified")
	}
	if !d.Args(&size) || d.NextArg() {
		return wrongArgs(d, "max_body")
	}
	n, err := humanize.ParseBytes(size)
	if err != nil || n == 0 || n > 1<<40 {
		return d.Errf("max_body '%s' is not a size such as 32MiB", size)
	}
	h.MaxBody = int64(n)
	return nil
}

func (h *Handler) parseErrors(d *caddyfile.Dispenser) error {
	var v string
	if h.Errors != "" {
		return d.Err("errors already specified")
	}
	if !d.Args(&v) || d.NextArg() {
		return wrongArgs(d, "errors")
	}
	if v != "dialect" && v != "caddy" {
		return d.Errf("errors takes dialect or caddy, not '%s'", v)
	}
	h.Errors = v
	return nil
}

func (h *Handler) parseAnonymous(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		args = []string{"private_ranges"}
	}
	for _, a := range args {
		if strings.Contains(a, "{") {
			return d.Errf("allow_anonymous takes addresses and CIDR ranges, not the placeholder '%s'", a)
		}
		if a == anonymousOff {
			if len(args)+len(h.AllowAnonymous) > 1 {
				return d.Err("allow_anonymous off stands alone")
			}
			continue
		}
		if _, err := parseRange(a); err != nil {
			return d.WrapErr(err)
		}
	}
	if len(h.AllowAnonymous) > 0 && h.AllowAnonymous[0] == anonymousOff {
		return d.Err("allow_anonymous off stands alone")
	}
	h.AllowAnonymous = append(h.AllowAnonymous, args...)
	return nil
}

func parseInt(d *caddyfile.Dispenser, name string, least int) (int, error) {
	var v string
	if !d.Args(&v) || d.NextArg() {
		return 0, wrongArgs(d, name)
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < least {
		return 0, d.Errf("%s '%s' is not a whole number of at least %d", name, v, least)
	}
	return n, nil
}

func parseDuration(d *caddyfile.Dispenser, name, v string) (caddy.Duration, error) {
	dur, err := caddy.ParseDuration(v)
	if err != nil || dur <= 0 {
		return 0, d.Errf("%s '%s' is not a duration such as 30s", name, v)
	}
	return caddy.Duration(dur), nil
}
