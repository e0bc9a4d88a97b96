package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// ledgerSites are two sites whose gateways share a database.
func ledgerSites(path, options string) string {
	const block = "llm_gateway {\nledger sqlite %s {\n%s\n}\nprovider p openai up-key {{up}}\nprice p/* input 2 output 10\nidentify feature {http.request.header.X-LLM-Feature}\n}\n"
	gateway := fmt.Sprintf(block, path, options)
	return "http://127.0.0.1:{{port}} {\n" + gateway + "}\nhttp://127.0.0.1:{{port2}} {\n" + gateway + "}\n"
}

func TestWhatWasSpentIsToldOnceAndSurvivesReloads(t *testing.T) {
	up := gwServe(t, gwJSON(200, gwChatUnary))
	path := filepath.Join(t.TempDir(), "deep", "usage.db")
	c := gwStart(t, ledgerSites(path, ""), "{{up}}", up.url)
	ask := func(feature string, n int) {
		for range n {
			if a := c.post("/v1/chat/completions", `{"model":"p/m","messages":[{"role":"user","content":"hi"}]}`, "X-LLM-Feature", feature); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
	}
	report := func(when string, one, two int64) {
		t.Helper()
		answer := c.adminGet("/llm_gateway/usage?by=feature&since=today")
		cost := gjson.Get(gwChatUnary, "usage.prompt_tokens").Int()*2000 + gjson.Get(gwChatUnary, "usage.completion_tokens").Int()*10_000
		for feature, n := range map[string]int64{"one": one, "two": two} {
			row := gjson.Get(answer, `rows.#(feature=="`+feature+`")`)
			if row.Get("requests").Int() != n || row.Get("cost_nano").Int() != n*cost {
				t.Errorf("%s: %d requests of %s were made at %d each: %s", when, n, feature, cost, row.Raw)
			}
		}
		if total := gjson.Get(answer, "total.requests").Int(); total != one+two {
			t.Errorf("%s: %d requests in all, want %d", when, total, one+two)
		}
	}
	ask("one", 3)
	ask("two", 2)
	report("two gateways of one database", 3, 2)
	c.load(ledgerSites(path, "retention 30d"), "{{up}}", up.url)
	ask("two", 1)
	report("after a reload with another option", 3, 3)
	if m := c.adminGet("/metrics"); !strings.Contains(m, "caddy_llm_gateway_ledger_available 1") || !strings.Contains(m, "caddy_llm_gateway_ledger_queue_length 0") {
		t.Errorf("the metrics do not tell of the ledger: %s", gwAround(m, "ledger"))
	}
	if s := c.adminGet("/llm_gateway/usage/summary"); gjson.Get(s, "today_requests").Int() != 6 {
		t.Errorf("the summary is %s", s)
	}
	if entries := c.adminGet("/llm_gateway/usage/entries"); strings.Count(entries, "\n") != 6 {
		t.Errorf("the entries are %s", entries)
	}
}

func TestAConfigurationWhoseLedgerCannotBeOpenedDoesNotRun(t *testing.T) {
	up := gwServe(t, gwJSON(200, gwChatUnary))
	dir := t.TempDir()
	c := gwStart(t, ledgerSites(filepath.Join(dir, "usage.db"), ""), "{{up}}", up.url)
	foreign := filepath.Join(dir, "letter.txt")
	if err := os.WriteFile(foreign, []byte("this is no database, and has to stay as it is"), 0o600); err != nil {
		t.Fatal(err)
	}
	raw, err := c.adapt(ledgerSites(foreign, ""), "{{up}}", up.url)
	if err != nil {
		t.Fatal(err)
	}
	if err := gwLoad(raw); err == nil || !strings.Contains(err.Error(), "it is not a SQLite database") {
		t.Errorf("loading: %v", err)
	}
	if a := c.post("/v1/chat/completions", `{"model":"p/m","messages":[{"role":"user","content":"hi"}]}`); a.status != 200 {
		t.Errorf("the configuration from before answers %d %s", a.status, a.body)
	}
	if text, _ := os.ReadFile(foreign); !strings.HasPrefix(string(text), "this is no database") {
		t.Errorf("the file is now %q", text)
	}
}
