package integration

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-llm/llmgateway/internal/faultllm"
)

// Group B, first part: statuses and bodies.

func TestFaults_T10_ServerErrorsOfTheOnlyTarget(t *testing.T) {
	faultTest(t, 10, func(f *fault) {
		most, longest := 0, 0
		f.pairs(func(f *fault, d *gwClient, kind string, stream bool) {
			for _, status := range []int{500, 502, 503, 504} {
				f.run(strconv.Itoa(status), func(f *fault) {
					r := f.rig()
					up := r.up("p", kind, faultllm.Always(faultllm.Fail(status)))
					r.start("lb_retries 2\nlb_try_interval 1ms")
					h := r.ask(d, "p/x", stream)
					f.must(h.Failed && h.status >= 500 && h.status != 501, "5xx", "%s", &h)
					f.must(h.header.Get("X-Should-Retry") == "false", "x-should-retry", "%v", h.header)
					f.must(up.Len() >= 2 && up.Len() <= 3 && h.tries() == up.Len(), "attempts", "%d requests, %d by the header", up.Len(), h.tries())
					f.must(len(h.body) <= 2<<10, "size", "%d bytes", len(h.body))
					most, longest = max(most, up.Len()), max(longest, len(h.body))
				})
			}
		})
		f.figure("≤ %d attempts, body ≤ %d bytes", most, longest)
	})
}

func TestFaults_T11_OverloadsBeforeContent(t *testing.T) {
	faultTest(t, 11, func(f *fault) {
		early := faultllm.Script{ErrorAfter: 1, ErrorStatus: 529, Message: "Overloaded"}
		f.pairs(func(f *fault, d *gwClient, kind string, stream bool) {
			r := f.rig()
			r.up("busy", kind, faultllm.InTurn(faultllm.Fail(529), early, faultllm.Script{}))
			r.up("good", kind, faultllm.Always(faultllm.Script{}))
			r.start("model m busy/a good/b")
			for i := range 3 {
				h := r.ask(d, "m", stream)
				f.must(h.good() && (i == 2) == (h.tries() == 1), "invisible", "%s", &h)
			}
		})
		f.run("load", func(f *fault) {
			r := f.rig()
			seed := faultSeed(f)
			r.up("busy", "openai", faultllm.Random(seed, 0.4, faultllm.Script{}, faultllm.Fail(529), early))
			r.up("good", "openai", faultllm.Always(faultllm.Script{}))
			r.start("model m busy/a good/b")
			n := faultN(300, 2000)
			bad, first := faultBad(r.load(n, 8, r.mixed("m")))
			f.must(bad == 0, "invisible", "%d errors, the first %s", bad, first)
			f.figure("N=%d: %d errors", n, bad)
		})
	})
}

// faultSeed is a new seed, which the log tells.
func faultSeed(f *fault) uint64 {
	seed := uint64(time.Now().UnixNano())
	f.Logf("T%d: seed %d", f.row, seed)
	return seed
}

func TestFaults_T12_OneOfTwoCredentialsIsRateLimited(t *testing.T) {
	faultTest(t, 12, func(f *fault) {
		rest := faultTime(time.Second, 2*time.Second)
		r := f.rig()
		limited := ""
		up := r.upstream("p", func(q *faultllm.Request) faultllm.Script {
			if limited == "" {
				limited = q.Credential
				return faultllm.Fail(429, "Retry-After", strconv.Itoa(int(rest.Seconds())))
			}
			return faultllm.Script{}
		}, faultllm.Options{})
		r.provider("p", "openai", up.URL(), 2, "")
		r.start("")
		pace := time.NewTicker(10 * time.Millisecond)
		defer pace.Stop()
		n := int((rest + rest/2) / (10 * time.Millisecond))
		ask := r.mixed("p/x")
		bad, first := faultBad(r.load(n, 4, func(i int) heard { <-pace.C; return ask(i) }))
		f.must(bad == 0, "invisible", "%d errors, the first %s", bad, first)
		early, back := 0, time.Duration(0)
		journal := up.All()
		for _, e := range journal[1:] {
			if e.Credential != limited {
				continue
			}
			since := e.Time.Sub(journal[0].Time)
			if since < rest {
				early++
			}
			if back == 0 {
				back = since
			}
		}
		f.must(early == 0, "rest", "%d requests to the resting credential", early)
		f.must(back > 0, "return", "it never came back")
		f.figure("N=%d: %d errors, %d requests in the rest of %v, back after %v", n, bad, early, rest, back.Round(10*time.Millisecond))
	})
}

func TestFaults_T13_EveryTargetIsRateLimited(t *testing.T) {
	faultTest(t, 13, func(f *fault) {
		f.run("while a probe is under way", func(f *fault) {
			r := f.rig()
			hold := make(chan struct{})
			up := r.up("p", "openai", faultllm.InTurn(faultllm.Fail(429), faultllm.Script{Hold: hold}))
			r.start("")
			h := r.ask(gwChat, "p/x", false)
			f.must(h.status == 429, "429", "%s", &h)
			gwEventually(f.T, "the end of the cooldown", func() bool { return !strings.Contains(r.c.adminGet("/llm_gateway/targets"), `"cooldown"`) })
			probe := make(chan heard)
			go func() { probe <- r.ask(gwChat, "p/x", false) }()
			if !up.Wait(gwPatience, func(j []faultllm.Entry) bool { return len(j) == 2 }) {
				f.Fatal("the probe never came")
			}
			h = r.ask(gwChat, "p/x", false)
			f.must(h.status == 429 && h.header.Get("Retry-After") == "1", "429 while a probe is under way", "%s", &h)
			close(hold)
			h = <-probe
			f.must(h.good() && up.Len() == 2, "the probe", "%s", &h)
		})
		for name, header := range map[string][]string{"without Retry-After": nil, "Retry-After 1": {"Retry-After", "1"}} {
			f.run(name, func(f *fault) {
				r := f.rig()
				script := faultllm.Always(faultllm.Fail(429, header...))
				one := r.upstream("one", script, faultllm.Options{})
				r.provider("one", "openai", one.URL(), 2, "")
				two := r.up("two", "anthropic", script)
				r.start("model m one/a two/b")
				length := faultTime(1500*time.Millisecond, 30*time.Second)
				start := time.Now()
				const workers = 8
				ask, n := r.mixed("m"), 0
				var refused []time.Duration
				for time.Since(start) < length {
					answers := r.load(200, workers, ask)
					n += len(answers)
					for i := range answers {
						h := &answers[i]
						wait, err := strconv.Atoi(h.header.Get("Retry-After"))
						f.must((h.status == 429 || h.status == 503 || h.status == 529) && h.Failed && err == nil && wait >= 1 && wait <= 2, "429 with Retry-After", "%s", h)
						if h.tries() == 0 {
							refused = append(refused, h.took)
						}
					}
				}
				// In the first second the requests that were under way find the limit out.
				after := len(one.Since(start.Add(time.Second))) + len(two.Since(start.Add(time.Second)))
				seconds := int((time.Since(start) - time.Second) / time.Second)
				f.must(after <= 3*(seconds+1), "one probe a second", "%d requests in %d s for 3 credentials", after, seconds)
				amplified := float64(r.journals()) / float64(n)
				f.must(amplified <= 1.02, "no storm", "%d requests of clients became %d", n, r.journals())
				f.figure("%s: %.0f rps, amplification %.3f×, %d upstream requests after 1 s, refusal p99 %v", name, float64(n)/time.Since(start).Seconds(), amplified, after, faultQuantile(refused, 0.99).Round(10*time.Microsecond))
			})
		}
	})
}

// faultMoney are the ways in which vendors say that the account is empty.
var faultMoney = map[string][]struct {
	status int
	body   string
}{
	"openai": {
		{429, `{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`},
		{429, `{"error":{"message":"Out of credits.","type":"billing","param":null,"code":"credit_balance_exhausted"}}`},
		{429, `{"error":{"message":"Project limit.","type":"billing","param":null,"code":"project_spend_limit_exceeded"}}`},
		{402, `{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}`},
	},
	"anthropic": {
		{402, `{"type":"error","error":{"type":"billing_error","message":"Your account has a billing issue."}}`},
		{400, `{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}`},
		{429, `{"type":"error","error":{"type":"rate_limit_error","message":"This workspace reached its spend limit."}}`},
	},
	"gemini": {
		{429, `{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel"}]}]}}`},
	},
}

func TestFaults_T14_MoneyGone(t *testing.T) {
	faultTest(t, 14, func(f *fault) {
		tried := 0
		for kind, variants := range faultMoney {
			for i, v := range variants {
				f.run(fmt.Sprint(kind, i), func(f *fault) {
					r := f.rig()
					empty := ""
					up := r.upstream("p", func(q *faultllm.Request) faultllm.Script {
						if empty == "" {
							empty = q.Credential
						}
						if q.Credential == empty {
							return faultllm.Script{Status: v.status, Body: v.body}
						}
						return faultllm.Script{}
					}, faultllm.Options{})
					r.provider("p", kind, up.URL(), 2, "")
					r.start("")
					bad, first := faultBad(r.load(8, 1, r.mixed("p/x")))
					f.must(bad == 0, "other credential", "%d errors, the first %s", bad, first)
					n := 0
					for _, e := range up.All() {
						if e.Credential == empty {
							n++
						}
					}
					f.must(n == 1, "asked once", "%d times", n)
					f.must(strings.Contains(r.c.log.text(), "target taken out of rotation"), "log", "nothing in the log")
					tried++
				})
			}
		}
		f.figure("%d variants: 1 attempt each", tried)
	})
}

func TestFaults_T15_StrangeRetryAfter(t *testing.T) {
	faultTest(t, 15, func(f *fault) {
		year := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
		values := [][]string{
			{"-1"},
			{"1e9"},
			{"NaN"},
			{"+Inf"},
			{"0"},
			{""},
			{"soon"},
			{"0x10"},
			{year(-48 * time.Hour)},
			{year(48 * time.Hour)},
			{"-1", "junk"},
			{"99999999999999999999"},
			{strings.Repeat("9", 10<<10)},
			{strings.Repeat("a", 10<<10)},
		}
		var longest time.Duration
		for _, status := range []int{429, 503} {
			for i, v := range values {
				f.run(fmt.Sprintf("%d value %d", status, i), func(f *fault) {
					r := f.rig()
					script := faultllm.Fail(status)
					script.Header = http.Header{"Retry-After": v}
					r.up("p", "anthropic", faultllm.Always(script))
					r.start("lb_try_interval 1ms")
					h := r.ask(gwMessages, "p/x", i%2 == 1)
					f.must(h.Failed && (h.status == status || h.status == 529), "status", "%s", &h)
					wait, err := strconv.Atoi(h.header.Get("Retry-After"))
					f.must(err == nil && wait >= 0 && wait <= 300, "clamped", "retry-after %q", h.header.Get("Retry-After"))
					f.must(h.took < 5*time.Second, "no long sleep", "%v", h.took)
					longest = max(longest, h.took)
				})
			}
		}
		f.figure("%d values: longest answer %v", 2*len(values), longest.Round(time.Millisecond))
	})
}

func TestFaults_T16_RefusedCredentials(t *testing.T) {
	faultTest(t, 16, func(f *fault) {
		for _, status := range []int{401, 403} {
			f.run(strconv.Itoa(status), func(f *fault) {
				r := f.rig()
				refused := ""
				up := r.upstream("p", func(q *faultllm.Request) faultllm.Script {
					if refused == "" {
						refused = q.Credential
					}
					if q.Credential == refused {
						s := faultllm.Fail(status)
						s.Message = "Incorrect API key provided: " + q.Credential
						return s
					}
					return faultllm.Script{}
				}, faultllm.Options{})
				r.provider("p", "openai", up.URL(), 2, "")
				alone := r.up("alone", "anthropic", faultllm.Always(faultllm.Fail(status)))
				r.start("")
				n := faultN(200, 1000)
				answers := append(r.load(1, 1, r.mixed("p/x")), r.load(n, 8, r.mixed("p/x"))...)
				bad, first := faultBad(answers)
				f.must(bad == 0, "other credential", "%d errors, the first %s", bad, first)
				times := 0
				for _, e := range up.All() {
					if e.Credential == refused {
						times++
					}
				}
				f.must(times <= 2, "quarantine", "asked %d times", times)
				for i, d := range gwAllClients {
					h := r.ask(d, "alone/x", i%2 == 0)
					f.must(h.status == 502 && h.Failed, "no 401", "%s", &h)
				}
				f.figure("%d, N=%d: %d errors, the refused key was used %d times (alone: %d for 4)", status, n, bad, times, alone.Len())
			})
		}
	})
}

// faultLong and faultPolicy are the ways in which vendors say that a conversation is too long, or not wanted.
// faultOptIn tests refusals that are carried to another target only where the configuration says so.
