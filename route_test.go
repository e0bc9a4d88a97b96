package llmgateway

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-llm/llmgateway/dialects"
)

// plan describes a route: its tiers of targets, and its metrics label.
func plan(r *route) string {
	if r == nil {
		return "none"
	}
	var tiers []string
	for _, tier := range r.tiers {
		var targets []string
		for _, t := range tier {
			targets = append(targets, t.label)
		}
		tiers = append(tiers, strings.Join(targets, " "))
	}
	return strings.Join(tiers, " | ") + " as " + r.label
}

func withModels(models ...*ModelConfig) option {
	return with(func(h *Handler) { h.Models = append(h.Models, models...) })
}

func model(name string, to ...string) *ModelConfig {
	c := &ModelConfig{Name: name}
	for _, t := range to {
		c.To = append(c.To, TargetConfig{Target: t})
	}
	return c
}

// fallback returns a model with fallbacks.
func fallback(c *ModelConfig, names ...string) *ModelConfig {
	c.Fallbacks = append(c.Fallbacks, names...)
	return c
}

func threeProviders() []option {
	return []option{
		withProvider("a", respond(200, chatAnswer)),
		withProvider("b", respond(200, chatAnswer)),
		withProviderConfig("c", `{}`, func(c *ProviderConfig) { c.Models = []string{"llama-*", "phi"} }, respond(200, chatAnswer)),
	}
}

func TestWhereAModelNameLeads(t *testing.T) {
	configured := append(threeProviders(),
		withPrice("a/gpt-priced", "1", "2"), withPrice("b/gpt-priced", "1", "2"),
		withModels(
			model("fast", "a/gpt-5", "b/qwen"),
			model("fa*", "b/*"),
			model("*-long-suffix", "a/*"),
			model("claude-*", "a/claude-*"),
			model("claude-opus-*", "b/*"),
			model("claude-opus-5", "c"),
			model("first-*", "a/one"),
			model("first*", "a/two"),
			fallback(model("safe", "a/x"), "fast", "b/last"),
			fallback(model("only-fallbacks"), "a", "fast"),
			model("a/renamed", "b/behind"),
			model("mid-*-end", "a/*"),
			model("two-*-of-*", "a/*"),
		))
	for name, want := range map[string]string{
		"fast":                 "a/gpt-5 b/qwen as fast",
		"fab":                  "b/b as fa*",
		"fa":                   "b/ as fa*",
		"my-long-suffix":       "a/my as *-long-suffix",
		"claude-sonnet":        "a/claude-sonnet as claude-*",
		"claude-opus-4":        "b/4 as claude-opus-*",
		"claude-opus-5":        "c/claude-opus-5 as claude-opus-5",
		"first-x":              "a/one as first-*",
		"firstx":               "a/two as first*",
		"safe":                 "a/x | a/gpt-5 b/qwen | b/last as safe",
		"only-fallbacks":       "a/only-fallbacks | a/gpt-5 b/qwen as only-fallbacks",
		"mid-dle-end":          "a/dle as mid-*-end",
		"two-1-of-2":           "a/1 as two-*-of-*",
		"a/renamed":            "b/behind as a/renamed",
		"a/anything":           "a/anything as _other",
		"a/with/slashes":       "a/with/slashes as _other",
		"a/":                   "a/ as _other",
		"a--anything":          "a/anything as _other",
		"a--with--dashes":      "a/with--dashes as _other",
		"c/llama-3":            "c/llama-3 as _other",
		"c/phi":                "c/phi as phi",
		"c/gpt-5":              "none",
		"llama-3":              "c/llama-3 as _other",
		"phi":                  "c/phi as phi",
		"unknown":              "none",
		"d/unknown":            "none",
		"FAST":                 "none",
		"":                     "none",
		"mid--end-and-another": "none",
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, configured...)
			if got := plan(g.currentTable().resolve(name)); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestABareNameGoesToTheProvidersThatThePriceBookKnowsItOf(t *testing.T) {
	g := newGateway(t, append(threeProviders(), withPrice("a/known", "1", "2"), withPrice("b/known", "1", "2"))...)
	r := g.currentTable().resolve("known")
	if got := plan(r); !strings.HasPrefix(got, "a/known b/known as ") {
		t.Error(got)
	}
}

func TestAPriceLineWithAPatternDoesNotSayThatAProviderHasAModel(t *testing.T) {
	for _, pattern := range []string{"a/*", "*/made-*", "made-up"} {
		g := newGateway(t, append(threeProviders(), withPrice(pattern, "1", "2"), withPrice("b/known", "1", "2"))...)
		for name, want := range map[string]string{"made-up": "none", "d/made-up": "none", "known": "b/known as known", "a/made-up": "a/made-up as _other"} {
			if got := plan(g.currentTable().resolve(name)); got != want {
				t.Errorf("with a price of %s, %s leads to %q, want %q", pattern, name, got, want)
			}
		}
	}
}

func TestAPriceLineWithAPatternMakesNoLabelOfWhatClientsAskFor(t *testing.T) {
	g := newGateway(t, withProvider("a", respond(200, chatAnswer)), withPrice("a/*", "1", "2"), withPrice("a/Known", "1", "2"))
	for name, want := range map[string]string{
		"made-up": "a/made-up as _other", "a/made-up": "a/made-up as _other", "a/known": "a/known as Known", "KNOWN": "a/KNOWN as Known",
	} {
		if got := plan(g.currentTable().resolve(name)); got != want {
			t.Errorf("%s leads to %q, want %q", name, got, want)
		}
	}
	for _, s := range targetStates(time.Now(), false) {
		if s.public && s.Model == "made-up" {
			t.Error("a name that a client made up is shown in metrics")
		}
	}
}

func TestThePatternItselfIsNoTarget(t *testing.T) {
	g := newGateway(t, append(threeProviders(), withModels(fallback(model("only-here-*", "a/*"), "b"), model("*", "c")))...)
	for _, s := range targetStates(time.Now(), false) {
		if strings.Contains(s.Model, "*") {
			t.Errorf("%s/%s is among the targets", s.Upstream, s.Model)
		}
	}
	if got := plan(g.currentTable().resolve("only-here-1")); got != "a/1 | b/only-here-1 as only-here-*" {
		t.Error(got)
	}
}

func TestTheOnlyProviderGetsEveryName(t *testing.T) {
	g := newGateway(t, withProvider("a", respond(200, chatAnswer)))
	if got := plan(g.currentTable().resolve("whatever")); got != "a/whatever as _other" {
		t.Error(got)
	}
	limited := newGateway(t, withProviderConfig("a", `{}`, func(c *ProviderConfig) { c.Models = []string{"x*"} }, respond(200, chatAnswer)))
	if got := plan(limited.currentTable().resolve("whatever")); got != "none" {
		t.Error(got)
	}
}

func TestModelsOnlyServesNothingElse(t *testing.T) {
	g := newGateway(t, append(threeProviders(), withModels(model("fast", "a/x"), model("p-*", "b/*")), with(func(h *Handler) { h.ModelsOnly = true }))...)
	for name, want := range map[string]string{"fast": "a/x as fast", "p-1": "b/1 as p-*", "a/x": "none", "a--x": "none", "phi": "none"} {
		if got := plan(g.currentTable().resolve(name)); got != want {
			t.Errorf("%s leads to %q, want %q", name, got, want)
		}
	}
}

func TestTargetsAboveThePriceLimitAreNotUsed(t *testing.T) {
	priced := func(limit string) *gateway {
		m := fallback(model("m", "a/cheap", "a/dear", "a/unpriced"), "b/dear", "other")
		m.PriceLimit = limit
		return newGateway(t, append(threeProviders(), withPrice("a/cheap", "1", "2"), withPrice("*/dear", "1", "20"),
			withModels(m, model("other", "b/cheap2", "b/dear")), withPrice("b/cheap2", "1", "2"))...)
	}
	for limit, want := range map[string]string{
		"5":    "a/cheap | b/cheap2 as m",
		"$20":  "a/cheap a/dear | b/dear | b/cheap2 b/dear as m",
		"2":    "a/cheap | b/cheap2 as m",
		"1.99": " as m",
	} {
		if got := plan(priced(limit).currentTable().resolve("m")); got != want {
			t.Errorf("limit %s: %q, want %q", limit, got, want)
		}
	}
	if w := priced("1.99").post(chatPath, ask("m")); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "price limit") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestAPriceLimitHoldsAtAnyTimeAndLength(t *testing.T) {
	const prices = `{"format":1,"vendors":[{"id":"mine","models":[
		{"id":"nightly","prices":[{"input":1,"output":2},{"daily":"08:00-20:00","input":1,"output":20}]},
		{"id":"long","prices":[{"input":1,"output":4,"tiers":[{"above":1000,"input":1,"output":20}]}]}]}]}`
	path := filepath.Join(t.TempDir(), "prices.json")
	if err := os.WriteFile(path, []byte(prices), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) { // whose clock starts at midnight
		m := fallback(model("m", "a/nightly"), "a/long")
		m.PriceLimit = "5"
		g := newGateway(t, withProviderConfig("a", `{"book":"mine"}`, nil, respond(200, chatAnswer)), withModels(m),
			with(func(h *Handler) { h.PriceFiles = []string{path} }))
		long := strings.Replace(ask("m"), "hi", strings.Repeat("a word ", 2000), 1)
		for _, step := range []struct {
			after time.Duration
			body  string
			want  string
		}{
			{0, ask("m"), "a/nightly"},
			{12 * time.Hour, ask("m"), "a/long"},
			{0, long, ""},
			{12 * time.Hour, long, "a/nightly"},
		} {
			time.Sleep(step.after)
			w := g.post(chatPath, step.body)
			if got := w.Header().Get("X-Llm-Gateway-Target"); got != step.want || (w.Code == http.StatusNotFound) != (got == "") {
				t.Errorf("%s: %d from %q, want %q", time.Now().UTC(), w.Code, got, step.want)
			}
		}
	})
}

func TestMistakesInModelsAreFoundAtLoading(t *testing.T) {
	limited := model("m", "a/x")
	limited.PriceLimit = "cheap"
	weighted := model("m")
	weighted.To = []TargetConfig{{Target: "a/x", Weight: -1}}
	for name, tc := range map[string]struct {
		models []*ModelConfig
		want   string
	}{
		"no name":               {[]*ModelConfig{model("", "a/x")}, "has no name"},
		"no target":             {[]*ModelConfig{model("m")}, "has no targets"},
		"a misspelled provider": {[]*ModelConfig{model("m", "provder/x")}, `there is no provider "provder"`},
		"an unknown fallback":   {[]*ModelConfig{fallback(model("fast", "a/x"), "fats")}, `did you mean "fast"?`},
		"a name given twice":    {[]*ModelConfig{model("m", "a/x"), model("m", "a/y")}, "declared twice"},
		"a circle of two":       {[]*ModelConfig{fallback(model("m", "a/x"), "n"), fallback(model("n", "a/x"), "m")}, "circle: m → n → m"},
		"a circle of one":       {[]*ModelConfig{fallback(model("m", "a/x"), "m")}, "circle: m → m"},
		"a circle of patterns":  {[]*ModelConfig{fallback(model("m-*", "a/x"), "n-*"), fallback(model("n-*", "a/x"), "m-*")}, "circle"},
		"a limit without sense": {[]*ModelConfig{limited}, "price_limit"},
		"a negative weight":     {[]*ModelConfig{weighted}, "negative"},
	} {
		t.Run(name, func(t *testing.T) {
			h := &Handler{Models: tc.models, MetricsOff: true, Providers: []*ProviderConfig{{Name: "a", ProviderRaw: []byte(`{"kind":"scripted"}`)}}}
			if err := provision(t, h); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want something about %q", err, tc.want)
			}
		})
	}
}

func TestAChainOfFallbacksThatMeetsAgainIsNoCircle(t *testing.T) {
	g := newGateway(t, append(threeProviders(), withModels(
		fallback(model("m", "a/1"), "n", "o"), fallback(model("n", "a/2"), "o"), model("o", "b/3")))...)
	if got := plan(g.currentTable().resolve("m")); got != "a/1 | a/2 | b/3 | b/3 as m" {
		t.Error(got)
	}
}

func TestClientsCannotFillTheMemoryWithModelNames(t *testing.T) {
	g := newGateway(t, withProvider("a", respond(200, chatAnswer)))
	table := g.currentTable()
	for i := range 2*maxCachedRoutes + 10 {
		if r := table.resolve(fmt.Sprint("name-", i)); r == nil || r.label != otherModel {
			t.Fatalf("name %d leads to %s", i, plan(r))
		}
	}
	cached := 0
	table.cache.Range(func(any, any) bool { cached++; return true })
	if cached > maxCachedRoutes {
		t.Errorf("%d routes are kept", cached)
	}
	if n := len(table.providers[0].slots); n > maxModelStates {
		t.Errorf("%d lists of slots are kept", n)
	}
	if n := len(targetStates(time.Now(), false)); n > maxModelStates+1 {
		t.Errorf("%d states are kept", n)
	}
}

func TestANameThatIsTooLongIsRefusedEverywhere(t *testing.T) {
	g := newGateway(t, withProvider("a", respond(200, chatAnswer)))
	long := strings.Repeat("x", maxModelName+1)
	for _, r := range []*http.Request{
		newRequest(http.MethodPost, chatPath, strings.NewReader(ask(long))),
		newRequest(http.MethodPost, "/v1beta/models/"+long+":generateContent", strings.NewReader(geminiBody)),
		newRequest(http.MethodGet, "/v1/models/"+long, nil),
		newRequest(http.MethodGet, "/v1/models/bell%07", nil),
		newRequest(http.MethodPost, "/v1beta/models/bell%07:generateContent", strings.NewReader(geminiBody)),
		newRequest(http.MethodPost, "/v1beta/models/%FF:generateContent", strings.NewReader(geminiBody)),
		newRequest(http.MethodGet, "/v1/models/%FF", nil),
	} {
		if w := g.do(r); w.Code < 400 || w.Code > 404 {
			t.Errorf("%s %.60s: %d", r.Method, r.URL, w.Code)
		}
	}
	cached := 0
	g.currentTable().cache.Range(func(any, any) bool { cached++; return true })
	if cached != 0 || g.up["a"].count() != 0 {
		t.Errorf("%d such routes are kept, %d calls were made", cached, g.up["a"].count())
	}
}

func TestAnUnknownNameIsAnsweredWithTheNearest(t *testing.T) {
	g := newGateway(t, append(threeProviders(), withModels(model("gpt-fast", "a/x"), model("claude-smart", "b/x")))...)
	err := g.currentTable().unknown("gpt-fats")
	var re *dialects.RequestError
	if !errors.As(err, &re) || re.Status != http.StatusNotFound || re.Code != "model_not_found" || !strings.Contains(re.Message, "gpt-fast") || strings.Contains(re.Message, "claude") {
		t.Errorf("%+v", err)
	}
}

func TestMatchingPatterns(t *testing.T) {
	for _, tc := range []struct {
		pattern, name, captured string
		ok                      bool
	}{
		{"*", "", "", true},
		{"*", "x", "x", true},
		{"a*", "abc", "bc", true},
		{"*c", "abc", "ab", true},
		{"a*c", "abc", "b", true},
		{"a*c", "ac", "", true},
		{"a*c", "a", "", false},
		{"aa*aa", "aaa", "", false},
		{"a", "a", "", true},
		{"a", "b", "", false},
		{"a*b*c", "a1b2c", "1", true},
		{"a*b*c", "a1b2", "", false},
		{"**", "x", "", true},
		{"", "", "", true},
		{"", "x", "", false},
	} {
		if got, ok := matchPattern(tc.pattern, tc.name); ok != tc.ok || ok && got != tc.captured {
			t.Errorf("%q of %q: %q, %v", tc.pattern, tc.name, got, ok)
		}
	}
}
