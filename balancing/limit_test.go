package balancing

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

func TestALimiterLetsNoMoreThroughInAnySpan(t *testing.T) {
	const n, per = 50, time.Minute
	var l Limiter
	l.SetLimit(Limit{Requests: Rate{n, per}})
	random := rand.New(rand.NewPCG(1, 2))
	var sent []time.Time
	for now := epoch; now.Sub(epoch) < 20*time.Minute; now = now.Add(time.Duration(random.IntN(1500)) * time.Millisecond) {
		if _, ok := l.Take(now, 0); ok {
			sent = append(sent, now)
		}
		in := 0
		for i := len(sent) - 1; i >= 0 && now.Sub(sent[i]) < per; i-- {
			in++
		}
		if in > n {
			t.Fatalf("%d in a minute after %s", in, now.Sub(epoch))
		}
	}
	if want := 20 * n * 9 / 10; len(sent) < want {
		t.Errorf("only %d let through, want %d or more", len(sent), want)
	}
}

func TestAfterTheWaitARequestIsLetThrough(t *testing.T) {
	var l Limiter
	l.SetLimit(Limit{Requests: Rate{5, time.Minute}, Tokens: Rate{1000, time.Hour}})
	random := rand.New(rand.NewPCG(3, 4))
	now := epoch
	for range 2000 {
		tokens := int64(random.IntN(400))
		if wait := l.Wait(now, tokens); wait > 0 {
			if _, ok := l.Take(now, tokens); ok {
				t.Fatal("let through in spite of the wait")
			}
			if wait > 1 {
				if _, ok := l.Take(now.Add(wait-1), tokens); ok {
					t.Fatalf("let through before the %s were over", wait)
				}
			}
			now = now.Add(wait)
		}
		g, ok := l.Take(now, tokens)
		if !ok {
			t.Fatalf("not let through after the wait; another %s", l.Wait(now, tokens))
		}
		l.Return(now, g, tokens*int64(random.IntN(3))/2)
		now = now.Add(time.Duration(random.IntN(int(time.Second))))
	}
}

func TestTokensAreCorrectedByWhatWasUsed(t *testing.T) {
	var l Limiter
	l.SetLimit(Limit{Tokens: Rate{100, time.Minute}})
	take := func(now time.Time, n int64) Grant {
		t.Helper()
		g, ok := l.Take(now, n)
		if !ok {
			t.Fatalf("%d tokens not let through", n)
		}
		return g
	}
	l.Return(epoch, take(epoch, 90), 10) // less than thought
	l.Return(epoch, take(epoch, 20), 60) // more
	l.Return(epoch, take(epoch, 30), -1) // nobody knows
	if l.Wait(epoch, 1) == 0 {
		t.Error("100 of 100 are used, and another is let through")
	}
	late := epoch.Add(2 * time.Minute)
	old := take(late, 50)
	much := late.Add(5 * time.Minute)
	l.Return(much, old, 0) // forgotten long ago
	take(much, 100)
	if l.Wait(much, 1) == 0 {
		t.Error("what was forgotten was given back")
	}
	take(much.Add(2*time.Minute), 5000) // more than the limit, alone
}

func TestConcurrentRequestsAreLimited(t *testing.T) {
	var l Limiter
	l.SetLimit(Limit{Concurrent: 2})
	a, _ := l.Take(epoch, 0)
	if _, ok := l.Take(epoch, 0); !ok {
		t.Fatal("the second is not let through")
	}
	if _, ok := l.Take(epoch, 0); ok || l.Wait(epoch, 0) != concurrentWait {
		t.Fatal("the third is let through")
	}
	l.Return(epoch, a, 0)
	if l.Wait(epoch, 0) != 0 {
		t.Error("no place after one has ended")
	}
}

func TestARequestThatWasNotSentIsTakenBack(t *testing.T) {
	var l Limiter
	l.SetLimit(Limit{Requests: Rate{1, time.Minute}, Tokens: Rate{10, time.Minute}, Concurrent: 1})
	for range 3 {
		g, ok := l.Take(epoch, 10)
		if !ok {
			t.Fatal("not let through")
		}
		l.Cancel(epoch, g)
	}
}

func TestALimiterMayChangeAndHaveNoLimit(t *testing.T) {
	var l Limiter
	g, ok := l.Take(epoch, 1<<40)
	if !ok || l.Wait(epoch, 1) != 0 {
		t.Fatal("the zero limiter limits")
	}
	l.SetLimit(Limit{Requests: Rate{1, time.Second}})
	l.Return(epoch, g, 7)
	if _, ok := l.Take(epoch, 0); !ok {
		t.Fatal("not let through")
	}
	l.SetLimit(Limit{Requests: Rate{2, time.Second}})
	if _, ok := l.Take(epoch, 0); !ok {
		t.Error("a higher limit does not count")
	}
	if _, ok := l.Take(epoch, 0); ok {
		t.Error("what was counted is forgotten by a change")
	}
	l.SetLimit(Limit{})
	if l.Wait(epoch, 1) != 0 {
		t.Error("still limited")
	}
}

func TestALimiterIsSafeForConcurrentUse(t *testing.T) {
	var l Limiter
	l.SetLimit(Limit{Requests: Rate{100, time.Minute}, Concurrent: 10})
	var wg sync.WaitGroup
	var mu sync.Mutex
	sent := 0
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if g, ok := l.Take(epoch, 1); ok {
					mu.Lock()
					sent++
					mu.Unlock()
					l.Return(epoch, g, 1)
				}
			}
		})
	}
	wg.Wait()
	if sent != 100 {
		t.Errorf("%d let through, want 100", sent)
	}
}

func BenchmarkLimiter(b *testing.B) {
	var l Limiter
	l.SetLimit(Limit{Requests: Rate{1 << 40, time.Minute}, Tokens: Rate{1 << 50, time.Minute}, Concurrent: 1 << 20})
	b.ReportAllocs()
	now := epoch
	for b.Loop() {
		g, _ := l.Take(now, 1000)
		l.Return(now, g, 900)
		now = now.Add(time.Microsecond)
	}
}
