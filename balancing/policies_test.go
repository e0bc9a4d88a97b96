package balancing

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// policyNames are the names that a Caddyfile may use.
var policyNames = []string{
	"priority", "round_robin", "weighted_round_robin", "random", "least_conn", "fastest", "cheapest", "session",
}

// newPolicy loads a policy as a host module does.
func newPolicy(t testing.TB, name string) Policy {
	t.Helper()
	info, err := caddy.GetModule("http.llm_gateway.policies." + name)
	if err != nil {
		t.Fatal(err)
	}
	p, ok := info.New().(Policy)
	if !ok {
		t.Fatalf("module %s is not a policy", info.ID)
	}
	return p
}

// seeded is a hint with a reproducible source.
func seeded(seed uint64) Hint {
	return Hint{Rand: rand.New(rand.NewPCG(seed, 0)).Uint64}
}

// targets makes candidates with the given weights and IDs that depend on their position only.
func targets(weights ...int) []Candidate {
	pool := make([]Candidate, len(weights))
	for i, w := range weights {
		pool[i] = Candidate{ID: ID("target", string(rune('a'+i))), Weight: w}
	}
	return pool
}

func picks(p Policy, h Hint, pool []Candidate, n int) []int {
	count := make([]int, len(pool))
	for range n {
		count[p.Pick(h, pool)]++
	}
	return count
}

func TestSharesAreWithinTwoPercentOfWeights(t *testing.T) {
	const n = 1_000_000
	for _, policy := range []string{"weighted_round_robin", "random", "session"} {
		for _, weights := range [][]int{{1}, {1, 1}, {5, 1, 1}, {3, 7}, {10, 20, 30, 40}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}} {
			pool, p, h := targets(weights...), newPolicy(t, policy), seeded(1)
			count := make([]int, len(pool))
			for i := range n {
				if policy == "session" {
					h.Affinity = mix(uint64(i) + 1) // a million sessions of one request
				}
				count[p.Pick(h, pool)]++
			}
			total := float64(totalWeight(pool))
			for i, w := range weights {
				want := n * float64(w) / total
				if off := math.Abs(float64(count[i])-want) / want; off > 0.02 {
					t.Errorf("%s %v: target %d got %d picks, want %.0f", policy, weights, i, count[i], want)
				}
			}
		}
	}
}

func TestEveryPolicyPicksAValidIndexFromAnyPool(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	odd := []int64{math.MinInt64, -1, 0, 1, 1 << 40, math.MaxInt64}
	for _, name := range policyNames {
		p := newPolicy(t, name)
		for range 20_000 {
			pool := make([]Candidate, 1+r.IntN(20))
			for i := range pool {
				pool[i] = Candidate{
					ID:       r.Uint64N(4), // often the same
					Weight:   int(odd[r.IntN(len(odd))]),
					InFlight: odd[r.IntN(len(odd))],
					Latency:  0,
					Cost:     odd[r.IntN(len(odd))],
					Priced:   r.IntN(2) == 0,
				}
				if r.IntN(2) == 0 {
					pool[i].Latency = 1<<63 - 1
				}
			}
			h := Hint{Affinity: r.Uint64N(3), Rand: r.Uint64}
			switch r.IntN(3) {
			case 0:
				h.Rand = func() uint64 { return math.MaxUint64 }
			case 1:
				h.Rand = nil
			}
			if i := p.Pick(h, pool); i < 0 || i >= len(pool) {
				t.Fatalf("%s picked %d of %d", name, i, len(pool))
			}
		}
	}
}

func TestPickDoesNotAllocate(t *testing.T) {
	pool := targets(1, 2, 3)
	for _, name := range policyNames {
		p := newPolicy(t, name)
		for _, h := range []Hint{{Rand: Rand}, {Rand: Rand, Affinity: 9}, {}} {
			if n := testing.AllocsPerRun(100, func() { p.Pick(h, pool) }); n != 0 {
				t.Errorf("%s allocates %v times", name, n)
			}
		}
	}
}

func TestPoliciesMayBeUsedByManyGoroutines(t *testing.T) {
	pool := targets(1, 2, 3)
	for _, name := range policyNames {
		p := newPolicy(t, name)
		done := make(chan int)
		for range 4 {
			go func() {
				sum := 0
				for range 1000 {
					sum += p.Pick(Hint{}, pool)
				}
				done <- sum
			}()
		}
		for range 4 {
			if sum := <-done; sum < 0 || sum > 2000 {
				t.Errorf("%s: indices sum up to %d", name, sum)
			}
		}
	}
}

func TestPoliciesParseTheirCaddyfile(t *testing.T) {
	for _, tc := range []struct {
		input string
		fails string // part of the error
		key   string
	}{
		{input: "priority"},
		{input: "round_robin"},
		{input: "weighted_round_robin"},
		{input: "random"},
		{input: "least_conn"},
		{input: "fastest"},
		{input: "cheapest"},
		{input: "session"},
		{input: "session {http.request.header.X-Session}", key: "{http.request.header.X-Session}"},
		{input: "priority 1", fails: "wrong argument count"},
		{input: "round_robin a", fails: "wrong argument count"},
		{input: "weighted_round_robin 5 1", fails: "wrong argument count"},
		{input: "random 2", fails: "wrong argument count"},
		{input: "least_conn x", fails: "wrong argument count"},
		{input: "fastest x", fails: "wrong argument count"},
		{input: "cheapest x", fails: "wrong argument count"},
		{input: "cheapest {\n\tby output\n}", fails: "unrecognized balancing policy option 'by'"},
		{input: "session user", fails: "session key 'user' holds no placeholder"},
		{input: "session {a} {b}", fails: "wrong argument count"},
		{input: "session {a} {\n\tfallback random\n}", fails: "unrecognized balancing policy option 'fallback'"},
	} {
		name, _, _ := strings.Cut(tc.input, " ")
		p := newPolicy(t, name)
		err := p.(caddyfile.Unmarshaler).UnmarshalCaddyfile(caddyfile.NewTestDispenser(tc.input))
		if tc.fails == "" {
			if err != nil {
				t.Errorf("%q: %v", tc.input, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), tc.fails) {
			t.Errorf("%q: got error %v, want one with %q", tc.input, err, tc.fails)
		}
		if k, ok := p.(AffinityKeyer); ok && tc.fails == "" && k.AffinityPlaceholder() != tc.key {
			t.Errorf("%q: got key %q, want %q", tc.input, k.AffinityPlaceholder(), tc.key)
		}
	}
}

func TestPriorityTakesTheFirst(t *testing.T) {
	if got := picks(newPolicy(t, "priority"), Hint{}, targets(1, 9, 9), 10); got[0] != 10 {
		t.Errorf("got picks %v, want all on the first", got)
	}
}

func TestCheapestTakesTheLowestKnownCost(t *testing.T) {
	free := Candidate{Cost: 0, Priced: true}
	five := Candidate{Cost: 5, Priced: true}
	nine := Candidate{Cost: 9, Priced: true}
	unknown := Candidate{}
	for i, tc := range []struct {
		pool []Candidate
		want int
	}{
		{[]Candidate{nine, five}, 1},
		{[]Candidate{five, nine}, 0},
		{[]Candidate{five, five}, 0},
		{[]Candidate{nine, five, five}, 1},
		{[]Candidate{unknown, nine}, 1},
		{[]Candidate{nine, unknown}, 0},
		{[]Candidate{unknown, unknown}, 0},
		{[]Candidate{unknown, five, free}, 2},
	} {
		if got := newPolicy(t, "cheapest").Pick(Hint{}, tc.pool); got != tc.want {
			t.Errorf("case %d: got %d, want %d", i, got, tc.want)
		}
	}
}

func TestLeastConnWeighsRequestsInFlight(t *testing.T) {
	busy := func(inFlight int64, weight int) Candidate { return Candidate{InFlight: inFlight, Weight: weight} }
	for i, tc := range []struct {
		pool []Candidate
		want []float64 // share of each
	}{
		{[]Candidate{busy(3, 1), busy(2, 1), busy(4, 1)}, []float64{0, 1, 0}},
		{[]Candidate{busy(3, 1), busy(5, 2)}, []float64{0, 1}},
		{[]Candidate{busy(2, 1), busy(5, 2)}, []float64{1, 0}},
		{[]Candidate{busy(1, 1), busy(1, 1), busy(1, 1)}, []float64{1. / 3, 1. / 3, 1. / 3}},
		{[]Candidate{busy(9, 1), busy(1, 1), busy(9, 1), busy(3, 3)}, []float64{0, .25, 0, .75}},
		{[]Candidate{busy(-4, 1), busy(0, 1)}, []float64{.5, .5}},
		{[]Candidate{busy(math.MaxInt64, 1), busy(math.MaxInt64, math.MaxInt)}, []float64{0, 1}},
	} {
		const n = 60_000
		for j, got := range picks(newPolicy(t, "least_conn"), seeded(3), tc.pool, n) {
			if share := float64(got) / n; math.Abs(share-tc.want[j]) > 0.01 {
				t.Errorf("case %d: target %d got %.3f of the picks, want %.3f", i, j, share, tc.want[j])
			}
		}
	}
}

func TestFastestTakesTheTargetThatPromisesToAnswerFirst(t *testing.T) {
	for _, tc := range []struct {
		name string
		pool []Candidate
		want int
	}{
		{"the lowest latency wins", []Candidate{{Latency: 900 * ms}, {Latency: 200 * ms}, {Latency: 700 * ms}}, 1},
		{"requests in flight do not count by themselves", []Candidate{{Latency: 200 * ms, InFlight: 90}, {Latency: 900 * ms}}, 0},
		{"of equals the first", []Candidate{{Latency: ms}, {Latency: ms}}, 0},
		{"an idle unknown target is found out", []Candidate{{Latency: ms}, {}}, 1},
		{"a busy unknown target is not", []Candidate{{InFlight: 1}, {Latency: 900 * ms, InFlight: 50}}, 1},
		{"of unknown targets the least busy one wins", []Candidate{{InFlight: 2}, {InFlight: 1}, {InFlight: 3}}, 1},
		{"huge numbers do not wrap", []Candidate{{Latency: math.MaxInt64, InFlight: math.MaxInt64}, {Latency: ms}}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := Hint{Rand: func() uint64 { return math.MaxUint64 }} // does not explore
			if got := newPolicy(t, "fastest").Pick(h, tc.pool); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
}

func TestFastestExploresTheMoreSeldomTheSlowerATargetIs(t *testing.T) {
	const n = 1_000_000
	for _, tc := range []struct {
		name string
		pool []Candidate
		want []float64 // share of each
	}{
		{"equals share", []Candidate{{Latency: ms}, {Latency: ms}, {Latency: ms}}, []float64{1. / 3, 1. / 3, 1. / 3}},
		{"by the gap", []Candidate{{Latency: 100 * ms}, {Latency: 110 * ms}}, []float64{1 - 1/14.5, 1 / 14.5}},
		{"by the gap, of three", []Candidate{{Latency: 110 * ms}, {Latency: 100 * ms}, {Latency: 120 * ms}}, []float64{1. / 28, 1 - 1./28 - 1./53, 1. / 53}},
		{"one in 200 in any case", []Candidate{{Latency: time.Second}, {Latency: ms}, {Latency: time.Hour}}, []float64{0.0025, 0.995, 0.0025}},
		{"a busy unknown target is not explored", []Candidate{{Latency: ms}, {InFlight: 1}}, []float64{1, 0}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for i, got := range picks(newPolicy(t, "fastest"), seeded(11), tc.pool, n) {
				if share := float64(got) / n; math.Abs(share-tc.want[i]) > 0.0005+0.01*tc.want[i] {
					t.Errorf("target %d got %.4f of the picks, want %.4f", i, share, tc.want[i])
				}
			}
		})
	}
}
