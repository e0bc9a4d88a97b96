package balancing

import (
	"flag"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"
)

var simTable = flag.Bool("sim.table", false, "print what the simulation of the policies came to; see make simulate")

// figures are the results of a scenario by policy and by oracle.
type figures struct {
	scenario            scenario
	policy              map[string]result
	latency, cost, hits result // of the oracles
}

func simulate(t *testing.T, sc scenario) figures {
	f := figures{scenario: sc, policy: map[string]result{}}
	few := 1
	if *simTable {
		few = simRuns
	}
	for _, name := range policyNames {
		runs := few
		if name == "fastest" {
			runs = simRuns
		}
		f.policy[name] = playPolicy(sc, runs, func() Policy { return newPolicy(t, name) })
	}
	f.latency, f.cost = playOracle(sc, simRuns, aimLatency), playOracle(sc, few, aimCost)
	if sc.sessions > 0 {
		f.hits = playOracle(sc, few, aimHits)
	}
	return f
}

func TestSimulation(t *testing.T) {
	var mu sync.Mutex
	tables := map[string]string{}
	t.Run("scenario", func(t *testing.T) {
		for _, sc := range scenarios() {
			t.Run(sc.name, func(t *testing.T) {
				t.Parallel()
				f := simulate(t, sc)
				f.check(t)
				mu.Lock()
				defer mu.Unlock()
				tables[sc.name] = f.table()
			})
		}
	})
	if *simTable {
		fmt.Printf("seeds %d to %d\n", simSeed, simSeed+simRuns-1)
		for _, sc := range scenarios() {
			fmt.Print(tables[sc.name])
		}
	}
}

// check holds the policies to their figures.
func (f *figures) check(t *testing.T) {
	for name, r := range f.policy {
		if r.ejected > 0 {
			t.Errorf("%s: %d attempts at a target at rest while there was a healthy one", name, r.ejected)
		}
		if !f.scenario.down && r.errors > 0 {
			t.Errorf("%s: %d errors with a healthy target at hand", name, r.errors)
		}
		if got := r.perRequest(); got > max(f.scenario.attempts, 1) {
			t.Errorf("%s: %.3f attempts for each request, want at most %.2f", name, got, max(f.scenario.attempts, 1))
		}
		if f.scenario.recovers && name != "cheapest" && r.recovery > 15*time.Second {
			t.Errorf("%s: the target that recovered answered after %v", name, r.recovery)
		}
	}
	fastest, cheapest, session := f.policy["fastest"], f.policy["cheapest"], f.policy["session"]
	if got := regret(fastest.percentile(0.99), f.latency.percentile(0.99)); simRuns > 1 && !f.scenario.erratic && got > 15 {
		t.Errorf("fastest: p99 %v is %.1f %% above that of the oracle", fastest.percentile(0.99), got)
	}
	if !f.scenario.guesswork && !f.scenario.down && cheapest.spend != f.cost.spend {
		t.Errorf("cheapest: spent %d nano-dollars, the oracle %d", cheapest.spend, f.cost.spend)
	}
	if f.scenario.sessions > 0 && len(f.scenario.changes) == 0 && session.misses != f.hits.misses {
		t.Errorf("session: %d cache misses, the oracle %d", session.misses, f.hits.misses)
	}
}

// table prints the figures. Regrets of latency are against the oracle of latency, those of spend against that of cost and
// those of misses against that of sessions.
func (f *figures) table() string {
	var w strings.Builder
	fmt.Fprintf(&w, "\n%-20s %7s %7s %7s %9s %9s %7s %7s", f.scenario.name,
		"p50 ms", "p99 ms", "errors", "attempts", "spend $", "p99 %", "spend %")
	if f.scenario.sessions > 0 {
		fmt.Fprintf(&w, " %7s %8s", "misses", "misses %")
	}
	w.WriteByte('\n')
	for _, name := range policyNames {
		f.row(&w, name, f.policy[name])
	}
	f.row(&w, "oracle of latency", f.latency)
	f.row(&w, "oracle of cost", f.cost)
	if f.scenario.sessions > 0 {
		f.row(&w, "oracle of sessions", f.hits)
	}
	return w.String()
}

func (f *figures) row(w *strings.Builder, name string, r result) {
	fmt.Fprintf(w, "  %-18s %7d %7d %6.2f%% %9.3f %9.3f %+7.1f %+7.1f", name,
		r.percentile(0.50).Milliseconds(), r.percentile(0.99).Milliseconds(), 100*float64(r.errors)/float64(r.requests),
		r.perRequest(), float64(r.spend)/1e9/simRuns,
		regret(r.percentile(0.99), f.latency.percentile(0.99)), regret(r.spend, f.cost.spend))
	if f.scenario.sessions > 0 {
		fmt.Fprintf(w, " %7d %+8.1f", r.misses/simRuns, regret(r.misses, f.hits.misses))
	}
	w.WriteByte('\n')
}

func TestWeightsHoldInTheSimulation(t *testing.T) {
	weights := []int{5, 3, 2}
	sc := scenario{rate: 20, requests: 6000, targets: func() []*simTarget { return weighted(weights) }}
	r := playPolicy(sc, 1, func() Policy { return newPolicy(t, "weighted_round_robin") })
	for i, weight := range weights {
		want := float64(r.requests*weight) / 10
		if got := float64(r.served[i]); math.Abs(got-want) > 0.02*want {
			t.Errorf("target %d of weight %d answered %v requests, want %v", i, weight, got, want)
		}
	}
}
