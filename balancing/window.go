package balancing

import "time"

// windowBuckets is into how many parts a window is divided: events are forgotten by a tenth of the span.
const windowBuckets = 10

// tally counts requests and those among them, or in their wake, that tell against.
type tally struct{ requests, strikes int64 }

// window tallies over a sliding span of time, at a fixed cost and without a timer. It is not safe for concurrent use.
// Time that goes backwards is counted in the newest bucket.
type window struct {
	width   time.Duration // of one bucket
	origin  time.Time     // start of bucket 0
	newest  int64         // number of the newest bucket since origin
	ends    time.Duration // end of the newest bucket since origin
	buckets [windowBuckets]tally
	sum     tally // of all buckets
}

// resize empties the window and sets its span.
func (w *window) resize(span time.Duration) {
	*w = window{width: max(span/windowBuckets, 1)}
}

// clear forgets everything counted.
func (w *window) clear() { w.buckets, w.sum = [windowBuckets]tally{}, tally{} }

// at moves the window to now and returns the sums over its span.
func (w *window) at(now time.Time) tally {
	if w.origin.IsZero() {
		w.origin = now
	}
	if since := now.Sub(w.origin); since >= w.ends {
		w.move(int64(since / w.width))
	}
	return w.sum
}

// move makes the bucket of the given number the newest and forgets those that are too old by it.
func (w *window) move(number int64) {
	for n := max(w.newest, number-windowBuckets) + 1; n <= number; n++ {
		old := &w.buckets[n%windowBuckets]
		w.sum.requests -= old.requests
		w.sum.strikes -= old.strikes
		*old = tally{}
	}
	w.newest, w.ends = number, time.Duration(number+1)*w.width
}

// add counts at now and returns the sums over the span.
func (w *window) add(now time.Time, requests, strikes int64) tally {
	w.at(now)
	b := &w.buckets[w.newest%windowBuckets]
	b.requests += requests
	b.strikes += strikes
	w.sum.requests += requests
	w.sum.strikes += strikes
	return w.sum
}
