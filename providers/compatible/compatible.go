// Package compatible is the provider for everything that speaks a dialect that is not its own: vendors with an
// OpenAI-compatible API and inference servers. What is known about them is data, see [Preset].
package compatible

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-llm/llmgateway/providers"
)

func init() {
	caddy.RegisterModule(Provider{})
}

// Provider sends requests to an endpoint that is compatible with OpenAI, Anthropic or Gemini, or to Cohere's and Ollama's
// own APIs. The API key goes where the dialect's inventor wants it: x-api-key for Messages, x-goog-api-key for Gemini, a
// bearer token for all others. Base URLs mean what they mean to the SDKs of the dialect.
type Provider struct {
	// Preset names a known vendor or server ("groq", "vllm", ...), which sets the base URL, the environment variable of
	// the key, the dialects and quirks. Default: none, and then a base URL has to be configured.
	Preset string `json:"preset,omitempty"`
	// DialectNames are the dialects that the endpoint speaks, best first: chat, responses, messages, gemini,
	// cohere, ollama. Default: the preset's, or chat.
	DialectNames []providers.Dialect `json:"dialects,omitempty"`

	info PresetInfo
}

var known = []string{
	string(providers.Chat), string(providers.Responses), string(providers.Messages), string(providers.Gemini),
	string(providers.Cohere), string(providers.Ollama),
}

// CaddyModule returns the Caddy module information.
func (Provider) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.llm_gateway.providers.compatible",
		New: func() caddy.Module { return new(Provider) },
	}
}

// Provision looks the preset up.
func (p *Provider) Provision(caddy.Context) error {
	p.info = PresetInfo{Dialects: []providers.Dialect{providers.Chat}, KeyOptional: true}
	if p.Preset != "" {
		info, ok := Preset(p.Preset)
		if !ok {
			return unknownPreset(p.Preset)
		}
		p.info = info
	}
	if len(p.DialectNames) > 0 {
		p.info.Dialects = p.DialectNames
	}
	return nil
}

// Validate refuses dialects that do not exist.
func (p *Provider) Validate() error {
	for _, d := range p.DialectNames {
		if !slices.Contains(known, string(d)) {
			return fmt.Errorf("unknown dialect '%s': want one of %v", d, known)
		}
	}
	return nil
}

func unknownPreset(name string) error {
	if near := providers.Nearest(name, PresetNames()); near != "" {
		return fmt.Errorf("unknown preset '%s'; did you mean '%s'?", name, near)
	}
	return fmt.Errorf("unknown preset '%s'", name)
}

// Defaults are the preset's. Without a preset a base URL is needed and a key is not.
func (p *Provider) Defaults() providers.Defaults {
	return providers.Defaults{
		BaseURL:     p.info.BaseURL,
		KeyEnv:      p.info.KeyEnv,
		KeyOptional: p.info.KeyOptional,
		PriceBook:   p.info.PriceBook,
		Local:       p.info.Local,
	}
}

// Dialects are the configured ones, else the preset's.
func (p *Provider) Dialects(string) []providers.Dialect { return p.info.Dialects }

// Offers reports whether there is an operation other than Generate in a dialect: vendors with an API of their own offer
// embeddings and the like in OpenAI's form, too, whatever conversations with them are held in.
func (p *Provider) Offers(d providers.Dialect, o providers.Operation) bool {
	return len(p.info.ChatPath) > 0 && d == providers.Chat && o != providers.CountTokens
}

// Prepare addresses and authenticates a call.
func (p *Provider) Prepare(ctx context.Context, c *providers.Call) (*http.Request, error) {
	if !slices.Contains(p.info.Dialects, c.Dialect) && c.Operation == providers.Generate {
		return nil, providers.ErrUnsupported
	}
	u, err := p.address(c)
	if err != nil {
		return nil, err
	}
	switch c.Dialect {
	case providers.Messages:
		r := providers.NewRequest(ctx, c, u, providers.HeaderXAPIKey, c.Credential.Reveal())
		if r.Header["Anthropic-Version"] == nil {
			r.Header["Anthropic-Version"] = []string{"2023-06-01"}
		}
		return r, nil
	case providers.Gemini:
		return providers.NewRequest(ctx, c, u, providers.HeaderXGoogAPIKey, c.Credential.Reveal()), nil
	}
	return providers.NewRequest(ctx, c, u, providers.HeaderAuthorization, providers.Bearer(c.Credential)), nil
}

func (p *Provider) address(c *providers.Call) (*url.URL, error) {
	if c.Operation == providers.Rerank && len(p.info.RerankPath) > 0 && c.BaseURL != nil {
		return providers.JoinPath(providers.Root(c.BaseURL), p.info.RerankPath...), nil
	}
	if len(p.info.ChatPath) > 0 && c.Dialect == providers.Chat && c.BaseURL != nil && !providers.PathEndsIn(c.BaseURL, "v1") {
		below := *c
		below.BaseURL = providers.JoinPath(providers.Root(c.BaseURL), p.info.ChatPath...)
		return providers.Address(&below)
	}
	if p.info.Unversioned && c.Dialect == providers.Chat && c.Operation == providers.Generate && !hasPath(c.BaseURL) {
		return providers.JoinPath(c.BaseURL, "chat", "completions"), nil
	}
	return providers.Address(c)
}

func hasPath(u *url.URL) bool { return u != nil && u.Path != "" && u.Path != "/" }

// UnmarshalCaddyfile parses what the kind adds to a provider block:
//
//	compatible {
//		preset  <name>
//		dialect chat|responses|messages|gemini|cohere|ollama...
//	}
func (p *Provider) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the kind
	if d.NextArg() {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch d.Val() {
		case "preset":
			err = p.parsePreset(d)
		case "dialect":
			err = p.parseDialects(d)
		default:
			err = providers.UnrecognizedOption(d, "preset", "dialect")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *Provider) parsePreset(d *caddyfile.Dispenser) error {
	if p.Preset != "" {
		return d.Err("preset already specified")
	}
	if !d.AllArgs(&p.Preset) {
		return d.ArgErr()
	}
	if _, ok := Preset(p.Preset); !ok {
		return d.WrapErr(unknownPreset(p.Preset))
	}
	return nil
}

func (p *Provider) parseDialects(d *caddyfile.Dispenser) error {
	names := d.RemainingArgs()
	if len(names) == 0 {
		return d.ArgErr()
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return d.Errf("unknown dialect '%s': want one of %v", name, known)
		}
		p.DialectNames = append(p.DialectNames, providers.Dialect(name))
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
	_ providers.Offerer     = (*Provider)(nil)
)
