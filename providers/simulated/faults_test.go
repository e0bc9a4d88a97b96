package simulated

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
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
