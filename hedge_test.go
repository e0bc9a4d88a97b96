package llmgateway

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/providers"
)

func hedgedAfter(after string, maxSpend float64) option {
	return with(func(h *Handler) {
		h.LoadBalancing = &LoadBalancing{Retries: new(1), Hedge: &Hedge{After: after, MaxSpend: maxSpend}}
	})
}

// hedgePair is a gateway with two targets that hedges after two seconds, whatever that costs.
func hedgePair(t *testing.T, one, two answer, more ...option) *gateway {
	return newGateway(t, append([]option{withProvider("one", one), withProvider("two", two), withModel("m", "one/x", "two/x"), hedgedAfter("2s", 100)}, more...)...)
}

func TestASecondAttemptIsMadeWhenTheFirstTokenIsLate(t *testing.T) {
	ok := respond(200, chatAnswer)
	for name, c := range map[string]struct {
		one, two answer
		stream   bool
		want     string
		took     time.Duration
		target   string
	}{
		"the first one is in time":             {later(time.Second, ok), ok, false, "200 one:ok", time.Second, "one/x"},
		"the second one is faster":             {later(10*time.Second, ok), later(time.Second, ok), false, "200 one:hedged two:ok", 3 * time.Second, "two/x"},
		"the first one is faster after all":    {later(3*time.Second, ok), later(10*time.Second, ok), false, "200 one:ok two:hedged", 3 * time.Second, "one/x"},
		"the second one fails":                 {later(5*time.Second, ok), respond(500, serverError), false, "200 one:ok two:server_error", 5 * time.Second, "one/x"},
		"the first one fails late":             {later(3*time.Second, respond(500, serverError)), later(2*time.Second, ok), false, "200 one:server_error two:ok", 4 * time.Second, "two/x"},
		"the first one fails early":            {later(time.Second, respond(500, serverError)), ok, false, "200 one:server_error two:ok", time.Second, "two/x"},
		"both fail":                            {later(3*time.Second, respond(500, serverError)), later(2*time.Second, respond(500, serverError)), false, "500 one:server_error two:server_error", 4 * time.Second, "two/x"},
		"a stream, the second one is faster":   {paced(true, chatRole), stream(chatStream), true, "200 one:hedged two:ok", 2 * time.Second, "two/x"},
		"a stream, the first one is faster":    {paced(false, chatRole, chatRole, chatStream), later(10*time.Second, stream(chatStream)), true, "200 one:ok two:hedged", 3 * time.Second, "one/x"},
		"a stream, content at the same moment": {later(3*time.Second, stream(chatStream)), later(time.Second, stream(chatStream)), true, "", 3 * time.Second, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := hedgePair(t, c.one, c.two)
			body := ask("m")
			if c.stream {
				body = askStream("m")
			}
			start := time.Now()
			w := g.post(chatPath, body)
			took := time.Since(start)
			if c.want != "" && g.outcome(w.Code) != c.want {
				t.Errorf("%s: %s, want %s: %s", name, g.outcome(w.Code), c.want, w.Body)
			}
			if c.target != "" && w.Header().Get("X-Llm-Gateway-Target") != c.target {
				t.Errorf("%s: answered from %s", name, w.Header().Get("X-Llm-Gateway-Target"))
			}
			if took != c.took {
				t.Errorf("%s: took %s, want %s", name, took, c.took)
			}
			if c.stream && strings.Count(w.Body.String(), "[DONE]") != 1 {
				t.Errorf("%s: %s", name, w.Body)
			}
			synctest.Wait()
			for _, s := range targetStates(time.Now(), false) {
				if s.InFlight != 0 {
					t.Errorf("%s: %+v still holds a place", name, s)
				}
			}
		})
	}
}

func TestTheSlowerAttemptIsCanceledAndPaidFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		canceled := make(chan time.Time, 1)
		slow := func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			canceled <- time.Now()
			return nil, r.Context().Err()
		}
		g := hedgePair(t, slow, stream(chatStream), withPrice("*", "1", "1"))
		start := time.Now()
		g.post(chatPath, askStream("m"))
		if at := <-canceled; at.Sub(start) != 2*time.Second {
			t.Errorf("canceled after %s", at.Sub(start))
		}
		e := g.entries()
		if len(e) != 2 || e[0].ErrorClass != string(providers.ClassHedged) || e[0].Certainty != accounting.Estimated || e[0].Cost == 0 {
			t.Errorf("%+v", e)
		}
	})
}

func TestHedgingKeepsToItsShareOfTheSpend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, withProvider("one", later(5*time.Second, respond(200, chatAnswer))), withProvider("two", later(time.Second, respond(200, chatAnswer))),
			withModel("m", "one/x", "two/x"), hedgedAfter("2s", 10))
		for range 100 {
			g.post(chatPath, ask("m"))
		}
		hedged := 0
		for _, e := range g.entries() {
			if e.ErrorClass == string(providers.ClassHedged) {
				hedged++
			}
		}
		if hedged < 8 || hedged > 11 {
			t.Errorf("%d of 100 requests were hedged, want a tenth", hedged)
		}
	})
}

func TestHedgingAfterThe95thPercentile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := make([]answer, 0, 41)
		for range 40 {
			answers = append(answers, later(time.Second, respond(200, chatAnswer)))
		}
		answers = append(answers, later(time.Minute, respond(200, chatAnswer)))
		g := newGateway(t, withProvider("one", answers...), withProvider("two", later(100*time.Millisecond, respond(200, chatAnswer))),
			withModel("m", "one/x", "two/x"), hedgedAfter("p95", 100))
		for range 40 {
			g.post(chatPath, ask("m"))
		}
		start := time.Now()
		g.post(chatPath, ask("m"))
		if took := time.Since(start); took < 950*time.Millisecond || took > 1350*time.Millisecond {
			t.Errorf("took %s; 95 %% of the answers took a second", took)
		}
	})
}

func TestAClientThatLeavesEndsBothAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := hedgePair(t, silent, silent)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		r := newRequest(http.MethodPost, chatPath, strings.NewReader(askStream("m")))
		g.do(r.WithContext(ctx))
		if got := g.outcome(499); got != "499 one:canceled two:canceled" {
			t.Error(got)
		}
	})
}

func TestASecondAttemptThatMayNotBePaidForIsStillAFallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := hedgePair(t, later(5*time.Second, respond(500, serverError)), respond(200, chatAnswer), hedgedAfter("2s", 10))
		if got := g.outcome(g.post(chatPath, ask("m")).Code); got != "200 one:server_error two:ok" {
			t.Error(got)
		}
	})
}

func TestRequestsAtTheSameTimeKeepToTheShareOfTheSpend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := make([]answer, 20, 21)
		for i := range answers {
			answers[i] = respond(200, chatAnswer)
		}
		g := newGateway(t, withProvider("one", append(answers, later(5*time.Second, respond(200, chatAnswer)))...),
			withProvider("two", later(time.Second, respond(200, chatAnswer))), withModel("m", "one/x", "two/x"), hedgedAfter("2s", 10))
		for range 20 {
			g.post(chatPath, ask("m"))
		}
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { g.post(chatPath, ask("m")) })
		}
		all.Wait()
		if hedged := strings.Count(g.outcome(0), ":hedged"); hedged < 1 || hedged > 3 {
			t.Errorf("%d requests were hedged, when a tenth of 20 had been spent", hedged)
		}
		if left := g.spending.reserved.Load(); left != 0 {
			t.Errorf("%d are still reserved", left)
		}
	})
}

func TestHedgingMakesNoMoreTriesThanAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := later(3*time.Second, respond(500, serverError))
		for retries, want := range map[int]int{0: 2, 1: 2, 2: 3} {
			g := newGateway(t, withProvider("one", slow), withProvider("two", slow), withProvider("three", slow), withProvider("four", slow),
				withModel("m", "one/x", "two/x", "three/x", "four/x"), hedgedAfter("2s", 100), with(func(h *Handler) { h.LoadBalancing.Retries = &retries }))
			g.post(chatPath, ask("m"))
			if got := len(g.entries()); got != want {
				t.Errorf("%d retries: %d attempts, want %d", retries, got, want)
			}
		}
	})
}

func TestAnAnswerThatIsNoneDoesNotEndTheRace(t *testing.T) {
	for path, body := range map[string]string{
		"/v1/messages": `{"model":"m","max_tokens":10,"messages":[{"role":"user","content":"hi"}]}`,
		chatPath:       askStream("m"),
	} {
		synctest.Test(t, func(t *testing.T) {
			g := hedgePair(t, later(3*time.Second, respond(200, `{"object":"nothing"}`)), later(10*time.Second, respond(200, chatAnswer)))
			w := g.post(path, body)
			if got := g.outcome(w.Code); got != "200 one:server_error two:ok" || w.Header().Get("X-Llm-Gateway-Target") != "two/x" {
				t.Errorf("%s: %s, answered from %s", path, got, w.Header().Get("X-Llm-Gateway-Target"))
			}
		})
	}
}

func TestAnswersOfARaceThatNobodyWaitsForAreReadOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 20 { // for the race detector: both answers come at the same moment
			g := hedgePair(t, later(10*time.Second, respond(200, chatAnswer)), later(8*time.Second, respond(200, chatAnswer)), draining(30*time.Second))
			g.leave(5*time.Second, ask("m"))
			if got := g.outcome(499); got != "499 one:canceled two:canceled" {
				t.Error(got)
			}
		}
	})
}

func TestWhatIsWrongWithAHedge(t *testing.T) {
	for _, c := range []Hedge{{}, {After: "soon"}, {After: "-1s"}, {After: "1s", MaxSpend: -1}, {After: "p95", MaxSpend: 101}} {
		if _, err := c.rules(); err == nil || !strings.HasPrefix(err.Error(), "hedge: ") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
