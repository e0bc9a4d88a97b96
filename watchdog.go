package llmgateway

import (
	"context"
	"sync/atomic"
	"time"
)

// watchdog cancels an attempt that makes no progress. It keeps one timer for the whole attempt and looks at the clock
// only when that fires, so that noting progress costs an atomic store and nothing else.
type watchdog struct {
	cancel   context.CancelCauseFunc
	timer    *time.Timer
	base     time.Time
	deadline time.Duration // since base
	progress atomic.Int64  // since base, in nanoseconds
	limit    atomic.Int64  // how long without progress
	stopped  atomic.Bool
	cause    atomic.Pointer[error]
}

// newWatchdog derives a context that is cancelled with cause when no progress is noted for limit, and with
// errRequestTimeout at the deadline.
func newWatchdog(parent context.Context, limit time.Duration, cause error, deadline time.Time) (context.Context, *watchdog) {
	ctx, cancel := context.WithCancelCause(parent)
	now := time.Now()
	w := &watchdog{cancel: cancel, base: now, deadline: deadline.Sub(now)}
	w.limit.Store(int64(limit))
	w.cause.Store(&cause)
	w.timer = time.AfterFunc(time.Hour, w.fire)
	w.timer.Reset(min(limit, w.deadline))
	return ctx, w
}

func (w *watchdog) fire() {
	since := time.Since(w.base)
	if since >= w.deadline {
		w.cancel(errRequestTimeout)
		return
	}
	limit := time.Duration(w.limit.Load())
	idle := since - time.Duration(w.progress.Load())
	if idle >= limit {
		w.cancel(*w.cause.Load())
		return
	}
	if !w.stopped.Load() {
		w.timer.Reset(min(limit-idle, w.deadline-since))
	}
}

// touch notes progress.
func (w *watchdog) touch() { w.progress.Store(int64(time.Since(w.base))) }

// watch notes progress and changes what is waited for from now on.
func (w *watchdog) watch(limit time.Duration, cause *error) {
	w.touch()
	w.cause.Store(cause)
	w.limit.Store(int64(limit))
	w.timer.Reset(min(limit, w.deadline-time.Since(w.base)))
}

// stop ends the watch and releases the context.
func (w *watchdog) stop() {
	w.stopped.Store(true)
	w.timer.Stop()
	w.cancel(errDone)
}
