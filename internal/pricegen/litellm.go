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
	"text-completion-openai":     {accounting.VendorOpenAI, ""},
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

// litellmModes are the kinds of models that may be priced by the token.
var litellmModes = []string{"chat", "responses", "completion", "embedding", "realtime", "image_generation", "rerank"}

var litellmPrices = map[accounting.Class]string{
	accounting.ClassInput:          "input_cost_per_token",
	accounting.ClassCacheRead:      "cache_read_input_token_cost",
	accounting.ClassCacheWrite:     "cache_creation_input_token_cost",
	accounting.ClassCacheWrite1h:   "cache_creation_input_token_cost_above_1hr",
	accounting.ClassInputAudio:     "input_cost_per_audio_token",
	accounting.ClassInputImage:     "input_cost_per_image_token",
	accounting.ClassCacheReadAudio: "cache_read_input_audio_token_cost",
	accounting.ClassOutput:         "output_cost_per_token",
	accounting.ClassReasoning:      "output_cost_per_reasoning_token",
	accounting.ClassOutputAudio:    "output_cost_per_audio_token",
	accounting.ClassOutputImage:    "output_cost_per_image_token",
}

// litellmServiceTiers are the service tiers by what their prices' keys end with.
var litellmServiceTiers = map[string]string{
	"_batches": accounting.TierBatch, "_flex": accounting.TierFlex, "_priority": accounting.TierPriority,
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
		perImage := e.text("mode") == "image_generation" && e.number("output_cost_per_image_token") == ""
		if !ok || perImage || !slices.Contains(litellmModes, e.text("mode")) {
			continue
		}
		id, ok := strings.CutPrefix(key, to.prefix)
		switch to.vendor {
		case accounting.VendorCohere:
			id = strings.TrimPrefix(id, "cohere/")
		case accounting.VendorVertex:
			id = strings.TrimPrefix(id, "vertex_ai/")
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
	f.rates, f.tiers = e.rates("")
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
		f.rates, f.tiers = e.tieredPricing()
		return
	}
	dropZeros(&f.rates)
	dropSame(&f.rates)
	for suffix, name := range litellmServiceTiers {
		var s accounting.FileServiceTier
		s.FileRates, s.Tiers = e.rates(suffix)
		dropZeros(&s.FileRates)
		dropSame(&s.FileRates)
		if !credible(name, &s.FileRates, &f.rates) {
			continue
		}
		if f.services == nil {
			f.services = map[string]accounting.FileServiceTier{}
		}
		f.services[name] = s
	}
}

// rates reads the prices whose keys end with a suffix, and those above thresholds.
func (e litellmEntry) rates(suffix string) (accounting.FileRates, []accounting.FileTier) {
	const perMillion = 1_000_000
	var base accounting.FileRates
	tiers := map[int64]*accounting.FileTier{}
	for class, key := range litellmPrices {
		*base.Field(class) = dollars(e.number(key+suffix), perMillion, 1)
		for above, tokens := range litellmTiers {
			if tiers[tokens] == nil {
				tiers[tokens] = &accounting.FileTier{Above: tokens}
			}
			*tiers[tokens].Field(class) = dollars(e.number(key+above+suffix), perMillion, 1)
		}
	}
	for _, t := range tiers {
		dropZeros(&t.FileRates)
	}
	return base, sortTiers(tiers)
}

// tieredPricing reads long-context prices that are written as a list of ranges; the first starts at zero.
func (e litellmEntry) tieredPricing() (base accounting.FileRates, tiers []accounting.FileTier) {
	var list []litellmEntry
	if json.Unmarshal(e["tiered_pricing"], &list) != nil {
		return base, nil
	}
	byStart := map[int64]*accounting.FileTier{}
	for _, entry := range list {
		var span []float64
		if json.Unmarshal(entry["range"], &span) != nil || len(span) != 2 {
			return accounting.FileRates{}, nil
		}
		r, _ := entry.rates("")
		dropZeros(&r)
		dropSame(&r)
		if start := int64(span[0]); start > 0 {
			byStart[start] = &accounting.FileTier{Above: start, FileRates: r}
		} else {
			base = r
		}
	}
	if base.Input == "" {
		return base, nil
	}
	return base, sortTiers(byStart)
}

// credible reports whether the prices of a service tier are what makes people choose it: batch and flex cost less than
// the standard tier, priority costs more. The table has placeholders with the standard price, and incomplete entries.
func credible(name string, s, standard *accounting.FileRates) bool {
	for _, c := range [...]accounting.Class{accounting.ClassInput, accounting.ClassOutput} {
		if *standard.Field(c) == "" {
			continue
		}
		of, err := accounting.ParseMoney(string(*standard.Field(c)))
		if err != nil {
			return false
		}
		own, err := accounting.ParseMoney(string(*s.Field(c)))
		if err != nil || (own > of) != (name == accounting.TierPriority) || own == of {
			return false
		}
	}
	return s.Input != ""
}
