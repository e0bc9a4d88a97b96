package journal

import (
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
