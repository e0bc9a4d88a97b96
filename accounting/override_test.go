package accounting

import (
	"encoding/json"
	"strings"
	"testing"
)

func overrides(t *testing.T, lines ...string) []Override {
	t.Helper()
	var list []Override
	for _, line := range lines {
		o, err := ParseOverride(strings.Fields(line))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		list = append(list, o)
	}
	return list
}

func TestPriceLinesGoBeforeTheBook(t *testing.T) {
	b, err := mustBook(t).With(overrides(t,
		"openai/gpt-5* input $1 output 5",
		"openai/gpt-5-mini input 2 output 5",
		"gpu/* input 0 output 0",
		"gpt-5* input 7 output 7",
		"*/gpt-5-nano input 3 output 3",
		"anthropic/claude-* input 4 output 4",
		"anthropic/claude-* input 5 output 5",
	)...)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, provider, vendor, model, want string }{
		{"a pattern", "main", VendorOpenAI, "gpt-5.9", "input 1 output 5"},
		{"a literal name beats a pattern", "main", VendorOpenAI, "GPT-5-mini", "input 2 output 5"},
		{"more literal characters beat fewer", "main", VendorOpenAI, "gpt-5-nano", "input 1 output 5"},
		{"the provider's configured name", "gpu", "", "qwen/anything", "input 0 output 0"},
		{"without a slash it is for every provider", "azure-eu", VendorAzure, "gpt-5", "input 7 output 7"},
		{"a star matches slashes too", "router", VendorOpenRouter, "openai/gpt-5-nano", "input 3 output 3"},
		{"of two equal ones the later wins", "x", VendorAnthropic, "claude-9", "input 5 output 5"},
		{"an alias of the vendor", "x", "OpenAI", "gpt-5", "input 1 output 5"},
		{"the rest is untouched", "main", VendorOpenAI, "gpt-4o", "input 2.5 cache_read 1.25 output 10"},
	} {
		m, ok := b.Find(c.provider, c.vendor, c.model)
		if !ok {
			t.Errorf("%s: not found", c.name)
			continue
		}
		if p, _ := m.Price(day); p.String() != c.want {
			t.Errorf("%s: costs %q, want %q", c.name, p, c.want)
		}
	}
	m, _ := b.Find("main", VendorOpenAI, "gpt-5")
	if m.ContextWindow == 0 || !m.Can.Has(Tools) {
		t.Errorf("a price line must keep what else is known of a model: %+v", m.Info)
	}
}

func TestALaterBookGoesOnTop(t *testing.T) {
	base, err := mustBook(t).With(overrides(t, "openai/gpt-4.1 input 9 output 9")...)
	if err != nil {
		t.Fatal(err)
	}
	file, err := ParseBook([]byte(`{"format": 1, "vendors": [
		{"id": "openai", "models": [{"id": "gpt-5", "prices": [{"input": 0.5, "output": 1}]}]},
		{"id": "mine", "models": [{"id": "m", "prices": [{"input": 1}]}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	b := file.Over(base)
	for _, c := range []struct{ vendor, model, want string }{
		{VendorOpenAI, "gpt-5", "input 0.5 output 1"},
		{VendorOpenAI, "gpt-4o", "input 2.5 cache_read 1.25 output 10"},
		{VendorOpenAI, "gpt-4.1", "input 9 output 9"},
		{"mine", "m", "input 1"},
	} {
		if p, ok := b.Lookup(c.vendor, c.model, day); !ok || p.String() != c.want {
			t.Errorf("%s/%s: %v, %v; want %q", c.vendor, c.model, p, ok, c.want)
		}
	}
	if m, ok := mustBook(t).Find("", "mine", "m"); ok {
		t.Errorf("the embedded book has changed: it knows %+v", m)
	}
	versions := map[string]bool{mustBook(t).Version(): true, base.Version(): true, file.Version(): true, b.Version(): true}
	if len(versions) != 4 {
		t.Errorf("four books share versions: %v", versions)
	}
	if v := mustBook(t).Version(); !strings.HasPrefix(v, "2026-08-21-") {
		t.Errorf("version %q must start with the day of the prices", v)
	}
}

func TestPriceLinesInJSON(t *testing.T) {
	for _, text := range []string{
		`{"match": "openai/gpt-5", "input": 1.25, "output": 10, "cache_read": 1.25e-1}`,
		`{"match": "openai/gpt-5", "input": "1.25", "output": "10", "cache_read": "0.125"}`,
	} {
		var o Override
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			t.Fatal(err)
		}
		b, err := mustBook(t).With(o)
		if err != nil {
			t.Fatal(err)
		}
		if p, _ := b.Lookup(VendorOpenAI, "gpt-5", day); p.String() != "input 1.25 cache_read 0.125 output 10" {
			t.Errorf("%s costs %q", text, p)
		}
	}
}

func TestBadPriceLinesAreExplained(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"", "pattern"},
		{"openai/gpt-5", "pairs"},
		{"openai/gpt-5 input", "pairs"},
		{"openai/gpt-5 input 1 output", "pairs"},
		{"openai/gpt-5 in 1", "unrecognized price 'in'"},
		{"openai/gpt-5 input 1 input 2", "already specified"},
		{"openai/gpt-5 input cheap", `"cheap"`},
		{"openai/gpt-5 input -1", "negative"},
		{"openai/gpt-5 input 99999", "from 0 to 10000"},
		{"openai/gpt-5 cache_read 1", "at least one"},
	} {
		if _, err := ParseOverride(strings.Fields(c.line)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want one with %q", c.line, err, c.want)
		}
	}
	if _, err := mustBook(t).With(Override{}); err == nil {
		t.Error("an empty override must be refused")
	}
}

func TestGlobs(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"a/b", "a/b", true},
		{"a/b", "a/bc", false},
		{"a/*", "a/", true},
		{"*", "", true},
		{"*/x*y", "a/xaxby", true},
		{"*/x*y", "a/xaxbyz", false},
		{"a*a*a", "aa", false},
		{"**a**", "bab", true},
		{strings.Repeat("*a", 50) + "*b", strings.Repeat("a", 500), false},
	} {
		if got := globMatch(c.pattern, c.name); got != c.want {
			t.Errorf("%.20q matches %.20q: %v, want %v", c.pattern, c.name, got, c.want)
		}
	}
}
