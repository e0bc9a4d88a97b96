package llmgateway

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// after answers when so much time has passed, unless the attempt is canceled before.
func after(d time.Duration, then answer) answer {
	return func(r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(d):
			return then(r)
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

func TestAWholeAnswerThatDoesNotComeLeavesTimeForAnotherTarget(t *testing.T) {
	answers := respond(200, chatAnswer)
	requestTimeout := func(d time.Duration) option {
		return with(func(h *Handler) { h.Timeouts = &Timeouts{Request: caddy.Duration(d)} })
	}
	two := withModel("m", "a/x", "b/y")
	for _, tc := range []struct {
		name    string
		options []option
		before  int // answers that are known
		status  int
		took    time.Duration
	}{
		{"a third of it", []option{withProvider("a", silent), withProvider("b", answers), two}, 0, 200, 400 * time.Second},
		{"and that for one more", []option{withProvider("a", silent), withProvider("b", silent), withProvider("c", answers), withModel("m", "a/x", "b/y", "c/z")}, 0, 200, 400*time.Second + 400*time.Second/3},
		{"which may be less than it needs", []option{withProvider("a", silent), withProvider("b", after(201*time.Second, answers)), two}, 0, 504, 600 * time.Second},
		{"but not if there is none", []option{withProvider("a", after(599*time.Second, answers)), withModel("m", "a/x")}, 0, 200, 599 * time.Second},
		{"but not when time is short", []option{withProvider("a", after(59*time.Second, answers)), withProvider("b", silent), two, requestTimeout(time.Minute)}, 0, 200, 59 * time.Second},
		{"also when time is short if the target is known to be quick", []option{withProvider("a", quickFor(20, silent)), withProvider("b", answers), two, requestTimeout(time.Minute)}, 20, 200, 40 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGateway(t, tc.options...)
				for range tc.before {
					g.post(chatPath, ask("m"))
				}
				start := time.Now()
				w := g.post(chatPath, ask("m"))
				if took := time.Since(start); w.Code != tc.status || took != tc.took {
					t.Errorf("%d after %s, want %d after %s: %s", w.Code, took, tc.status, tc.took, w.Body)
				}
			})
		})
	}
}

// quickFor answers so often after a second, and then otherwise.
func quickFor(n int, then answer) answer {
	return func(r *http.Request) (*http.Response, error) {
		if n--; n >= 0 {
			return after(time.Second, respond(200, chatAnswer))(r)
		}
		return then(r)
	}
}

func TestATargetKnownToBeSlowGetsAllTheTimeForAWholeAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, withProvider("a", after(100*time.Second, respond(200, chatAnswer))), withProvider("b", silent), withModel("m", "a/x", "b/y"),
			with(func(h *Handler) { h.Timeouts = &Timeouts{Request: caddy.Duration(120 * time.Second)} }))
		s := g.currentTable().resolve("m").tiers[0][0].slots[0]
		for range 20 {
			s.model.whole.Observe(time.Now(), 100*time.Second)
		}
		start := time.Now()
		if w := g.post(chatPath, ask("m")); w.Code != 200 || time.Since(start) != 100*time.Second {
			t.Errorf("%d after %s", w.Code, time.Since(start))
		}
	})
}
