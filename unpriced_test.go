package llmgateway

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-llm/llmgateway/accounting"
)

func deny(h *Handler) { h.Unpriced = unpricedDeny }

func TestModelsWithoutAPriceMayBeDenied(t *testing.T) {
	for _, tc := range []struct {
		name    string
		path    string
		body    string
		options []option
		status  int
		served  string
		says    []string
	}{
		{name: "with a price", body: ask("a/x"), options: []option{withPrice("a/x", "1", "2"), with(deny)}, status: 200, served: "a"},
		{name: "that is zero", body: ask("a/x"), options: []option{withPrice("a/x", "0", "0"), with(deny)}, status: 200, served: "a"},
		{name: "allowed by default", body: ask("a/x"), status: 200, served: "a"},
		{
			name: "another target has one", body: ask("m"), status: 200, served: "b",
			options: []option{withModel("m", "a/x", "b/y"), withPrice("b/y", "1", "2"), with(deny)},
		},
		{
			name: "in the dialect of OpenAI", body: ask("m"), status: 403,
			options: []option{withModel("m", "a/x", "b/y"), with(deny)},
			says:    []string{`"code":"model_unpriced"`, "a/x, b/y", "price a/x input", `"type":"invalid_request_error"`},
		},
		{
			name: "in the dialect of Anthropic", path: "/v1/messages", status: 403,
			body:    `{"model":"a/x","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}`,
			options: []option{with(deny)}, says: []string{`"type":"error"`, `"message":"the model \"a/x\"`, "price a/x input"},
		},
		{
			name: "in the dialect of Gemini", path: "/v1beta/models/a--x:generateContent", status: 403, body: geminiBody,
			options: []option{with(deny)}, says: []string{`"code":403`, `"status":"PERMISSION_DENIED"`, "price a/x input"},
		},
		{
			name: "of output", body: ask("a/x"), status: 403, says: []string{"no price is known of a/x"},
			options: []option{with(deny), withLine("a/x input 1")},
		},
		{
			name: "of output, where there is none", path: "/v1/embeddings", body: `{"model":"a/x","input":"hi"}`, status: 200, served: "a",
			options: []option{with(deny), withLine("a/x input 1")},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			answers := respond(200, chatAnswer)
			if strings.HasSuffix(tc.path, "embeddings") {
				answers = respond(200, `{"object":"list","data":[],"model":"x","usage":{"prompt_tokens":3,"total_tokens":3}}`)
			}
			g := newGateway(t, append([]option{withProvider("a", answers), withProvider("b", answers)}, tc.options...)...)
			path := tc.path
			if path == "" {
				path = chatPath
			}
			w := g.post(path, tc.body)
			if w.Code != tc.status {
				t.Fatalf("status %d, want %d: %s", w.Code, tc.status, w.Body)
			}
			for _, s := range tc.says {
				if !strings.Contains(w.Body.String(), s) {
					t.Errorf("%s does not say %s", w.Body, s)
				}
			}
			var served []string
			for _, e := range g.entries() {
				served = append(served, e.Provider)
			}
			if got := strings.Join(served, " "); got != tc.served {
				t.Errorf("served by %q, want %q", got, tc.served)
			}
			if tc.status == 403 && w.Header().Get("X-Should-Retry") != "false" {
				t.Error("clients are not told that trying again is of no use")
			}
		})
	}
}

// withLine adds a price line.
func withLine(line string) option {
	return func(g *gateway) {
		o, err := accounting.ParseOverride(strings.Fields(line))
		if err != nil {
			g.t.Fatal(err)
		}
		g.Prices = append(g.Prices, o)
	}
}

func TestUnpricedInTheCaddyfile(t *testing.T) {
	for text, want := range map[string]string{
		"unpriced deny": "deny", "unpriced allow": "allow", "unpriced": "!", "unpriced never": "!", "unpriced deny deny": "!",
		"unpriced deny\nunpriced deny": "!",
	} {
		h := new(Handler)
		err := h.UnmarshalCaddyfile(caddyfile.NewTestDispenser("llm_gateway {\n" + text + "\n}"))
		if (err != nil) != (want == "!") || err == nil && h.Unpriced != want {
			t.Errorf("%s: %q, %v; want %s", text, h.Unpriced, err, want)
		}
	}
}

func TestTheServiceTierThatWasBilledHasItsPrice(t *testing.T) {
	for _, tc := range []struct {
		reported, tier string
		cost           accounting.Money
		priced         bool
	}{
		{"default", "", 10*1000 + 5*2000, true},
		{"auto", "", 10*1000 + 5*2000, true},
		{"flex", "flex", 10*500 + 5*800, true},
		{"priority", "priority", 0, false},
		{"scale", "scale", 10*1000 + 5*2000, true},
	} {
		body := strings.Replace(chatAnswer, `"model":"m-1"`, `"model":"m-1","service_tier":"`+tc.reported+`"`, 1)
		g := newGateway(t, withProvider("up", respond(200, body)), withLine("up/m input 1 output 2 tier flex input 0.5 output 0.8"))
		g.post(chatPath, ask("up/m"))
		e := g.entries()[0]
		if e.Tier != tc.tier || e.Cost != tc.cost || e.Priced != tc.priced {
			t.Errorf("%s: tier %q, cost %s, priced %v; want %q, %s, %v", tc.reported, e.Tier, e.Cost, e.Priced, tc.tier, tc.cost, tc.priced)
		}
	}
}

func TestAModelWithoutAPriceHasThatOfTheModelThatAnswered(t *testing.T) {
	azure := func(c *ProviderConfig) { c.BaseURLs = []string{"https://mine.openai.azure.com/openai/v1"} }
	for _, tc := range []struct {
		name   string
		change func(*ProviderConfig)
		asked  string
		lines  []string
		cost   accounting.Money
		priced bool
	}{
		{"the name has a price", nil, "up/known", []string{"up/known input 1 output 1", "up/m-1 input 7 output 7"}, 15_000, true},
		{"the name has none", nil, "up/alias", []string{"up/m-1 input 7 output 7"}, 105_000, true},
		{"neither has one", nil, "up/alias", nil, 0, false},
		{"a deployment's name has a line", azure, "up/prod", []string{"up/prod input 1 output 1", "up/m-1 input 7 output 7"}, 15_000, true},
		{"a deployment is named after another model", azure, "up/gpt-4o", []string{"up/m-1 input 7 output 7"}, 105_000, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			options := []option{withProviderConfig("up", `{"book":"openai"}`, tc.change, respond(200, chatAnswer))}
			for _, line := range tc.lines {
				options = append(options, withLine(line))
			}
			g := newGateway(t, options...)
			g.post(chatPath, ask(tc.asked))
			if e := g.entries()[0]; e.Cost != tc.cost || e.Priced != tc.priced {
				t.Errorf("cost %s, priced %v; want %s, %v", e.Cost, e.Priced, tc.cost, tc.priced)
			}
		})
	}
}

func TestOnlyAzuresCustomersNameDeployments(t *testing.T) {
	for base, want := range map[string]bool{
		"https://mine.openai.azure.com/openai/v1": true, "https://mine.services.ai.azure.com": true,
		"https://api.openai.com/v1": false, "https://openai.azure.com.evil.example": false,
	} {
		u, err := url.Parse(base)
		if err != nil {
			t.Fatal(err)
		}
		if got := (&provider{upstreams: []*upstream{{baseURL: u}}}).namesDeployments(); got != want {
			t.Errorf("%s: %v, want %v", base, got, want)
		}
	}
}

func TestChangedPricesAreForRequestsThatBeginAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "prices.json")
		write := func(input string) {
			t.Helper()
			text := `{"format": 1, "vendors": [{"id": "mine", "models": [{"id": "x", "prices": [{"input": ` + input + `, "output": 0}]}]}]}`
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("1")
		var g *gateway
		calls := 0
		g = newGateway(t, withProviderConfig("up", `{"book":"mine"}`, nil, func(r *http.Request) (*http.Response, error) {
			if calls++; calls == 1 { // while the first request is under way
				write("22")
				time.Sleep(time.Minute)
				if got := g.currentTable().resolve("up/x").tiers[0][0].price; got == nil {
					t.Error("the new table has no price")
				}
			}
			return respond(200, chatAnswer)(r)
		}), withModel("m", "up/x"), with(func(h *Handler) { h.PriceFiles = []string{path} }))
		policy := g.currentTable().exact["m"].policy
		g.post(chatPath, ask("m"))
		g.post(chatPath, ask("m"))
		g.post(chatPath, ask("up/x"))
		write("-1")
		time.Sleep(time.Minute)
		g.post(chatPath, ask("m"))
		var versions []string
		for i, want := range []accounting.Money{10_000, 220_000, 220_000, 220_000} {
			e := g.entries()[i]
			if e.Cost != want || !e.Priced {
				t.Errorf("request %d costs %s, want %s", i+1, e.Cost, want)
			}
			versions = append(versions, e.PriceVersion)
		}
		if versions[0] == versions[1] || versions[1] != versions[3] {
			t.Errorf("versions %q", versions)
		}
		if g.currentTable().exact["m"].policy != policy {
			t.Error("the policy began anew")
		}
	})
}
