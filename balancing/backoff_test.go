package balancing

import (
	"math"
	"testing"
	"time"
)

func TestBackoffDoublesUpToALimit(t *testing.T) {
	const base, limit = 250 * time.Millisecond, 4 * time.Second
	for _, tc := range []struct {
		retry       int
		base, limit time.Duration
		ceiling     time.Duration
	}{
		{1, base, limit, base},
		{2, base, limit, 2 * base},
		{3, base, limit, 4 * base},
		{5, base, limit, limit},
		{6, base, limit, limit},
		{0, base, limit, base},
		{-9, base, limit, base},
		{math.MaxInt, base, limit, limit},
		{64, 1, math.MaxInt64, math.MaxInt64},
		{63, 1, math.MaxInt64, 1 << 62},
		{1, time.Minute, time.Second, time.Second},
		{1, 0, limit, 0},
		{1, -1, limit, 0},
		{1, base, 0, 0},
	} {
		if got := Backoff(tc.retry, tc.base, tc.limit, math.MaxUint64); got != tc.ceiling {
			t.Errorf("%+v: got at most %v", tc, got)
		}
		if got := Backoff(tc.retry, tc.base, tc.limit, 0); got != 0 {
			t.Errorf("%+v: got at least %v, want 0", tc, got)
		}
	}
}

func TestBackoffIsSpreadEvenly(t *testing.T) {
	const n = 100_000
	h := seeded(4)
	var quarters [4]int
	for range n {
		d := Backoff(3, 100*time.Millisecond, time.Second, h.Rand())
		quarters[min(d/(100*time.Millisecond), 3)]++
	}
	for i, q := range quarters {
		if q < n/4-n/50 || q > n/4+n/50 {
			t.Errorf("quarter %d got %d of %d", i, q, n)
		}
	}
}
