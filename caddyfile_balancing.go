package llmgateway

import (
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-llm/llmgateway/balancing"
)

// The options that may stand on the directive and, most of them, on a model or a provider.
var (
	balancingOptions = []string{"lb_policy", "lb_retries", "lb_try_duration", "lb_try_interval", "retry_on", "hedge"}
	healthOptions    = []string{"max_fails", "fail_duration", "slow_start", "unhealthy_latency", "unhealthy_request_count", "unhealthy_status"}
	timeoutOptions   = []string{"first_token_timeout", "idle_timeout", "request_timeout", "on_client_disconnect"}
)

// moduleNames lists the modules of a namespace in alphabetical order.
func moduleNames(namespace string) []string {
	var names []string
	for _, m := range caddy.GetModules(namespace) {
		names = append(names, m.ID.Name())
	}
	slices.Sort(names)
	return names
}

const policyNamespace = "http.llm_gateway.policies"

// parseBalancing reads one of balancingOptions.
func parseBalancing(d *caddyfile.Dispenser, to **LoadBalancing) error {
	if *to == nil {
		*to = new(LoadBalancing)
	}
	lb, option := *to, d.Val()
	switch option {
	case "lb_policy":
		return parsePolicy(d, lb)
	case "lb_retries":
		if lb.Retries != nil {
			return d.Err("lb_retries already specified")
		}
		n, err := parseInt(d, option, 0)
		lb.Retries = &n
		return err
	case "lb_try_duration":
		return parseOneDuration(d, &lb.TryDuration)
	case "hedge":
		return parseHedge(d, &lb.Hedge)
	case "lb_try_interval":
		return parseOneDuration(d, &lb.TryInterval)
	default: // retry_on
		if lb.RetryOn != nil {
			return d.Err("retry_on already specified")
		}
		args := d.RemainingArgs()
		if len(args) == 0 {
			return wrongArgs(d, option)
		}
		if _, err := balancing.ParseClasses(args...); err != nil {
			return d.WrapErr(err)
		}
		lb.RetryOn = args
		return nil
	}
}

func parsePolicy(d *caddyfile.Dispenser, lb *LoadBalancing) error {
	if lb.PolicyRaw != nil {
		return d.Err("lb_policy already specified")
	}
	if !d.NextArg() {
		return wrongArgs(d, "lb_policy")
	}
	name := d.Val()
	if name == "first" { // reverse_proxy's word
		name = "priority"
	}
	id := policyNamespace + "." + name
	if _, err := caddy.GetModule(id); err != nil {
		names := moduleNames(policyNamespace)
		if hint := didYouMean(name, names); hint != "" {
			return d.Errf("there is no policy '%s'%s", name, hint)
		}
		return d.Errf("there is no policy '%s'; known are %s", name, strings.Join(names, ", "))
	}
	unm, err := caddyfile.UnmarshalModule(d, id)
	if err != nil {
		return err
	}
	p, ok := unm.(balancing.Policy)
	if !ok {
		return d.Errf("module %s (%T) is not a selection policy", id, unm)
	}
	lb.PolicyRaw = caddyconfig.JSONModuleObject(p, "policy", name, nil)
	return nil
}

// parseHealth reads one of healthOptions.
func parseHealth(d *caddyfile.Dispenser, to **PassiveHealth) error {
	if *to == nil {
		*to = new(PassiveHealth)
	}
	h := *to
	var err error
	switch d.Val() {
	case "max_fails":
		err = parseOneInt(d, &h.MaxFails)
	case "fail_duration":
		err = parseOneDuration(d, &h.FailDuration)
	case "slow_start":
		err = parseOneDuration(d, &h.SlowStart)
	case "unhealthy_latency":
		err = parseOneDuration(d, &h.UnhealthyLatency)
	case "unhealthy_request_count":
		err = parseOneInt(d, &h.UnhealthyRequestCount)
	default: // unhealthy_status
		args := d.RemainingArgs()
		if len(args) == 0 {
			return wrongArgs(d, "unhealthy_status")
		}
		for _, a := range args {
			codes, ok := parseStatus(a)
			if !ok {
				return d.Errf("unhealthy_status '%s' is neither an HTTP status nor a class of them such as 5xx", a)
			}
			h.UnhealthyStatus = append(h.UnhealthyStatus, codes)
		}
	}
	return err
}

// parseStatus reads a status, or a class such as 5xx, which is stored as its first digit.
func parseStatus(s string) (int, bool) {
	if class, ok := strings.CutSuffix(s, "xx"); ok {
		n, err := strconv.Atoi(class)
		return n, err == nil && n >= 1 && n <= 5
	}
	code, err := strconv.Atoi(s)
	return code, err == nil && code >= 100 && code <= 599
}

// parseTimeout reads one of timeoutOptions.
func parseTimeout(d *caddyfile.Dispenser, to **Timeouts) error {
	if *to == nil {
		*to = new(Timeouts)
	}
	t := *to
	switch d.Val() {
	case "first_token_timeout":
		return parseOneDuration(d, &t.FirstToken)
	case "on_client_disconnect":
		return parseDisconnect(d, t)
	case "idle_timeout":
		return parseOneDuration(d, &t.Idle)
	}
	if t.Request != 0 {
		return d.Err("request_timeout already specified")
	}
	args := d.RemainingArgs()
	if len(args) < 1 || len(args) > 2 {
		return wrongArgs(d, "request_timeout")
	}
	var err error
	if t.Request, err = parseDuration(d, "request_timeout", args[0]); err != nil || len(args) == 1 {
		if len(args) == 1 {
			t.Stream = t.Request
		}
		return err
	}
	t.Stream, err = parseDuration(d, "request_timeout", args[1])
	return err
}

func parseOneInt(d *caddyfile.Dispenser, to *int) error {
	name := d.Val()
	if *to != 0 {
		return d.Errf("%s already specified", name)
	}
	var err error
	*to, err = parseInt(d, name, 1)
	return err
}

func parseOneDuration(d *caddyfile.Dispenser, to *caddy.Duration) error {
	name, v := d.Val(), ""
	if *to != 0 {
		return d.Errf("%s already specified", name)
	}
	if !d.Args(&v) || d.NextArg() {
		return wrongArgs(d, name)
	}
	var err error
	*to, err = parseDuration(d, name, v)
	return err
}
