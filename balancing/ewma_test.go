package balancing

import (
	"math"
	"testing"
	"time"
)

// epoch is a time without a monotonic reading, as tests state times.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func near(got, want time.Duration) bool {
	return math.Abs(float64(got-want)) <= 0.001*float64(want)+1
}

func TestLatencyJumpsUpAndIsLivedDown(t *testing.T) {
	const e1 = 0.36788 // exp(-1)
	type step struct {
		at      time.Duration
		observe time.Duration
	}
	for _, tc := range []struct {
		name  string
		steps []step
		at    time.Duration
		want  time.Duration
	}{
		{"nothing is known at first", nil, 0, 0},
		{"the first latency is taken as it is", []step{{0, time.Second}}, 0, time.Second},
		{"a slower one replaces the average", []step{{0, time.Second}, {time.Second, 9 * time.Second}}, time.Second, 9 * time.Second},
		{
			"a faster one counts by the time that has passed",
			[]step{{0, 4 * time.Second}, {smoothing, time.Second}},
			smoothing, seconds(4*e1 + 1*(1-e1)),
		},
		{"a faster one at the same moment does not count", []step{{0, 4 * time.Second}, {0, time.Second}}, 0, 4 * time.Second},
		{"the average fades while idle", []step{{0, time.Second}}, fading, seconds(e1)},
		{"it is forgotten in the end", []step{{0, time.Second}}, time.Hour, 0},
		{"time that goes backwards changes nothing", []step{{time.Minute, time.Second}}, 0, time.Second},
		{"zero is not a latency", []step{{0, time.Second}, {smoothing, 0}}, 0, time.Second},
		{"a negative number is not a latency", []step{{0, -time.Second}}, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var e EWMA
			for _, s := range tc.steps {
				e.Observe(epoch.Add(s.at), s.observe)
			}
			if got := e.Value(epoch.Add(tc.at)); !near(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func TestAFadedLatencyIsFoundOutByOneRequestAtATime(t *testing.T) {
	var e EWMA
	e.Observe(epoch, 10*time.Second)
	later := epoch.Add(3 * fading)
	if got := e.Value(later); got > time.Second {
		t.Fatalf("got %v after three time constants, want it faded", got)
	}
	e.Sent(later)
	for _, wait := range []time.Duration{0, time.Second, 9 * time.Second} {
		if got := e.Value(later.Add(wait)); got != 10*time.Second {
			t.Errorf("got %v while the answer may be on its way for %v, want 10s", got, wait)
		}
	}
	if got := e.Value(later.Add(11 * time.Second)); got > time.Second {
		t.Errorf("got %v when the answer is overdue, want it faded", got)
	}
	e.Observe(later.Add(time.Second), time.Second)
	if got := e.Value(later.Add(time.Second)); got > 1100*time.Millisecond {
		t.Errorf("got %v after a fast answer, want about 1s", got)
	}
}

func TestObservingLatenciesDoesNotAllocate(t *testing.T) {
	var e EWMA
	if n := testing.AllocsPerRun(100, func() {
		e.Sent(epoch)
		e.Observe(epoch, time.Second)
		e.Value(epoch)
	}); n != 0 {
		t.Errorf("got %v allocations", n)
	}
}
