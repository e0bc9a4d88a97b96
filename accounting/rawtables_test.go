package accounting_test

import (
	"cmp"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
)

var nanos = big.NewRat(int64(accounting.Dollar), 1)

// rawRates are the prices of a model in one of the raw tables, in dollars per million tokens or per call. They are read
// without any code of the package.
type rawRates struct {
	base  map[accounting.Class]*big.Rat
	tiers []rawTier // ascending
	nanos map[*big.Rat]*big.Int
}

type rawTier struct {
	above int64
	rates map[accounting.Class]*big.Rat
}

// rawWholes are what has the price of what, best first.
var rawWholes = map[accounting.Class][]accounting.Class{
	accounting.ClassCacheRead:      {accounting.ClassInput},
	accounting.ClassCacheWrite:     {accounting.ClassInput},
	accounting.ClassCacheWrite1h:   {accounting.ClassCacheWrite, accounting.ClassInput},
	accounting.ClassInputAudio:     {accounting.ClassInput},
	accounting.ClassInputImage:     {accounting.ClassInput},
	accounting.ClassInputVideo:     {accounting.ClassInput},
	accounting.ClassCacheReadAudio: {accounting.ClassInputAudio, accounting.ClassCacheRead, accounting.ClassInput},
	accounting.ClassCacheReadImage: {accounting.ClassInputImage, accounting.ClassCacheRead, accounting.ClassInput},
	accounting.ClassReasoning:      {accounting.ClassOutput},
	accounting.ClassOutputAudio:    {accounting.ClassOutput},
	accounting.ClassOutputImage:    {accounting.ClassOutput},
}

// rate returns the price of a class in a request with so much input.
func (r *rawRates) rate(c accounting.Class, input int64) *big.Rat {
	for _, c := range append([]accounting.Class{c}, rawWholes[c]...) {
		price, ok := r.base[c]
		for _, tier := range r.tiers {
			if p, has := tier.rates[c]; has && input > tier.above {
				price, ok = p, true
			}
		}
		if ok {
			return price
		}
	}
	return new(big.Rat)
}

// nano is a price in the book's unit, rounded half up: the tables have decimal approximations of a twelfth.
func (r *rawRates) nano(price *big.Rat) *big.Int {
	n := r.nanos[price]
	if n == nil {
		if r.nanos == nil {
			r.nanos = map[*big.Rat]*big.Int{}
		}
		n = roundHalfUp(new(big.Rat).Mul(price, nanos))
		r.nanos[price] = n
	}
	return n
}

// cost is in nano-dollars.
func (r *rawRates) cost(u *accounting.Usage) int64 {
	sum, part := new(big.Int), new(big.Int) // in millionths of one
	for _, c := range accounting.AllClasses() {
		n := u.Count(c)
		if c == accounting.ClassRequest && u.Classes() != 0 {
			n = 1
		}
		if n == 0 {
			continue
		}
		if c.PerCall() {
			n *= 1_000_000
		}
		sum.Add(sum, part.Mul(r.nano(r.rate(c, u.TotalInput())), big.NewInt(n)))
	}
	return roundHalfUp(new(big.Rat).SetFrac(sum, big.NewInt(1_000_000))).Int64()
}

// rawTable finds the prices of a model in one table.
type rawTable struct {
	name string
	// find returns the prices of a service tier; ok is false when the table has none.
	find func(vendor, model, tier string, at time.Time) (*rawRates, bool)
}

// rates looks for an entry by its id in the list where the book found it, then by the names that were used.
func (tab *rawTable) rates(x found, names []string, tier string, at time.Time) (*rawRates, bool) {
	for _, name := range append([]string{x.Entry, x.Name}, names...) {
		for _, vendor := range []string{x.List, x.Vendor} {
			if r, ok := tab.find(vendor, strings.ToLower(name), tier, at); ok {
				return r, true
			}
		}
	}
	return nil, false
}

// origin returns the prices from the table that the book's entry is from, which is the first that has it by its id, and
// the table's name. What was used and has no price of its own there may have been added from the last table.
func (x found) origin(tables []*rawTable, tier string, u *accounting.Usage, at time.Time) (*rawRates, string) {
	id := strings.ToLower(x.Entry)
	for _, tab := range tables {
		r, ok := tab.find(x.List, id, tier, at)
		if !ok {
			continue
		}
		last, ok := tables[len(tables)-1].find(x.List, id, tier, at)
		for _, c := range rawExtras {
			if ok && r.base[c] == nil && u.Count(c) > 0 && last.base[c] != nil {
				r.base[c] = last.base[c]
			}
		}
		return r, tab.name
	}
	return nil, ""
}

// rawExtras are the classes whose prices are added from another table.
var rawExtras = []accounting.Class{
	accounting.ClassCacheWrite1h, accounting.ClassInputAudio, accounting.ClassInputImage, accounting.ClassCacheReadAudio,
	accounting.ClassOutputAudio, accounting.ClassOutputImage, accounting.ClassWebSearch,
}

func rawTables(t *testing.T) []*rawTable {
	t.Helper()
	return []*rawTable{rawGenai(t), rawModelsDev(t), rawLitellm(t)}
}

func readRaw(t *testing.T, to any, path ...string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{os.Getenv("LLMGATEWAY_PRICES")}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, to); err != nil {
		t.Fatal(err)
	}
}

func rawGenai(t *testing.T) *rawTable {
	var vendors []struct {
		ID     string     `json:"id"`
		Models []rawModel `json:"models"`
	}
	readRaw(t, &vendors, "genai-prices", "data.json")
	models := map[string]rawModel{}
	for _, v := range vendors {
		for _, m := range v.Models {
			models[v.ID+"/"+strings.ToLower(m.ID)] = m
		}
	}
	return &rawTable{"genai-prices", func(vendor, model, tier string, at time.Time) (*rawRates, bool) {
		m, ok := models[vendor+"/"+model]
		if !ok || tier != "" {
			return nil, false
		}
		prices := rawAt(t, m, at)
		if len(prices) == 0 { // which means free where the name says so
			return &rawRates{base: map[accounting.Class]*big.Rat{}}, vendor == accounting.VendorOpenRouter && strings.HasSuffix(model, ":free")
		}
		return rawGenaiRates(t, prices), true
	}}
}

// rawGenaiRates reads the prices of one entry.
func rawGenaiRates(t *testing.T, prices map[string]json.RawMessage) *rawRates {
	t.Helper()
	r := &rawRates{base: map[accounting.Class]*big.Rat{}}
	for c, key := range rawKeys {
		raw, ok := prices[key]
		if !ok {
			continue
		}
		base, tiers := rawTiered(t, raw)
		scale := big.NewRat(1, 1)
		if c.PerCall() {
			scale = big.NewRat(1, 1000)
		}
		r.base[c] = base.Mul(base, scale)
		for _, tier := range tiers {
			r.tiers = append(r.tiers, rawTier{tier.above, map[accounting.Class]*big.Rat{c: tier.price.Mul(tier.price, scale)}})
		}
	}
	slices.SortFunc(r.tiers, func(a, b rawTier) int { return cmp.Compare(a.above, b.above) })
	return r
}

type rawStep struct {
	above int64
	price *big.Rat
}

func rawTiered(t *testing.T, raw json.RawMessage) (*big.Rat, []rawStep) {
	t.Helper()
	var v struct {
		Base  json.Number `json:"base"`
		Tiers []struct {
			Start int64       `json:"start"`
			Price json.Number `json:"price"`
		} `json:"tiers"`
	}
	if raw[0] != '{' {
		return rational(t, json.Number(raw)), nil
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	var steps []rawStep
	for _, s := range v.Tiers {
		steps = append(steps, rawStep{s.Start, rational(t, s.Price)})
	}
	return rational(t, v.Base), steps
}

func rational(t *testing.T, n json.Number) *big.Rat {
	t.Helper()
	r, ok := new(big.Rat).SetString(string(n))
	if !ok {
		t.Fatalf("%q is no number", n)
	}
	return r
}

// rawLitellmKeys are that table's names, before what says tier and threshold.
var rawLitellmKeys = map[accounting.Class]string{
	accounting.ClassInput: "input_cost_per_token", accounting.ClassOutput: "output_cost_per_token",
	accounting.ClassCacheRead: "cache_read_input_token_cost", accounting.ClassCacheWrite: "cache_creation_input_token_cost",
	accounting.ClassCacheWrite1h: "cache_creation_input_token_cost_above_1hr",
	accounting.ClassReasoning:    "output_cost_per_reasoning_token",
	accounting.ClassInputAudio:   "input_cost_per_audio_token", accounting.ClassOutputAudio: "output_cost_per_audio_token",
	accounting.ClassInputImage: "input_cost_per_image_token", accounting.ClassOutputImage: "output_cost_per_image_token",
	accounting.ClassCacheReadAudio: "cache_read_input_audio_token_cost",
}

var rawLitellmPrefixes = map[string]string{
	accounting.VendorAzure: "azure/", accounting.VendorGemini: "gemini/", accounting.VendorVertex: "vertex_ai/",
	accounting.VendorMistral: "mistral/", accounting.VendorGroq: "groq/", accounting.VendorXAI: "xai/",
	accounting.VendorDeepSeek: "deepseek/", accounting.VendorOpenRouter: "openrouter/", accounting.VendorCerebras: "cerebras/",
	accounting.VendorTogether: "together_ai/", accounting.VendorPerplexity: "perplexity/", accounting.VendorVoyage: "voyage/",
	accounting.VendorMoonshot: "moonshot/", accounting.VendorZAI: "zai/", accounting.VendorAlibaba: "dashscope/",
	accounting.VendorOpenAI: "", accounting.VendorAnthropic: "", accounting.VendorBedrock: "", accounting.VendorCohere: "",
}

func rawLitellm(t *testing.T) *rawTable {
	var table map[string]map[string]json.RawMessage
	readRaw(t, &table, "litellm", "model_prices_and_context_window.json")
	lower := map[string]map[string]json.RawMessage{}
	for key, entry := range table {
		lower[strings.ToLower(key)] = entry
	}
	suffixes := map[string]string{"": "", "batch": "_batches", "flex": "_flex", "priority": "_priority"}
	perToken := big.NewRat(1_000_000, 1)
	return &rawTable{"litellm", func(vendor, model, tier string, _ time.Time) (*rawRates, bool) {
		prefix, ok := rawLitellmPrefixes[vendor]
		suffix, known := suffixes[tier]
		entry := lower[prefix+model]
		if !ok || !known || entry == nil {
			return nil, false
		}
		read := func(threshold string) map[accounting.Class]*big.Rat {
			out := map[accounting.Class]*big.Rat{}
			for c, key := range rawLitellmKeys {
				if raw := entry[key+threshold+suffix]; len(raw) > 0 && raw[0] != 'n' {
					if p := rational(t, json.Number(raw)); p.Sign() > 0 {
						out[c] = p.Mul(p, perToken)
					}
				}
			}
			return out
		}
		r := &rawRates{base: read("")}
		if r.base[accounting.ClassInput] == nil {
			return nil, false
		}
		var search map[string]json.Number
		if json.Unmarshal(entry["search_context_cost_per_query"], &search) == nil && search["search_context_size_low"] != "" {
			r.base[accounting.ClassWebSearch] = rational(t, search["search_context_size_low"])
		}
		for _, s := range []struct {
			above int64
			name  string
		}{{128_000, "_above_128k_tokens"}, {200_000, "_above_200k_tokens"}, {272_000, "_above_272k_tokens"}} {
			if rates := read(s.name); len(rates) > 0 {
				r.tiers = append(r.tiers, rawTier{s.above, rates})
			}
		}
		return r, true
	}}
}

var rawModelsDevVendors = map[string]string{
	accounting.VendorBedrock: "amazon-bedrock", accounting.VendorXAI: "xai", accounting.VendorTogether: "togetherai",
	accounting.VendorFireworks: "fireworks-ai", accounting.VendorNovita: "novita-ai",
}

func rawModelsDev(t *testing.T) *rawTable {
	var table map[string]struct {
		Models map[string]struct {
			Cost map[string]json.RawMessage `json:"cost"`
		} `json:"models"`
	}
	readRaw(t, &table, "models.dev", "api.json")
	keys := map[accounting.Class]string{
		accounting.ClassInput: "input", accounting.ClassOutput: "output", accounting.ClassCacheRead: "cache_read",
		accounting.ClassCacheWrite: "cache_write", accounting.ClassReasoning: "reasoning",
		accounting.ClassInputAudio: "input_audio", accounting.ClassOutputAudio: "output_audio",
	}
	read := func(cost map[string]json.RawMessage) map[accounting.Class]*big.Rat {
		out := map[accounting.Class]*big.Rat{}
		for c, key := range keys {
			if raw := cost[key]; len(raw) > 0 {
				if p := rational(t, json.Number(raw)); p.Sign() > 0 || c == accounting.ClassInput || c == accounting.ClassOutput {
					out[c] = p
				}
			}
		}
		return out
	}
	return &rawTable{"models.dev", func(vendor, model, tier string, _ time.Time) (*rawRates, bool) {
		id := vendor
		if other, ok := rawModelsDevVendors[vendor]; ok {
			id = other
		}
		for name, m := range table[id].Models {
			if strings.ToLower(name) != model || len(m.Cost) == 0 || tier != "" {
				continue
			}
			r := &rawRates{base: read(m.Cost)}
			var tiers []map[string]json.RawMessage
			if raw := m.Cost["tiers"]; len(raw) > 0 && json.Unmarshal(raw, &tiers) == nil {
				for _, step := range tiers {
					var at struct{ Size int64 }
					if json.Unmarshal(step["tier"], &at) == nil && at.Size > 0 {
						r.tiers = append(r.tiers, rawTier{at.Size, read(step)})
					}
				}
			}
			return r, true
		}
		return nil, false
	}}
}
