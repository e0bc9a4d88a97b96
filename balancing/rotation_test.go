package balancing

import (
	"math"
	"slices"
	"testing"
)

func TestRoundRobinTakesTurnsInTheOrderWritten(t *testing.T) {
	p, pool := newPolicy(t, "round_robin"), targets(1, 9, 1)
	for i := range 12 {
		if got := p.Pick(Hint{}, pool); got != i%3 {
			t.Fatalf("pick %d: got %d", i, got)
		}
	}
}

// The first target always fails and is followed by a retry on the other two. A single counter would starve one of them.
func TestTurnsSurviveRetriesInStepWithFailures(t *testing.T) {
	for _, tc := range []struct {
		policy  string
		weights []int
	}{
		{"round_robin", []int{1, 1, 1}},
		{"weighted_round_robin", []int{1, 1, 1}},
		{"weighted_round_robin", []int{4, 2, 1}},
	} {
		const n = 70_000
		p, pool := newPolicy(t, tc.policy), targets(tc.weights...)
		first, second := make([]int, 3), make([]int, 2)
		for range n {
			i := p.Pick(Hint{}, pool)
			first[i]++
			if i == 0 {
				second[p.Pick(Hint{}, pool[1:])]++
			}
		}
		check := func(what string, count []int, pool []Candidate) {
			var sum int
			for _, c := range count {
				sum += c
			}
			for i := range pool {
				want := float64(sum) * float64(pool[i].weight()) / float64(totalWeight(pool))
				if math.Abs(float64(count[i])-want) > 0.02*want {
					t.Errorf("%s %v: %s got %v, want %.0f at %d", tc.policy, tc.weights, what, count, want, i)
				}
			}
		}
		check("first picks", first, pool)
		check("retries", second, pool[1:])
	}
}

func TestWeightedTurnsHoldForEachSetThatComesAndGoes(t *testing.T) {
	const n = 300_000
	p, all := newPolicy(t, "weighted_round_robin"), targets(5, 3, 1, 1)
	sets := [][]Candidate{all, all[1:], all[:2], {all[0], all[3]}}
	count := make([][]int, len(sets))
	for i := range sets {
		count[i] = make([]int, len(sets[i]))
	}
	for i := range n {
		// An irregular but reproducible order of sets.
		s := int(mix(uint64(i)) % uint64(len(sets)))
		count[s][p.Pick(Hint{}, sets[s])]++
	}
	for s, set := range sets {
		var sum int
		for _, c := range count[s] {
			sum += c
		}
		for i := range set {
			want := float64(sum) * float64(set[i].weight()) / float64(totalWeight(set))
			if math.Abs(float64(count[s][i])-want) > 0.02*want {
				t.Errorf("set %d: target %d got %d picks, want %.0f", s, i, count[s][i], want)
			}
		}
	}
}

func TestWeightedTurnsAreSmooth(t *testing.T) {
	for _, weights := range [][]int{{5, 1, 1}, {1, 1}, {100, 1}, {7, 5, 3, 2}} {
		p, pool := newPolicy(t, "weighted_round_robin"), targets(weights...)
		total := float64(totalWeight(pool))
		count := make([]int, len(pool))
		for n := 1; n <= 100_000; n++ {
			count[p.Pick(Hint{}, pool)]++
			for i := range pool {
				want := float64(n) * float64(weights[i]) / total
				if math.Abs(float64(count[i])-want) > 4 {
					t.Fatalf("%v: after %d picks target %d has %d, more than 4 off %.1f", weights, n, i, count[i], want)
				}
			}
		}
	}
}

func TestWeightedTurnsDoNotBunch(t *testing.T) {
	p, pool := newPolicy(t, "weighted_round_robin"), targets(5, 1, 1)
	longest, run := 0, 0
	for range 10_000 {
		if run++; p.Pick(Hint{}, pool) != 0 {
			run = 0
		}
		longest = max(longest, run)
	}
	if longest > 6 {
		t.Errorf("the target of weight 5 of 7 got %d in a row", longest)
	}
}

func TestWeightsThatChangeBetweenTurnsTakeEffectAtOnce(t *testing.T) {
	p, pool := newPolicy(t, "weighted_round_robin"), targets(1, 1)
	for _, weight := range []int{1, 3, 9, 1} {
		pool[0].Weight = weight
		got := picks(p, Hint{}, pool, 10_000)
		want := 10_000 * weight / (weight + 1)
		if off := got[0] - want; off < -5 || off > 5 {
			t.Errorf("weight %d: got %v, want %d", weight, got, want)
		}
	}
}

func TestTheOrderOfASetDoesNotMatterToItsCounter(t *testing.T) {
	var r rotation
	pool := targets(1, 1, 1)
	r.next(pool)
	slices.Reverse(pool)
	if n := r.next(pool); n != 1 {
		t.Errorf("got turn %d for the same set in another order, want 1", n)
	}
	if n := r.next(pool[:2]); n != 0 {
		t.Errorf("got turn %d for another set, want 0", n)
	}
}
