package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/caddy-llm/llmgateway/accounting"
)

const (
	genaiTable = `[{"id": "openai", "name": "OpenAI", "models": [
		{"id": "old", "match": {"equals": "old"}, "prices": [
			{"prices": {"input_mtok": 9}}, {"constraint": {"start_date": "2026-01-01"}, "prices": {"input_mtok": 5}},
			{"constraint": {"start_date": "2027-01-01"}, "prices": {"input_mtok": 4}}]},
		{"id": "nightly", "match": {"equals": "nightly"}, "prices": [
			{"prices": {"input_mtok": 1}}, {"constraint": {"start_time": "00:30:00Z", "end_time": "16:30:00Z"}, "prices": {"input_mtok": 2}}]},
		{"id": "long", "match": {"starts_with": "long"}, "prices": {"input_mtok": {"base": 1, "tiers": [{"start": 1000, "price": 2}]}, "output_mtok": 3, "web_searches_kcount": 10, "input_image_mtok": 7, "output_image_mtok": 8, "cache_audio_read_mtok": 5, "output_citation_mtok": 9}},
		{"id": "empty", "match": {"equals": "empty"}, "prices": {}}
	]}, {"id": "openrouter", "name": "OpenRouter", "models": [
		{"id": "a/b:free", "match": {"equals": "a/b:free"}, "prices": {}}
	]}]`
	litellmTable = `{
		"sample_spec": {"litellm_provider": "one of many", "mode": "one of many"},
		"long": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 3e-06,
			"input_cost_per_token_above_128k_tokens": 9e-06, "cache_read_input_token_cost": 1e-07, "max_output_tokens": 77,
			"cache_creation_input_token_cost_above_1hr": 2e-06},
		"long-audio": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1.8749999999999998e-07, "output_cost_per_token": 0.0,
			"input_cost_per_audio_token": 1e-05},
		"old": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 4e-06, "input_cost_per_audio_token": 5e-05,
			"supports_vision": true, "deprecation_date": "2026-12-31"},
		"new": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1.8749999999999998e-07, "output_cost_per_token": 0.0},
		"unpriced": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 0, "output_cost_per_token": 1e-06},
		"ft:new": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-06},
		"ft:new-mini": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2e-06},
		"1024-x-1024/picture": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-06},
		"painter": {"litellm_provider": "openai", "mode": "image_generation", "input_cost_per_token": 1e-06},
		"sketcher": {"litellm_provider": "openai", "mode": "image_generation", "input_cost_per_token": 1e-06, "output_cost_per_image_token": 4e-05},
		"rush": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 4e-06, "output_cost_per_token": 8e-06, "cache_read_input_token_cost": 1e-06,
			"input_cost_per_token_batches": 2e-06, "output_cost_per_token_batches": 4e-06,
			"input_cost_per_token_flex": 4e-06, "output_cost_per_token_flex": 8e-06,
			"input_cost_per_token_priority": 8e-06, "output_cost_per_token_priority": 16e-06, "cache_read_input_token_cost_priority": 2e-06,
			"input_cost_per_token_above_272k_tokens": 6e-06, "input_cost_per_token_above_272k_tokens_priority": 12e-06},
		"ranged": {"litellm_provider": "openai", "mode": "chat", "tiered_pricing": [
			{"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "range": [0, 32000.0]},
			{"input_cost_per_token": 3e-06, "output_cost_per_token": 4e-06, "range": [32000.0, 64000.0]}]},
		"groq/acme-long": {"litellm_provider": "groq", "mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06,
			"input_cost_per_token_above_200k_tokens": 2e-06, "output_cost_per_token_above_200k_tokens": 4e-06,
			"input_cost_per_token_batches": 5e-07, "output_cost_per_token_batches": 1e-06}
	}`
	modelsDevTable = `{
		"openai": {"name": "OpenAI", "models": {"long": {"tool_call": true, "limit": {"context": 5000, "output": 60}, "modalities": {}}}},
		"acme": {"name": "Acme", "api": "https://api.acme.example/v1", "models": {
			"rocket": {"cost": {"input": 1.5, "output": 2, "cache_read": 0, "tiers": [{"input": 3, "output": 4, "tier": {"size": 2000}}]}, "limit": {"context": 10, "output": 5}, "modalities": {"input": ["text", "image"]}},
			"gift": {"cost": {"input": 0, "output": 0, "cache_read": 0}, "status": "deprecated"}}},
		"groq": {"models": {"acme-long": {"cost": {"input": 1, "output": 2}, "modalities": {}}}},
		"acme-plan": {"models": {"x": {"cost": {"input": 1}}}},
		"here": {"api": "http://127.0.0.1:1/v1", "models": {"x": {"cost": {"input": 1}}}}
	}`
)

// generate runs the command over the tables above.
func generate(t *testing.T) map[string]accounting.FileModel {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"data.json": genaiTable, "model_prices_and_context_window.json": litellmTable, "api.json": modelsDevTable,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, "prices.json")
	if err := run([]string{"-genai", dir, "-litellm", dir, "-modelsdev", dir, "-o", out}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var f accounting.File
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	notice, err := os.ReadFile("../../NOTICE")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range f.Sources {
		if s.Copyright == "" || s.License != "MIT" || !bytes.Contains(notice, []byte(s.Copyright)) {
			t.Errorf("the notice of %s is kept neither in the file nor in NOTICE: %+v", s.Name, s)
		}
	}
	models := map[string]accounting.FileModel{}
	for _, v := range f.Vendors {
		for _, m := range v.Models {
			models[v.ID+"/"+m.ID] = m
		}
	}
	return models
}

func TestTablesAreMerged(t *testing.T) {
	models := generate(t)
	want := map[string]string{
		"openai/old":          `{"id":"old","prices":[{"input":5},{"from":"2027-01-01","input":4,"extra":{"source":"litellm","audio_input":50}}],"can":["vision"],"retires":"2026-12-31"}`,
		"openai/nightly":      `{"id":"nightly","prices":[{"input":1},{"daily":"00:30-16:30","input":2}]}`,
		"openai/long":         `{"id":"long","match":{"starts_with":"long"},"prices":[{"input":1,"image_input":7,"cache_read_audio":5,"output":3,"image_output":8,"web_search":0.01,"tiers":[{"above":1000,"input":2}]}],"context":5000,"max_output":60,"can":["tools"]}`,
		"openai/empty":        `{"id":"empty"}`,
		"openai/new":          `{"id":"new","prices":[{"input":0.1875}],"can":[]}`,
		"openai/unpriced":     `{"id":"unpriced","can":[]}`,
		"openai/ft:new":       `{"id":"ft:new","match":{"starts_with":"ft:new"},"prices":[{"input":1}],"can":[]}`,
		"openai/ft:new-mini":  `{"id":"ft:new-mini","match":{"starts_with":"ft:new-mini"},"prices":[{"input":2}],"can":[]}`,
		"openai/sketcher":     `{"id":"sketcher","prices":[{"input":1,"image_output":40}]}`,
		"openai/rush":         `{"id":"rush","prices":[{"input":4,"cache_read":1,"output":8,"tiers":[{"above":272000,"input":6}],"service_tiers":{"batch":{"input":2,"output":4},"priority":{"input":8,"cache_read":2,"output":16,"tiers":[{"above":272000,"input":12}]}}}],"can":[]}`,
		"openai/ranged":       `{"id":"ranged","prices":[{"input":1,"output":2,"tiers":[{"above":32000,"input":3,"output":4}]}],"can":[]}`,
		"groq/acme-long":      `{"id":"acme-long","prices":[{"input":1,"output":2,"tiers":[{"above":200000,"input":2,"output":4}],"service_tiers":{"batch":{"source":"litellm","input":0.5,"output":1}}}],"can":[]}`,
		"openrouter/a/b:free": `{"id":"a/b:free","prices":[{"input":0,"output":0}]}`,
		"acme/rocket":         `{"id":"rocket","prices":[{"input":1.5,"output":2,"tiers":[{"above":2000,"input":3,"output":4}]}],"context":10,"max_output":5,"can":["vision"]}`,
		"acme/gift":           `{"id":"gift","prices":[{"input":0,"output":0}],"can":[],"deprecated":true}`,
	}
	for id, m := range models {
		got, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want[id] {
			t.Errorf("%s is\n\t%s\nwant\n\t%s", id, got, want[id])
		}
		delete(want, id)
	}
	for id := range want {
		t.Errorf("%s is missing", id)
	}
}

func TestExtrasNeedAgreementOnInputAndOutput(t *testing.T) {
	base := accounting.FilePrice{FileRates: accounting.FileRates{Input: "1", Output: "3"}}
	tiered := base
	tiered.Tiers = []accounting.FileTier{{Above: 1000, FileRates: accounting.FileRates{Input: "2"}}}
	agreed := accounting.FileRates{Input: "1", Output: "3", CacheRead: "0.1", CacheWrite1h: "2", InputAudio: "0.5"}
	for _, c := range []struct {
		name  string
		price accounting.FilePrice
		other foreign
		want  string
	}{
		{"they agree", base, foreign{rates: agreed}, `{"source":"x","cache_write_1h":2}`},
		{"writes to a cache at many times the price of input", base, foreign{rates: accounting.FileRates{Input: "1", Output: "3", CacheWrite1h: "3.1"}}, `null`},
		{"another input price", base, foreign{rates: accounting.FileRates{Input: "1.1", Output: "3", CacheWrite1h: "2"}}, `null`},
		{"another output price", base, foreign{rates: accounting.FileRates{Input: "1", Output: "4", CacheWrite1h: "2"}}, `null`},
		{"the other lacks a tier", tiered, foreign{rates: agreed}, `null`},
		{
			"both have the tier", tiered,
			foreign{rates: agreed, tiers: []accounting.FileTier{{Above: 1000, FileRates: accounting.FileRates{Input: "2", CacheWrite1h: "4"}}}},
			`{"source":"x","cache_write_1h":2,"tiers":[{"above":1000,"cache_write_1h":4}]}`,
		},
	} {
		got, err := json.Marshal(extra(&c.price, &c.other, "x"))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestWritingForAnHourCostsWhatItDoesAtAnthropicWhereAllElseDoes(t *testing.T) {
	lite := &table{name: "x", vendors: map[string]map[string]foreign{}}
	lite.put(accounting.VendorAnthropic, "claude-1", foreign{
		rates: accounting.FileRates{Input: "1", CacheRead: "0.1", CacheWrite: "1.25", CacheWrite1h: "2", Output: "5", WebSearch: "0.01"},
		tiers: []accounting.FileTier{{Above: 1000, FileRates: accounting.FileRates{Input: "2", CacheWrite1h: "4"}}},
	})
	same := accounting.FileRates{Input: "1", CacheRead: "0.1", CacheWrite: "1.25", Output: "5"}
	dearer, known := same, same
	dearer.CacheWrite, known.CacheWrite1h = "1.3", "2.2"
	searches := &accounting.FileExtra{Source: "x", FileRates: accounting.FileRates{WebSearch: "0.02"}}
	for name, c := range map[string]struct {
		price accounting.FilePrice
		extra *accounting.FileExtra
		want  string
	}{
		"all else does":             {accounting.FilePrice{FileRates: same}, nil, `{"source":"x","cache_write_1h":2}`},
		"beside what is known":      {accounting.FilePrice{FileRates: same}, searches, `{"source":"x","cache_write_1h":2,"web_search":0.02}`},
		"in long contexts, too":     {accounting.FilePrice{FileRates: same, Tiers: []accounting.FileTier{{Above: 1000, FileRates: accounting.FileRates{Input: "2"}}}}, nil, `{"source":"x","cache_write_1h":2,"tiers":[{"above":1000,"cache_write_1h":4}]}`},
		"writing is dearer":         {accounting.FilePrice{FileRates: dearer}, nil, `null`},
		"the price is known":        {accounting.FilePrice{FileRates: known}, nil, `null`},
		"another table has a price": {accounting.FilePrice{FileRates: same}, &accounting.FileExtra{Source: "y"}, `{"source":"y"}`},
	} {
		got, err := json.Marshal(resell(&c.price, c.extra, []*table{lite}))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestNumbersAreRoundedToTheNanoDollar(t *testing.T) {
	for _, c := range []struct {
		n          json.Number
		times, per int64
		want       json.Number
	}{
		{"1.8749999999999998e-07", 1_000_000, 1, "0.1875"},
		{"10", 1, 1000, "0.01"},
		{"0.08333333333333334", 1, 1, "0.083333333"},
		{"0", 1, 1, "0"},
		{"0.0", 1, 1, "0"},
		{"", 1, 1, ""},
		{`"x"`, 1, 1, ""},
		{"1e40", 1, 1, ""},
	} {
		if got := dollars(c.n, c.times, c.per); got != c.want {
			t.Errorf("dollars(%s, %d, %d) = %q, want %q", c.n, c.times, c.per, got, c.want)
		}
	}
}

func TestTheCommittedFileIsWhatTheTablesGive(t *testing.T) {
	tables := os.Getenv("LLMGATEWAY_PRICES")
	if tables == "" {
		t.Skip("set LLMGATEWAY_PRICES to the folder of the raw price tables to generate the file again")
	}
	out := filepath.Join(t.TempDir(), "prices.json")
	err := run([]string{
		"-genai", filepath.Join(tables, "genai-prices"), "-litellm", filepath.Join(tables, "litellm"),
		"-modelsdev", filepath.Join(tables, "models.dev"), "-o", out,
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../../accounting/prices.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("accounting/prices.json is not what the tables give: run go generate ./accounting")
	}
	if limit := 1_500_000; len(got) > limit {
		t.Errorf("the file has %d bytes, want at most %d", len(got), limit)
	}
}
