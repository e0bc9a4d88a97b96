package accounting_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/dialects"
	_ "github.com/caddy-llm/llmgateway/dialects/chatcompletions"
	_ "github.com/caddy-llm/llmgateway/dialects/cohere"
	_ "github.com/caddy-llm/llmgateway/dialects/converse"
	_ "github.com/caddy-llm/llmgateway/dialects/gemini"
	_ "github.com/caddy-llm/llmgateway/dialects/messages"
	_ "github.com/caddy-llm/llmgateway/dialects/ollama"
	_ "github.com/caddy-llm/llmgateway/dialects/responses"
	"github.com/caddy-llm/llmgateway/internal/sse"
	"github.com/caddy-llm/llmgateway/providers"
)

// recording is a recorded exchange with a provider.
type recording struct {
	ID, Provider, Endpoint, Model string
	Streaming                     bool
	Request                       *struct {
		URL, Path string
		Body      json.RawMessage
	}
	Response struct {
		Status         int
		Encoding, Body string
	}
}

// recordedDialects are the dialects of the endpoints that the gateway calls.
var recordedDialects = map[string]providers.Dialect{
	"openai.chat": providers.Chat, "openai.completions": providers.Chat, "openai.embeddings": providers.Chat,
	"voyage.embeddings": providers.Chat, "mistral.chat": providers.Chat, "mistral.embeddings": providers.Chat,
	"openai.responses": providers.Responses, "openai.responses_compact": providers.Responses,
	"anthropic.messages": providers.Messages, "gemini.generate": providers.Gemini, "bedrock.converse": providers.Converse,
	"cohere.chat": providers.Cohere, "ollama.chat": providers.Ollama,
}

// localServers cost nothing.
var localServers = []string{"lmstudio", "vllm"}

var modelInPath = regexp.MustCompile(`/(?:deployments|models?)/([^/]+?)(?::[a-zA-Z]+)?(?:/|$)`)

// asked returns the name of the model that the provider was asked for: its own, or that of a deployment.
func (r *recording) asked() string {
	if r.Request == nil {
		return ""
	}
	var body struct{ Model string }
	if json.Unmarshal(r.Request.Body, &body) == nil && body.Model != "" {
		return body.Model
	}
	path, err := url.PathUnescape(r.Request.Path)
	if err != nil {
		return ""
	}
	if m := modelInPath.FindStringSubmatch(path); m != nil {
		return m[1]
	}
	return ""
}

// observe reads the answer the way the gateway does.
func (r *recording) observe(t *testing.T) (dialects.Observation, bool) {
	t.Helper()
	d, ok := recordedDialects[r.Endpoint]
	if !ok || r.Response.Status != 200 {
		return dialects.Observation{}, false
	}
	body := []byte(r.Response.Body)
	if r.Response.Encoding == "base64" {
		var err error
		if body, err = base64.StdEncoding.DecodeString(r.Response.Body); err != nil {
			t.Fatal(err)
		}
	}
	codec := dialects.Lookup(d)
	m := codec.NewMeter()
	defer m.Release()
	if !r.Streaming {
		m.Body(body)
		return *m.Observation(), m.Observation().UsageKnown
	}
	var frames dialects.FrameReader = sse.NewReader(bytes.NewReader(body), 8<<20)
	if f, ok := codec.(dialects.Framer); ok {
		frames = f.NewFrameReader(bytes.NewReader(body), 8<<20)
	}
	defer frames.Release()
	for {
		ev, err := frames.Next()
		if err != nil {
			break
		}
		m.Event(ev)
	}
	return *m.Observation(), m.Observation().UsageKnown
}

func recordings(t *testing.T) []recording {
	t.Helper()
	root := os.Getenv("LLMGATEWAY_RECORDED")
	if root == "" || os.Getenv("LLMGATEWAY_PRICES") == "" {
		t.Skip("set LLMGATEWAY_RECORDED to a folder of recorded traffic and LLMGATEWAY_PRICES to that of the raw price tables")
	}
	files, err := filepath.Glob(filepath.Join(root, "*", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	all := make([]recording, len(files))
	for i, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &all[i]); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	return all
}

// wanted is the most specific name there is for what was used: the model asked for or, where a deployment may have any
// name or nothing is known of the question, the one that answered.
func (r *recording) wanted(o *dialects.Observation) []string {
	names := []string{r.asked(), o.Model, r.Model}
	if r.Provider == "azure" {
		names = []string{o.Model, r.asked(), r.Model}
	}
	return slices.DeleteFunc(names, func(s string) bool { return s == "" })
}

// TestTheCostOfEveryRecordedExchangeAgreesWithTheTables computes what every recorded exchange cost by the book, in
// rationals from the table that the price came from, and, where another table has the same prices for it, from that.
func TestTheCostOfEveryRecordedExchangeAgreesWithTheTables(t *testing.T) {
	all := recordings(t)
	book, err := accounting.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	tables := rawTables(t)
	at := time.Date(2026, 8, 21, 12, 0, 0, 0, time.UTC)
	var withUsage, local, priced, second, different int
	unpriced, disagree := map[string]int{}, map[string]int{}
	for i := range all {
		r := &all[i]
		o, ok := r.observe(t)
		if !ok {
			continue
		}
		withUsage++
		if slices.Contains(localServers, r.Provider) || r.Provider == "ollama" && !strings.Contains(r.Request.URL, "ollama.com") {
			local++
			continue
		}
		x, p := priceOf(book, r, &o, at)
		u := accounting.Usage(o.Usage)
		if p == nil || !p.Covers(u) {
			unpriced[r.Provider+"/"+strings.Join(r.wanted(&o), "|")+" "+o.Tier]++
			continue
		}
		priced++
		got := int64(p.Cost(u))
		tier := accounting.ServiceTier(o.Tier)
		own, name := x.origin(tables, tier, &u, at)
		if own == nil {
			t.Errorf("%s: no table has %s/%s, which the book has", r.ID, x.List, x.Entry)
			continue
		}
		if want := own.cost(&u); want != got {
			t.Errorf("%s: %s/%s costs %d nano-dollars, by %s %d (%+v)", r.ID, x.List, x.Entry, got, name, want, u)
		}
		compared := false
		for _, tab := range tables {
			rates, ok := tab.rates(x, r.wanted(&o), tier, at)
			if !ok || tab.name == name {
				continue
			}
			if !samePrices(p, rates, &u) {
				different++
				disagree[tab.name+": "+x.List+"/"+x.Entry]++
				continue
			}
			compared = true
			if want := rates.cost(&u); want != got {
				t.Errorf("%s: %s/%s costs %d nano-dollars, by %s, with the same prices, %d (%+v)", r.ID, x.List, x.Entry, got, tab.name, want, u)
			}
		}
		if compared {
			second++
		}
	}
	t.Logf("%d exchanges, %d with usage: %d local and free, %d priced, %d without a price", len(all), withUsage, local, priced, withUsage-local-priced)
	t.Logf("all %d agree with the table of origin, %d also with a second table that has the same prices; %d times another table has other prices", priced, second, different)
	for name, n := range unpriced {
		t.Logf("no price: %dx %s", n, name)
	}
	for name, n := range disagree {
		t.Logf("other prices: %dx %s", n, name)
	}
	if priced*100 < (withUsage-local)*90 {
		t.Errorf("only %d of %d exchanges have a price", priced, withUsage-local)
	}
}

// found is an explanation as a lookup into the raw tables.
type found struct{ accounting.Explanation }

// priceOf returns the price of the first name that has one.
func priceOf(book *accounting.Book, r *recording, o *dialects.Observation, at time.Time) (found, *accounting.Price) {
	for _, name := range r.wanted(o) {
		x := book.Explain("", strings.TrimSuffix(r.Provider, "-mantle"), name)
		if x.Model == nil {
			continue
		}
		if p, ok := x.Model.Price(at); ok {
			p, _ = p.For(o.Tier)
			return found{x}, p
		}
	}
	return found{}, nil
}

// samePrices reports whether everything that was used has the same price in the book and in a table.
func samePrices(p *accounting.Price, rates *rawRates, u *accounting.Usage) bool {
	at := &p.Rates
	for i, tier := range p.Tiers() {
		if u.TotalInput() > tier.Above {
			at = &p.Tiers()[i].Rates
		}
	}
	for _, c := range accounting.AllClasses() {
		n := u.Count(c)
		if c == accounting.ClassRequest && u.Classes() != 0 {
			n = 1
		}
		nano, _ := at.Get(c)
		if n > 0 && nano != rates.nano(rates.rate(c, u.TotalInput())).Int64() {
			return false
		}
	}
	return true
}
