package journal

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
)

// step is what a caller of the journal knows to have happened.
type step struct {
	what string // intending, intended, settling, settled, withdrawing, withdrawn, or inserted
	e    accounting.Entry
}

// noting is a sink that fails at times, and notes what it takes.
type noting struct {
	store
	fs *simulated
	r  *rand.Rand
}

func (n *noting) Insert(ctx context.Context, entries []accounting.Entry) error {
	if n.r.IntN(4) == 0 {
		return errors.New("away")
	}
	if err := n.store.Insert(ctx, entries); err != nil {
		return err
	}
	for _, e := range entries {
		n.fs.note(step{"inserted", e})
	}
	return nil
}

// workload runs a journal with several callers for a while, in virtual time, and returns everything that happened.
func workload(t *testing.T, d Durability, seed uint64) *simulated {
	fs := newSimulated()
	fs.slow = time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		j := open(t, Options{
			Dir: "/j", Durability: d, files: fs, segmentSize: 16 << 10,
			Sink: &noting{fs: fs, r: rand.New(rand.NewPCG(seed, 0))},
		})
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(seed, uint64(w)+1))
				for n := range 40 {
					caller(t, j, fs, r, 1000*(w+1)+n)
				}
			})
		}
		wg.Wait()
		closeJournal(t, j)
	})
	return fs
}

// caller makes one attempt.
func caller(t *testing.T, j *Journal, fs *simulated, r *rand.Rand, n int) {
	e := settled(n)
	if r.IntN(10) == 0 {
		e.ErrorClass = strings.Repeat("long ", 200) // longer than its room
	}
	time.Sleep(time.Duration(r.IntN(10)) * time.Millisecond)
	before := intended(e)
	fs.note(step{"intending", before})
	i, err := j.Intend(t.Context(), &before)
	if err != nil {
		t.Errorf("intend: %v", err)
		return
	}
	fs.note(step{"intended", before})
	time.Sleep(time.Duration(r.IntN(10)*r.IntN(40)) * time.Millisecond)
	if r.IntN(8) == 0 {
		fs.note(step{"withdrawing", e})
		i.Withdraw()
		fs.note(step{"withdrawn", e})
		return
	}
	fs.note(step{"settling", e})
	i.Settle(&e)
	fs.note(step{"settled", e})
}

func TestALossOfPowerTakesNoMoreThanWasPromised(t *testing.T) {
	const seeds, losses = 10, 30 // for each durability
	for name, d := range map[string]Durability{"process": Process, "power": Power} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(seeds) {
				before := workload(t, d, seed)
				r := rand.New(rand.NewPCG(seed, 99))
				for range losses {
					n := 1 + r.IntN(len(before.log))
					checkLoss(t, d, before.log[:n], before.lose(n, r))
				}
			}
		})
	}
}

// checkLoss opens what is left on the disk and compares what the sink has then with what is known to have happened.
func checkLoss(t *testing.T, d Durability, log []event, after *simulated) {
	t.Helper()
	sink := &store{}
	known := map[string]map[string]time.Time{} // by attempt and step
	final := map[string]accounting.Entry{}
	first := map[string]accounting.Entry{}
	for _, e := range log {
		s, ok := e.note.(step)
		if !ok {
			continue
		}
		id := s.e.AttemptID
		switch s.what {
		case "intending":
			known[id] = map[string]time.Time{}
			first[id] = s.e
		case "settling":
			final[id] = s.e
		case "inserted":
			if err := sink.Insert(t.Context(), []accounting.Entry{s.e}); err != nil {
				t.Fatal(err)
			}
			continue
		}
		known[id][s.what] = e.at
	}
	j := open(t, Options{Dir: "/j", Sink: sink, files: after, segmentSize: 16 << 10})
	if err := j.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	closeJournal(t, j)
	for name := range after.files {
		t.Errorf("%s is left behind", name)
	}
	// What was promised until then holds.
	deadline := log[len(log)-1].at
	if d == Process {
		deadline = deadline.Add(-250 * time.Millisecond)
	}
	did := func(id, what string) bool {
		at, ok := known[id][what]
		return ok && !at.After(deadline)
	}
	for id, steps := range known {
		row, there := sink.rows[id]
		_, withdrawing := steps["withdrawing"]
		switch {
		case did(id, "settled") && row.Certainty != accounting.Reported:
			t.Errorf("attempt %s was settled, and is lost (there: %v)", id, there)
		case did(id, "intended") && !withdrawing && !there:
			t.Errorf("attempt %s was intended, and is lost", id)
		case did(id, "withdrawn") && there:
			t.Errorf("attempt %s was withdrawn, and is there", id)
		}
	}
	for id, row := range sink.rows {
		want := final[id]
		if row.Certainty == accounting.Unknown {
			want = first[id]
			want.Recovered = true
		}
		if !reflect.DeepEqual(row, want) {
			t.Errorf("attempt %s is\n%+v\nwant\n%+v", id, row, want)
		}
	}
}
