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

// litellmVendors maps litellm's providers to vendors, and says what litellm puts before the vendor's own model names.
var litellmVendors = map[string]struct{ vendor, prefix string }{
	"anthropic":                  {accounting.VendorAnthropic, ""},
	"azure":                      {accounting.VendorAzure, "azure/"},
	"bedrock":                    {accounting.VendorBedrock, ""},
	"bedrock_converse":           {accounting.VendorBedrock, ""},
	"cerebras":                   {accounting.VendorCerebras, "cerebras/"},
	"cohere":                     {accounting.VendorCohere, ""},
	"cohere_chat":                {accounting.VendorCohere, ""},
	"dashscope":                  {accounting.VendorAlibaba, "dashscope/"},
	"deepinfra":                  {accounting.VendorDeepInfra, "deepinfra/"},
	"deepseek":                   {accounting.VendorDeepSeek, "deepseek/"},
	"fireworks_ai":               {accounting.VendorFireworks, "fireworks_ai/"},
	"gemini":                     {accounting.VendorGemini, "gemini/"},
	"groq":                       {accounting.VendorGroq, "groq/"},
	"minimax":                    {accounting.VendorMinimax, "minimax/"},
	"mistral":                    {accounting.VendorMistral, "mistral/"},
	"moonshot":                   {accounting.VendorMoonshot, "moonshot/"},
	"nebius":                     {accounting.VendorNebius, "nebius/"},
	"novita":                     {accounting.VendorNovita, "novita/"},
	"openai":                     {accounting.VendorOpenAI, ""},
	"openrouter":                 {accounting.VendorOpenRouter, "openrouter/"},
	"ovhcloud":                   {accounting.VendorOVHcloud, "ovhcloud/"},
	"perplexity":                 {accounting.VendorPerplexity, "perplexity/"},
	"together_ai":                {accounting.VendorTogether, "together_ai/"},
	"vertex_ai":                  {accounting.VendorVertex, "vertex_ai/"},
	"vertex_ai-anthropic_models": {accounting.VendorVertex, "vertex_ai/"},
	"vertex_ai-deepseek_models":  {accounting.VendorVertex, "vertex_ai/"},
	"vertex_ai-language-models":  {accounting.VendorVertex, ""},
	"vertex_ai-llama_models":     {accounting.VendorVertex, "vertex_ai/"},
	"vertex_ai-mistral_models":   {accounting.VendorVertex, "vertex_ai/"},
	"vertex_ai-openai_models":    {accounting.VendorVertex, "vertex_ai/"},
	"vertex_ai-qwen_models":      {accounting.VendorVertex, "vertex_ai/"},
	"voyage":                     {accounting.VendorVoyage, "voyage/"},
	"xai":                        {accounting.VendorXAI, "xai/"},
	"zai":                        {accounting.VendorZAI, "zai/"},
}

// litellmSlashed are vendors whose own model names contain slashes. With any other, a slash is litellm's way of naming
// a region or a picture size.
var litellmSlashed = []string{
	accounting.VendorFireworks, accounting.VendorGroq, accounting.VendorOpenRouter, accounting.VendorTogether,
	accounting.VendorDeepInfra, accounting.VendorNebius, accounting.VendorNovita, accounting.VendorVertex,
}

// litellmModes are the kinds of models that are priced by the token.
var litellmModes = []string{"chat", "responses", "completion", "embedding", "realtime"}

var litellmPrices = map[accounting.Class]string{
	accounting.ClassInput:        "input_cost_per_token",
	accounting.ClassCacheRead:    "cache_read_input_token_cost",
	accounting.ClassCacheWrite:   "cache_creation_input_token_cost",
	accounting.ClassCacheWrite1h: "cache_creation_input_token_cost_above_1hr",
	accounting.ClassInputAudio:   "input_cost_per_audio_token",
	accounting.ClassOutput:       "output_cost_per_token",
	accounting.ClassReasoning:    "output_cost_per_reasoning_token",
	accounting.ClassOutputAudio:  "output_cost_per_audio_token",
}

var litellmTiers = map[string]int64{
	"_above_128k_tokens": 128_000, "_above_200k_tokens": 200_000, "_above_256k_tokens": 256_000,
	"_above_272k_tokens": 272_000, "_above_512k_tokens": 512_000,
}

// litellmEntry is an entry of the table, member by member.
type litellmEntry map[string]json.RawMessage

func (e litellmEntry) number(key string) json.Number { return json.Number(e[key]) }

func (e litellmEntry) text(key string) string { return strings.Trim(string(e[key]), `"`) }

func (e litellmEntry) flag(key string) bool { return string(e[key]) == "true" }

func (e litellmEntry) int(key string) int64 {
	n, err := e.number(key).Int64()
	if err != nil || n < 0 {
		return 0
	}
	return n
}

func readLitellm(path string) (*table, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var entries map[string]litellmEntry
	if err := json.Unmarshal(data, &entries); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	t := &table{name: "litellm", vendors: map[string]map[string]foreign{}}
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		e := entries[key]
		to, ok := litellmVendors[e.text("litellm_provider")]
		if !ok || !slices.Contains(litellmModes, e.text("mode")) {
			continue
		}
		id, ok := strings.CutPrefix(key, to.prefix)
		if to.vendor == accounting.VendorCohere {
			id = strings.TrimPrefix(id, "cohere/")
		}
		if !ok || strings.Contains(id, "/") && !slices.Contains(litellmSlashed, to.vendor) {
			continue
		}
		t.put(to.vendor, strings.ToLower(id), e.convert(id))
	}
	return t, nil
}

func (e litellmEntry) convert(id string) foreign {
	f := foreign{
		id:        id,
		prefix:    strings.HasPrefix(id, "ft:"), // a fine-tuned model's name goes on with the customer's
		context:   e.int("max_input_tokens"),
		maxOutput: e.int("max_output_tokens"),
	}
	if day := e.text("deprecation_date"); len(day) == len("2026-01-31") && day[4] == '-' {
		f.retires = day
	}
	if mode := e.text("mode"); mode == "chat" || mode == "responses" {
		can := []string{}
		for _, c := range []struct {
			name string
			has  bool
		}{
			{"tools", e.flag("supports_function_calling")},
			{"vision", e.flag("supports_vision")},
			{"reasoning", e.flag("supports_reasoning")},
			{"pdf", e.flag("supports_pdf_input")},
			{"audio", e.flag("supports_audio_input") || e.flag("supports_audio_output")},
		} {
			if c.has {
				can = append(can, c.name)
			}
		}
		f.can = &can
	}
	e.price(&f)
	return f
}

// price reads the prices. An input price of zero or none means unknown in this table.
func (e litellmEntry) price(f *foreign) {
	const perMillion = 1_000_000
	tiers := map[int64]*accounting.FileTier{}
	for class, key := range litellmPrices {
		*f.rates.Field(class) = dollars(e.number(key), perMillion, 1)
		for suffix, above := range litellmTiers {
			if tiers[above] == nil {
				tiers[above] = &accounting.FileTier{Above: above}
			}
			*tiers[above].Field(class) = dollars(e.number(key+suffix), perMillion, 1)
		}
	}
	var search map[string]json.Number
	if json.Unmarshal(e["search_context_cost_per_query"], &search) == nil {
		low, high := search["search_context_size_low"], search["search_context_size_high"]
		// Google's older models are charged per grounded prompt, however many searches it took.
		perPrompt := e.text("litellm_provider") == "gemini" && e.text("web_search_billing_unit") != "per_query"
		if low == high && !perPrompt { // else the price depends on what the gateway does not know
			f.rates.WebSearch = dollars(low, 1, 1)
		}
	}
	if f.rates.Input == "" || isZero(f.rates.Input) {
		f.rates = accounting.FileRates{}
		return
	}
	dropZeros(&f.rates)
	for _, t := range tiers {
		dropZeros(&t.FileRates)
	}
	f.tiers = sortTiers(tiers)
}
