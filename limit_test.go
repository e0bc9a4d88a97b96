package llmgateway

import (
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func limited(name string, l *Limit, answers ...answer) option {
	return withProviderConfig(name, `{"kind":"scripted"}`, func(c *ProviderConfig) { c.Limit = l }, answers...)
}

func TestAProviderAtItsLimitIsPassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, limited("one", &Limit{Requests: "2/min"}, respond(200, chatAnswer)), withProvider("two", respond(200, chatAnswer)),
			withModel("m", "one/x", "two/x"))
		for range 4 {
			g.post(chatPath, ask("m"))
		}
		if got := g.outcome(200); got != "200 one:ok one:ok two:ok two:ok" {
			t.Error(got)
		}
		time.Sleep(62 * time.Second) // virtual
		g.post(chatPath, ask("m"))
		if got := g.entries()[4].Provider; got != "one" {
			t.Errorf("after a minute %s is asked", got)
		}
	})
}

func TestARequestWaitsForAShortTimeWhenThereIsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, limited("up", &Limit{Requests: "1/sec"}, respond(200, chatAnswer)))
		start := time.Now()
		for range 3 {
			if w := g.post(chatPath, ask("up/m")); w.Code != 200 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		}
		if took := time.Since(start); took < 2*time.Second || took > 2100*time.Millisecond {
			t.Errorf("three requests at one a second took %s", took)
		}
	})
}

func TestALimitThatTakesLongerIsARateLimitOfTheClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, limited("up", &Limit{Tokens: "20/min"}, respond(200, chatAnswer)))
		start := time.Now()
		if w := g.post(chatPath, ask("up/m")); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		w := g.post(chatPath, ask("up/m"))
		if w.Code != 429 || w.Header().Get("Retry-After") != "61" || !strings.Contains(w.Body.String(), "rate_limit_exceeded") || time.Since(start) != 0 {
			t.Errorf("%d %v %s after %s", w.Code, w.Header(), w.Body, time.Since(start))
		}
		if got := g.up["up"].count(); got != 1 {
			t.Errorf("the provider was asked %d times", got)
		}
	})
}

func TestConcurrentRequestsWaitForAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, limited("up", &Limit{Concurrent: 2}, later(time.Second, respond(200, chatAnswer))))
		start := time.Now()
		var wg sync.WaitGroup
		answers := make([]*httptest.ResponseRecorder, 4)
		for i := range answers {
			wg.Go(func() { answers[i] = g.post(chatPath, ask("up/m")) })
		}
		wg.Wait()
		for _, w := range answers {
			if w.Code != 200 {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		}
		if took := time.Since(start); took < 2*time.Second || took > 2200*time.Millisecond {
			t.Errorf("four requests of a second, two at a time, took %s", took)
		}
	})
}

func TestWhatIsWrongWithALimit(t *testing.T) {
	for _, l := range []*Limit{{Requests: "60"}, {Requests: "0/min"}, {Tokens: "1/week"}, {Tokens: "-1/min"}, {Concurrent: -1}, {Requests: "1.5/min"}} {
		if _, err := l.rules(); err == nil || !strings.HasPrefix(err.Error(), "limit: ") {
			t.Errorf("%+v: %v", l, err)
		}
	}
}

func TestAKeyWhoseLimitIsUsedUpRestsBeforeItIsRefused(t *testing.T) {
	usedUp := respond(200, chatAnswer, "X-Ratelimit-Limit-Requests", "3", "X-Ratelimit-Remaining-Requests", "0", "X-Ratelimit-Reset-Requests", "60s")
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, withProvider("one", usedUp), withProvider("two", respond(200, chatAnswer)), withModel("m", "one/x", "two/x"))
		for range 3 {
			g.post(chatPath, ask("m"))
		}
		if got := g.outcome(200); got != "200 one:ok two:ok two:ok" {
			t.Error(got)
		}
		time.Sleep(21 * time.Second) // virtual: a third of the minute
		g.post(chatPath, ask("m"))
		if got := g.entries()[3].Provider; got != "one" {
			t.Errorf("after its rest %s is asked", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, withProvider("only", usedUp))
		for range 2 {
			if w := g.post(chatPath, ask("only/m")); w.Code != 200 {
				t.Errorf("a provider without an alternative is not asked: %d %s", w.Code, w.Body)
			}
		}
	})
}
