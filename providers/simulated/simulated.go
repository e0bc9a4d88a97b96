// Package simulated is a provider without a model: it answers by itself, in every dialect, with text that says so. It
// lets a configuration, a client or a dashboard be tried without an account and without cost.
package simulated

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-llm/llmgateway/internal/fakellm"
	"github.com/caddy-llm/llmgateway/providers"
)

func init() {
	caddy.RegisterModule(Provider{})
}

const (
	defaultLatency         = 300 * time.Millisecond
	defaultTokensPerSecond = 60
	// jitter varies the latency by a third.
	jitter = 1.0 / 3
	// preamble starts every answer, so that nobody takes it for a model's.
	preamble = "This is a simulated answer: no model was asked."
)

// Provider answers in process, with realistic timing and honest usage: as many tokens as it streams. The same request
// gets the same answer. A request that offers a tool and says "please call <tool>" in its last message gets a call of it.
type Provider struct {
	// Latency is the time to the first token; it varies by a third from request to request. Default: 300ms. Negative
	// means none.
	Latency caddy.Duration `json:"latency,omitempty"`
	// TokensPerSecond is the speed after the first token. Default: 60. Negative means as fast as the client reads.
	TokensPerSecond float64 `json:"tokens_per_second,omitempty"`

	llm *fakellm.Server
}

var dialects = []providers.Dialect{providers.Chat, providers.Messages, providers.Responses, providers.Gemini}

// CaddyModule returns the Caddy module information.
func (Provider) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.llm_gateway.providers.simulated",
		New: func() caddy.Module { return new(Provider) },
	}
}

// Provision sets defaults.
func (p *Provider) Provision(caddy.Context) error {
	if p.Latency == 0 {
		p.Latency = caddy.Duration(defaultLatency)
	}
	if p.TokensPerSecond == 0 {
		p.TokensPerSecond = defaultTokensPerSecond
	}
	p.llm = fakellm.New(fakellm.Options{
		Latency:         max(0, time.Duration(p.Latency)),
		Jitter:          jitter,
		TokensPerSecond: max(0, p.TokensPerSecond),
		Preamble:        preamble,
	})
	return nil
}

// Defaults says that nothing is needed and nothing costs. The host of the base URL cannot exist (RFC 2606): a request
// that took the network by mistake would go nowhere.
func (*Provider) Defaults() providers.Defaults {
	return providers.Defaults{BaseURL: "http://simulated.invalid", KeyOptional: true, Local: true}
}

// Dialects lists all of them.
func (*Provider) Dialects(string) []providers.Dialect { return dialects }

// Prepare addresses a call. A credential is not needed and not sent.
func (*Provider) Prepare(ctx context.Context, c *providers.Call) (*http.Request, error) {
	u, err := providers.Address(c)
	if err != nil {
		return nil, err
	}
	return providers.NewRequest(ctx, c, u, "", ""), nil
}

// RoundTripper answers the requests.
func (p *Provider) RoundTripper() http.RoundTripper { return p.llm }

// UnmarshalCaddyfile parses what the kind adds to a provider block:
//
//	simulated {
//		latency           <duration>
//		tokens_per_second <number>
//	}
func (p *Provider) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the kind
	if d.NextArg() {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch d.Val() {
		case "latency":
			err = p.parseLatency(d)
		case "tokens_per_second":
			err = p.parseSpeed(d)
		default:
			err = providers.UnrecognizedOption(d, "latency", "tokens_per_second")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *Provider) parseLatency(d *caddyfile.Dispenser) error {
	var arg string
	if !d.AllArgs(&arg) {
		return d.ArgErr()
	}
	latency, err := caddy.ParseDuration(arg)
	if err != nil || latency < 0 {
		return d.Errf("bad latency '%s': want a duration of zero or more", arg)
	}
	if p.Latency = caddy.Duration(latency); latency == 0 {
		p.Latency = -1
	}
	return nil
}

func (p *Provider) parseSpeed(d *caddyfile.Dispenser) error {
	var arg string
	if !d.AllArgs(&arg) {
		return d.ArgErr()
	}
	speed, err := strconv.ParseFloat(arg, 64)
	if err != nil || !(speed > 0) || speed > 1e9 {
		return d.Errf("bad tokens_per_second '%s': want a number above zero", arg)
	}
	p.TokensPerSecond = speed
	return nil
}

// Validate refuses a speed that is no number.
func (p *Provider) Validate() error {
	if p.TokensPerSecond != p.TokensPerSecond || p.TokensPerSecond > 1e9 {
		return fmt.Errorf("tokens_per_second %v: want at most 1e9", p.TokensPerSecond)
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Provider)(nil)
	_ caddy.Validator       = (*Provider)(nil)
	_ caddyfile.Unmarshaler = (*Provider)(nil)
	_ providers.Provider    = (*Provider)(nil)
	_ providers.Defaulter   = (*Provider)(nil)
	_ providers.Transporter = (*Provider)(nil)
)
