package integration

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-llm/llmgateway/balancing"
	"github.com/caddy-llm/llmgateway/internal/faultllm"
)

// Group B, second part: what many requests add up to.

func TestFaults_T23_RandomFailuresWithAHealthyFallback(t *testing.T) {
	faultTest(t, 23, func(f *fault) {
		r := f.rig()
		shaky := r.up("shaky", "openai", faultllm.Random(faultSeed(f), 0.2, faultllm.Script{}, faultllm.Fail(500), faultllm.Fail(529), faultllm.Hangup(faultllm.RST)))
		r.up("good", "openai", faultllm.Always(faultllm.Script{}))
		r.start("model m shaky/a good/b")
		n := faultN(1000, 10_000)
		answers := r.load(n, 8, r.mixed("m"))
		bad, first := faultBad(answers)
		f.must(bad == 0, "invisible", "%d errors, the first %s", bad, first)
		attempts := float64(r.journals()) / float64(n)
		f.must(attempts <= 1.25, "attempts", "%.3f×", attempts)
		faults := 0
		for _, e := range shaky.All() {
			if e.Script.Name != "" {
				faults++
			}
		}
		// Five in a row, which chance brings about now and then, rest the target, and then there are fewer.
		f.must(faults >= n/200, "the fault happens", "%d times", faults)
		f.must(r.of("shaky")+r.of("good") == r.journals(), "accounted", "%d rows, %d requests", faultBooks.len(), r.journals())
		f.figure("N=%d, %d faults: %d errors before the first byte, attempts %.3f×, rows = journal = %d", n, faults, bad, attempts, r.journals())
	})
}

func TestFaults_T24_RandomFailuresOfTheOnlyTarget(t *testing.T) {
	faultTest(t, 24, func(f *fault) {
		f.run("a tenth", func(f *fault) {
			r := f.rig()
			up := r.up("p", "openai", faultllm.Random(faultSeed(f), 0.1, faultllm.Script{}, faultllm.Fail(500), faultllm.Fail(529), faultllm.Hangup(faultllm.RST)))
			r.start("lb_retries 2\nlb_try_interval 1ms")
			n := faultN(1000, 10_000)
			answers := r.load(n, 8, r.mixed("p/x"))
			bad, first := faultBad(answers)
			early := 0 // that the budget refused another try
			for i := range answers {
				if !answers[i].good() && answers[i].tries() < 3 {
					early++
				}
			}
			share, attempts := float64(bad)/float64(n), float64(up.Len())/float64(n)
			// The bar is for 10,000 requests; among fewer, chance weighs more.
			f.must(share <= float64(faultN(20, 2))/1000, "errors", "%s, the first %s", faultPercent(bad, n), first)
			f.must(attempts >= 1.07 && attempts <= 1.15, "attempts", "%.3f×", attempts)
			f.figure("10 %%, N=%d: errors %s (%d for want of budget), attempts %.3f×", n, faultPercent(bad, n), early, attempts)
		})
		for name, options := range map[string]string{"half, default": "", "half, no breaker": "max_fails 1000000\nfail_duration 10s\n"} {
			f.run(name, func(f *fault) {
				r := f.rig()
				up := r.up("p", "openai", faultllm.Random(faultSeed(f), 0.5, faultllm.Script{}, faultllm.Fail(500), faultllm.Fail(529), faultllm.Hangup(faultllm.RST)))
				r.start(options + "lb_retries 2\nlb_try_interval 1ms")
				n := faultN(600, 10_000)
				answers := r.load(n, 8, r.mixed("p/x"))
				bad, _ := faultBad(answers)
				attempts := float64(up.Len()) / float64(n)
				ejected := 0
				for i := range answers {
					if answers[i].tries() == 0 {
						ejected++
					}
				}
				f.must(ejected == 0, "the last one is never ejected", "%d requests were not sent", ejected)
				f.must(bad <= n*faultN(50, 45)/100, "half succeed, and some of the rest", "%s errors", faultPercent(bad, n))
				floor := 10 / float64(n) // that many are granted in each span, and on average they cost more than one
				f.must(attempts <= 1.2+floor, "budget", "%.3f×", attempts)
				var refused []time.Duration
				for i := range answers {
					if answers[i].tries() <= 1 && !answers[i].good() {
						refused = append(refused, answers[i].took)
					}
				}
				p50 := faultQuantile(refused, 0.5)
				f.must(p50 <= faultLate(5*time.Millisecond), "refused at once", "%v", p50)
				f.figure("%s, N=%d: errors %s, attempts %.3f×, refusal p50 %v", name, n, faultPercent(bad, n), attempts, p50.Round(10*time.Microsecond))
			})
		}
	})
}

func TestFaults_T25_PrimaryDownAndBack(t *testing.T) {
	faultTest(t, 25, func(f *fault) {
		f.run("virtual time", faultOutages)
		f.run("whole", func(f *fault) {
			length, pace := faultTime(time.Second, time.Minute), 10*time.Millisecond
			r := f.rig()
			state := faultllm.NewSwitch(faultllm.Always(faultllm.Script{}))
			primary := r.up("primary", "openai", state.Choose)
			r.up("good", "openai", faultllm.Always(faultllm.Script{}))
			r.start("model m primary/a good/b")
			ask, tick := r.mixed("m"), time.NewTicker(pace)
			defer tick.Stop()
			during := func(n int, until func() bool) (answers []heard) {
				for until() {
					answers = append(answers, r.load(n, 4, func(i int) heard { <-tick.C; return ask(i) })...)
				}
				return answers
			}
			state.Set(faultllm.Always(faultllm.Fail(500)))
			start := time.Now()
			before := r.journals()
			answers := during(20, func() bool { return time.Since(start) < length })
			attempts := float64(r.journals()-before-5) / float64(len(answers)) // the first five find it out
			bad, first := faultBad(answers)
			f.must(bad == 0, "invisible", "%d errors, the first %s", bad, first)
			f.must(attempts <= 1.05, "steady", "%.3f×", attempts)
			probes := primary.Len()
			state.Set(faultllm.Always(faultllm.Script{}))
			recovered, seen := time.Now(), primary.Len()
			answers = during(20, func() bool { return primary.Len() < seen+10 && time.Since(recovered) < 60*time.Second })
			bad, first = faultBad(answers)
			back := time.Since(recovered)
			f.must(bad == 0, "invisible", "%d errors on the way back, the first %s", bad, first)
			f.must(back <= 15*time.Second, "back in time", "%v", back)
			f.figure("down %v: attempts %.3f×, %d requests to the dead one; back after %v", length, attempts, probes, back.Round(100*time.Millisecond))
		})
	})
}

// faultOutages plays outages of all lengths up to ten minutes in virtual time, with a request every 10 ms: how many go to
// a target that is down, and how long after the end of the outage it is used again.
func faultOutages(f *fault) {
	const pace = 10 * time.Millisecond
	var worstShare float64
	var worstBack time.Duration
	late, played, most := 0, 0, 0
	for _, down := range []time.Duration{5 * time.Second, 20 * time.Second, time.Minute, 5 * time.Minute} {
		n := faultN(20, 200)
		if faultRace {
			n = 2 // nothing here runs at the same time as anything else
		}
		for range n {
			h := balancing.NewHealth(balancing.Rules{})
			now := time.Unix(1_800_000_000, 0)
			start, lost, sent := now, 0, 0
			for ; now.Sub(start) < down; now = now.Add(pace) {
				sent++
				concurrent := 0
				for range 4 { // that arrive together
					if p, ok := h.Begin(now); ok {
						concurrent++
						lost++
						h.Failure(now, p, balancing.ClassServerError)
						h.End(&p)
						break
					}
				}
				most = max(most, concurrent)
			}
			back := time.Duration(-1)
			for end := now; now.Sub(end) < 10*time.Minute && back < 0; now = now.Add(pace) {
				if p, ok := h.Begin(now); ok {
					h.Success(now, &p, 0)
					h.End(&p)
					back = now.Sub(end)
				}
			}
			played++
			worstShare, worstBack = max(worstShare, float64(lost)/float64(sent)), max(worstBack, back)
			if back < 0 || back > 15*time.Second {
				late++
			}
		}
	}
	f.must(worstShare <= 0.05, "steady", "%.3f of the requests to a dead target", worstShare)
	f.must(most <= 3, "probes", "%d at once", most)
	f.must(late == 0, "back in time after any outage", "%d of %d outages: back later than 15 s, the latest after %v", late, played, worstBack)
	f.figure("%d outages of 5 s to 5 min in virtual time: ≤ %.2f %% to the dead target, %d back later than 15 s, the latest after %v", played, 100*worstShare, late, worstBack.Round(100*time.Millisecond))
}

func TestFaults_T26_StrangeErrors(t *testing.T) {
	faultTest(t, 26, func(f *fault) {
		const size = 64 << 20
		var most int64
		scripts := map[string]faultllm.Script{
			"HTML":               faultllm.Page(502),
			"HTML with 200":      faultllm.Page(200),
			"empty":              {Status: 500, Header: http.Header{"Content-Length": {"0"}}, Mangle: func(string) string { return "" }, Body: " "},
			"empty with 200":     {Body: " "},
			"an error in a 200":  {ErrorAfter: 1, Message: "made to fail"},
			"a large error":      {Status: 500, Body: `{"error":{"message":"` + strings.Repeat("y", 1<<10), Fill: size},
			"a large page":       {Status: 503, Body: strings.Repeat("<p>", 1<<10), Fill: size, Header: http.Header{"Content-Type": {"text/html"}}},
			"null":               {Body: "null"},
			"an error of a list": {Status: 500, Body: `[{"error":{"code":500,"message":"in a list","status":"INTERNAL"}}]`},
		}
		delete(scripts["empty"].Header, "Content-Length")
		f.pairs(func(f *fault, d *gwClient, kind string, stream bool) {
			for name, script := range scripts {
				f.run(name, func(f *fault) {
					r := f.rig()
					up := r.up("p", kind, faultllm.Always(script))
					r.up("good", kind, faultllm.Always(faultllm.Script{}))
					r.start("lb_retries 1\nlb_try_interval 1ms\nmodel m p/a good/b")
					h := r.ask(d, "p/x", stream)
					f.must(h.Failed && h.status >= 500 && len(h.body) <= 4<<10, "mapped", "%s", &h)
					h = r.ask(d, "m", stream)
					f.must(h.good(), "carried on", "%s", &h)
					for _, e := range up.All() {
						most = max(most, e.Bytes)
					}
				})
			}
		})
		f.must(most < size/2, "not read to its end", "%d bytes of an error were taken", most)
		f.figure("of an error of 64 MiB %.1f MiB left the provider (kernel buffers included)", float64(most)/(1<<20))
	})
}

func TestFaults_T27_AllTargetsEjected(t *testing.T) {
	faultTest(t, 27, func(f *fault) {
		r := f.rig()
		one, two := r.up("one", "openai", faultllm.Always(faultllm.Fail(500))), r.up("two", "anthropic", faultllm.Always(faultllm.Fail(500)))
		r.start("lb_try_interval 1ms\nmodel m one/a two/b")
		r.load(20, 1, r.mixed("m")) // takes both out
		length, start := faultTime(2*time.Second, 20*time.Second), time.Now()
		before := r.journals()
		var refused []time.Duration
		var mu sync.Mutex
		n, ask := 0, r.mixed("m")
		for time.Since(start) < length {
			answers := r.load(100, 4, ask)
			n += len(answers)
			for i := range answers {
				h := &answers[i]
				if h.tries() > 0 {
					continue
				}
				wait, err := strconv.Atoi(h.header.Get("Retry-After"))
				f.must((h.status == 503 || h.status == 529) && err == nil && wait >= 1, "503 with Retry-After", "%s", h)
				mu.Lock()
				refused = append(refused, h.took)
				mu.Unlock()
			}
		}
		probes, limit := r.journals()-before, 2*(int(time.Since(start)/time.Second)+1)
		p99 := faultQuantile(refused, 0.99)
		f.must(probes >= 1 && probes <= limit, "one probe a second", "%d in %v for two targets", probes, time.Since(start))
		f.must(p99 <= faultLate(50*time.Millisecond), "refused at once", "99th percentile %v", p99)
		f.must(one.Len() > 0 && two.Len() > 0, "both were tried", "%d, %d", one.Len(), two.Len())
		f.figure("%d refusals, p99 %v, %d probes in %v for 2 targets", len(refused), p99.Round(10*time.Microsecond), probes, length)
	})
}
