package balancing

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestRetriesAreAFifthOfTheRequests(t *testing.T) {
	for _, tc := range []struct {
		name     string
		requests int
		cost     int
		want     int // retries granted
	}{
		{"three at a time without any requests", 0, 1, 3},
		{"three at a time for few requests", 10, 1, 3},
		{"a fifth, and three at a time", 15, 1, 3},
		{"a fifth of some", 50, 1, 10},
		{"a fifth of many", 1000, 1, 200},
		{"half as many after timeouts", 1000, 2, 100},
		{"a cost of nothing is one", 1000, 0, 200},
		{"a negative cost is one", 1000, -5, 200},
		{"nothing that costs more than there is", 0, 11, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var b RetryBudget
			for range tc.requests {
				b.Request(epoch)
			}
			got := 0
			for b.Withdraw(epoch, tc.cost) {
				got++
			}
			if got != tc.want {
				t.Errorf("got %d retries, want %d", got, tc.want)
			}
		})
	}
}

func TestThreeRetriesMayBeUnderWayHoweverFewRequestsThereAre(t *testing.T) {
	var b RetryBudget
	for range budgetAtOnce {
		if !b.Withdraw(epoch, 2) {
			t.Fatal("a retry was refused")
		}
	}
	if b.Withdraw(epoch, 1) {
		t.Error("four retries are under way")
	}
	b.Done()
	if !b.Withdraw(epoch, 1) {
		t.Error("a place was not given back")
	}
	for range 100 { // a fifth of them is allowed in addition
		b.Request(epoch)
	}
	if !b.Withdraw(epoch, 1) {
		t.Error("the share of many requests was refused for what is under way")
	}
}

func TestTheBudgetRefillsAsTimePasses(t *testing.T) {
	var b RetryBudget
	for range 10 {
		if !b.Withdraw(epoch, 1) {
			t.Fatal("a retry was refused")
		}
		b.Done()
	}
	for _, tc := range []struct {
		at   time.Duration
		want bool
	}{{0, false}, {9 * time.Second, false}, {10 * time.Second, true}} {
		if got := b.Withdraw(epoch.Add(tc.at), 1); got != tc.want {
			t.Errorf("after %v: got %v, want %v", tc.at, got, tc.want)
		}
	}
}

func TestRequestsOfLongAgoAllowNoRetries(t *testing.T) {
	var b RetryBudget
	for range 1000 {
		b.Request(epoch)
	}
	got := 0
	for b.Withdraw(epoch.Add(time.Minute), 1) {
		b.Done()
		got++
	}
	if got != budgetFloor {
		t.Errorf("got %d retries, want the floor of %d", got, budgetFloor)
	}
}

func TestAnOutageIsAmplifiedByAFifthAtMost(t *testing.T) {
	// Every request fails and asks for two retries, for a minute.
	var b RetryBudget
	const perSecond = 500
	retries := 0
	for i := range 60 * perSecond {
		now := epoch.Add(time.Duration(i) * time.Second / perSecond)
		b.Request(now)
		for range 2 {
			if b.Withdraw(now, 1) {
				retries++
				b.Done()
			}
		}
	}
	if share := float64(retries) / (60 * perSecond); share > 0.21 || share < 0.19 {
		t.Errorf("got %.3f retries for each request, want 0.2", share)
	}
}

func TestNoBudgetIsUnlimited(t *testing.T) {
	var b *RetryBudget
	b.Request(epoch)
	b.Done()
	for range 1000 {
		if !b.Withdraw(epoch, 1) {
			t.Fatal("a nil budget refused a retry")
		}
	}
}

func TestConcurrentWithdrawalsDoNotOverdraw(t *testing.T) {
	var b RetryBudget
	for range 1000 {
		b.Request(epoch)
	}
	var granted atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if b.Withdraw(epoch, 1) {
					granted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if granted.Load() != 200 {
		t.Errorf("got %d retries, want 200", granted.Load())
	}
}
