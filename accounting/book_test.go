package accounting

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func mustBook(t testing.TB) *Book {
	t.Helper()
	b, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// day is when the embedded prices were taken.
var day = time.Date(2026, 8, 21, 12, 0, 0, 0, time.UTC)

func TestEmbeddedPricesAreThoseOfTheVendors(t *testing.T) {
	b := mustBook(t)
	for _, c := range []struct{ vendor, model, want string }{
		{VendorOpenAI, "gpt-4o", "input 2.5 cache_read 1.25 output 10"},
		{VendorOpenAI, "gpt-5", "input 1.25 cache_read 0.125 output 10"},
		{VendorOpenAI, "o3", "input 2 cache_read 0.5 output 8"},
		{VendorOpenAI, "o1-pro", "input 150 output 600"},
		{VendorOpenAI, "text-embedding-3-small", "input 0.02"},
		{VendorOpenAI, "gpt-realtime", "input 4 cache_read 0.4 audio_input 32 image_input 5 cache_read_audio 0.4 cache_read_image 0.5 output 16 audio_output 64"},
		{VendorOpenAI, "gpt-image-1.5", "input 5 cache_read 1.25 image_input 8 cache_read_image 2 output 10 image_output 32"},
		{VendorGemini, "gemini-2.5-flash-image", "input 0.3 audio_input 1 output 2.5 image_output 30"},
		{VendorAnthropic, "claude-haiku-4-5", "input 1 cache_read 0.1 cache_write 1.25 cache_write_1h 2 output 5 web_search 0.01"},
		{VendorAnthropic, "claude-3-opus-20240229", "input 15 cache_read 1.5 cache_write 18.75 cache_write_1h 30 output 75"},
		{VendorGemini, "gemini-2.5-flash", "input 0.3 cache_read 0.03 audio_input 1 cache_read_audio 0.1 output 2.5"},
		{VendorVertex, "gemini-2.5-flash", "input 0.3 cache_read 0.03 audio_input 1 cache_read_audio 0.1 output 2.5"},
		{VendorGroq, "openai/gpt-oss-20b", "input 0.075 cache_read 0.0375 output 0.3"},
		{VendorPerplexity, "sonar", "input 1 output 1 request 0.012"},
		{VendorPerplexity, "sonar-deep-research", "input 2 output 8 reasoning 3 web_search 0.005"},
		{VendorXAI, "grok-4-latest", "input 3 cache_read 0.75 output 15"},
		{VendorBedrock, "us.anthropic.claude-haiku-4-5-20251001-v1:0", "input 1.1 cache_read 0.11 cache_write 1.375 cache_write_1h 2.2 output 5.5"},
		{VendorBedrock, "global.anthropic.claude-haiku-4-5-20251001-v1:0", "input 1 cache_read 0.1 cache_write 1.25 cache_write_1h 2 output 5"},
		{VendorAzure, "gpt-4o", "input 2.5 cache_read 1.25 output 10"},
		{VendorTogether, "meta-llama/Llama-3.3-70B-Instruct-Turbo", "input 0.88 output 0.88"},
		{VendorFireworks, "accounts/fireworks/models/gpt-oss-120b", "input 0.15 cache_read 0.014 output 0.6"},
		{VendorOpenRouter, "openai/gpt-oss-20b:free", "input 0 output 0"},
		{VendorOpenRouter, "anthropic/claude-opus-4.5", "input 5 cache_read 0.5 cache_write 6.25 cache_write_1h 10 output 25"},
		{VendorVertex, "claude-haiku-4-5", "input 1 cache_read 0.1 cache_write 1.25 cache_write_1h 2 output 5 web_search 0.01"},
	} {
		p, ok := b.Lookup(c.vendor, c.model, day)
		if !ok {
			t.Errorf("%s/%s has no price", c.vendor, c.model)
			continue
		}
		if got := p.String(); got != c.want {
			t.Errorf("%s/%s costs %q, want %q", c.vendor, c.model, got, c.want)
		}
	}
}

func TestEveryVendorOfAPresetHasPrices(t *testing.T) {
	b := mustBook(t)
	for _, v := range []string{
		VendorAlibaba, VendorAnthropic, VendorAzure, VendorBedrock, VendorCerebras, VendorCohere, VendorDeepInfra,
		VendorDeepSeek, VendorFireworks, VendorGemini, VendorGroq, VendorHuggingFace, VendorMinimax, VendorMistral,
		VendorMoonshot, VendorNebius, VendorNovita, VendorNVIDIA, VendorOpenAI, VendorOpenRouter, VendorOVHcloud,
		VendorPerplexity, VendorTogether, VendorVertex, VendorVoyage, VendorXAI, VendorZAI, VendorZhipu,
	} {
		priced := 0
		for _, name := range b.Models(v) {
			m, ok := b.Find("", v, name)
			if !ok {
				t.Errorf("%s lists %s and does not find it", v, name)
				continue
			}
			if _, ok := m.Price(day); ok {
				priced++
			}
		}
		if priced == 0 {
			t.Errorf("no model of %s has a price", v)
		}
	}
	for alias, id := range vendorAliases {
		if !slices.Contains(b.Vendors(), id) {
			t.Errorf("%s stands for %s, which has no price list", alias, id)
		}
		if slices.Contains(b.Vendors(), alias) {
			t.Errorf("%s is both an alias and a price list", alias)
		}
	}
}

func TestPricesChangeOnTheirDayAndHour(t *testing.T) {
	b := mustBook(t)
	at := func(s string) time.Time {
		x, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	for _, c := range []struct {
		vendor, model, at, want string
	}{
		{VendorAnthropic, "claude-sonnet-5", "2026-08-31T23:59:59Z", "2"},
		{VendorAnthropic, "claude-sonnet-5", "2026-09-01T00:00:00Z", "3"},
		{VendorAnthropic, "claude-sonnet-5", "2026-09-01T01:00:00+02:00", "2"}, // still August in UTC
		{VendorDeepSeek, "deepseek-chat", "2026-08-21T00:29:59Z", "0.135"},
		{VendorDeepSeek, "deepseek-chat", "2026-08-21T00:30:00Z", "0.27"},
		{VendorDeepSeek, "deepseek-chat", "2026-08-21T16:29:59Z", "0.27"},
		{VendorDeepSeek, "deepseek-chat", "2026-08-21T16:30:00Z", "0.135"},
		{VendorDeepSeek, "deepseek-chat", "1969-12-31T12:00:00Z", "0.27"},
	} {
		p, ok := b.Lookup(c.vendor, c.model, at(c.at))
		if !ok || Money(p.Input).String() != c.want {
			t.Errorf("%s at %s: %v, %v; want input %s", c.model, c.at, p, ok, c.want)
		}
	}
}

// testFile exercises every part of the format.
const testFile = `{"format": 1, "date": "2026-01-01", "vendors": [
	{"id": "acme", "fallback": ["other"], "models": [
		{"id": "Rocket-2", "match": {"or": [{"equals": "Rocket-2"}, {"starts_with": "rocket-2."}]}, "prices": [{"input": 2, "output": "4"}]},
		{"id": "rocket", "match": {"starts_with": "rocket"}, "prices": [{"input": 1, "output": 2, "tiers": [{"above": 1000, "input": 5}]}],
		 "context": 8000, "max_output": 1000, "can": ["tools", "pdf"], "retires": "2027-03-01"},
		{"id": "rocket-3", "prices": [{"input": 3, "output": 6}]},
		{"id": "anvil", "match": {"and": [{"contains": "anv"}, {"ends_with": "il"}]}, "prices": [{"daily": "22:00-06:00", "input": 1}]},
		{"id": "magnet", "match": {"regex": "^magnet-\\d+$"}, "can": []},
		{"id": "glue", "deprecated": true, "prices": [{"input": 1, "extra": {"source": "second table", "input": 7, "audio_input": 9, "tiers": [{"above": 10, "input": 7, "audio_input": 11}]}}]},
		{"id": "hidden", "match": {"equals": "acme/models/hidden"}, "prices": [{"input": 5}]},
		{"id": "dated-2025-01-01", "prices": [{"input": 8}]},
		{"id": "dated", "prices": [{"input": 4}]}
	]},
	{"id": "other", "models": [{"id": "widget", "prices": [{"request": 0.5}]}]}
]}`

func testBook(t testing.TB) *Book {
	t.Helper()
	b, err := ParseBook([]byte(testFile))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTheFirstEntryThatMatchesWins(t *testing.T) {
	b := testBook(t)
	for _, c := range []struct{ name, vendor, model, want string }{
		{"a literal name", "acme", "rocket-2", "Rocket-2"},
		{"case makes no difference", "ACME", "ROCKET-2", "Rocket-2"},
		{"an earlier pattern goes before a later literal name", "acme", "rocket-3", "rocket"},
		{"all of several conditions", "acme", "anvil", "anvil"},
		{"only some of several conditions", "acme", "anvils", ""},
		{"a regular expression", "acme", "magnet-12", "magnet"},
		{"an anchored regular expression", "acme", "magnet-12b", ""},
		{"the vendor's own prefix", "acme", "acme/glue", "glue"},
		{"another vendor's prefix", "acme", "other/glue", ""},
		{"a literal name with a slash", "acme", "acme/models/hidden", "hidden"},
		{"an ID that is not among its entry's names", "acme", "hidden", "hidden"},
		{"a vendor that the list falls back to", "acme", "widget", "widget"},
		{"a snapshot of its own", "acme", "dated-2025-01-01", "dated-2025-01-01"},
		{"a snapshot by ISO date", "acme", "dated-2025-09-09", "dated"},
		{"a snapshot by plain date", "acme", "dated-20250909", "dated"},
		{"a snapshot after an @", "acme", "dated@20250909", "dated"},
		{"the latest", "acme", "dated-latest", "dated"},
		{"a prefix and a snapshot", "acme", "acme/widget@001", "widget"},
		{"not quite a date", "acme", "dated-2025-9-09", ""},
		{"nothing but a date", "acme", "-20250909", ""},
		{"nothing", "acme", "", ""},
		{"an unknown vendor", "nobody", "glue", ""},
	} {
		m, ok := b.Find("", c.vendor, c.model)
		if ok != (c.want != "") || ok && m.ID != c.want {
			t.Errorf("%s: found %v, %v; want %q", c.name, m, ok, c.want)
		}
	}
}

func TestWhatTheBookKnowsOfAModel(t *testing.T) {
	m, _ := testBook(t).Find("", "acme", "rocket-9")
	want := Info{
		ID: "rocket", Vendor: "acme", ContextWindow: 8000, MaxOutput: 1000, Can: Tools | PDF, CanKnown: true,
		Retires: time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC),
	}
	if m.Info != want {
		t.Errorf("got %+v, want %+v", m.Info, want)
	}
	if got := m.Can.String(); got != "tools pdf" {
		t.Errorf("capabilities %q, want %q", got, "tools pdf")
	}
	if !m.Can.Has(Tools) || m.Can.Has(Tools|Vision) {
		t.Error("Has must be true only for all of several capabilities")
	}
	if got, want := testBook(t).Models("acme"), []string{"Rocket-2", "acme/models/hidden", "anvil", "dated", "dated-2025-01-01", "magnet", "rocket", "rocket-3"}; !slices.Equal(got, want) {
		t.Errorf("models %q, want %q", got, want)
	}
}

func TestAModelWithoutAPriceIsKnownAndUnpriced(t *testing.T) {
	b := testBook(t)
	if m, ok := b.Find("", "acme", "magnet-1"); !ok || !m.CanKnown || m.Can != 0 {
		t.Errorf("found %+v, %v; want a model that is known to be able to do nothing", m, ok)
	}
	if p, ok := b.Lookup("acme", "magnet-1", day); ok {
		t.Errorf("the price is %s, want none", p)
	}
}

func TestADailyPriceMaySpanMidnight(t *testing.T) {
	b := testBook(t)
	for hour, want := range map[int]bool{0: true, 5: true, 6: false, 21: false, 22: true} {
		if _, ok := b.Lookup("acme", "anvil", time.Date(2026, 5, 5, hour, 0, 0, 0, time.UTC)); ok != want {
			t.Errorf("at %d o'clock there is a price: %v, want %v", hour, ok, want)
		}
	}
}

func TestExtrasFillOnlyGaps(t *testing.T) {
	p, _ := testBook(t).Lookup("acme", "glue", day)
	if got := p.String(); got != "input 1 audio_input 9" {
		t.Errorf("the price is %q", got)
	}
	if got := p.Cost(Usage{Input: 500_000, InputAudio: 1_000_000}).String(); got != "11.5" {
		t.Errorf("above the tier it costs %s, want 11.5", got)
	}
}

func TestRoutersPriceByTheProviderNamed(t *testing.T) {
	b := mustBook(t)
	routed, ok := b.Find("", VendorHuggingFace, "openai/gpt-oss-20b:groq")
	if !ok || routed.Vendor != "huggingface_groq" {
		t.Errorf("found %+v, %v; want the list of huggingface_groq", routed, ok)
	}
	if m, ok := b.Find("", VendorHuggingFace, "openai/gpt-oss-20b:nobody"); ok {
		t.Errorf("found %+v for a provider that does not exist", m)
	}
}

func TestBrokenFilesAreRefused(t *testing.T) {
	model := func(s string) string {
		return `{"format": 1, "vendors": [{"id": "acme", "models": [` + s + `]}]}`
	}
	for _, c := range []struct{ name, file, want string }{
		{"not JSON", `prices`, "invalid character"},
		{"another format", `{"format": 2, "vendors": []}`, "format 2"},
		{"no format", `{"vendors": []}`, "format 0"},
		{"a second document", `{"format": 1, "vendors": []} {}`, "something follows"},
		{"a misspelt price", model(`{"id": "a", "prices": [{"inputs": 1}]}`), "inputs"},
		{"a vendor twice", `{"format": 1, "vendors": [{"id": "a", "models": []}, {"id": "a", "models": []}]}`, "twice"},
		{"a vendor by its alias", `{"format": 1, "vendors": [{"id": "gemini", "models": []}]}`, `"google"`},
		{"a fallback to nowhere", `{"format": 1, "vendors": [{"id": "a", "fallback": ["b"], "models": []}]}`, "falls back"},
		{"no ID", model(`{"prices": [{"input": 1}]}`), "no id"},
		{"a negative price", model(`{"id": "a", "prices": [{"input": -1}]}`), "negative"},
		{"a price of 1e12", model(`{"id": "a", "prices": [{"input": 1e12}]}`), "out of range"},
		{"a price above the limit", model(`{"id": "a", "prices": [{"input": 10001}]}`), "from 0 to 10000"},
		{"a price in a tier above the limit", model(`{"id": "a", "prices": [{"input": 1, "tiers": [{"above": 5, "output": 10001}]}]}`), "from 0 to 10000"},
		{"a price that is no number", model(`{"id": "a", "prices": [{"input": "much"}]}`), "invalid number"},
		{"no price in a price", model(`{"id": "a", "prices": [{}]}`), "at least one"},
		{"a negative limit", model(`{"id": "a", "max_output": -1}`), "negative"},
		{"an unknown capability", model(`{"id": "a", "can": ["fly"]}`), "fly"},
		{"a bad date", model(`{"id": "a", "prices": [{"from": "tomorrow", "input": 1}]}`), "tomorrow"},
		{"a bad retirement", model(`{"id": "a", "retires": "soon"}`), "soon"},
		{"a bad time of day", model(`{"id": "a", "prices": [{"daily": "25:00-26:00", "input": 1}]}`), "25:00"},
		{"an empty time of day", model(`{"id": "a", "prices": [{"daily": "10:00-10:00", "input": 1}]}`), "10:00"},
		{"an empty match", model(`{"id": "a", "match": {}}`), "exactly one"},
		{"two matches in one", model(`{"id": "a", "match": {"equals": "a", "contains": "b"}}`), "exactly one"},
		{"a broken expression", model(`{"id": "a", "match": {"or": [{"regex": "("}]}}`), "missing closing"},
	} {
		_, err := ParseBook([]byte(c.file))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

func FuzzPriceFilesNeverPanicAndNeverGoNegative(f *testing.F) {
	f.Add([]byte(testFile), "rocket-2")
	f.Add([]byte(`{"format":1,"vendors":[{"id":"acme","models":[{"id":"a","prices":[{"input":1e4}]}]}]}`), "a")
	f.Fuzz(func(t *testing.T, data []byte, model string) {
		b, err := ParseBook(data)
		if err != nil {
			return
		}
		for _, v := range b.Vendors() {
			for _, name := range append(b.Models(v), model) {
				if p, ok := b.Lookup(v, name, day); ok && p.Cost(Usage{Input: 1 << 62, Output: 1 << 62, WebSearches: 1 << 62}) < 0 {
					t.Fatalf("%s/%s has a negative cost", v, name)
				}
			}
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	book := mustBook(b)
	for _, c := range []struct{ name, vendor, model string }{
		{"hit", VendorOpenAI, "gpt-4o"},
		{"snapshot", VendorOpenAI, "gpt-4o-2099-01-01"},
		{"miss", VendorOpenAI, "no-such-model"},
		{"miss among patterns", VendorBedrock, "no.such-model-v1:0"},
		{"miss among many", VendorOpenRouter, "nobody/no-such-model"},
		{"miss with fallback", VendorAzure, "my-deployment-2025-01-01"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				book.Lookup(c.vendor, c.model, day)
			}
		})
	}
}

func BenchmarkParseEmbedded(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseBook(embedded); err != nil {
			b.Fatal(err)
		}
	}
}
