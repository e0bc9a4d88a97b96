package llmgateway

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var errTest = errors.New("no progress")

// ends waits for a context and reports after how long and why it ended.
func ends(ctx context.Context, since time.Time) (time.Duration, error) {
	<-ctx.Done()
	return time.Since(since), context.Cause(ctx)
}

func TestAWatchdogBarks(t *testing.T) {
	const s = time.Second
	for _, tc := range []struct {
		name            string
		limit, deadline time.Duration
		// act runs beside the watched work.
		act   func(w *watchdog)
		after time.Duration
		cause error
	}{
		{"when there is no progress", 10 * s, 60 * s, func(*watchdog) {}, 10 * s, errTest},
		{"at the deadline if that is sooner", 10 * s, 4 * s, func(*watchdog) {}, 4 * s, errRequestTimeout},
		{"at once if the deadline has passed", 10 * s, -s, func(*watchdog) {}, 0, errRequestTimeout},
		{"later after progress", 10 * s, 60 * s, func(w *watchdog) { time.Sleep(7 * s); w.touch() }, 17 * s, errTest},
		{"at the deadline in spite of all progress", 10 * s, 25 * s, func(w *watchdog) {
			for range 20 {
				time.Sleep(2 * s)
				w.touch()
			}
		}, 25 * s, errRequestTimeout},
		{"sooner when less patience is asked for", 50 * s, 60 * s, func(w *watchdog) { time.Sleep(5 * s); w.watch(3*s, &errIdle) }, 8 * s, errIdle},
		{"later when more patience is asked for", 5 * s, 60 * s, func(w *watchdog) { time.Sleep(4 * s); w.watch(20*s, &errIdle) }, 24 * s, errIdle},
		{"at the deadline whatever patience is asked for", 5 * s, 15 * s, func(w *watchdog) { w.watch(20*s, &errIdle) }, 15 * s, errRequestTimeout},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				ctx, w := newWatchdog(t.Context(), tc.limit, errTest, start.Add(tc.deadline))
				defer w.stop()
				var wg sync.WaitGroup
				defer wg.Wait()
				wg.Go(func() { tc.act(w) })
				if after, cause := ends(ctx, start); after != tc.after || !errors.Is(cause, tc.cause) {
					t.Errorf("after %s: %v; want %s: %v", after, cause, tc.after, tc.cause)
				}
			})
		})
	}
}

func TestAWatchdogThatWasStoppedStaysQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, w := newWatchdog(t.Context(), time.Second, errTest, time.Now().Add(time.Hour))
		w.stop()
		time.Sleep(time.Minute)
		if cause := context.Cause(ctx); !errors.Is(cause, errDone) {
			t.Errorf("the cause is %v", cause)
		}
	})
}

func TestAWatchdogEndsWithItsParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		ctx, w := newWatchdog(parent, time.Minute, errTest, start.Add(time.Hour))
		defer w.stop()
		if after, cause := ends(ctx, start); after != 3*time.Second || !errors.Is(cause, context.DeadlineExceeded) {
			t.Errorf("after %s: %v", after, cause)
		}
	})
}

func TestNotingProgressAllocatesNothing(t *testing.T) {
	_, w := newWatchdog(t.Context(), time.Minute, errTest, time.Now().Add(time.Hour))
	defer w.stop()
	if n := testing.AllocsPerRun(100, w.touch); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
