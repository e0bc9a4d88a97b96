package llmgateway

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-llm/llmgateway/providers"
	"github.com/caddy-llm/llmgateway/providers/compatible"
)

// discovery finds providers without configuration: vendors whose API key is in the environment, model servers that listen
// on loopback, and the simulated provider when there is neither.
type discovery struct {
	vendors []string // in the environment
	local   []string // might listen
}

// simulatedKind answers when there is nothing else.
const simulatedKind = "simulated"

// gatewayHeader marks our own answers, so that a gateway on a model server's usual port is not taken for one.
const gatewayHeader = "X-Llm-Gateway-Models"

func newDiscovery() *discovery {
	d := new(discovery)
	// The vendors with a package of their own come first, in this order.
	first := []string{"openai", "anthropic", "gemini"}
	rest := slices.DeleteFunc(kindNames(), func(k string) bool { return slices.Contains(first, k) })
	for _, kind := range slices.Concat(first, rest) {
		def, ok := kindDefaults(kind)
		switch {
		case !ok:
		case def.Local && def.BaseURL != "" && kind != simulatedKind:
			d.local = append(d.local, kind)
		case def.BaseURL == "" && def.BaseURLNeeds != "": // half of what it takes
		case hasKey(def) && !slices.ContainsFunc(d.vendors, func(v string) bool { return sameKey(v, def) }):
			d.vendors = append(d.vendors, kind)
		}
	}
	return d
}

// hasKey reports whether the environment holds a key that belongs to the vendor and nobody else. A GitHub token lies in
// many environments for other reasons: it is not taken as a wish to use GitHub's models.
func hasKey(def providers.Defaults) bool {
	return slices.ContainsFunc(def.KeyEnv, func(env string) bool { return env != "GITHUB_TOKEN" && os.Getenv(env) != "" })
}

// sameKey reports whether a vendor found already uses one of the same environment variables.
func sameKey(kind string, def providers.Defaults) bool {
	have, _ := kindDefaults(kind)
	return slices.ContainsFunc(have.KeyEnv, func(env string) bool { return slices.Contains(def.KeyEnv, env) && os.Getenv(env) != "" })
}

// kindDefaults returns what a kind or preset knows about itself.
func kindDefaults(kind string) (providers.Defaults, bool) {
	if p, ok := compatible.Preset(kind); ok {
		return providers.Defaults{BaseURL: p.BaseURL, KeyEnv: p.KeyEnv, KeyOptional: p.KeyOptional, Local: p.Local, PriceBook: p.PriceBook}, true
	}
	info, err := caddy.GetModule(providerNamespace + "." + kind)
	if err != nil {
		return providers.Defaults{}, false
	}
	d, ok := info.New().(providers.Defaulter)
	if !ok {
		return providers.Defaults{}, false
	}
	return d.Defaults(), true
}

// configs lists everything that might be used; choose narrows it down once that may take I/O.
func (d *discovery) configs() []*ProviderConfig {
	var out []*ProviderConfig
	for _, kind := range slices.Concat(d.vendors, d.local, []string{simulatedKind}) {
		out = append(out, &ProviderConfig{Name: kind})
	}
	return out
}

// choose keeps the vendors, the model servers that answer and, when that leaves nothing, the simulated provider.
func (d *discovery) choose(all []*provider) []*provider {
	up := d.listening()
	var out []*provider
	for _, p := range all {
		if slices.Contains(d.vendors, p.name) || slices.Contains(up, p.name) {
			out = append(out, p)
		}
	}
	if len(out) > 0 {
		return out
	}
	for _, p := range all {
		if p.name == simulatedKind {
			out = append(out, p)
		}
	}
	return out
}

// reportFound logs which providers were discovered.
func (h *Handler) reportFound(names []string) {
	if slices.Equal(names, []string{simulatedKind}) {
		h.logger.Warn("there is no API key in the environment and no model server on this machine: answers are simulated")
		return
	}
	h.logger.Info("providers were discovered", zap.Strings("providers", names))
}

// probeTimeout bounds the search on loopback, where an answer takes a millisecond or does not come.
const probeTimeout = 500 * time.Millisecond

// listening asks the usual ports of local model servers for their models, all at once.
func (d *discovery) listening() []string {
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	found := make([]bool, len(d.local))
	var wg sync.WaitGroup
	for i, kind := range d.local {
		def, _ := kindDefaults(kind)
		wg.Go(func() { found[i] = answersModels(ctx, def.BaseURL) })
	}
	wg.Wait()
	var up []string
	for i, kind := range d.local {
		if found[i] {
			up = append(up, kind)
		}
	}
	return up
}

// answersModels reports whether a model server, and not something else or this gateway, answers at a base URL.
func answersModels(ctx context.Context, base string) bool {
	u, err := url.Parse(base)
	if err != nil {
		return false
	}
	if u.Path == "" {
		u.Path = "/v1" // OpenAI's clients find the list there, also at Ollama, which has an API of its own
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.JoinPath("models").String(), nil)
	if err != nil {
		return false
	}
	t := &http.Transport{DisableKeepAlives: true}
	resp, err := t.RoundTrip(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get(gatewayHeader) != "" {
		return false
	}
	var list struct {
		Data []json.RawMessage `json:"data"`
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return err == nil && json.Unmarshal(body, &list) == nil && list.Data != nil
}
