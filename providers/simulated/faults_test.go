package simulated

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	_ "github.com/caddy-llm/llmgateway/dialects/chatcompletions"
	_ "github.com/caddy-llm/llmgateway/dialects/gemini"
	_ "github.com/caddy-llm/llmgateway/dialects/messages"
	_ "github.com/caddy-llm/llmgateway/dialects/responses"
	"github.com/caddy-llm/llmgateway/internal/sse"
	"github.com/caddy-llm/llmgateway/providers"
)

// faulty is a provider with these options, by way of the Caddyfile and JSON. It answers at once unless they say
// otherwise.
func faulty(tb testing.TB, options string) *Provider {
	tb.Helper()
	if !strings.Contains(options, "latency") {
		options = "latency 0\n" + options
	}
	if !strings.Contains(options, "tokens_per_second") {
		options += "\ntokens_per_second 1000000000"
	}
	var parsed, p Provider
	if err := parsed.UnmarshalCaddyfile(caddyfile.NewTestDispenser("simulated {\n" + options + "\n}")); err != nil {
		tb.Fatal(err)
	}
	config, err := json.Marshal(&parsed)
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(config, &p); err != nil {
		tb.Fatal(err)
	}
	return provision(tb, &p)
}

// prompts are a request in each dialect.
var prompts = map[providers.Dialect]string{
	providers.Chat:      `"model":"x","messages":[{"role":"user","content":"hi"}]}`,
	providers.Responses: `"model":"x","input":"hi"}`,
	providers.Messages:  `"model":"x","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}`,
	providers.Gemini:    `"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`,
}

// outcome is what came of a request.
type outcome struct {
	status int
	header http.Header
	body   string
	events int   // pieces of content in a stream
	err    error // of the round trip, or of reading the body
	began  bool  // there was a response
	took   time.Duration
	fault  providers.Fault // as the gateway sees it
}

// try sends a request the way the gateway does.
func try(ctx context.Context, t *testing.T, p *Provider, d providers.Dialect, stream bool) (o outcome) {
	t.Helper()
	base, err := url.Parse(p.Defaults().BaseURL)
	if err != nil {
		t.Fatal(err)
	}
	head := "{"
	if stream && d != providers.Gemini {
		head = `{"stream":true,`
	}
	r, err := p.Prepare(ctx, &providers.Call{
		Dialect: d, Model: "x", Stream: stream, BaseURL: base, Body: providers.NewBody(nil, []byte(head+prompts[d])),
	})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	defer func() { o.took = time.Since(start) }()
	resp, err := p.RoundTripper().RoundTrip(r)
	if err != nil {
		return outcome{err: err, fault: providers.TransportFault(err, false)}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	o = outcome{status: resp.StatusCode, header: resp.Header, body: string(text), err: err, began: true}
	if o.status != http.StatusOK {
		o.fault = providers.Classify(d, o.status, o.header, text)
	} else if stream {
		o.readStream(t, d)
	}
	return o
}

// readStream counts the content of a stream, and reads the error that it ends in.
func (o *outcome) readStream(t *testing.T, d providers.Dialect) {
	t.Helper()
	m := dialects.Lookup(d).NewMeter()
	defer m.Release()
	rd := sse.NewReader(strings.NewReader(o.body), 1<<20)
	defer rd.Release()
	for {
		ev, err := rd.Next()
		if err != nil {
			return
		}
		sig := m.Event(ev)
		if sig&dialects.SignalError != 0 {
			o.fault = providers.Classify(d, 0, nil, ev.Data)
			return
		}
		if sig&dialects.SignalContent != 0 {
			o.events++
		}
	}
}

// forAll runs a test in each dialect, streaming and not, in virtual time.
func forAll(t *testing.T, run func(t *testing.T, d providers.Dialect, stream bool)) {
	t.Helper()
	for d := range prompts {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s stream=%v", d, stream), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { run(t, d, stream) })
			})
		}
	}
}

func TestEveryClassIsTakenForWhatItIs(t *testing.T) {
	for _, class := range classes {
		t.Run(class, func(t *testing.T) {
			forAll(t, func(t *testing.T, d providers.Dialect, stream bool) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				o := try(ctx, t, faulty(t, "fail "+class), d, stream)
				switch providers.Class(class) {
				case providers.ClassTimeout:
					if o.began || !errors.Is(o.err, context.DeadlineExceeded) || o.took != time.Minute {
						t.Errorf("%+v", o)
					}
					return
				case providers.ClassConnect, providers.ClassTLS:
					if o.began || o.took != 0 {
						t.Errorf("%+v", o)
					}
				default:
					if !o.began || o.err != nil || o.took != 0 || o.header.Get("Content-Type") != "application/json" || !gjson.Valid(o.body) ||
						!strings.HasSuffix(o.fault.Message, "(simulated)") {
						t.Errorf("%+v", o)
					}
				}
				if o.fault.Class != providers.Class(class) || o.fault.RetryAfter != 0 {
					t.Errorf("taken for %q, to be asked again after %v: %s", o.fault.Class, o.fault.RetryAfter, o.body)
				}
			})
		})
	}
}

func TestVendorsSayFaultsWithStatusesOfTheirOwn(t *testing.T) {
	for class, want := range map[string]map[providers.Dialect]int{
		"overloaded": {providers.Chat: 503, providers.Responses: 503, providers.Messages: 529, providers.Gemini: 503},
		"auth":       {providers.Chat: 401, providers.Responses: 401, providers.Messages: 401, providers.Gemini: 400},
		"billing":    {providers.Chat: 429, providers.Responses: 429, providers.Messages: 400, providers.Gemini: 429},
	} {
		for d, status := range want {
			if o := try(t.Context(), t, faulty(t, "fail "+class), d, false); o.status != status {
				t.Errorf("%s in %s: %d", class, d, o.status)
			}
		}
	}
}

func TestProvidersSayWhenToComeBack(t *testing.T) {
	for _, class := range busy {
		t.Run(class, func(t *testing.T) {
			forAll(t, func(t *testing.T, d providers.Dialect, stream bool) {
				o := try(t.Context(), t, faulty(t, "fail "+class+" retry_after 2s"), d, stream)
				if o.fault.Class != providers.Class(class) || o.fault.RetryAfter != 2*time.Second {
					t.Errorf("%+v", o)
				}
				if header := o.header.Get("Retry-After"); (header == "2") == (d == providers.Gemini) {
					t.Errorf("Retry-After %q", header)
				}
			})
		})
	}
}

func TestAStreamCanFailInTheMiddle(t *testing.T) {
	for _, class := range busy {
		t.Run(class, func(t *testing.T) {
			forAll(t, func(t *testing.T, d providers.Dialect, stream bool) {
				o := try(t.Context(), t, faulty(t, "fail "+class+" after 6"), d, stream)
				if o.fault.Class != providers.Class(class) || stream && (o.status != 200 || o.events != 6) || !stream && o.status == 200 {
					t.Errorf("%+v", o)
				}
			})
		})
	}
}

func TestAnAnswerCanBreakOff(t *testing.T) {
	for options, content := range map[string]int{"cut": 0, "cut after 1": 1, "cut after 10": 10} {
		t.Run(options, func(t *testing.T) {
			forAll(t, func(t *testing.T, d providers.Dialect, stream bool) {
				o := try(t.Context(), t, faulty(t, options+"\nlatency 1s\njitter 0%"), d, stream)
				if !errors.Is(o.err, io.ErrUnexpectedEOF) || o.status != 200 || stream && o.events != content || o.took.Round(time.Millisecond) != time.Second {
					t.Errorf("%+v", o)
				}
				if !stream && (gjson.Valid(o.body) || o.body == "") {
					t.Errorf("the body %s", o.body)
				}
			})
		})
	}
}

func TestAStreamBreaksOffBeforeItsEndAtTheLatest(t *testing.T) {
	for d := range prompts {
		whole := try(t.Context(), t, faulty(t, ""), d, true)
		o := try(t.Context(), t, faulty(t, "cut after 1000"), d, true)
		if !strings.HasPrefix(whole.body, o.body) || o.events < 10 || o.events >= whole.events || !errors.Is(o.err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %d of %d, %v", d, o.events, whole.events, o.err)
		}
		before := try(t.Context(), t, faulty(t, fmt.Sprintf("cut after %d", o.events-1)), d, true)
		if len(before.body) >= len(o.body) {
			t.Errorf("%s: more than the last piece is missing: %s", d, o.body)
		}
	}
}

func TestAnAnswerCanFallSilent(t *testing.T) {
	forAll(t, func(t *testing.T, d providers.Dialect, stream bool) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		o := try(ctx, t, faulty(t, "stall after 5"), d, stream)
		if o.took != time.Minute || !errors.Is(o.err, context.DeadlineExceeded) || !o.began || stream && o.events != 5 {
			t.Errorf("%+v", o)
		}
	})
}

func TestAnAnswerGoesOnAfterItsSilenceAtThePaceItHad(t *testing.T) {
	forAll(t, func(t *testing.T, d providers.Dialect, stream bool) {
		const pace = "\ntokens_per_second 10"
		whole := try(t.Context(), t, faulty(t, pace), d, stream)
		o := try(t.Context(), t, faulty(t, "stall after 5 for 30s"+pace), d, stream)
		if o.body != whole.body || o.err != nil || o.took.Round(time.Millisecond) != (whole.took+30*time.Second).Round(time.Millisecond) {
			t.Errorf("%v after %v, without silence %v: %s", o.err, o.took, whole.took, o.body)
		}
	})
}

func TestSomeRequestsAreSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := faulty(t, "latency 100ms\njitter 0%\nslow 10% 20s\nseed 7")
		late := 0
		for range 500 {
			switch o := try(t.Context(), t, p, providers.Chat, false); o.took.Round(time.Millisecond) {
			case 20 * time.Second:
				late++
			case 100 * time.Millisecond:
			default:
				t.Fatalf("took %v", o.took)
			}
		}
		if late < 35 || late > 65 {
			t.Errorf("%d of 500 were slow", late)
		}
	})
}

// history is what happened to n requests one after the other.
func history(t *testing.T, options string, n int) []string {
	t.Helper()
	p := faulty(t, options)
	var all []string
	for range n {
		switch o := try(t.Context(), t, p, providers.Chat, true); {
		case o.fault.Class != "":
			all = append(all, string(o.fault.Class))
		case o.err != nil:
			all = append(all, fmt.Sprintf("cut after %d", o.events))
		default:
			all = append(all, "ok")
		}
	}
	return all
}

func TestFaultsHappenAsOftenAsTheirSharesSay(t *testing.T) {
	const n = 4000
	got := map[string]int{}
	for _, what := range history(t, "fail 10% overloaded\nfail 2.5% rate_limit\nfail 5% connect\ncut 4% after 3\ncut 1%\nfail 0% auth\nseed 1", n) {
		got[what]++
	}
	want := map[string]float64{"overloaded": 0.1, "rate_limit": 0.025, "connect": 0.05, "cut after 3": 0.04, "cut after 0": 0.01, "ok": 0.775}
	for what, share := range want {
		// Three standard deviations of a binomial distribution.
		if d := math.Abs(float64(got[what]) - n*share); d > 3*math.Sqrt(n*share*(1-share)) {
			t.Errorf("%s: %d of %d, want %v", what, got[what], n, n*share)
		}
	}
	if len(got) != len(want) {
		t.Errorf("there was %v", got)
	}
}

func TestTheSameSeedGivesTheSameFaultsInTheSameOrder(t *testing.T) {
	const options = "fail 20% overloaded\nfail 20% connect\ncut 20% after 2\nseed "
	first := history(t, options+"42", 100)
	if again := history(t, options+"42", 100); !slices.Equal(first, again) {
		t.Errorf("%v, then %v", first, again)
	}
	if other := history(t, options+"43", 100); slices.Equal(first, other) {
		t.Error("another seed gives the same faults")
	}
	const unseeded = "fail 50% overloaded"
	if slices.Equal(history(t, unseeded, 100), history(t, unseeded, 100)) {
		t.Error("without a seed the faults are the same each time")
	}
}

func TestAnOutageKeepsToItsSchedule(t *testing.T) {
	for name, tc := range map[string]struct {
		options, class string
		up, down       []time.Duration // since the start
	}{
		"every ten minutes for one": {
			options: "down every 10m for 1m", class: "connect",
			up:   []time.Duration{0, 30 * time.Second, 10*time.Minute - 1, 11 * time.Minute, 19 * time.Minute, 21 * time.Minute},
			down: []time.Duration{10 * time.Minute, 11*time.Minute - 1, 20 * time.Minute, 20*time.Minute + 30*time.Second, 100 * time.Hour},
		},
		"of a class":             {options: "down overloaded every 1m for 5s", class: "overloaded", up: []time.Duration{59 * time.Second}, down: []time.Duration{62 * time.Second}},
		"for ever":               {options: "down", class: "connect", down: []time.Duration{0, time.Hour}},
		"for ever, with a class": {options: "down tls", class: "tls", down: []time.Duration{0, time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			forAll(t, func(t *testing.T, d providers.Dialect, stream bool) {
				start, p := time.Now(), faulty(t, tc.options)
				at := func(since time.Duration, want string) {
					t.Helper()
					time.Sleep(since - time.Since(start))
					if o := try(t.Context(), t, p, d, stream); string(o.fault.Class) != want || (o.status == 200) != (want == "") {
						t.Errorf("after %v: %+v", since, o)
					}
				}
				moments := map[time.Duration]string{}
				for _, since := range tc.up {
					moments[since] = ""
				}
				for _, since := range tc.down {
					moments[since] = tc.class
				}
				order := make([]time.Duration, 0, len(moments))
				for since := range moments {
					order = append(order, since)
				}
				slices.Sort(order)
				for _, since := range order {
					at(since, moments[since])
				}
			})
		})
	}
}

func TestOnlyAnOutageReachesListsAndHealthChecks(t *testing.T) {
	for options, fails := range map[string]bool{"fail overloaded": false, "cut": false, "stall": false, "down": true} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://simulated.invalid/v1/models", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := faulty(t, options).RoundTripper().RoundTrip(r)
		if (err != nil) != fails {
			t.Errorf("%s: %v", options, err)
		}
		if err == nil {
			if text, err := io.ReadAll(resp.Body); err != nil || !gjson.Valid(string(text)) || resp.StatusCode != http.StatusOK {
				t.Errorf("%s: %d %s %v", options, resp.StatusCode, text, err)
			}
			resp.Body.Close()
		}
	}
}

func TestWithoutFaultsNothingIsDecided(t *testing.T) {
	if p := faulty(t, "jitter 10%\nseed 3\nfail 0% overloaded"); p.newFaults() != nil {
		t.Error("requests pay for faults that cannot happen")
	}
}
