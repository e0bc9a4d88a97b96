package balancing

import (
	"sync"
	"sync/atomic"
	"time"
)

// Rate is so many units within any span of Per. N 0 sets no limit.
type Rate struct {
	N   int64
	Per time.Duration
}

// Limit is what a vendor allows one credential at one endpoint. Zero fields set no limit.
type Limit struct {
	Requests, Tokens Rate
	Concurrent       int64
}

// Limiter keeps a [Limit], so that the vendor never has to answer with a 429. Rates are counted over a sliding window of
// 60 parts: in no span of the rate's length is more let through than the rate allows, and bursts up to it are. Tokens are
// taken by estimate before a request and corrected after it. The zero Limiter sets no limit. It has no clock; all methods
// are safe for concurrent use.
type Limiter struct {
	on atomic.Bool // some limit is set

	mu               sync.Mutex
	concurrent       int64
	inFlight         int64
	requests, tokens ring
}

// Grant is what one request took of a [Limiter], for [Limiter.Return].
type Grant struct {
	taken       bool
	tokens      int64
	part, tpart int64 // of the windows that the request and its tokens were counted in
}

// SetLimit replaces the limit. What was counted stays counted unless the length of the rate changes.
func (l *Limiter) SetLimit(limit Limit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests.set(limit.Requests)
	l.tokens.set(limit.Tokens)
	l.concurrent = limit.Concurrent
	l.on.Store(limit != Limit{})
}

// Wait is how long a request of so many tokens has to wait; 0 when it may go now. Where it waits for another request to end,
// nobody knows how long that takes: then it is a tenth of a second.
func (l *Limiter) Wait(now time.Time, tokens int64) time.Duration {
	if !l.on.Load() {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wait(now, tokens)
}

func (l *Limiter) wait(now time.Time, tokens int64) time.Duration {
	wait := max(l.requests.wait(now, 1), l.tokens.wait(now, tokens))
	if l.concurrent > 0 && l.inFlight >= l.concurrent {
		wait = max(wait, concurrentWait)
	}
	return wait
}

// concurrentWait is the time after which it is worth asking again whether one of too many requests has ended.
const concurrentWait = 100 * time.Millisecond

// Take lets a request through that will use about so many tokens, or reports that it has to wait.
func (l *Limiter) Take(now time.Time, tokens int64) (Grant, bool) {
	if !l.on.Load() {
		return Grant{}, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wait(now, tokens) > 0 {
		return Grant{}, false
	}
	l.inFlight++
	return Grant{taken: true, tokens: tokens, part: l.requests.add(now, 1), tpart: l.tokens.add(now, tokens)}, true
}

// Cancel takes back a request that was let through and not sent after all.
func (l *Limiter) Cancel(now time.Time, g Grant) {
	if !g.taken {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight = max(l.inFlight-1, 0)
	l.requests.remove(now, g.part, 1)
	l.tokens.remove(now, g.tpart, g.tokens)
}

// Return ends a request that was let through and used so many tokens; a negative number leaves the estimate.
func (l *Limiter) Return(now time.Time, g Grant, used int64) {
	if !g.taken {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight = max(l.inFlight-1, 0)
	switch {
	case used < 0:
	case used > g.tokens:
		l.tokens.add(now, used-g.tokens)
	default:
		l.tokens.remove(now, g.tpart, g.tokens-used)
	}
}

// ringParts is into how many parts the span of a rate is divided. The ring has one more: what happened in a part is
// forgotten only when all of it is older than the span.
const ringParts = 60

// ring counts units over a sliding window.
type ring struct {
	rate   Rate
	origin time.Time
	newest int64 // number of the newest part since origin
	parts  [ringParts + 1]int64
	sum    int64
}

func (r *ring) set(rate Rate) {
	if rate.Per != r.rate.Per {
		*r = ring{}
	}
	r.rate = rate
}

func (r *ring) width() time.Duration { return max(r.rate.Per/ringParts, 1) }

// move makes the part of now the newest. Time that goes backwards is counted in the newest one.
func (r *ring) move(now time.Time) {
	if r.origin.IsZero() {
		r.origin = now
	}
	n := int64(now.Sub(r.origin) / r.width())
	for k := max(r.newest, n-int64(len(r.parts))) + 1; k <= n; k++ {
		old := &r.parts[k%int64(len(r.parts))]
		r.sum -= *old
		*old = 0
	}
	r.newest = max(r.newest, n)
}

func (r *ring) add(now time.Time, n int64) int64 {
	if r.rate.N <= 0 {
		return 0
	}
	r.move(now)
	r.parts[r.newest%int64(len(r.parts))] += n
	r.sum += n
	return r.newest
}

// remove takes back what was counted in a part, if it still counts.
func (r *ring) remove(now time.Time, part, n int64) {
	if r.rate.N <= 0 {
		return
	}
	r.move(now)
	if r.newest-part >= int64(len(r.parts)) {
		return
	}
	p := &r.parts[part%int64(len(r.parts))]
	n = min(n, *p)
	*p -= n
	r.sum -= n
}

// wait is how long until n more may be counted. More than the whole rate may be when nothing else is counted.
func (r *ring) wait(now time.Time, n int64) time.Duration {
	if r.rate.N <= 0 {
		return 0
	}
	r.move(now)
	room := max(r.rate.N-n, 0)
	left := r.sum
	for k := max(r.newest-ringParts, 0); left > room; k++ {
		if k > r.newest {
			return r.rate.Per
		}
		left -= r.parts[k%int64(len(r.parts))]
		if left <= room {
			forgotten := r.origin.Add(time.Duration(k+int64(len(r.parts))) * r.width())
			return max(forgotten.Sub(now), 1)
		}
	}
	return 0
}
