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

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func TestTheMeanOfLatencies(t *testing.T) {
	type step struct {
		at      time.Duration
		observe time.Duration
	}
	steady := func(n int, every, latency time.Duration) (steps []step) {
		for i := range n {
			steps = append(steps, step{time.Duration(i) * every, latency})
		}
		return steps
	}
	last := 99 * 50 * time.Millisecond // of a hundred answers, twenty a second
	for _, tc := range []struct {
		name  string
		steps []step
		want  time.Duration
	}{
		{"nothing is known at first", nil, 0},
		{"the first latency is taken as it is", []step{{0, time.Second}}, time.Second},
		{"several of a moment count alike", []step{{0, 1 * time.Second}, {0, 2 * time.Second}, {0, 6 * time.Second}}, 3 * time.Second},
		{
			"one long answer of a busy target counts for a 32nd",
			append(steady(100, 50*time.Millisecond, time.Second), step{last, 33 * time.Second}), 2 * time.Second,
		},
		{
			"after twenty seconds a new answer counts for a half",
			append(steady(100, 50*time.Millisecond, time.Second), step{last + forecastSpan, 3 * time.Second}), 2 * time.Second,
		},
		{
			"an answer far below the mean, after a pause, starts anew",
			append(steady(100, 50*time.Millisecond, 9*time.Second), step{last + 6*time.Second, 2 * time.Second}), 2 * time.Second,
		},
		{
			"without a pause it does not",
			append(steady(32, 0, 9*time.Second), step{0, 1 * time.Second}), seconds(9 - 8./32),
		},
		{"time that goes backwards does no harm", []step{{time.Minute, time.Second}, {0, 3 * time.Second}}, 2 * time.Second},
		{"zero is not a latency", []step{{0, time.Second}, {time.Second, 0}}, time.Second},
		{"a negative number is not a latency", []step{{0, -time.Second}}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var f Forecast
			for _, s := range tc.steps {
				f.Observe(epoch.Add(s.at), s.observe)
			}
			if got := f.Mean(); !near(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestWhatIsKnownByFewAnswersIsExpectedToBeWorse(t *testing.T) {
	var f Forecast
	if got := f.Value(epoch); got != 0 {
		t.Errorf("got %v before any answer, want 0", got)
	}
	for n, want := range map[int]time.Duration{1: 2 * time.Second, 4: 1500 * time.Millisecond, 16: 1250 * time.Millisecond} {
		f = Forecast{}
		for range n {
			f.Observe(epoch, time.Second)
		}
		if got := f.Value(epoch.Add(time.Hour)); !near(got, want) {
			t.Errorf("got %v after %d answers of 1s, want %v", got, n, want)
		}
	}
}

// busy lets requests come and be answered at an even pace for a minute, and returns when the last was.
func (f *Forecast) busy(every, latency time.Duration) time.Time {
	now := epoch
	for range latency / every {
		f.Sent()
	}
	for ; now.Sub(epoch) < time.Minute; now = now.Add(every) {
		f.Sent()
		f.Answered(now)
		f.Observe(now, latency)
	}
	return now
}

func TestATargetThatIsBusyAllTheTimeIsJudgedByItsAnswersAlone(t *testing.T) {
	var f Forecast
	now := f.busy(10*time.Millisecond, time.Second) // a hundred wait
	if got, want := f.Value(now), seconds(1+1/math.Sqrt(forecastAnswers)); got < want || got > want*103/100 {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestATargetThatHangsIsExpectedToBeSlowBeforeItsFirstTimeout(t *testing.T) {
	var f Forecast
	now := f.busy(50*time.Millisecond, 500*time.Millisecond)
	before := f.Value(now)
	for range 20 { // a second without an answer
		f.Sent()
		now = now.Add(50 * time.Millisecond)
	}
	if got := f.Value(now); got < 2*before {
		t.Errorf("got %v, want more than twice %v", got, before)
	}
	if later := f.Value(now.Add(10 * time.Second)); later < 2*f.Value(now) {
		t.Errorf("got %v when it still hangs, want it to rise", later)
	}
}

func TestAnExpectationDoesNotOverflow(t *testing.T) {
	var f Forecast
	f.Observe(epoch, math.MaxInt64)
	for range 1000 {
		f.Sent()
	}
	if got := f.Value(epoch); got != math.MaxInt64 {
		t.Errorf("got %v, want the longest duration", got)
	}
}

func TestForecastingDoesNotAllocate(t *testing.T) {
	var f Forecast
	if n := testing.AllocsPerRun(100, func() {
		f.Sent()
		f.Answered(epoch)
		f.Observe(epoch, time.Second)
		f.Value(epoch)
	}); n != 0 {
		t.Errorf("got %v allocations", n)
	}
}
