package journal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/accounting/ledgertest"
)

// store is a sink that behaves as a database does: by attempt ID, a known entry in place of an Unknown one and never the
// other way around.
type store struct {
	mu      sync.Mutex
	rows    map[string]accounting.Entry
	order   []string
	calls   int
	refuse  func(accounting.Entry) bool // fails batches with such an entry
	failure error                       // fails everything
}

func (s *store) Insert(ctx context.Context, entries []accounting.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.failure != nil {
		return s.failure
	}
	for _, e := range entries {
		if s.refuse != nil && s.refuse(e) {
			return errors.New("an entry is refused")
		}
	}
	for _, e := range entries {
		old, ok := s.rows[e.AttemptID]
		if ok && (old.Certainty != accounting.Unknown || e.Certainty == accounting.Unknown) {
			continue
		}
		if s.rows == nil {
			s.rows = map[string]accounting.Entry{}
		}
		if !ok {
			s.order = append(s.order, e.AttemptID)
		}
		s.rows[e.AttemptID] = e
	}
	return nil
}

func (s *store) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = err
}

func (s *store) all() []accounting.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []accounting.Entry
	for _, id := range s.order {
		list = append(list, s.rows[id])
	}
	return list
}

// intended is what is known of an entry before its attempt.
func intended(e accounting.Entry) accounting.Entry {
	e.AnsweredModel, e.ProviderRequestID, e.ErrorClass, e.Status = "", "", "", 0
	e.Certainty, e.Recovered, e.UsageInvalid = accounting.Unknown, false, false
	e.Latency, e.TimeToFirstToken = 0, 0
	e.Usage = accounting.Usage{Input: e.Usage.Input}
	return e
}

// settled is an entry with a known outcome.
func settled(n int) accounting.Entry {
	e := ledgertest.Entry(n)
	e.Certainty, e.Recovered = accounting.Reported, false
	return e
}

func open(t *testing.T, o Options) *Journal {
	t.Helper()
	j, err := Open(o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return j
}

func intend(t *testing.T, j *Journal, e accounting.Entry) accounting.Intent {
	t.Helper()
	e = intended(e)
	i, err := j.Intend(t.Context(), &e)
	if err != nil {
		t.Fatalf("intend: %v", err)
	}
	return i
}

func closeJournal(t *testing.T, j *Journal) {
	t.Helper()
	if err := j.Close(t.Context()); err != nil {
		t.Errorf("close: %v", err)
	}
}

// crash ends a journal as the end of its process would: nothing is finished, and its locks are gone.
func crash(j *Journal) {
	j.closed.Store(true)
	j.stop()
	close(j.closing)
	<-j.pumping
	j.running.Wait()
	for _, s := range append(j.segments, j.spare) {
		if s != nil {
			_ = s.file.Close()
		}
	}
	_ = j.own.lock.Release(false)
}

func wantEntries(t *testing.T, got []accounting.Entry, want ...accounting.Entry) {
	t.Helper()
	byID := map[string]accounting.Entry{}
	for _, e := range got {
		if _, ok := byID[e.AttemptID]; ok {
			t.Errorf("%s is there twice", e.AttemptID)
		}
		byID[e.AttemptID] = e
	}
	for _, w := range want {
		if g := byID[w.AttemptID]; !reflect.DeepEqual(g, w) {
			t.Errorf("got\n%+v\nwant\n%+v", g, w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("the sink has %d entries, want %d", len(got), len(want))
	}
}

// left are the names below a folder.
func left(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if path != dir {
			names = append(names, strings.TrimPrefix(path, dir+string(filepath.Separator)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestSettledEntriesReachTheSinkAndNothingStays(t *testing.T) {
	for name, d := range map[string]Durability{"process": Process, "power": Power, "async": Async} {
		t.Run(name, func(t *testing.T) {
			dir, sink := t.TempDir(), &store{}
			j := open(t, Options{Dir: dir, Sink: sink, Durability: d, Logger: zap.NewNop()})
			one, two := settled(1), settled(2)
			i := intend(t, j, one)
			intend(t, j, two).Withdraw()
			if s := j.Stats(); s.InFlight != 1 {
				t.Errorf("in flight: %d, want 1", s.InFlight)
			}
			i.Settle(&one)
			i.Settle(&two) // too late
			if err := j.Record(t.Context(), []accounting.Entry{settled(3)}); err != nil {
				t.Fatal(err)
			}
			if err := j.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantEntries(t, sink.all(), one, settled(3))
			if s := j.Stats(); s.Pending != 0 || s.InFlight != 0 {
				t.Errorf("stats: %+v, want nothing pending and nothing in flight", s)
			}
			closeJournal(t, j)
			if names := left(t, dir); len(names) > 0 {
				t.Errorf("left behind: %v", names)
			}
			if _, err := j.Intend(t.Context(), &one); !errors.Is(err, accounting.ErrUnavailable) {
				t.Errorf("intend after close: %v, want %v", err, accounting.ErrUnavailable)
			}
		})
	}
}

func TestACrashLosesNothing(t *testing.T) {
	dir, sink := t.TempDir(), &store{failure: errors.New("away")}
	j := open(t, Options{Dir: dir, Sink: sink})
	one, two, three := settled(1), settled(2), settled(3)
	intend(t, j, one).Settle(&one)
	intend(t, j, two)
	intend(t, j, three).Withdraw()
	crash(j)

	sink = &store{}
	j = open(t, Options{Dir: dir, Sink: sink})
	if err := j.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	unknown := intended(two)
	unknown.Recovered = true
	wantEntries(t, sink.all(), one, unknown)
	closeJournal(t, j)
	if names := left(t, dir); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

func BenchmarkIntendSettle(b *testing.B) {
	for name, d := range map[string]Durability{"process": Process, "power": Power, "async": Async} {
		b.Run(name, func(b *testing.B) { benchmark(b, d, false) })
		b.Run(name+" parallel", func(b *testing.B) { benchmark(b, d, true) })
	}
}

// nowhere is a sink that is as fast as can be.
type nowhere struct{}

func (nowhere) Insert(context.Context, []accounting.Entry) error { return nil }

func benchmark(b *testing.B, d Durability, parallel bool) {
	j, err := Open(Options{Dir: b.TempDir(), Sink: nowhere{}, Durability: d})
	if err != nil {
		b.Fatal(err)
	}
	outcome := settled(1)
	before := intended(outcome)
	once := func() {
		i, err := j.Intend(context.Background(), &before)
		if err != nil {
			b.Error(err)
			return
		}
		i.Settle(&outcome)
	}
	b.ReportAllocs()
	if parallel {
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				once()
			}
		})
	} else {
		for b.Loop() {
			once()
		}
	}
	b.StopTimer()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := j.Close(ctx); err != nil {
		b.Error(err)
	}
}
