package journal

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-llm/llmgateway/accounting"
)

func TestAFullDisk(t *testing.T) {
	full := func(op, _ string) error {
		if op == "create" {
			return syscall.ENOSPC
		}
		return nil
	}
	for name, policy := range map[string]Failure{"buffer": Buffer, "refuse": Refuse} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fs, sink := newSimulated(), &store{failure: errors.New("away")}
				j := open(t, Options{
					Dir: "/j", Sink: sink, OnFailure: policy, files: fs, segmentSize: 8 << 10, bufferCount: 5,
				})
				synctest.Wait()
				fs.setFail(full)
				var before []accounting.Intent
				var want []accounting.Entry
				var err error
				for n := 0; err == nil; n++ {
					e := intended(settled(n))
					var i accounting.Intent
					if i, err = j.Intend(t.Context(), &e); err == nil {
						before, want = append(before, i), append(want, settled(n))
					}
				}
				if !errors.Is(err, accounting.ErrUnavailable) || !errors.Is(err, syscall.ENOSPC) {
					t.Errorf("intend on a full disk: %v", err)
				}
				held := map[Failure]int64{Buffer: 5, Refuse: 0}[policy]
				if s := j.Stats(); s.Buffered != held || !errors.Is(s.DiskError, syscall.ENOSPC) {
					t.Errorf("stats: %+v, want %d in memory", s, held)
				}
				for n, i := range before {
					i.Settle(&want[n])
				}
				if s := j.Stats(); s.Buffered != held {
					t.Errorf("%d in memory, want %d", s.Buffered, held)
				}
				fs.setFail(nil)
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if s := j.Stats(); s.DiskError != nil || s.Buffered > 0 {
					t.Errorf("stats when there is space again: %+v", s)
				}
				more := settled(1000)
				intend(t, j, more).Settle(&more)
				sink.fail(nil)
				if err := j.Sync(t.Context()); err != nil {
					t.Fatal(err)
				}
				wantEntries(t, sink.all(), append(want, more)...)
				closeJournal(t, j)
			})
		})
	}
}

func TestAnOutcomeThatCannotBeWrittenIsRecordedAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, sink := newSimulated(), &store{}
		j := open(t, Options{Dir: "/j", Sink: sink, files: fs, segmentSize: 8 << 10})
		one := settled(1)
		i := intend(t, j, one)
		fs.setFail(func(op, _ string) error {
			if op == "write" || op == "create" {
				return syscall.EIO
			}
			return nil
		})
		i.Settle(&one)
		if err := j.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantEntries(t, sink.all(), one)
		fs.setFail(nil)
		closeJournal(t, j)
	})
}

func TestTheJournalGrowsUntilItsLargestSizeWhileTheSinkIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, sink := newSimulated(), &store{failure: errors.New("away")}
		j := open(t, Options{Dir: "/j", Sink: sink, OnFailure: Refuse, files: fs, segmentSize: 8 << 10, MaxSize: 40 << 10})
		var want []accounting.Entry
		for n := 0; ; n++ {
			synctest.Wait()
			e := settled(n)
			before := intended(e)
			i, err := j.Intend(t.Context(), &before)
			if err != nil {
				if !errors.Is(err, accounting.ErrUnavailable) || !errors.Is(err, errFull) {
					t.Errorf("intend: %v", err)
				}
				break
			}
			i.Settle(&e)
			want = append(want, e)
		}
		time.Sleep(time.Second)
		if s := j.Stats(); s.Bytes != 40<<10 || s.Pending != int64(len(want)) || s.SinkError == nil {
			t.Errorf("stats: %+v", s)
		}
		sink.fail(nil)
		time.Sleep(10 * time.Second)
		e := settled(5000)
		intend(t, j, e).Settle(&e)
		if err := j.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantEntries(t, sink.all(), append(want, e)...)
		closeJournal(t, j)
	})
}

func TestAnEntryThatTheSinkNeverTakesHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		poison := map[string]bool{settled(3).AttemptID: true, settled(40).AttemptID: true}
		fs := newSimulated()
		sink := &store{refuse: func(e accounting.Entry) bool { return poison[e.AttemptID] }}
		j := open(t, Options{Dir: "/j", Sink: sink, files: fs})
		var want []accounting.Entry
		for n := range 100 {
			e := settled(n)
			intend(t, j, e).Settle(&e)
			if !poison[e.AttemptID] {
				want = append(want, e)
			}
		}
		time.Sleep(30 * time.Second)
		wantEntries(t, sink.all(), want...)
		for n := range 5 { // the sink has to be seen to work
			e := settled(200 + n)
			intend(t, j, e).Settle(&e)
			want = append(want, e)
			time.Sleep(time.Second)
		}
		if err := j.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantEntries(t, sink.all(), want...)
		rejected := string(fs.files["/j/"+rejectedName].data)
		for id := range poison {
			if strings.Count(rejected, id) != 1 {
				t.Errorf("%s is not in the file of rejected entries, or more than once: %s", id, rejected)
			}
		}
		if s := j.Stats(); s.Rejected != 2 || s.Pending != 0 {
			t.Errorf("stats: %+v", s)
		}
		closeJournal(t, j)
	})
}

func TestWhileTheSinkIsAwayNothingIsRejectedAndTheLogIsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		fs, sink := newSimulated(), &store{failure: errors.New("away")}
		j := open(t, Options{Dir: "/j", Sink: sink, files: fs, Logger: zap.New(core)})
		var want []accounting.Entry
		for n := range 50 {
			e := settled(n)
			intend(t, j, e).Settle(&e)
			want = append(want, e)
		}
		time.Sleep(10*time.Minute + 30*time.Second)
		if n := logs.FilterMessageSnippet("does not take").Len(); n < 9 || n > 11 {
			t.Errorf("%d lines in ten minutes, want one a minute", n)
		}
		sink.fail(nil)
		if err := j.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := logs.FilterMessageSnippet("takes entries again").Len(); n != 1 {
			t.Errorf("%d lines say that it works again, want 1", n)
		}
		wantEntries(t, sink.all(), want...)
		if s := j.Stats(); s.Rejected != 0 || s.SinkError != nil {
			t.Errorf("stats: %+v", s)
		}
		closeJournal(t, j)
	})
}

func TestACallThatEndsAfterTheJournalWasClosedIsRecordedAtTheNextStart(t *testing.T) {
	dir, sink := t.TempDir(), &store{}
	j := open(t, Options{Dir: dir, Sink: sink})
	e := settled(1)
	i := intend(t, j, e)
	closeJournal(t, j)
	other := open(t, Options{Dir: dir, Sink: sink}) // does not take what is still in use
	i.Settle(&e)
	closeJournal(t, other)
	wantEntries(t, sink.all())
	j = open(t, Options{Dir: dir, Sink: sink})
	closeJournal(t, j)
	wantEntries(t, sink.all(), e)
	if names := left(t, dir); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

func TestAnAsyncJournalMakesCallsWaitWhileTooManyEntriesDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &store{failure: errors.New("away")}
		j := open(t, Options{Durability: Async, Sink: sink, queue: 3})
		var want []accounting.Entry
		for n := range 3 {
			e := settled(n)
			intend(t, j, e).Settle(&e)
			want = append(want, e)
		}
		waiting := make(chan accounting.Intent)
		last := settled(9)
		go func() { waiting <- intend(t, j, last) }()
		time.Sleep(time.Minute)
		select {
		case <-waiting:
			t.Error("a call did not wait")
		default:
		}
		sink.fail(nil)
		(<-waiting).Settle(&last)
		closeJournal(t, j)
		wantEntries(t, sink.all(), append(want, last)...)
	})
}

func TestEntriesThatComeOneByOneWhileTheSinkIsAwayAreNotRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, sink := newSimulated(), &store{failure: errors.New("away")}
		j := open(t, Options{Dir: "/j", Sink: sink, files: fs})
		var want []accounting.Entry
		for n := range 30 {
			e := settled(n)
			intend(t, j, e).Settle(&e)
			want = append(want, e)
			time.Sleep(20 * time.Second)
		}
		if s := j.Stats(); s.Rejected != 0 || s.Pending != 30 {
			t.Errorf("stats while it is away: %+v", s)
		}
		sink.fail(nil)
		if err := j.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantEntries(t, sink.all(), want...)
		closeJournal(t, j)
	})
}

func TestASinkThatComesAndGoesRejectsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, sink := newSimulated(), &store{failure: errors.New("away")}
		j := open(t, Options{Dir: "/j", Sink: sink, files: fs})
		var want []accounting.Entry
		settle := func() {
			e := settled(len(want))
			intend(t, j, e).Settle(&e)
			want = append(want, e)
		}
		for range 3 {
			settle()
			time.Sleep(20 * time.Second)
		}
		for range 10 {
			// It takes what is new, and is away again before it is asked for what is old.
			sink.mu.Lock()
			sink.calls, sink.failure = 0, nil
			sink.refuse = func(accounting.Entry) bool { return sink.calls > 1 }
			sink.mu.Unlock()
			settle()
			time.Sleep(20 * time.Second)
		}
		if s := j.Stats(); s.Rejected != 0 {
			t.Errorf("stats: %+v", s)
		}
		sink.mu.Lock()
		sink.refuse = nil
		sink.mu.Unlock()
		if err := j.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantEntries(t, sink.all(), want...)
		closeJournal(t, j)
	})
}

func TestAnEntryThatIsNeverTakenHoldsUpNobodyWhenNothingElseHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, sink := newSimulated(), &store{failure: errors.New("away")}
		poison := settled(0).AttemptID
		sink.refuse = func(e accounting.Entry) bool { return e.AttemptID == poison }
		j := open(t, Options{Dir: "/j", Sink: sink, files: fs})
		var want []accounting.Entry
		for n := range 3 {
			e := settled(n)
			intend(t, j, e).Settle(&e)
			if n > 0 {
				want = append(want, e)
			}
			time.Sleep(20 * time.Second)
		}
		sink.fail(nil)
		time.Sleep(time.Minute)
		wantEntries(t, sink.all(), want...)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := j.Close(ctx); err != nil {
			t.Error(err)
		}
	})
}
