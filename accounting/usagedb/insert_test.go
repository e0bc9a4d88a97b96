package usagedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/accounting/ledgertest"
	"github.com/caddy-llm/llmgateway/internal/pgtest"
)

// with returns an entry of a certainty and a cost.
func with(n int, c accounting.Certainty, cost accounting.Money) accounting.Entry {
	e := ledgertest.Entry(n)
	e.Certainty, e.Cost = c, cost
	return e
}

func TestOnlyUnknownAttemptsAreReplaced(t *testing.T) {
	const unknown, reported, estimated = accounting.Unknown, accounting.Reported, accounting.Estimated
	type outcome struct {
		certainty accounting.Certainty
		cost      accounting.Money
	}
	cases := []struct {
		name string
		come []outcome
		want outcome
	}{
		{"an unknown attempt by one that is reported", []outcome{{unknown, 5}, {reported, 7}}, outcome{reported, 7}},
		{"an unknown attempt not by another", []outcome{{unknown, 5}, {unknown, 7}}, outcome{unknown, 5}},
		{"a reported attempt not by one that is unknown", []outcome{{reported, 5}, {unknown, 7}}, outcome{reported, 5}},
		{"a reported attempt not by another", []outcome{{reported, 5}, {estimated, 7}}, outcome{reported, 5}},
		{"an unknown attempt only once", []outcome{{unknown, 5}, {estimated, 7}, {reported, 9}}, outcome{estimated, 7}},
	}
	deliveries := map[string]func(t *testing.T, d *DB, come []accounting.Entry){
		"in one batch": func(t *testing.T, d *DB, come []accounting.Entry) { insert(t, d, come...) },
		"one by one": func(t *testing.T, d *DB, come []accounting.Entry) {
			for _, e := range come {
				insert(t, d, e)
			}
		},
		"folded in between": func(t *testing.T, d *DB, come []accounting.Entry) {
			for _, e := range come {
				insert(t, d, e)
				fold(t, d)
			}
		},
	}
	each(t, func(t *testing.T, open func(testing.TB) *DB) {
		d, m, n := open(t), model{}, 0
		for _, tc := range cases {
			for how, deliver := range deliveries {
				n++
				var come []accounting.Entry
				for _, o := range tc.come {
					come = append(come, with(n, o.certainty, o.cost))
				}
				deliver(t, d, come)
				want := with(n, tc.want.certainty, tc.want.cost)
				m.insert(want)
				of := accounting.Filter{Match: map[string][]string{"user": {want.User}}}
				if got := entries(t, d, of); len(got) != 1 || !reflect.DeepEqual(got[0], want) {
					t.Errorf("%s, %s: got\n%+v\nwant\n%+v", tc.name, how, got, want)
				}
			}
		}
		for _, by := range [][]string{nil, {"user"}, {"user", "model"}, {"feature"}, {"project"}, {"certainty"}, {"certainty", "tier"}} {
			same(t, d, m, accounting.Query{By: by})
		}
	})
}

func TestNoEntryIsTooStrangeToBeStored(t *testing.T) {
	long := strings.Repeat("ä", 5000)
	strange := ledgertest.Entry(1)
	strange.AttemptID = "not a UUID"
	strange.User, strange.Key = "a\x00b\xff", long
	strange.Tags = map[string]string{"feature": long, "x\x00y": "\xfe", "'; --": `"`, "empty": "", long: long, "user": "tag", "": "nameless"}
	strange.Usage.Input, strange.Cost = math.MaxInt64, math.MaxInt64
	again := strange
	again.AttemptID = "not a UUID either"
	times := ledgertest.Entry(3)
	times.Time = time.Time{}
	each(t, func(t *testing.T, open func(testing.TB) *DB) {
		d := open(t)
		insert(t, d, strange, strange)
		fold(t, d)
		insert(t, d, again, strange, times)
		fold(t, d)
		got := entries(t, d, accounting.Filter{Match: map[string][]string{"user": {strange.User}}})
		if len(got) != 2 {
			t.Fatalf("there are %d strange entries, want 2", len(got))
		}
		e := got[0]
		if e.User != "a\uFFFDb\uFFFD" || e.Key != long[:maxText] || e.Tags["feature"] != long[:maxText] || e.Tags["x\uFFFDy"] != "\uFFFD" ||
			e.Tags["'; --"] != `"` || e.Tags["user"] != "tag" || e.Cost != math.MaxInt64 {
			t.Errorf("it came back as %+v", e)
		}
		hour := accounting.Filter{Since: strange.Time, Match: map[string][]string{"user": {strange.User}}}
		s := sums(t, d, accounting.Query{Filter: hour, By: []string{"hour"}})
		if len(s) != 1 || s[0].Attempts != 2 || s[0].Cost != ceiling || s[0].Usage.Input != ceiling {
			t.Errorf("sums are %+v, want both attempts and no sum above %d", s, int64(ceiling))
		}
		for _, tag := range []string{"x\x00y", "'; --", "empty", long} {
			s := sums(t, d, accounting.Query{Filter: accounting.Filter{Until: strange.Time.AddDate(-1, 0, 0)}, By: []string{clean(tag)}})
			if len(s) != 1 || s[0].Attempts != 1 { // the one without a time
				t.Errorf("sums by tag %.10q are %+v", tag, s)
			}
		}
	})
}

func TestGatewaysShareADatabase(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "usage.db")
		shareDatabase(t, func() *DB { return openFile(t, path) })
	})
	t.Run("postgres", func(t *testing.T) {
		dsn := pgtest.Start(t)
		shareDatabase(t, func() *DB { return opened(t, pool(t, "pgx", dsn, 4), Postgres) })
	})
}

func shareDatabase(t *testing.T, open func() *DB) {
	const gateways, batches, size, attempts = 3, 12, 60, 1500
	var want sync.Mutex
	m := model{}
	var wg sync.WaitGroup
	for g := range gateways {
		wg.Go(func() {
			d := open() // all bring the schema up to date at once
			r := rand.New(rand.NewPCG(uint64(g), 1))
			for b := range batches {
				batch := make([]accounting.Entry, size)
				for i := range batch {
					// What is known of an attempt is the same whoever says it, and some do not know yet.
					n := r.IntN(attempts)
					batch[i] = randomEntry(rand.New(rand.NewPCG(uint64(n), 2)), 1)
					batch[i].AttemptID = ledgertest.Entry(n).AttemptID
					if r.IntN(3) == 0 {
						batch[i].Certainty, batch[i].Cost = accounting.Unknown, 1
					} else if batch[i].Certainty == accounting.Unknown {
						batch[i].Certainty = accounting.Reported
					}
				}
				if err := d.Insert(t.Context(), batch); err != nil {
					t.Errorf("insert: %v", err)
				}
				want.Lock()
				m.insert(batch...)
				want.Unlock()
				if b%3 == g {
					if err := d.Fold(t.Context()); err != nil {
						t.Errorf("fold: %v", err)
					}
				}
				total, err := d.Sums(t.Context(), accounting.Query{})
				grouped, err2 := d.Sums(t.Context(), accounting.Query{By: []string{"month"}})
				if err := errors.Join(err, err2); err != nil || len(total) != 1 || len(grouped) == 0 || total[0].Attempts == 0 {
					t.Errorf("sums while others write: %v, %+v, %+v", err, total, grouped)
				}
			}
		})
	}
	wg.Wait()
	d := open()
	for _, by := range [][]string{nil, {"user"}, {"user", "model"}, {"project"}, {"day"}, {"certainty"}, {"user", "tier"}} {
		same(t, d, m, accounting.Query{By: by})
	}
	fold(t, d)
	for _, by := range [][]string{nil, {"user"}, {"user", "model"}, {"project"}, {"day"}, {"certainty"}} {
		same(t, d, m, accounting.Query{By: by})
	}
}

func TestWhatIsStoppedHalfwayIsNeitherLostNorCountedTwice(t *testing.T) {
	each(t, func(t *testing.T, open func(testing.TB) *DB) {
		const rounds, size = 8, 80
		d, m := open(t), model{}
		d.OnError = nil // that folding stops is what is tested
		r := rand.New(rand.NewPCG(11, 11))
		before := spread.start.AddDate(0, 0, 10)
		stop := func(f func(ctx context.Context) error) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r.Int64N(int64(20*time.Millisecond))))
			defer cancel()
			_ = f(ctx) // it may have been quick enough
		}
		for range rounds {
			batch := make([]accounting.Entry, size)
			for i := range batch {
				batch[i] = randomEntry(r, 1e6)
			}
			stop(func(ctx context.Context) error { return d.Insert(ctx, batch) })
			stop(d.Fold)
			insert(t, d, batch...)
			m.insert(batch...)
			stop(d.Fold)
			for _, by := range [][]string{nil, {"user"}, {"project"}, {"user", "model"}} {
				same(t, d, m, accounting.Query{By: by})
			}
		}
		for range rounds {
			stop(func(ctx context.Context) error { _, err := d.Prune(ctx, before); return err })
			for _, by := range [][]string{nil, {"user"}, {"project"}, {"user", "model"}} {
				same(t, d, m, accounting.Query{By: by})
			}
		}
	})
}

func TestFoldingTakesLessAtOnceWhenThereIsNoTimeForMore(t *testing.T) {
	d := openSQLite(t)
	batch := make([]accounting.Entry, minFold+1)
	for i := range batch {
		batch[i] = ledgertest.Entry(i)
	}
	insert(t, d, batch...)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		if err := d.foldGroup(canceled, large, int64(len(batch))); !errors.Is(err, context.Canceled) {
			t.Fatalf("fold: %v", err)
		}
	}
	if size := maxFold >> d.foldShift.Load(); size != minFold {
		t.Errorf("it takes %d rows, want %d", size, minFold)
	}
	fold(t, d)
	last, err := d.get(t.Context(), d.write, folded[large], "")
	if err != nil || last != int64(len(batch)) {
		t.Errorf("rows up to %d are folded, error %v; want all %d", last, err, len(batch))
	}
}

func TestOnlyWhatGoesAwayIsTriedAgain(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want bool
	}{
		{stateError("40001"), true},
		{stateError("40P01"), true},
		{stateError("23505"), false},
		{codeError(5), true},        // SQLITE_BUSY
		{codeError(5 | 2<<8), true}, // SQLITE_BUSY_SNAPSHOT
		{codeError(6), true},
		{codeError(13), false}, // SQLITE_FULL
		{errors.New("other"), false},
	} {
		d, tries := openSQLite(t), 0
		err := d.transact(t.Context(), func(*sql.Tx) error {
			if tries++; tries < 3 {
				return fmt.Errorf("wrapped: %w", tc.err)
			}
			return nil
		})
		if again := tries == 3; again != tc.want || (err == nil) != tc.want {
			t.Errorf("%v: tried %d times, error %v", tc.err, tries, err)
		}
	}
}

type stateError string

func (s stateError) Error() string    { return "state " + string(s) }
func (s stateError) SQLState() string { return string(s) }

type codeError int

func (c codeError) Error() string { return fmt.Sprint("code ", int(c)) }
func (c codeError) Code() int     { return int(c) }
