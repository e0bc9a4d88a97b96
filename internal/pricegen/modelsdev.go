package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/caddy-llm/llmgateway/accounting"
)

// modelsDevVendors maps those of models.dev's providers that the book has under another name.
var modelsDevVendors = map[string]string{
	"amazon-bedrock":          accounting.VendorBedrock,
	"fireworks-ai":            accounting.VendorFireworks,
	"google-vertex-anthropic": accounting.VendorVertex,
	"novita-ai":               accounting.VendorNovita,
	"togetherai":              accounting.VendorTogether,
	"xai":                     accounting.VendorXAI,
}

// modelsDevSubscriptions are sold by the month: the prices in the table do not say what a call costs.
var modelsDevSubscriptions = []string{"github-copilot", "gitlab", "kimi-for-coding", "opencode-go"}

type modelsDevVendor struct {
	Name   string                    `json:"name"`
	API    string                    `json:"api"`
	Models map[string]modelsDevModel `json:"models"`
}

type modelsDevModel struct {
	Reasoning  bool                       `json:"reasoning"`
	ToolCall   bool                       `json:"tool_call"`
	Status     string                     `json:"status"`
	Cost       map[string]json.RawMessage `json:"cost"`
	Modalities struct {
		Input  []string `json:"input"`
		Output []string `json:"output"`
	} `json:"modalities"`
	Limit struct {
		Context int64 `json:"context"`
		Output  int64 `json:"output"`
	} `json:"limit"`
}

var modelsDevPrices = map[accounting.Class]string{
	accounting.ClassInput:       "input",
	accounting.ClassCacheRead:   "cache_read",
	accounting.ClassCacheWrite:  "cache_write",
	accounting.ClassInputAudio:  "input_audio",
	accounting.ClassOutput:      "output",
	accounting.ClassReasoning:   "reasoning",
	accounting.ClassOutputAudio: "output_audio",
}

func readModelsDev(path string) (*table, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var providers map[string]modelsDevVendor
	if err := json.Unmarshal(data, &providers); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	t := &table{name: "models.dev", vendors: map[string]map[string]foreign{}, names: map[string]string{}}
	for _, id := range slices.Sorted(maps.Keys(providers)) {
		p := providers[id]
		local := strings.Contains(p.API, "127.0.0.1") || strings.Contains(p.API, "localhost")
		if local || strings.Contains(id, "-plan") || slices.Contains(modelsDevSubscriptions, id) {
			continue
		}
		vendor := id
		if v, ok := modelsDevVendors[id]; ok {
			vendor = v
		}
		if t.names[vendor] == "" {
			t.names[vendor] = p.Name
		}
		for _, name := range slices.Sorted(maps.Keys(p.Models)) {
			m := p.Models[name]
			t.put(vendor, strings.ToLower(name), m.convert(name))
		}
	}
	return t, nil
}

func (m *modelsDevModel) convert(id string) foreign {
	f := foreign{
		id: id, context: max(m.Limit.Context, 0), maxOutput: max(m.Limit.Output, 0),
		deprecated: m.Status == "deprecated",
	}
	can := []string{}
	for _, c := range []struct {
		name string
		has  bool
	}{
		{"tools", m.ToolCall},
		{"vision", slices.Contains(m.Modalities.Input, "image")},
		{"reasoning", m.Reasoning},
		{"pdf", slices.Contains(m.Modalities.Input, "pdf")},
		{"audio", slices.Contains(m.Modalities.Input, "audio") || slices.Contains(m.Modalities.Output, "audio")},
	} {
		if c.has {
			can = append(can, c.name)
		}
	}
	f.can = &can

	rates := func(cost map[string]json.RawMessage) (r accounting.FileRates) {
		for class, key := range modelsDevPrices {
			*r.Field(class) = dollars(json.Number(cost[key]), 1, 1)
		}
		return r
	}
	f.rates = rates(m.Cost)
	if isZero(f.rates.Input) && isZero(f.rates.Output) {
		f.rates = accounting.FileRates{Input: "0", Output: "0"}
		return f
	}
	dropZeros(&f.rates)
	dropSame(&f.rates)
	var tiers []map[string]json.RawMessage
	if len(m.Cost["tiers"]) > 0 && json.Unmarshal(m.Cost["tiers"], &tiers) != nil {
		f.rates = accounting.FileRates{}
		return f
	}
	byStart := map[int64]*accounting.FileTier{}
	for _, tier := range tiers {
		var at struct{ Size int64 }
		if json.Unmarshal(tier["tier"], &at) == nil && at.Size > 0 {
			byStart[at.Size] = &accounting.FileTier{Above: at.Size, FileRates: rates(tier)}
			dropZeros(&byStart[at.Size].FileRates)
		}
	}
	f.tiers = sortTiers(byStart)
	return f
}
