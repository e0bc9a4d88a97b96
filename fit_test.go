package llmgateway

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
)

// twoModels is a gateway in front of an old model that sees nothing and reads little, and a newer one.
func twoModels(t *testing.T, old answer, more ...option) *gateway {
	t.Helper()
	const kind = `{"book":"openai"}`
	g := newGateway(t, append([]option{
		withProviderConfig("old", kind, nil, old), withProviderConfig("new", kind, nil, respond(200, chatAnswer)),
		withModel("m", "old/gpt-3.5-turbo", "new/gpt-4o"),
	}, more...)...)
	r := g.currentTable().resolve("m")
	small, large := r.tiers[0][0].price, r.tiers[0][1].price
	if small == nil || large == nil || small.ContextWindow <= 0 || large.ContextWindow < 2*small.ContextWindow || small.Can.Has(accounting.Vision) || !small.CanKnown || !large.Can.Has(accounting.Vision) {
		t.Fatalf("the price book says something else about these models: %+v %+v", small, large)
	}
	return g
}

func TestATargetThatCannotTakeTheRequestIsNotAsked(t *testing.T) {
	const parts = `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"what is this?"},%s]}]}`
	for name, c := range map[string]struct{ body, want string }{
		"a short request":                 {ask("m"), "old"},
		"an image":                        {fmt.Sprintf(parts, `{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}`), "new"},
		"a text about images":             {`{"model":"m","messages":[{"role":"user","content":"what does \"image_url\" mean?"}]}`, "old"},
		"more than fits into its context": {`{"model":"m","messages":[{"role":"user","content":"` + strings.Repeat("word ", 60_000) + `"}]}`, "new"},
	} {
		g := twoModels(t, respond(200, chatAnswer))
		if w := g.post(chatPath, c.body); w.Code != 200 || g.outcome(200) != "200 "+c.want+":ok" {
			t.Errorf("%s: %s, want %s: %s", name, g.outcome(w.Code), c.want, w.Body)
		}
	}
}

func TestATargetThatDoesNotFitIsBetterThanNone(t *testing.T) {
	g := newGateway(t, withProviderConfig("old", `{"book":"openai"}`, nil, respond(200, chatAnswer)))
	w := g.post(chatPath, `{"model":"old/gpt-3.5-turbo","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}]}`)
	if got := g.outcome(w.Code); got != "200 old:ok" {
		t.Error(got)
	}
}

func TestACachedPrefixMakesATargetCheaper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(modelState)
		now := time.Now()
		m.remember(1, 1000, now)
		for _, c := range []struct {
			session uint64
			after   time.Duration
			want    int64
		}{{1, time.Minute, 1000}, {1, prefixLife, 0}, {2, 0, 0}, {0, 0, 0}} {
			if got := m.cached(c.session, now.Add(c.after)); got != c.want {
				t.Errorf("session %d after %s: %d, want %d", c.session, c.after, got, c.want)
			}
		}
		for i := range uint64(2 * maxPrefixes) {
			m.remember(i+10, 1, now)
		}
		if n := len(m.prefixes); n > maxPrefixes {
			t.Errorf("%d sessions are remembered", n)
		}
	})
}
