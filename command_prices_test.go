package llmgateway

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/tidwall/gjson"
)

// runPricesCommand runs the command in a folder with the files given, by name.
func runPricesCommand(t *testing.T, files map[string]string, args ...string) (out string, code int, err error) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := pricesCommand()
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	code, err = runPrices(&b, caddycmd.Flags{FlagSet: cmd.Flags()}, cmd.Flags().Args())
	return b.String(), code, err
}

const pricedCaddyfile = `:80 {
	llm_gateway {
		provider main openai sk-1
		provider gpu vllm http://10.0.0.5:8000
		prices book.json
		price main/special input 7 output 8 tier flex input 3 output 4
		model smart main/special {
			fallback gpu/qwen quick
		}
		model quick gpu/qwen
		model gpt-4 main
	}
}`

const priceFile = `{"format": 1, "date": "2026-10-01", "vendors": [
	{"id": "openai", "models": [{"id": "gpt-5", "match": {"starts_with": "gpt-5"}, "prices": [{"input": 0.5, "output": 1, "tiers": [{"above": 100, "input": 2}]}]}]}]}`

func TestThePricesCommandSaysWhatAModelCostsAndWhy(t *testing.T) {
	files := map[string]string{"Caddyfile": pricedCaddyfile, "book.json": priceFile}
	for _, tc := range []struct {
		name  string
		files map[string]string
		args  []string
		code  int
		says  []string
	}{
		{"a public name, by its targets", files, []string{"smart"}, 0, []string{"main/special\n", "input 7 output 8", "gpu/qwen\n", "free: it is served by your own machines"}},
		{"a public name that its target has, too", files, []string{"gpt-4"}, 0, []string{"main/gpt-4\n", "the built-in book"}},
		{"a name without a provider", nil, []string{"gpt-4o"}, 0, []string{
			"openai/gpt-4o\n", "input 2.5 cache_read 1.25 output 10", "azure/gpt-4o", "the built-in book", "tier batch",
			"input 1.25 output 5", "tier flex", "unknown",
		}},
		{"a snapshot", nil, []string{"openai/gpt-5-2099-01-01"}, 0, []string{"looked up as gpt-5, without the snapshot"}},
		{"a price that changes", nil, []string{"anthropic/claude-sonnet-5"}, 0, []string{"from 2026-09-01", "like input", "(not now)"}},
		{"a time of day", nil, []string{"deepseek/deepseek-chat"}, 0, []string{"at 00:30-16:30 UTC"}},
		{"several", nil, []string{"openai/o3", "mistral/mistral-embed"}, 0, []string{"openai/o3\n", "mistral/mistral-embed\n"}},
		{"a model server of one's own", nil, []string{"ollama/qwen3:32b"}, 0, []string{"free: it is served by your own machines"}},
		{"an unknown name", nil, []string{"openai/gpt-4oo"}, exitUnpriced, []string{
			"unknown", "no entry of the price list openai", "gpt-4o", "price openai/gpt-4oo input <dollars> output <dollars>",
		}},
		{"an unknown name anywhere", nil, []string{"frobnicate"}, exitUnpriced, []string{"no price list has it"}},
		{"a provider without a price list", nil, []string{"crusoe/x"}, exitUnpriced, []string{"the book has no price list for crusoe"}},
		{"--provider", nil, []string{"--provider", "groq", "openai/gpt-oss-20b"}, 0, []string{"groq/openai/gpt-oss-20b", "the price list groq"}},
		{"a price line", files, []string{"main/special"}, 0, []string{"input 7 output 8", "the price line for main/special", "tier flex", "input 3 output 4"}},
		{"a price file", files, []string{"gpt-5-mini"}, 0, []string{
			"main/gpt-5-mini", "input 0.5 output 1", "above 100", "book.json (2026-10-01-", `{"starts_with":"gpt-5"}`,
		}},
		{"a configured server", files, []string{"gpu/anything"}, 0, []string{"free"}},
		{"another configuration file", map[string]string{"other": pricedCaddyfile, "book.json": priceFile}, []string{"-c", "other", "-a", "caddyfile", "main/special"}, 0, []string{"input 7 output 8"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, code, err := runPricesCommand(t, tc.files, tc.args...)
			if code != tc.code || (err != nil) != (tc.code != 0) {
				t.Errorf("status %d, error %v; want status %d", code, err, tc.code)
			}
			for _, s := range tc.says {
				if !strings.Contains(out, s) {
					t.Errorf("it does not say %q:\n%s", s, out)
				}
			}
		})
	}
}

func TestThePricesCommandListsAllPrices(t *testing.T) {
	out, code, err := runPricesCommand(t, nil)
	if lines := strings.Count(out, "\n"); code != 0 || err != nil || lines < 5000 || !strings.Contains(out, "openai/gpt-5 ") {
		t.Errorf("%d lines, status %d, error %v", lines, code, err)
	}
	out, _, _ = runPricesCommand(t, nil, "--provider", "anthropic")
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "anthropic/") {
			t.Errorf("%s is not of the provider", line)
		}
	}
	out, _, _ = runPricesCommand(t, map[string]string{"Caddyfile": pricedCaddyfile, "book.json": priceFile})
	if !strings.Contains(out, "main/gpt-5 ") || strings.Contains(out, "anthropic/") {
		t.Error("the list is not of the configured providers")
	}
}

func TestThePricesCommandWritesJSON(t *testing.T) {
	out, _, err := runPricesCommand(t, nil, "--json", "openai/gpt-5.4", "openai/gpt-4oo")
	if err == nil {
		t.Error("one of the models has no price")
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 2 || !json.Valid([]byte(lines[0])) || !json.Valid([]byte(lines[1])) {
		t.Fatalf("%s", out)
	}
	for path, want := range map[string]string{
		"model": "openai/gpt-5.4", "priced": "true", "why.list": "openai", "why.entry": "gpt-5.4",
		"prices.0.rates": "input 2.5 cache_read 0.25 output 15", "prices.0.above.0.tokens": "272000",
		"prices.0.service_tiers.priority.rates": "input 5 cache_read 0.5 output 30", "prices.0.falls_back.reasoning": "output",
	} {
		if got := gjson.Get(lines[0], path).String(); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	if gjson.Get(lines[1], "priced").Bool() || gjson.Get(lines[1], "nearest.0").String() == "" {
		t.Errorf("%s", lines[1])
	}
}

func TestThePricesCommandExplainsWhatIsWrong(t *testing.T) {
	for _, tc := range []struct {
		files map[string]string
		args  []string
		want  string
	}{
		{nil, []string{"--provider", "opnai"}, `did you mean "openai"`},
		{nil, []string{"--config", "missing", "--adapter", "caddyfile"}, "missing"},
		{map[string]string{"Caddyfile": pricedCaddyfile}, nil, "book.json"},
		{map[string]string{"Caddyfile": pricedCaddyfile, "book.json": "{"}, nil, "book.json"},
	} {
		if _, code, err := runPricesCommand(t, tc.files, tc.args...); code != caddy.ExitCodeFailedStartup || err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: status %d, error %v; want one with %q", tc.args, code, err, tc.want)
		}
	}
}

func TestTheDocumentationSaysWhichKindsHavePrices(t *testing.T) {
	q, err := newPriceQuery(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("docs/prices.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for _, kind := range kindNames() {
		if kind == "scripted" {
			continue // of the tests
		}
		s := kindSource(kind, kind)
		prices := "none"
		switch {
		case s.local:
			prices = "free"
		case slices.ContainsFunc(q.book.Models(s.vendor), func(m string) bool { return q.at(s, m).Priced }):
			prices = "in the book"
		}
		for line := range strings.Lines(string(text)) {
			if kinds, what, ok := strings.Cut(strings.TrimPrefix(line, "| "), " | "); ok && slices.Contains(strings.Fields(kinds), kind) && strings.HasPrefix(what, prices) {
				rows[kind] = append(rows[kind], prices)
			}
		}
		if len(rows[kind]) != 1 {
			t.Errorf("prices of %s: %s, which the documentation says %d times", kind, prices, len(rows[kind]))
		}
	}
}
