// Package simulated is a provider without a model: it answers by itself, in every dialect, with text that says so. It
// lets a configuration, a client or a dashboard be tried without an account and without cost. It can be told to fail in
// the ways of real vendors, so that an outage can be rehearsed.
package simulated

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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
	defaultJitter          = 100.0 / 3 // percent
	// preamble starts every answer, so that nobody takes it for a model's.
	preamble = "This is a simulated answer: no model was asked."
)

// Provider answers in process, with realistic timing and honest usage: as many tokens as it streams. The same request
// gets the same answer. A request that offers a tool and says "please call <tool>" in its last message gets a call of it.
type Provider struct {
	// Latency is the time to the first token; it varies by Jitter from request to request. Default: 300ms. Negative
	// means none.
	Latency caddy.Duration `json:"latency,omitempty"`
	// Jitter is by how many percent of it the latency varies in both directions, by the prompt. Default: a third. Negative
	// means not at all.
	Jitter float64 `json:"jitter,omitempty"`
	// Slow gives some requests another latency.
	Slow *Slow `json:"slow,omitempty"`
	// TokensPerSecond is the speed after the first token. Default: 60. Negative means as fast as the client reads.
	TokensPerSecond float64 `json:"tokens_per_second,omitempty"`
	// Fail, Cut and Stall let requests fail. They happen to different ones: their shares may add up to 100 percent.
	Fail []Fail `json:"fail,omitempty"`
	// Cut breaks answers off.
	Cut []Cut `json:"cut,omitempty"`
	// Stall lets answers fall silent.
	Stall []Stall `json:"stall,omitempty"`
	// Down is an outage, now or by a schedule.
	Down *Down `json:"down,omitempty"`
	// Seed makes the same faults come in the same order, counted from when the configuration was loaded. Default: another
	// order each time.
	Seed uint32 `json:"seed,omitempty"`

	llm *fakellm.Server
}

var spoken = []providers.Dialect{providers.Chat, providers.Messages, providers.Responses, providers.Gemini}

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
	if p.Jitter == 0 {
		p.Jitter = defaultJitter
	}
	o := fakellm.Options{
		Latency:         max(0, time.Duration(p.Latency)),
		Jitter:          max(0, p.Jitter/100),
		TokensPerSecond: max(0, p.TokensPerSecond),
		Preamble:        preamble,
	}
	if f := p.newFaults(); f != nil {
		o.Behave = f.behave
	}
	p.llm = fakellm.New(o)
	return nil
}

// Defaults says that nothing is needed and nothing costs. The host of the base URL cannot exist (RFC 2606): a request
// that took the network by mistake would go nowhere.
func (*Provider) Defaults() providers.Defaults {
	return providers.Defaults{BaseURL: "http://simulated.invalid", KeyOptional: true, Local: true}
}

// Dialects lists all of them.
func (*Provider) Dialects(string) []providers.Dialect { return spoken }

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

// Validate refuses numbers that make no sense, and faults that cannot all be had.
func (p *Provider) Validate() error {
	if p.TokensPerSecond != p.TokensPerSecond || p.TokensPerSecond > 1e9 {
		return fmt.Errorf("tokens_per_second %v: want at most 1e9", p.TokensPerSecond)
	}
	if !(p.Jitter <= 100) {
		return fmt.Errorf("jitter %v: want a percentage of at most 100", p.Jitter)
	}
	return p.checkFaults()
}

// checkFaults refuses what is no fault, and shares of more than all requests.
func (p *Provider) checkFaults() error {
	sum := 0.0
	check := func(name string, err error, s Share) error {
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		sum += 100 * s.fraction()
		return nil
	}
	for i := range p.Fail {
		if err := check("fail", p.Fail[i].check(), p.Fail[i].Share); err != nil {
			return err
		}
	}
	for i := range p.Cut {
		if err := check("cut", p.Cut[i].check(), p.Cut[i].Share); err != nil {
			return err
		}
	}
	for i := range p.Stall {
		if err := check("stall", p.Stall[i].check(), p.Stall[i].Share); err != nil {
			return err
		}
	}
	if p.Slow != nil {
		if err := p.Slow.check(); err != nil {
			return fmt.Errorf("slow: %w", err)
		}
	}
	if sum > 100.000001 { // what three thirds may add up to
		return fmt.Errorf("fail, cut and stall happen to different requests, and add up to %.4g%% of them", sum)
	}
	if p.Down != nil {
		if err := p.Down.check(); err != nil {
			return fmt.Errorf("down: %w", err)
		}
		if p.Down.Every == 0 && sum > 0 {
			return errors.New("down for ever leaves no request for fail, cut and stall: give it a schedule, down every 10m for 1m")
		}
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
