// Package anthropic is the provider for Anthropic's own API.
package anthropic

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-llm/llmgateway/providers"
)

func init() {
	caddy.RegisterModule(Provider{})
}

// defaultVersion is sent when the client names none. Anthropic refuses requests without a version.
const defaultVersion = "2023-06-01"

// Provider sends requests to Anthropic with the API key in x-api-key. It speaks Messages. Base URLs hold no version, as
// in Anthropic's SDKs; /v1 is appended unless the path ends in it. The client's own anthropic-version and
// anthropic-beta are kept.
type Provider struct {
	// Beta are beta features that every request asks for, in addition to those the client asks for (header
	// anthropic-beta). Default: none.
	Beta []string `json:"beta,omitempty"`
}

var dialects = []providers.Dialect{providers.Messages}

// CaddyModule returns the Caddy module information.
func (Provider) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.llm_gateway.providers.anthropic",
		New: func() caddy.Module { return new(Provider) },
	}
}

// Defaults says where Anthropic is and which environment variable holds its key.
func (*Provider) Defaults() providers.Defaults {
	return providers.Defaults{
		BaseURL:   "https://api.anthropic.com",
		KeyEnv:    []string{"ANTHROPIC_API_KEY"},
		PriceBook: "anthropic",
	}
}

// Dialects lists Messages.
func (*Provider) Dialects(string) []providers.Dialect { return dialects }

// Prepare addresses and authenticates a call.
func (p *Provider) Prepare(ctx context.Context, c *providers.Call) (*http.Request, error) {
	if c.Dialect != providers.Messages {
		return nil, providers.ErrUnsupported
	}
	u, err := providers.Address(c)
	if err != nil {
		return nil, err
	}
	r := providers.NewRequest(ctx, c, u, providers.HeaderXAPIKey, c.Credential.Reveal())
	if r.Header["Anthropic-Version"] == nil {
		r.Header["Anthropic-Version"] = []string{defaultVersion}
	}
	if len(p.Beta) > 0 {
		r.Header["Anthropic-Beta"] = []string{mergeBetas(r.Header["Anthropic-Beta"], p.Beta)}
	}
	return r, nil
}

// mergeBetas joins what the client asked for and what the configuration adds, each feature once, in this order.
func mergeBetas(client, configured []string) string {
	var all []string
	for _, list := range [...][]string{client, configured} {
		for _, line := range list {
			for beta := range strings.SplitSeq(line, ",") {
				if beta = strings.TrimSpace(beta); beta != "" && !slices.Contains(all, beta) {
					all = append(all, beta)
				}
			}
		}
	}
	return strings.Join(all, ",")
}

// UnmarshalCaddyfile parses what the kind adds to a provider block:
//
//	anthropic {
//		beta <feature>...
//	}
func (p *Provider) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the kind
	if d.NextArg() {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if d.Val() != "beta" {
			return providers.UnrecognizedOption(d, "beta")
		}
		betas := d.RemainingArgs()
		if len(betas) == 0 {
			return d.ArgErr()
		}
		p.Beta = append(p.Beta, betas...)
	}
	return nil
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*Provider)(nil)
	_ providers.Provider    = (*Provider)(nil)
	_ providers.Defaulter   = (*Provider)(nil)
)
