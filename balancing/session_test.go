package balancing

import (
	"math"
	"math/rand/v2"
	"testing"
)

const sessions = 100_000

func assign(t *testing.T, pool []Candidate) []uint64 {
	t.Helper()
	p := newPolicy(t, "session")
	owner := make([]uint64, sessions)
	for s := range owner {
		owner[s] = pool[p.Pick(Hint{Affinity: mix(uint64(s) + 1)}, pool)].ID
	}
	return owner
}

func TestOnlyTheSessionsOfALostTargetMove(t *testing.T) {
	for _, weights := range [][]int{{1, 1, 1, 1, 1}, {1, 2, 3, 4, 5}} {
		pool := targets(weights...)
		before := assign(t, pool)
		for lost := range pool {
			left := append(append([]Candidate{}, pool[:lost]...), pool[lost+1:]...)
			moved := 0
			for s, owner := range assign(t, left) {
				if owner != before[s] {
					moved++
					if before[s] != pool[lost].ID {
						t.Fatalf("%v: session %d moved although its target is still there", weights, s)
					}
				}
			}
			share := float64(weights[lost]) / float64(totalWeight(pool))
			if got := float64(moved) / sessions; math.Abs(got-share) > 0.01 {
				t.Errorf("%v: losing target %d moved %.3f of the sessions, want %.3f", weights, lost, got, share)
			}
		}
	}
}

func TestALargerWeightTakesSessionsFromAllOthersAlike(t *testing.T) {
	pool := targets(1, 1, 1)
	before := assign(t, pool)
	pool[0].Weight = 2
	from := map[uint64]int{}
	for s, owner := range assign(t, pool) {
		if owner != before[s] {
			if owner != pool[0].ID {
				t.Fatalf("session %d moved between targets whose weight is unchanged", s)
			}
			from[before[s]]++
		}
	}
	// The first target's share grows from 1/3 to 1/2, so it takes 1/12 of all sessions from each of the others.
	for _, c := range pool[1:] {
		if got := float64(from[c.ID]) / sessions; math.Abs(got-1./12) > 0.01 {
			t.Errorf("took %.3f of the sessions from a target, want %.3f", got, 1./12)
		}
	}
}

func TestEqualWeightsNeedNoLogarithms(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		pool := make([]Candidate, 1+r.IntN(20))
		for i := range pool {
			pool[i] = Candidate{ID: r.Uint64(), Weight: 3}
		}
		affinity := r.Uint64()
		if a, b := rendezvous(affinity, pool), weightedRendezvous(affinity, pool); a != b {
			t.Fatalf("the short form picks %d, the long form %d", a, b)
		}
	}
}

func TestASessionStaysWhateverTheOrderOfTargets(t *testing.T) {
	pool := targets(1, 2, 3, 4)
	before := assign(t, pool)
	pool[0], pool[3], pool[1], pool[2] = pool[3], pool[0], pool[2], pool[1]
	for s, owner := range assign(t, pool) {
		if owner != before[s] {
			t.Fatalf("session %d moved when the targets were reordered", s)
		}
	}
}

func TestRequestsWithoutASessionAreSpreadByWeight(t *testing.T) {
	got := picks(newPolicy(t, "session"), seeded(2), targets(3, 1), 40_000)
	if got[0] < 29_500 || got[0] > 30_500 {
		t.Errorf("got picks %v, want about 30000 and 10000", got)
	}
}

func TestHashesAreTheSameInEveryProcess(t *testing.T) {
	// Worked out by a second implementation; a change of these values moves every session of every user on upgrade.
	for _, tc := range []struct {
		got, want uint64
	}{
		{Affinity(""), 0},
		{Affinity("session-1"), 0x8f9d4a83e2384785},
		{Affinity("session-2"), 0x1339ab63f493bdf3},
		{ID("openai", "gpt"), 0x8a6b566e13416a59},
		{ID(), fnvOffset},
	} {
		if tc.got != tc.want {
			t.Errorf("got %#x, want %#x", tc.got, tc.want)
		}
	}
}

func TestPartsOfAnIdentityAreKeptApart(t *testing.T) {
	seen := map[uint64][]string{}
	for _, parts := range [][]string{
		{}, {""}, {"", ""}, {"ab", "c"}, {"a", "bc"}, {"abc"}, {"abc", ""}, {"", "abc"}, {"c", "ab"},
	} {
		id := ID(parts...)
		if other, dup := seen[id]; dup {
			t.Errorf("%q and %q have the same ID", parts, other)
		}
		seen[id] = parts
	}
}

func TestAHashIsNeverTheOneThatMeansNone(t *testing.T) {
	if nonZero(0) == 0 || nonZero(5) != 5 {
		t.Error("a hash of 0 must be moved and any other kept")
	}
	if Affinity("\x00") == 0 || ID("") == 0 {
		t.Error("a key hashes to 0")
	}
}
