package llmgateway

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-llm/llmgateway/providers"
	"github.com/caddy-llm/llmgateway/providers/compatible"
)

const providerNamespace = "http.llm_gateway.providers"

// kindConfig is the module configuration of a kind: of a module of that name, or of a preset of `compatible`.
func kindConfig(kind string) (json.RawMessage, error) {
	if _, err := caddy.GetModule(providerNamespace + "." + kind); err == nil {
		return json.Marshal(map[string]string{"kind": kind})
	}
	if _, ok := compatible.Preset(kind); ok {
		return json.Marshal(map[string]string{"kind": "compatible", "preset": kind})
	}
	return nil, unknownKind(kind)
}

func unknownKind(kind string) error {
	if instead := plannedKinds[kind]; instead != "" {
		return fmt.Errorf("the kind %q is not supported yet; %s", kind, instead)
	}
	if hint := didYouMean(kind, kindNames()); hint != "" {
		return fmt.Errorf("there is no kind of provider %q%s", kind, hint)
	}
	return fmt.Errorf("there is no kind of provider %q; for any other endpoint that speaks a known dialect, name it and its kind: "+
		"provider %s compatible <base_url>", kind, kind)
}

// kindNames lists modules and presets.
func kindNames() []string {
	names := compatible.PresetNames()
	for _, m := range caddy.GetModules(providerNamespace) {
		names = append(names, m.ID.Name())
	}
	slices.Sort(names)
	return names
}

// vendorOf names the vendor behind a provider's module configuration: its preset, or else its kind.
func vendorOf(raw json.RawMessage) string {
	var c struct{ Kind, Preset string }
	if err := json.Unmarshal(raw, &c); err != nil {
		return ""
	}
	if c.Preset != "" {
		return c.Preset
	}
	return c.Kind
}

// knownDialects are what `dialect` takes.
var knownDialects = []string{
	string(providers.Chat), string(providers.Responses), string(providers.Messages), string(providers.Gemini),
	string(providers.Converse), string(providers.Cohere), string(providers.Ollama),
}

func parseDialect(s string) (providers.Dialect, error) {
	if !slices.Contains(knownDialects, s) {
		return "", fmt.Errorf("there is no dialect %q; it is one of %s", s, strings.Join(knownDialects, ", "))
	}
	return providers.Dialect(s), nil
}
