package journal

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
)

func TestAJournalThatIsFullAfterACrashStartsAndIsDrained(t *testing.T) {
	for name, policy := range map[string]Failure{"buffer": Buffer, "refuse": Refuse} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fs, sink := newSimulated(), &store{failure: errors.New("away")}
				o := Options{Dir: "/j", Sink: sink, OnFailure: policy, files: fs, segmentSize: 8 << 10, MaxSize: 40 << 10}
				first := o
				first.OnFailure = Refuse
				j := open(t, first)
				var want []accounting.Entry
				for n := 0; ; n++ {
					synctest.Wait()
					e := settled(n)
					before := intended(e)
					i, err := j.Intend(t.Context(), &before)
					if err != nil {
						break
					}
					i.Settle(&e)
					want = append(want, e)
				}
				crash(j)

				j = open(t, o)
				e := settled(5000)
				before := intended(e)
				switch i, err := j.Intend(t.Context(), &before); {
				case policy == Refuse:
					if !errors.Is(err, accounting.ErrUnavailable) || !errors.Is(err, errFull) {
						t.Errorf("intend in a full journal: %v", err)
					}
				case err != nil:
					t.Errorf("intend: %v", err)
				default:
					i.Settle(&e)
					want = append(want, e)
				}
				if s := j.Stats(); !errors.Is(s.DiskError, errFull) {
					t.Errorf("stats: %+v", s)
				}
				sink.fail(nil)
				time.Sleep(10 * time.Second)
				e = settled(5001)
				intend(t, j, e).Settle(&e)
				if err := j.Sync(t.Context()); err != nil {
					t.Fatal(err)
				}
				wantEntries(t, sink.all(), append(want, e)...)
				if s := j.Stats(); s.DiskError != nil {
					t.Errorf("stats when it is drained: %+v", s)
				}
				closeJournal(t, j)
			})
		})
	}
}

func TestWhatAJournalLeavesBehindIsTakenOverByOneThatIsRunning(t *testing.T) {
	for name, leave := range map[string]func(t *testing.T, j *Journal){
		"killed": func(_ *testing.T, j *Journal) { crash(j) },
		"closed while its sink was away": func(t *testing.T, j *Journal) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := j.Close(ctx); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fs, sink := newSimulated(), &store{}
				left := open(t, Options{Dir: "/j", Sink: away{}, files: fs, segmentSize: 8 << 10})
				running := open(t, Options{Dir: "/j", Sink: sink, files: fs, segmentSize: 8 << 10, MaxSize: 16 << 10})
				var want []accounting.Entry
				for n := range 50 {
					e := settled(n)
					intend(t, left, e).Settle(&e)
					want = append(want, e)
				}
				late := settled(100)
				under := intend(t, left, late)
				leave(t, left)
				if name == "killed" {
					late = intended(late)
					late.Recovered = true
				} else {
					under.Settle(&late)
				}
				sink.fail(errors.New("away"))
				first := settled(200)
				intend(t, running, first).Settle(&first)
				time.Sleep(time.Minute)
				if s := running.Stats(); s.Pending != 1 {
					t.Errorf("stats while the sink is away: %+v", s)
				}
				sink.fail(nil)
				time.Sleep(20 * time.Second)
				wantEntries(t, sink.all(), append(want, late, first)...)
				if s := running.Stats(); s.Pending != 0 || s.DiskError != nil || s.Bytes != 16<<10 || running.adopted.Load() != 0 {
					t.Errorf("stats: %+v, %d bytes are taken over", s, running.adopted.Load())
				}
				closeJournal(t, running)
				if names, _ := fs.ReadDir("/j"); len(names) > 0 {
					t.Errorf("left behind: %v", names)
				}
			})
		})
	}
}
