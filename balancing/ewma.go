package balancing

import (
	"math"
	"time"
)

// The time constants of [EWMA].
const (
	// smoothing is the time in which an old latency loses 63 % of its say in the average.
	smoothing = 10 * time.Second
	// fading is the time in which the latency of an idle target shrinks by 63 %. It is longer than smoothing, because
	// with a request a minute everything would be forgotten from one to the next.
	fading = 60 * time.Second
)

// EWMA is a peak-sensitive, exponentially weighted moving average of a target's latency. A latency above the average
// replaces it at once; those below pull it down, the more the longer the last one is past. So trouble shows with the first
// slow answer and has to be lived down.
//
// The average fades while nothing is observed, so that a target that was slow once is tried again. The zero value knows
// nothing and is ready for use. It is not safe for concurrent use; [Health] keeps one behind its lock.
//
// Source: the Peak EWMA load metric of Twitter's Finagle.
type EWMA struct {
	average  float64 // nanoseconds
	observed time.Time
	sent     time.Time
}

// Observe takes a latency into the average. Zero and negative ones are ignored: they are not known.
func (e *EWMA) Observe(now time.Time, latency time.Duration) {
	if latency <= 0 {
		return
	}
	if l := float64(latency); l >= e.average {
		e.average = l
	} else {
		keep := decay(now.Sub(e.observed), smoothing)
		e.average = e.average*keep + l*(1-keep)
	}
	e.observed = now
}

// Sent says that a request is on its way. Until an answer of average latency would be back the average does not fade, so
// that a target whose bad figure has faded is tried by one request and not by all that come before the answer.
func (e *EWMA) Sent(now time.Time) { e.sent = now }

// Value is the average, faded by the time since the last latency was observed. It is 0 when nothing is known, or no more.
func (e *EWMA) Value(now time.Time) time.Duration {
	if e.average == 0 || now.Sub(e.sent) < time.Duration(e.average) {
		return time.Duration(e.average)
	}
	return time.Duration(e.average * decay(now.Sub(e.observed), fading))
}

// decay is what remains after a time, from 1 down to 0. Time that goes backwards takes nothing away.
func decay(elapsed, constant time.Duration) float64 {
	if elapsed <= 0 {
		return 1
	}
	return math.Exp(-float64(elapsed) / float64(constant))
}
