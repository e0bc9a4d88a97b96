package balancing

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestQuantilesAreWithinATenth(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	var q Quantiles
	var all []time.Duration
	now := epoch
	for range 5000 {
		l := time.Duration(50e6 * (1 + 20*random.ExpFloat64()))
		all = append(all, l)
		q.Observe(now, l)
		now = now.Add(20 * time.Millisecond)
	}
	slices.Sort(all)
	for _, p := range []float64{0.01, 0.5, 0.95, 0.99} {
		got, ok := q.Value(now, p)
		want := all[int(p*float64(len(all)))]
		if !ok || float64(got) < 0.89*float64(want) || float64(got) > 1.12*float64(want) {
			t.Errorf("p%v: %s, want %s", p*100, got, want)
		}
	}
}

func TestQuantilesForget(t *testing.T) {
	var q Quantiles
	if _, ok := q.Value(epoch, 0.5); ok {
		t.Error("an estimate from nothing")
	}
	for range 100 {
		q.Observe(epoch, time.Hour)
	}
	for i := range 19 {
		q.Observe(epoch.Add(quantileSpan+time.Duration(i)), time.Second)
	}
	if got, _ := q.Value(epoch.Add(quantileSpan+20), 0.5); got < time.Minute {
		t.Errorf("forgotten too soon: %s", got)
	}
	late := epoch.Add(2 * quantileSpan)
	q.Observe(late, time.Second)
	if got, ok := q.Value(late, 0.99); !ok || got > 2*time.Second {
		t.Errorf("not forgotten: %s %v", got, ok)
	}
	if _, ok := q.Value(late.Add(3*quantileSpan), 0.5); ok {
		t.Error("an estimate from what is long past")
	}
	q.Observe(late, 0)
	q.Observe(late, -1)
	q.Observe(late, time.Nanosecond)
	q.Observe(late, 1000*time.Hour)
}

func BenchmarkQuantiles(b *testing.B) {
	var q Quantiles
	b.ReportAllocs()
	for b.Loop() {
		q.Observe(epoch, 123*time.Millisecond)
	}
}
