package simulated

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/providers"
	"github.com/caddy-llm/llmgateway/providers/providertest"
)

func provision(tb testing.TB, p *Provider) *Provider {
	tb.Helper()
	if err := p.Provision(caddy.Context{}); err != nil {
		tb.Fatal(err)
	}
	if err := p.Validate(); err != nil {
		tb.Fatal(err)
	}
	return p
}

func subject(tb testing.TB) providertest.Subject {
	p := provision(tb, new(Provider))
	return providertest.Subject{
		Provider: p, BaseURL: p.Defaults().BaseURL, Model: "simulated",
		CredentialHeader: func(providers.Dialect) string { return "" },
	}
}

func TestConformance(t *testing.T)  { providertest.Run(t, subject(t)) }
func BenchmarkPrepare(b *testing.B) { providertest.Bench(b, subject(b)) }

// ask sends a request the way the gateway does and returns the answer and how long it took.
func ask(t *testing.T, p *Provider, d providers.Dialect, stream bool, body string) (string, time.Duration) {
	t.Helper()
	base, err := url.Parse(p.Defaults().BaseURL)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	r, err := p.Prepare(t.Context(), &providers.Call{
		Dialect: d, Model: "anything", Stream: stream, BaseURL: base, Body: providers.NewBody(nil, []byte(body)),
	})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.RoundTripper().RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %s %v", resp.StatusCode, text, err)
	}
	return string(text), time.Since(start)
}

func TestEveryDialectIsAnsweredAndSaysThatItIsSimulated(t *testing.T) {
	for d, tc := range map[providers.Dialect]struct{ body, path string }{
		providers.Chat:      {`{"model":"x","messages":[{"role":"user","content":"hi"}]}`, "choices.0.message.content"},
		providers.Responses: {`{"model":"x","input":"hi"}`, "output.0.content.0.text"},
		providers.Messages:  {`{"model":"x","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}`, "content.0.text"},
		providers.Gemini:    {`{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`, "candidates.0.content.parts.0.text"},
	} {
		t.Run(string(d), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := provision(t, new(Provider))
				text, took := ask(t, p, d, false, tc.body)
				if got := gjson.Get(text, tc.path).String(); !strings.HasPrefix(got, preamble+" ") {
					t.Errorf("said %q", got)
				}
				// 200 to 400 ms to the first token, then at most 47 and the preamble at 60 per second.
				if took < 400*time.Millisecond || took > 1400*time.Millisecond {
					t.Errorf("took %v", took)
				}
				stream := strings.Replace(tc.body, "{", `{"stream":true,`, 1)
				if text, _ := ask(t, p, d, true, stream); !strings.HasPrefix(text, "data: ") && !strings.HasPrefix(text, "event: ") {
					t.Errorf("streamed %q", text)
				}
			})
		})
	}
}

func TestTimingIsConfigurable(t *testing.T) {
	for _, tc := range []struct {
		name, input, err string
		took             time.Duration
	}{
		{name: "at once", input: "simulated {\nlatency 0\ntokens_per_second 1000000000\n}", took: 0},
		{name: "a bad duration", input: "simulated {\nlatency fast\n}", err: "bad latency 'fast'"},
		{name: "a negative duration", input: "simulated {\nlatency -1s\n}", err: "bad latency"},
		{name: "no duration", input: "simulated {\nlatency\n}", err: "wrong argument count"},
		{name: "no speed", input: "simulated {\ntokens_per_second\n}", err: "wrong argument count"},
		{name: "speed zero", input: "simulated {\ntokens_per_second 0\n}", err: "want a number above zero"},
		{name: "speed that is none", input: "simulated {\ntokens_per_second NaN\n}", err: "want a number above zero"},
		{name: "misspelled", input: "simulated {\nlatancy 1s\n}", err: "did you mean 'latency'?"},
		{name: "an argument", input: "simulated x", err: "wrong argument count"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := new(Provider)
			err := p.UnmarshalCaddyfile(caddyfile.NewTestDispenser(tc.input))
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("error %v, want %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			config, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			again := new(Provider)
			if err := json.Unmarshal(config, again); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				_, took := ask(t, provision(t, again), providers.Chat, false, `{"model":"x","messages":[]}`)
				if took.Round(time.Millisecond) != tc.took {
					t.Errorf("took %v, want %v", took, tc.took)
				}
			})
		})
	}
	if err := (&Provider{TokensPerSecond: 1e10}).Validate(); err == nil {
		t.Error("an absurd speed is accepted")
	}
}

func TestACanceledRequestEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := provision(t, new(Provider))
		base, err := url.Parse(p.Defaults().BaseURL)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		r, err := p.Prepare(ctx, &providers.Call{
			Dialect: providers.Chat, BaseURL: base, Body: providers.NewBody(nil, []byte(`{"model":"x","messages":[]}`)),
		})
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := p.RoundTripper().RoundTrip(r); err == nil {
			resp.Body.Close()
			t.Error("there was an answer")
		}
		if d := time.Since(start); d != 100*time.Millisecond {
			t.Errorf("ended after %v", d)
		}
	})
}

func TestItCostsNothing(t *testing.T) {
	d := new(Provider).Defaults()
	if !d.Local || !d.KeyOptional || d.PriceBook != "" || !strings.HasSuffix(d.BaseURL, ".invalid") {
		t.Errorf("defaults %+v", d)
	}
}
