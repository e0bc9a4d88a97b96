// Package openai is the provider for OpenAI's own API.
package openai

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

// Provider sends requests to OpenAI with the API key as a bearer token. It speaks Chat Completions and Responses for
// every model. Base URLs hold the version, as in OpenAI's SDKs; /v1 is added to one that has no path.
type Provider struct {
	// Organization is the OpenAI organization that requests are billed to (header OpenAI-Organization). Default: the
	// API key's own. Placeholders are expanded when the configuration is loaded.
	Organization string `json:"organization,omitempty"`
	// Project is the OpenAI project that requests are counted for (header OpenAI-Project). Default: the API key's
	// own. Placeholders are expanded when the configuration is loaded.
	Project string `json:"project,omitempty"`

	organization, project string
}

var dialects = []providers.Dialect{providers.Chat, providers.Responses}

// CaddyModule returns the Caddy module information.
func (Provider) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.llm_gateway.providers.openai",
		New: func() caddy.Module { return new(Provider) },
	}
}

// Provision expands placeholders.
func (p *Provider) Provision(caddy.Context) error {
	repl := caddy.NewReplacer()
	p.organization = repl.ReplaceAll(p.Organization, "")
	p.project = repl.ReplaceAll(p.Project, "")
	return nil
}

// Defaults says where OpenAI is and which environment variable holds its key.
func (*Provider) Defaults() providers.Defaults {
	return providers.Defaults{
		BaseURL:   "https://api.openai.com/v1",
		KeyEnv:    []string{"OPENAI_API_KEY"},
		PriceBook: "openai",
	}
}

// Dialects lists Chat Completions and Responses.
func (*Provider) Dialects(string) []providers.Dialect { return dialects }

// Prepare addresses and authenticates a call.
func (p *Provider) Prepare(ctx context.Context, c *providers.Call) (*http.Request, error) {
	u, err := providers.Address(c)
	if err != nil {
		return nil, err
	}
	r := providers.NewRequest(ctx, c, u, providers.HeaderAuthorization, providers.Bearer(c.Credential))
	// Who is billed is never the client's choice.
	delete(r.Header, "Openai-Organization")
	delete(r.Header, "Openai-Project")
	if p.organization != "" {
		r.Header["Openai-Organization"] = []string{p.organization}
	}
	if p.project != "" {
		r.Header["Openai-Project"] = []string{p.project}
	}
	return r, nil
}

// UnmarshalCaddyfile parses what the kind adds to a provider block:
//
//	openai {
//		organization <id>
//		project      <id>
//	}
func (p *Provider) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the kind
	if d.NextArg() {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var field *string
		switch d.Val() {
		case "organization":
			field = &p.Organization
		case "project":
			field = &p.Project
		default:
			return providers.UnrecognizedOption(d, "organization", "project")
		}
		if *field != "" {
			return d.Errf("%s already specified", d.Val())
		}
		if !d.AllArgs(field) {
			return d.ArgErr()
		}
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Provider)(nil)
	_ caddyfile.Unmarshaler = (*Provider)(nil)
	_ providers.Provider    = (*Provider)(nil)
	_ providers.Defaulter   = (*Provider)(nil)
)
