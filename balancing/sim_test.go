package balancing

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"
)

var simTable = flag.Bool("sim.table", false, "print what the simulation of the policies came to")

// figures are the results of a scenario by policy and by oracle.
type figures struct {
	scenario scenario
	policy   map[string]result
	latency  result // of the oracles
	cost     result
	hits     result
}

func simulate(t *testing.T, sc scenario) figures {
	f := figures{scenario: sc, policy: map[string]result{}}
	for _, name := range policyNames {
		f.policy[name] = playPolicy(sc, func() Policy { return newPolicy(t, name) })
	}
	f.latency, f.cost = playOracle(sc, aimLatency), playOracle(sc, aimCost)
	if sc.sessions > 0 {
		f.hits = playOracle(sc, aimHits)
	}
	return f
}

func TestSimulation(t *testing.T) {
	all := map[string]figures{}
	var table strings.Builder
	for _, sc := range scenarios() {
		f := simulate(t, sc)
		all[sc.name] = f
		f.print(&table)
	}
	if *simTable {
		fmt.Printf("seed %d\n%s", simSeed, table.String())
	}
}

func (f *figures) print(w *strings.Builder) {
	fmt.Fprintf(w, "\n%-21s %8s %8s %7s %9s %9s %8s %8s %s\n",
		f.scenario.name, "p50 ms", "p99 ms", "errors", "attempts", "spend $", "p99 +%", "$ +%", "misses")
	row := func(name string, r *result) {
		misses := ""
		if f.scenario.sessions > 0 {
			misses = fmt.Sprintf("%d (%+.0f %%)", r.misses, regret(float64(r.misses), float64(f.hits.misses)))
		}
		fmt.Fprintf(w, "%-21s %8d %8d %6.2f%% %9.3f %9.4f %+8.1f %+8.1f %s\n",
			"  "+name, r.p50/time.Millisecond, r.p99/time.Millisecond, 100*r.errors, r.attempts, float64(r.spend)/1e9,
			regret(float64(r.p99), float64(f.latency.p99)), regret(float64(r.spend), float64(f.cost.spend)), misses)
	}
	for _, name := range policyNames {
		r := f.policy[name]
		row(name, &r)
	}
	row("oracle of latency", &f.latency)
	row("oracle of cost", &f.cost)
	if f.scenario.sessions > 0 {
		row("oracle of sessions", &f.hits)
	}
}

// regret is by how many percent a figure is above the oracle's.
func regret(got, best float64) float64 {
	if best == 0 {
		return 0
	}
	return 100 * (got/best - 1)
}
