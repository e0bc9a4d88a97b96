package llmgateway

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-llm/llmgateway/internal/nearest"
)

// optionSyntax is how options are written that take arguments.
var optionSyntax = map[string]string{
	"provider": "<name> [<kind>] [<api_key> | <base_url>...]",
	"model":    "<name or pattern> <provider>/<model>...",
	"fallback": "<target or public model>...",

	"price_limit": "<dollars per million output tokens>",

	"api_key":   "<key>...; one that comes from the environment is {env.NAME}",
	"base_url":  "<url>...",
	"dialect":   "chat|responses|messages|gemini|cohere|ollama...",
	"models":    "<name or pattern>...",
	"header_up": "[+|-]<field> [<value> [<replacement>]]",
	"transport": "http { ... }",
	"limit":     "<n>/<unit> [<n>_tokens/<unit>] [<n>_concurrent]",

	"lb_policy":       "<policy> [<args...>]",
	"lb_retries":      "<n>",
	"lb_try_duration": "<duration>",
	"lb_try_interval": "<duration>",
	"retry_on":        "<class>...",
	"hedge":           "after <duration>|p95 [max <percent> of spend]",

	"max_fails":               "<n>",
	"fail_duration":           "<duration>",
	"slow_start":              "<duration>",
	"unhealthy_latency":       "<duration>",
	"unhealthy_request_count": "<n>",
	"unhealthy_status":        "<code>|<class such as 5xx>...",
	"health_uri":              "<path>",
	"health_interval":         "<duration>",
	"health_timeout":          "<duration>",

	"first_token_timeout":  "<duration>",
	"idle_timeout":         "<duration>",
	"request_timeout":      "<unary duration> [<stream duration>]",
	"on_client_disconnect": "cancel | drain [<duration>]",

	"ledger":    "sqlite [<path>] | postgres <dsn> | log | off",
	"prices":    "<file>...",
	"unpriced":  "allow|deny",
	"max_body":  "<size>",
	"errors":    "dialect|caddy",
	"usage_log": "on|off",
	"metrics":   "on|off",
}

// wrongArgs is the error about an option with too few or too many arguments: it says how the option is written.
func wrongArgs(d *caddyfile.Dispenser, option string) error {
	return d.Errf("%s is written: %s %s", option, option, optionSyntax[option])
}

// plannedOptions are options that people look for and that do not exist yet.
var plannedOptions = map[string]string{
	"budget":     "budgets",
	"rate_limit": "rate limits for clients",
	"counters":   "counters shared by several gateways",
	"llm_keys":   "virtual keys",
}

// unrecognized is the error about an option that does not exist, with the one that was probably meant.
func unrecognized(d *caddyfile.Dispenser, known []string) error {
	option := d.Val()
	if option == "{" {
		return d.Err("unexpected block: the option before it takes none")
	}
	if what := plannedOptions[option]; what != "" {
		return d.Errf("%s is not supported yet: this version has no %s", option, what)
	}
	if hint := didYouMean(option, known); hint != "" {
		return d.Errf("unrecognized option '%s'%s", option, hint)
	}
	return d.Errf("unrecognized option '%s'; known are %s", option, strings.Join(known, ", "))
}

// plannedKinds are kinds of providers that people look for and that do not exist yet, and what serves meanwhile.
var plannedKinds = map[string]string{
	"azure":  "Azure OpenAI can be reached by its v1 API: provider azure openai https://<resource>.openai.azure.com/openai/v1 <api_key>",
	"vertex": "Gemini can be reached with an API key of Google AI Studio: provider gemini <api_key>",
}

// maxKindName is longer than the names of kinds and shorter than API keys.
const maxKindName = 20

// couldBeKind reports whether a text is short and plain enough to be repeated as the name of a kind.
func couldBeKind(s string) bool {
	return len(s) < maxKindName && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// misplacedKind finds the kind in the arguments of a provider whose name is none. Arguments are not repeated unless they are
// the name of a kind: they may be keys.
func misplacedKind(name string, args []string, err error) error {
	for _, arg := range args {
		if isKind(arg) {
			return fmt.Errorf("provider %s: the kind stands right behind the name: provider %s %s", name, name, arg)
		}
	}
	if len(args) == 0 || !couldBeKind(args[0]) {
		return err
	}
	if plannedKinds[args[0]] != "" {
		return fmt.Errorf("provider %s: %w", name, unknownKind(args[0]))
	}
	if near := nearest.Names(args[0], kindNames(), 1); len(near) > 0 {
		return fmt.Errorf("provider %s: did you mean the kind %q?", name, near[0])
	}
	return err
}

// checkKeys rejects what was taken for an API key and is something else. It is not repeated: it may be a key after all.
func checkKeys(keys []string) error {
	for _, k := range keys {
		switch {
		case strings.HasPrefix(k, "http://"), strings.HasPrefix(k, "https://"):
			return errors.New("an API key is a URL; write it as: base_url <url>")
		case isAddress(k):
			return errors.New("an API key is an address; a base URL begins with http:// or https://")
		case strings.Count(k, "{") != strings.Count(k, "}"):
			return errors.New("an API key has a brace without the other one; a placeholder is written {env.NAME}")
		}
	}
	return nil
}

// isAddress reports whether a text is a host with a port, or localhost or an IP address by itself.
func isAddress(s string) bool {
	s, _, _ = strings.Cut(s, "/")
	if _, err := netip.ParseAddr(s); err == nil || s == "localhost" {
		return true
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}
