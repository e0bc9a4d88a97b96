package accounting_test

import (
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
)

// rawModel is an entry of genai-prices' own table, read without any code of this package.
type rawModel struct {
	ID     string          `json:"id"`
	Match  json.RawMessage `json:"match"`
	Prices json.RawMessage `json:"prices"`
}

type rawPeriod struct {
	Constraint map[string]string          `json:"constraint"`
	Prices     map[string]json.RawMessage `json:"prices"`
}

// rawKeys are the table's keys by class.
var rawKeys = map[accounting.Class]string{
	accounting.ClassInput:          "input_mtok",
	accounting.ClassCacheRead:      "cache_read_mtok",
	accounting.ClassCacheWrite:     "cache_write_mtok",
	accounting.ClassCacheWrite1h:   "cache_write_1h_mtok",
	accounting.ClassInputAudio:     "input_audio_mtok",
	accounting.ClassInputImage:     "input_image_mtok",
	accounting.ClassInputVideo:     "input_video_mtok",
	accounting.ClassCacheReadAudio: "cache_audio_read_mtok",
	accounting.ClassCacheReadImage: "cache_image_read_mtok",
	accounting.ClassOutput:         "output_mtok",
	accounting.ClassReasoning:      "output_reasoning_mtok",
	accounting.ClassOutputAudio:    "output_audio_mtok",
	accounting.ClassOutputImage:    "output_image_mtok",
	accounting.ClassWebSearch:      "web_searches_kcount",
	accounting.ClassRequest:        "requests_kcount",
}

// rawAt returns the prices that apply at a time: the last whose constraint holds.
func rawAt(t *testing.T, m rawModel, at time.Time) map[string]json.RawMessage {
	t.Helper()
	if m.Prices[0] == '{' {
		var prices map[string]json.RawMessage
		if err := json.Unmarshal(m.Prices, &prices); err != nil {
			t.Fatal(err)
		}
		return prices
	}
	var periods []rawPeriod
	if err := json.Unmarshal(m.Prices, &periods); err != nil {
		t.Fatal(err)
	}
	for i := len(periods) - 1; i >= 0; i-- {
		c := periods[i].Constraint
		clock := at.Format("15:04:05Z")
		if at.Format(time.DateOnly) >= c["start_date"] && (c["start_time"] == "" || c["start_time"] <= clock && clock < c["end_time"]) {
			return periods[i].Prices
		}
	}
	return periods[0].Prices
}

// grid are usages on both sides of every threshold in use, alone and together.
func grid() []accounting.Usage {
	var list []accounting.Usage
	for _, n := range []int64{1, 999, 128_000, 128_001, 200_000, 200_001, 272_000, 272_001, 512_000, 512_001, 1 << 40} {
		list = append(list,
			accounting.Usage{Input: n}, accounting.Usage{CacheRead: n, Output: 7}, accounting.Usage{CacheWrite: n},
			accounting.Usage{CacheWrite1h: n}, accounting.Usage{InputAudio: n, OutputAudio: 13},
			accounting.Usage{InputImage: n, OutputImage: 31}, accounting.Usage{InputVideo: n},
			accounting.Usage{CacheReadAudio: n, CacheRead: 37}, accounting.Usage{CacheReadImage: n, InputImage: 41},
			accounting.Usage{Input: n, Output: n, Reasoning: n}, accounting.Usage{Input: n, WebSearches: 3},
			accounting.Usage{Input: n, CacheRead: 17, CacheWrite: 19, Output: 23, Reasoning: 29},
		)
	}
	return list
}

// TestEveryPriceAgreesWithTheTableItCameFrom computes the cost of every usage in the grid for every model of
// genai-prices twice: from the embedded book, and in rationals from the table itself.
func TestEveryPriceAgreesWithTheTableItCameFrom(t *testing.T) {
	dir := os.Getenv("LLMGATEWAY_PRICES")
	if dir == "" {
		t.Skip("set LLMGATEWAY_PRICES to the folder of the raw price tables to compare with them")
	}
	data, err := os.ReadFile(filepath.Join(dir, "genai-prices", "data.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vendors []struct {
		ID     string     `json:"id"`
		Models []rawModel `json:"models"`
	}
	if err := json.Unmarshal(data, &vendors); err != nil {
		t.Fatal(err)
	}
	book, err := accounting.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, v := range vendors {
		for _, m := range v.Models {
			for _, at := range []time.Time{
				time.Date(2026, 8, 21, 12, 0, 0, 0, time.UTC), time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC),
				time.Date(2027, 1, 1, 16, 30, 0, 0, time.UTC), time.Date(2030, 6, 6, 0, 30, 0, 0, time.UTC),
			} {
				compared += compare(t, book, v.ID, m, at)
			}
		}
	}
	t.Logf("%d costs compared", compared)
	if compared < 600_000 {
		t.Errorf("only %d costs compared", compared)
	}
}

// compare returns how many costs it compared.
func compare(t *testing.T, book *accounting.Book, vendor string, m rawModel, at time.Time) int {
	t.Helper()
	name := nameOf(t, m)
	found, ok := book.Find("", vendor, name)
	if !ok {
		t.Errorf("%s/%s is not in the book", vendor, name)
		return 0
	}
	if found.Vendor != vendor || found.ID != m.ID {
		t.Errorf("%s/%s is found as %s/%s", vendor, name, found.Vendor, found.ID)
		return 0
	}
	raw := rawAt(t, m, at)
	p, ok := found.Price(at)
	if len(raw) == 0 {
		if free := strings.HasSuffix(m.ID, ":free") && vendor == accounting.VendorOpenRouter; ok != free {
			t.Errorf("%s/%s has no price in the table and %v in the book", vendor, name, p)
		}
		return 0
	}
	if !ok {
		t.Errorf("%s/%s has no price in the book", vendor, name)
		return 0
	}
	n := 0
	rates := rawGenaiRates(t, raw)
	for _, u := range grid() {
		if extra(p, raw, u) {
			continue
		}
		n++
		if got, want := p.Cost(u), rates.cost(&u); int64(got) != want {
			t.Errorf("%s/%s at %s: %+v costs %d nano-dollars, by the table %d", vendor, name, at, u, int64(got), want)
		}
	}
	return n
}

// nameOf returns a name that the entry is for.
func nameOf(t *testing.T, m rawModel) string {
	t.Helper()
	var find func(raw json.RawMessage) string
	find = func(raw json.RawMessage) string {
		var tree map[string]json.RawMessage
		if err := json.Unmarshal(raw, &tree); err != nil {
			t.Fatal(err)
		}
		for kind, value := range tree {
			switch kind {
			case "equals", "starts_with", "ends_with", "contains":
				return strings.Trim(string(value), `"`)
			case "or":
				var list []json.RawMessage
				if err := json.Unmarshal(value, &list); err != nil {
					t.Fatal(err)
				}
				return find(list[0])
			}
		}
		t.Fatalf("%s: no name in %s", m.ID, raw)
		return ""
	}
	return find(m.Match)
}

// extra reports whether the usage has a part whose price the book has from another table, because this one has none.
func extra(p *accounting.Price, raw map[string]json.RawMessage, u accounting.Usage) bool {
	for c, n := range counts(u) {
		whole, mayBeAdded := map[accounting.Class]accounting.Class{
			accounting.ClassCacheWrite1h:   accounting.ClassCacheWrite,
			accounting.ClassInputAudio:     accounting.ClassInput,
			accounting.ClassInputImage:     accounting.ClassInput,
			accounting.ClassCacheReadAudio: accounting.ClassCacheRead,
			accounting.ClassOutputAudio:    accounting.ClassOutput,
			accounting.ClassOutputImage:    accounting.ClassOutput,
			accounting.ClassWebSearch:      accounting.ClassWebSearch,
		}[c]
		if _, listed := raw[rawKeys[c]]; n == 0 || listed || !mayBeAdded {
			continue
		}
		own, _ := p.Get(c)
		inherited, _ := p.Get(whole)
		if c == whole {
			inherited = 0 // it is no part of anything
		}
		if own != inherited {
			return true
		}
	}
	return false
}

func counts(u accounting.Usage) map[accounting.Class]int64 {
	all := map[accounting.Class]int64{}
	for _, c := range accounting.AllClasses() {
		all[c] = u.Count(c)
	}
	all[accounting.ClassRequest] = 1
	return all
}

func roundHalfUp(r *big.Rat) *big.Int {
	x := new(big.Rat).Add(r, big.NewRat(1, 2))
	return new(big.Int).Quo(x.Num(), x.Denom())
}

// otherNames are what the second table calls entries of the first whose id it does not have.
var otherNames = map[string]string{
	"ft:gpt-3.5-turbo-": "ft:gpt-3.5-turbo", "ft:gpt-4o": "ft:gpt-4o-2024-08-06", "ft:gpt-4o-mini": "ft:gpt-4o-mini-2024-07-18",
	"gpt-5.3": "gpt-5.3-chat-latest", "text-embedding-ada-002": "text-embedding-ada-002-v2",
}

// TestServiceTiersAgreeWithTheTableTheyCameFrom computes every cost of the grid that a service tier has a price for, in
// every tier of every model, twice.
func TestServiceTiersAgreeWithTheTableTheyCameFrom(t *testing.T) {
	if os.Getenv("LLMGATEWAY_PRICES") == "" {
		t.Skip("set LLMGATEWAY_PRICES to the folder of the raw price tables to compare with them")
	}
	book, err := accounting.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	table := rawLitellm(t)
	at := time.Date(2026, 8, 21, 12, 0, 0, 0, time.UTC)
	tiers, compared := 0, 0
	for vendor := range rawLitellmPrefixes {
		for _, name := range book.Models(vendor) {
			x := book.Explain("", vendor, name)
			p, ok := x.Model.Price(at)
			if !ok {
				continue
			}
			for _, tier := range p.ServiceTiers() {
				s, _ := p.For(tier)
				raw, ok := table.rates(found{x}, []string{name, otherNames[name]}, tier, at)
				if !ok {
					t.Errorf("the table has no %s price of %s/%s", tier, vendor, name)
					continue
				}
				tiers++
				compared += compareTier(t, vendor+"/"+name+" "+tier, s, raw)
			}
		}
	}
	t.Logf("%d costs in %d service tiers compared", compared, tiers)
	if tiers < 70 {
		t.Errorf("only %d service tiers compared", tiers)
	}
}

// compareTier returns how many costs it compared.
func compareTier(t *testing.T, name string, s *accounting.Price, raw *rawRates) (n int) {
	t.Helper()
	for _, u := range grid() {
		// The other tables' prices of searches and whole requests do not depend on the tier.
		if u.WebSearches > 0 || !s.Covers(u) {
			continue
		}
		n++
		if got, want := int64(s.Cost(u)), raw.cost(&u); got != want {
			t.Errorf("%s: %+v costs %d nano-dollars, by the table %d", name, u, got, want)
		}
	}
	return n
}
