package simulated

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/providers"
)

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
