package balancing

import (
	"math"
	"time"
)

// The terms of [Forecast].
const (
	// forecastAnswers is how many answers the mean covers at most. With fewer, each long answer of a distribution with a
	// heavy tail would move it; with more, a busy target would be followed too slowly.
	forecastAnswers = 32
	// forecastSpan is how far the mean reaches back where answers are rare: one that comes this long after the last
	// counts for as much as all that was known.
	forecastSpan = 20 * time.Second
	// An answer that comes after a pause of forecastPause and takes less than a forecastOver-th of the mean shows that
	// some trouble is over. What was known is forgotten then.
	forecastPause = 5 * time.Second
	forecastOver  = 4
	// forecastRate is the time constant of the rate of answers.
	forecastRate = 3 * time.Second
	// forecastChance is how many standard deviations of the requests that wait are put down to chance. With none, a few
	// requests that happen to come together would send the next one to a slower target; with one, servers whose latency
	// grows with their load would be noticed too late to share it well.
	forecastChance = 0.25
)

// Forecast predicts the time to the first token of a request that would be sent now, from the answers so far and from the
// requests that still wait for theirs. The zero value knows nothing and is ready for use. It is not safe for concurrent
// use; [Health] keeps one behind its lock.
//
// It is the product of three factors:
//
//   - the mean of the last 32 answers, or of those of the last 20 seconds where they are fewer. A mean, not a peak: the
//     peak of a heavy tail says how many answers were seen rather than how slow they are, and so speaks against
//     whichever target is used most.
//   - 1+1/√n for a mean of n answers, in the manner of a standard error: one lucky answer does not draw all requests away
//     from a target that is well known.
//   - (1+w)/(1+u+√u/4) when that is more than 1, for w requests that wait where u are usual. What is usual is by
//     Little's law the rate of answers times their mean, and √u the standard deviation of a Poisson process. A target that hangs has no answers to be judged by, and one that many have just turned
//     to is slower before its answers show it; but a target that is busy all the time is judged by its answers alone,
//     because many providers are as fast under load as without, and those that are not show it in their answers.
//
// Sources: J. Little, "A Proof for the Queuing Formula L = λW" (1961); the outstanding requests as a penalty are those of
// Finagle's Peak EWMA.
type Forecast struct {
	mean     float64 // seconds
	answers  float64 // that the mean stands for
	observed time.Time

	waiting int64
	rate    float64 // answers a second
	counted time.Time
}

// Sent says that a request is on its way.
func (f *Forecast) Sent() { f.waiting++ }

// Gone says that a request has ended without an answer.
func (f *Forecast) Gone() { f.waiting-- }

// Answered says that a request has its first token.
func (f *Forecast) Answered(now time.Time) {
	f.waiting--
	f.rate = f.rate*decay(now.Sub(f.counted), forecastRate) + 1/forecastRate.Seconds()
	f.counted = now
}

// Observe takes a latency into the mean. Zero and negative ones are ignored: they are not known.
func (f *Forecast) Observe(now time.Time, latency time.Duration) {
	if latency <= 0 {
		return
	}
	l, pause := latency.Seconds(), now.Sub(f.observed)
	f.answers = min(f.answers, forecastAnswers-1)
	if pause > 0 {
		f.answers = min(f.answers, float64(forecastSpan)/float64(pause))
	}
	if pause > forecastPause && l < f.mean/forecastOver {
		f.answers = 0
	}
	f.answers++
	f.mean += (l - f.mean) / f.answers
	f.observed = now
}

// Failed says that a request waited for so long in vain. It counts as an answer that took this long, unless it failed
// sooner than answers come.
func (f *Forecast) Failed(now time.Time, waited time.Duration) {
	if waited > f.Mean() {
		f.Observe(now, waited)
	}
}

// Mean is the smoothed latency; 0 when nothing is known.
func (f *Forecast) Mean() time.Duration { return nanoseconds(f.mean) }

// Value is the latency to expect of a request that is sent now; 0 when nothing is known.
func (f *Forecast) Value(now time.Time) time.Duration {
	if f.answers == 0 {
		return 0
	}
	v := f.mean * (1 + 1/math.Sqrt(f.answers))
	if f.waiting > 0 {
		usual := f.rate * decay(now.Sub(f.counted), forecastRate) * f.mean
		v *= max((1+float64(f.waiting))/(1+usual+forecastChance*math.Sqrt(usual)), 1)
	}
	return nanoseconds(v)
}

// nanoseconds makes a duration of seconds, at most the longest there is.
func nanoseconds(seconds float64) time.Duration {
	if seconds >= math.MaxInt64/1e9 {
		return math.MaxInt64
	}
	return time.Duration(seconds * 1e9)
}

// decay is what remains after a time, from 1 down to 0. Time that goes backwards takes nothing away.
func decay(elapsed, constant time.Duration) float64 {
	if elapsed <= 0 {
		return 1
	}
	return math.Exp(-float64(elapsed) / float64(constant))
}
