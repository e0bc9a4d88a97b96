// Package gemini is the provider for Google's Gemini API (Google AI Studio), not for Vertex AI.
package gemini

import (
	"context"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-llm/llmgateway/providers"
)

func init() {
	caddy.RegisterModule(Provider{})
}

// Provider sends requests to the Gemini API with the API key in x-goog-api-key, never in the URL. It speaks
// generateContent. Base URLs hold no version, as in Google's SDKs; /v1beta is appended unless the path ends in /v1beta
// or /v1. The model stands in the path: "name", "models/name" and "tunedModels/name" are understood.
type Provider struct{}

var dialects = []providers.Dialect{providers.Gemini}

// CaddyModule returns the Caddy module information.
func (Provider) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.llm_gateway.providers.gemini",
		New: func() caddy.Module { return new(Provider) },
	}
}

// Defaults says where Gemini is and which environment variables hold its key.
func (*Provider) Defaults() providers.Defaults {
	return providers.Defaults{
		BaseURL:   "https://generativelanguage.googleapis.com",
		KeyEnv:    []string{"GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY"},
		PriceBook: "google",
	}
}

// Dialects lists Gemini.
func (*Provider) Dialects(string) []providers.Dialect { return dialects }

// Prepare addresses and authenticates a call.
func (*Provider) Prepare(ctx context.Context, c *providers.Call) (*http.Request, error) {
	if c.Dialect != providers.Gemini {
		return nil, providers.ErrUnsupported
	}
	u, err := providers.Address(c)
	if err != nil {
		return nil, err
	}
	return providers.NewRequest(ctx, c, u, providers.HeaderXGoogAPIKey, c.Credential.Reveal()), nil
}

// UnmarshalCaddyfile accepts the kind without options of its own.
func (*Provider) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return providers.NoOptions(d) }

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*Provider)(nil)
	_ providers.Provider    = (*Provider)(nil)
	_ providers.Defaulter   = (*Provider)(nil)
)
