package llmgateway

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/caddy-llm/llmgateway/providers"
)

// ActiveHealth asks each endpoint of a provider at intervals whether it answers. It is off unless `uri` is set: what
// endpoints of vendors say about themselves rarely says more than the requests do, and some calls cost money.
type ActiveHealth struct {
	// The path, with a query if need be, that is asked for with GET at the endpoint's host, such as `/health` of vLLM or
	// `/v1/models`. The provider's own credential and headers go with it. Any status below 500 passes.
	URI string `json:"uri,omitempty"`
	// The time between two checks. Three that fail in a row take the endpoint out of rotation, two that pass bring it
	// back. Default: 30s.
	Interval caddy.Duration `json:"interval,omitempty"`
	// How long an answer may take. Default: 5s.
	Timeout caddy.Duration `json:"timeout,omitempty"`
}

const (
	defaultCheckInterval = 30 * time.Second
	defaultCheckTimeout  = 5 * time.Second
)

// checkHealth starts the checks of a provider's endpoints. The first one comes after an interval, so that loading a
// configuration performs no I/O. They end with the configuration.
func (h *Handler) checkHealth(c *ActiveHealth, p *provider) error {
	if c == nil || c.URI == "" {
		for _, up := range p.upstreams {
			up.state.health.Unchecked()
		}
		if c != nil && (c.Interval != 0 || c.Timeout != 0) {
			return fmt.Errorf("active_health: an interval or a timeout without a uri to ask for: write `health_uri <path>`")
		}
		return nil
	}
	if c.Interval < 0 || c.Timeout < 0 {
		return fmt.Errorf("active_health: a duration is negative")
	}
	if !strings.HasPrefix(c.URI, "/") || strings.Contains(c.URI, "#") {
		return fmt.Errorf("active_health: the uri '%s' is not a path such as /health", c.URI)
	}
	check := &healthCheck{logger: h.logger, p: p, path: c.URI, interval: time.Duration(c.Interval), timeout: time.Duration(c.Timeout)}
	if check.interval == 0 {
		check.interval = defaultCheckInterval
	}
	if check.timeout == 0 {
		check.timeout = min(defaultCheckTimeout, check.interval)
	}
	for _, up := range p.upstreams {
		go check.run(h.ctx, up)
	}
	return nil
}

// healthCheck are the active checks of one provider.
type healthCheck struct {
	logger            *zap.Logger
	p                 *provider
	path              string
	interval, timeout time.Duration
}

func (c *healthCheck) run(ctx context.Context, up *upstream) {
	ticker := time.NewTicker(c.interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		ok := c.ask(ctx, up)
		if ctx.Err() != nil {
			return
		}
		c.report(up, up.state.health.Checked(ok))
	}
}

// ask reports whether an endpoint answers.
func (c *healthCheck) ask(ctx context.Context, up *upstream) bool {
	// Caddy's transport takes for granted that there is a replacer, for placeholders in its options.
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, caddy.ReplacerCtxKey, caddy.NewReplacer()), c.timeout)
	defer cancel()
	r, err := c.request(ctx, up)
	if err != nil {
		return false
	}
	resp, err := c.p.transport.RoundTrip(r)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxErrorBody)) // so that the connection can be used again
	return resp.StatusCode < http.StatusInternalServerError
}

// request is a call as the provider makes it, with everything replaced that makes it one.
func (c *healthCheck) request(ctx context.Context, up *upstream) (*http.Request, error) {
	r, err := c.p.guest.Prepare(ctx, &providers.Call{
		Dialect: c.p.speaks("health")[0], Operation: providers.Generate, Model: "health",
		BaseURL: up.baseURL, Credential: up.key, Header: http.Header{}, Body: providers.NewBody(nil),
	})
	if err != nil {
		return nil, err
	}
	u := *up.baseURL
	path, query, _ := strings.Cut(c.path, "?")
	u.Path, u.RawPath, u.RawQuery = path, "", query
	r.Method, r.URL, r.Body, r.ContentLength = http.MethodGet, &u, http.NoBody, 0
	r.Header.Del("Content-Type")
	c.p.changeHeaders(r, caddy.NewEmptyReplacer())
	return r, nil
}

// parseActiveHealth reads health_uri, health_interval or health_timeout.
func parseActiveHealth(d *caddyfile.Dispenser, to **ActiveHealth) error {
	if *to == nil {
		*to = new(ActiveHealth)
	}
	switch d.Val() {
	case "health_interval":
		return parseOneDuration(d, &(*to).Interval)
	case "health_timeout":
		return parseOneDuration(d, &(*to).Timeout)
	}
	if (*to).URI != "" {
		return d.Err("health_uri already specified")
	}
	if !d.Args(&(*to).URI) || d.NextArg() {
		return wrongArgs(d, "health_uri")
	}
	if !strings.HasPrefix((*to).URI, "/") {
		return d.Errf("health_uri '%s' is not a path such as /health", (*to).URI)
	}
	return nil
}

var activeHealthOptions = []string{"health_uri", "health_interval", "health_timeout"}
