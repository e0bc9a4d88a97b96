package balancing

import (
	"fmt"
	"testing"
	"time"
)

func BenchmarkPick(b *testing.B) {
	for _, name := range policyNames {
		for _, n := range []int{3, 20} {
			weights := make([]int, n)
			for i := range weights {
				weights[i] = 1 + i%4
			}
			pool, p := targets(weights...), newPolicy(b, name)
			for i := range pool {
				pool[i].InFlight, pool[i].Latency = int64(i%5), time.Duration(i+1)*time.Millisecond
				pool[i].Cost, pool[i].Priced = int64(i), true
			}
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				h := Hint{Affinity: 1, Rand: Rand}
				for b.Loop() {
					h.Affinity = h.Affinity*golden + 1
					p.Pick(h, pool)
				}
			})
		}
	}
}

func BenchmarkHealth(b *testing.B) {
	now := time.Now()
	bench := func(name string, h *Health, op func(*Health, Pass)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				op(h, Pass{})
			}
		})
	}
	resting := NewHealth(Rules{})
	resting.Cooldown(now, time.Hour)
	allow := func(h *Health, _ Pass) { h.Allow(now) }
	bench("Allow", NewHealth(Rules{}), allow)
	bench("AllowResting", resting, allow)
	bench("BeginEnd", NewHealth(Rules{}), func(h *Health, _ Pass) {
		if p, ok := h.Begin(now); ok {
			h.End(&p)
		}
	})
	bench("Success", NewHealth(Rules{}), func(h *Health, p Pass) { h.Success(now, &p, time.Second) })
	bench("FailureOfRequest", NewHealth(Rules{}), func(h *Health, p Pass) { h.Failure(now, p, ClassInvalid) })
	measured := NewHealth(Rules{})
	measured.Success(now.Add(-time.Second), &Pass{}, 100*time.Millisecond)
	bench("Latency", measured, func(h *Health, _ Pass) { h.Latency(now) })
}

func BenchmarkForecast(b *testing.B) {
	var f Forecast
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Millisecond)
		f.Sent()
		f.Answered(now)
		f.Observe(now, time.Duration(now.Nanosecond()))
	}
}

func BenchmarkRetryBudget(b *testing.B) {
	var budget RetryBudget
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Millisecond)
		budget.Request(now)
		budget.Withdraw(now, 1)
	}
}

func BenchmarkNext(b *testing.B) {
	rules := DefaultRetryRules()
	s := Situation{Class: ClassServerError, Tries: 1, TargetTries: 1, Remaining: time.Minute, Random: 1 << 40}
	b.ReportAllocs()
	for b.Loop() {
		rules.Next(s)
	}
}

func BenchmarkAffinity(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Affinity("session-4e8a9c51-77f0-4c0b")
	}
}
