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
	for _, tc := range []struct {
		name string
		come []accounting.Entry
		want accounting.Entry
	}{
		{"an unknown attempt by one that is reported", []accounting.Entry{with(1, unknown, 5), with(1, reported, 7)}, with(1, reported, 7)},
		{"an unknown attempt not by another", []accounting.Entry{with(1, unknown, 5), with(1, unknown, 7)}, with(1, unknown, 5)},
		{"a reported attempt not by one that is unknown", []accounting.Entry{with(1, reported, 5), with(1, unknown, 7)}, with(1, reported, 5)},
		{"a reported attempt not by another", []accounting.Entry{with(1, reported, 5), with(1, estimated, 7)}, with(1, reported, 5)},
		{"an unknown attempt only once", []accounting.Entry{with(1, unknown, 5), with(1, estimated, 7), with(1, reported, 9)}, with(1, estimated, 7)},
	} {
		for how, deliver := range map[string]func(t *testing.T, d *DB){
			"in one batch": func(t *testing.T, d *DB) { insert(t, d, tc.come...) },
			"one by one": func(t *testing.T, d *DB) {
				for _, e := range tc.come {
					insert(t, d, e)
				}
			},
			"folded in between": func(t *testing.T, d *DB) {
				for _, e := range tc.come {
					insert(t, d, e)
					fold(t, d)
				}
			},
		} {
			t.Run(tc.name+", "+how, func(t *testing.T) {
				each(t, func(t *testing.T, open func(testing.TB) *DB) {
					d := open(t)
					deliver(t, d)
					if got := entries(t, d, accounting.Filter{}); len(got) != 1 || !reflect.DeepEqual(got[0], tc.want) {
						t.Fatalf("got\n%+v\nwant\n%+v", got, tc.want)
					}
					m := model{}
					m.insert(tc.want)
					for _, by := range [][]string{nil, {"user", "model"}, {"feature"}, {"project"}, {"certainty"}, {"certainty", "tier"}} {
						same(t, d, m, accounting.Query{By: by})
					}
				})
			})
		}
	}
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
		const rounds, size = 25, 150
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

func TestOnlyWhatGoesAwayIsTriedAgain(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want bool
	}{
		{sqlState("40001"), true},
		{sqlState("40P01"), true},
		{sqlState("23505"), false},
		{sqliteCode(5), true},        // SQLITE_BUSY
		{sqliteCode(5 | 2<<8), true}, // SQLITE_BUSY_SNAPSHOT
		{sqliteCode(6), true},
		{sqliteCode(13), false}, // SQLITE_FULL
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

type sqlState string

func (s sqlState) Error() string    { return "state " + string(s) }
func (s sqlState) SQLState() string { return string(s) }

type sqliteCode int

func (c sqliteCode) Error() string { return fmt.Sprint("code ", int(c)) }
func (c sqliteCode) Code() int     { return int(c) }
