package accounting

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestServiceTiersByWhatVendorsCallThem(t *testing.T) {
	for reported, want := range map[string]string{
		"": "", "default": "", "standard": "", "auto": "", "on_demand": "", "ON_DEMAND": "", "SERVICE_TIER_UNSPECIFIED": "",
		"flex": TierFlex, "FLEX": TierFlex, "service_tier_flex": TierFlex, "ON_DEMAND_FLEX": TierFlex,
		"priority": TierPriority, "on_demand_priority": TierPriority, "batch": TierBatch, "batches": TierBatch,
		"scale": "scale", "PROVISIONED_THROUGHPUT": "provisioned_throughput", "reserved": "reserved",
	} {
		if got := ServiceTier(reported); got != want {
			t.Errorf("%q is %q, want %q", reported, got, want)
		}
	}
}

// tiered is a price with everything that a service tier may lack.
const tiered = `{"input": 4, "cache_read": 1, "cache_write": 5, "audio_input": 40, "output": 8, "web_search": 0.01,
	"tiers": [{"above": 1000, "input": 8, "output": 16}],
	"service_tiers": {
		"batch": {"input": 2, "output": 4},
		"flex": {"input": 3, "cache_read": 0.5, "output": 6, "tiers": [{"above": 1000, "input": 6, "output": 12}]}}}`

func TestAServiceTierHasPricesOfItsOwn(t *testing.T) {
	var f FilePrice
	if err := json.Unmarshal([]byte(tiered), &f); err != nil {
		t.Fatal(err)
	}
	p, err := f.Price()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, tier string
		usage      Usage
		cost       string // empty when the price is unknown
		known      bool
	}{
		{"the standard one", "default", Usage{Input: 500, Output: 500}, "0.006", true},
		{"batch", "batch", Usage{Input: 500, Output: 500}, "0.003", true},
		{"what falls back falls back within the tier", "batch", Usage{Reasoning: 1000}, "0.004", true},
		{"a class that the tier leaves out", "batch", Usage{Input: 1, CacheRead: 500}, "", true},
		{"a class that costs more than its whole", "batch", Usage{Input: 1, CacheWrite: 500}, "", true},
		{"audio", "batch", Usage{InputAudio: 500}, "", true},
		{"what is priced per call is the same", "batch", Usage{Input: 500, WebSearches: 2}, "0.021", true},
		{"a class that the tier has", "flex", Usage{CacheRead: 500}, "0.00025", true},
		{"a long context that the tier has", "flex", Usage{Input: 2000}, "0.012", true},
		{"a long context that the tier lacks", "batch", Usage{Input: 2000}, "", true},
		{"a tier that costs something unknown", "priority", Usage{Input: 1}, "", true},
		{"Anthropic's higher speed", "fast", Usage{Input: 1}, "", true},
		{"a tier that nobody knows", "scale", Usage{Input: 500}, "0.002", false},
	} {
		got, known := p.For(c.tier)
		if known != c.known {
			t.Errorf("%s: known %v, want %v", c.name, known, c.known)
		}
		if covers := got.Covers(c.usage); covers != (c.cost != "") {
			t.Errorf("%s: covered %v, want %v", c.name, covers, c.cost != "")
		} else if covers && got.Cost(c.usage).String() != c.cost {
			t.Errorf("%s: costs %s, want %s", c.name, got.Cost(c.usage), c.cost)
		}
	}
	if n := testing.AllocsPerRun(100, func() { p.For("default"); p.For("flex") }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
	if got := strings.Join(p.ServiceTiers(), " "); got != "batch flex" {
		t.Errorf("service tiers %q", got)
	}
}

func TestServiceTiersOfTheBook(t *testing.T) {
	b := mustBook(t)
	for _, c := range []struct{ vendor, model, tier, want string }{
		{VendorOpenAI, "gpt-5", "flex", "input 0.625 cache_read 0.0625 output 5"},
		{VendorOpenAI, "gpt-5", "priority", "input 2.5 cache_read 0.25 output 20"},
		{VendorOpenAI, "gpt-4o", "batch", "input 1.25 output 5"},
		{VendorAzure, "gpt-5", "priority", "input 2.5 cache_read 0.25 output 20"},
		{VendorAnthropic, "claude-sonnet-4-5", "batch", ""},
		{VendorGemini, "gemini-2.5-pro", "priority", ""},
	} {
		p, ok := b.Lookup(c.vendor, c.model, day)
		if !ok {
			t.Fatalf("%s/%s has no price", c.vendor, c.model)
		}
		if s, _ := p.For(c.tier); s.String() != c.want {
			t.Errorf("%s/%s %s costs %q, want %q", c.vendor, c.model, c.tier, s, c.want)
		}
	}
}

func TestPriceLinesMayHaveThresholdsAndServiceTiers(t *testing.T) {
	o := overrides(t, "openai/m input 1 output 2 above 1000 input 2 output 4 tier flex input $0.5 output .75 above 1000 input 1 output 2 tier batch input 0.25 output 0.5")
	text, err := json.Marshal(o[0])
	if err != nil {
		t.Fatal(err)
	}
	want := `{"match":"openai/m","input":1,"output":2,"tiers":[{"above":1000,"input":2,"output":4}],"service_tiers":{` +
		`"batch":{"input":0.25,"output":0.5},"flex":{"input":0.5,"output":0.75,"tiers":[{"above":1000,"input":1,"output":2}]}}}`
	if string(text) != want {
		t.Errorf("the line is\n\t%s\nwant\n\t%s", text, want)
	}
	b, err := mustBook(t).With(o...)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := b.Lookup(VendorOpenAI, "m", day)
	flex, _ := p.For("flex")
	if got := flex.Cost(Usage{Input: 2000, Output: 1000}).String(); got != "0.004" {
		t.Errorf("flex costs %s above the threshold, want 0.004", got)
	}
	for _, c := range []struct{ line, want string }{
		{"m input 1 output 2 tier", "pairs"},
		{"m input 1 output 2 tier standard input 1", "service tier"},
		{"m input 1 output 2 tier flex input 1 tier flex input 2", "one service tier after the other"},
		{"m input 1 output 2 tier flex cache_read 1", "at least one"},
		{"m input 1 output 2 above many input 1", "number of input tokens"},
		{"m input 1 output 2 above 0 input 1", "number of input tokens"},
		{"m input 1 output 2 above 5 input 1 above 5 input 2", "already specified"},
	} {
		if _, err := ParseOverride(strings.Fields(c.line)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want one with %q", c.line, err, c.want)
		}
	}
}

func TestCachedMediaCostWhatTheMediaDo(t *testing.T) {
	for _, c := range []struct{ line, audio, image string }{
		{"m input 4 output 8", "4", "4"},
		{"m input 4 output 8 cache_read 1", "1", "1"},
		{"m input 4 output 8 cache_read 1 audio_input 40", "40", "1"},
		{"m input 4 output 8 cache_read 1 audio_input 40 cache_read_audio 2 image_input 5", "2", "5"},
	} {
		b, err := mustBook(t).With(overrides(t, c.line)...)
		if err != nil {
			t.Fatal(err)
		}
		p, _ := b.Lookup(VendorOpenAI, "m", day)
		if audio, image := Money(p.CacheReadAudio).String(), Money(p.CacheReadImage).String(); audio != c.audio || image != c.image {
			t.Errorf("%s: cached audio costs %s and pictures %s, want %s and %s", c.line, audio, image, c.audio, c.image)
		}
	}
}
