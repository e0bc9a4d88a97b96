package balancing

import (
	"math"
	"sync"
	"time"
)

// Quantiles estimates quantiles of latencies over the last five to ten minutes, to within a tenth, in a fixed kilobyte of
// memory. The zero value is ready for use, and safe for concurrent use.
//
// It counts in buckets whose bounds grow by a fifth each, from a millisecond to more than an hour, in two halves that take
// turns: one fills while the other still counts.
type Quantiles struct {
	mu      sync.Mutex
	began   time.Time // of the newer half
	current int
	halves  [2]histogram
}

type histogram struct {
	total  int64
	counts [quantileBuckets]uint32
}

const (
	quantileBuckets = 88
	quantileGrowth  = 1.2
	quantileSpan    = 5 * time.Minute
	// quantileLeast is how many latencies there must be for an estimate.
	quantileLeast = 20
)

// Observe counts a latency.
func (q *Quantiles) Observe(now time.Time, latency time.Duration) {
	if latency <= 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.turn(now)
	h := &q.halves[q.current]
	h.counts[bucketOf(latency)]++
	h.total++
}

// Value is the latency that the share p of all does not exceed; it reports false with less than 20 latencies.
func (q *Quantiles) Value(now time.Time, p float64) (time.Duration, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.turn(now)
	total := q.halves[0].total + q.halves[1].total
	if total < quantileLeast {
		return 0, false
	}
	rank := int64(math.Ceil(p * float64(total)))
	for i := range quantileBuckets {
		if rank -= int64(q.halves[0].counts[i]) + int64(q.halves[1].counts[i]); rank <= 0 {
			return boundOf(i), true
		}
	}
	return boundOf(quantileBuckets - 1), true
}

// turn forgets the older half when the newer one has filled for long enough.
func (q *Quantiles) turn(now time.Time) {
	switch age := now.Sub(q.began); {
	case q.began.IsZero() || age >= 2*quantileSpan:
		q.halves, q.began = [2]histogram{}, now
	case age >= quantileSpan:
		q.current = 1 - q.current
		q.halves[q.current] = histogram{}
		q.began = q.began.Add(quantileSpan)
	}
}

func bucketOf(latency time.Duration) int {
	i := int(math.Log(float64(latency)/float64(time.Millisecond)) / math.Log(quantileGrowth))
	return min(max(i, 0), quantileBuckets-1)
}

// boundOf is the middle of a bucket, by ratio.
func boundOf(i int) time.Duration {
	return time.Duration(float64(time.Millisecond) * math.Pow(quantileGrowth, float64(i)+0.5))
}
