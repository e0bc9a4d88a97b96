package dbledger

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/accounting/ledgertest"
)

func start(t *testing.T, b *Base) {
	t.Helper()
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestTheContractIsKept(t *testing.T) {
	for _, durability := range []string{"process", "power", "async"} {
		t.Run(durability, func(t *testing.T) {
			fakes := map[accounting.Ledger]*fake{}
			ledgertest.Run(t, ledgertest.Options{
				New: func(t *testing.T) accounting.Ledger {
					f := newFake()
					b := attach(t, configuration(t), f.database(t, t.Name()), Options{Durability: durability})
					t.Cleanup(func() { cleanUp(t, b); <-f.closed })
					fakes[b] = f
					return b // which starts itself
				},
				Read: func(t *testing.T, l accounting.Ledger) (found []accounting.Entry) {
					err := l.(*Base).Entries(t.Context(), accounting.Filter{}, func(e *accounting.Entry) error {
						found = append(found, *e)
						return nil
					})
					if err != nil {
						t.Error(err)
					}
					return found
				},
			})
		})
	}
}

func TestAttachingOpensNothing(t *testing.T) {
	f := newFake()
	b := attach(t, configuration(t), f.database(t, "db"), Options{})
	if _, open := b.Stats(); open {
		t.Error("it is open")
	}
	cleanUp(t, b)
	if opens, closes, _ := f.counts(); opens+closes > 0 {
		t.Errorf("the database was opened %d and closed %d times", opens, closes)
	}
}

func TestLedgersOfOneConfigurationShareAStore(t *testing.T) {
	f, ctx := newFake(), configuration(t)
	db := f.database(t, "db")
	a, b := attach(t, ctx, db, Options{}), attach(t, ctx, db, Options{Durability: "process"}) // the default
	start(t, a)
	start(t, b)
	cleanUp(t, a)
	if opens, closes, _ := f.counts(); opens != 1 || closes != 0 {
		t.Errorf("opened %d times, closed %d times while it is used", opens, closes)
	}
	cleanUp(t, b)
	<-f.closed
}

func TestLedgersOfOneConfigurationHaveToAgree(t *testing.T) {
	f, ctx := newFake(), configuration(t)
	db := f.database(t, "usage.db")
	a := attach(t, ctx, db, Options{})
	other := db
	other.Access = "canary"
	for name, c := range map[string]struct {
		db      Database
		options Options
	}{"other options": {db, Options{Durability: "power"}}, "another password": {other, Options{}}} {
		b := &Base{Options: c.options}
		err := b.Attach(ctx, c.db)
		if err == nil || !strings.Contains(err.Error(), "usage.db with other options") || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
		cleanUp(t, b) // as Caddy does when provisioning fails
	}
	cleanUp(t, a)
	cleanUp(t, attach(t, ctx, db, Options{Durability: "power"})) // nobody is left to disagree with
}

func TestDatabasesOfOneConfigurationDoNotShareAJournal(t *testing.T) {
	f, ctx := newFake(), configuration(t)
	db := f.database(t, "one")
	a := attach(t, ctx, db, Options{})
	other := db
	other.Name = "two"
	err := new(Base).Attach(ctx, other)
	if err == nil || !strings.Contains(err.Error(), "one") || !strings.Contains(err.Error(), db.Journal) {
		t.Errorf("it says %v", err)
	}
	later := attach(t, configuration(t), other, Options{}) // a reload may move to another database
	cleanUp(t, a)
	cleanUp(t, later)
	again := attach(t, ctx, other, Options{})
	cleanUp(t, again)
}

func TestAReloadKeepsTheStore(t *testing.T) {
	f := newFake()
	db := f.database(t, "db")
	old := attach(t, configuration(t), db, Options{})
	start(t, old)
	for range 10 {
		b := attach(t, configuration(t), db, Options{})
		start(t, b)
		cleanUp(t, old)
		old = b
	}
	if opens, closes, _ := f.counts(); opens != 1 || closes != 0 {
		t.Errorf("after 10 reloads it was opened %d and closed %d times", opens, closes)
	}
	cleanUp(t, old)
	<-f.closed
}

func TestAReloadMayChangeOptions(t *testing.T) {
	f := newFake()
	db := f.database(t, "db")
	old := attach(t, configuration(t), db, Options{})
	start(t, old)
	old.Hold() // by a request that goes on
	next := attach(t, configuration(t), db, Options{Durability: "power", Retention: caddy.Duration(minRetention)})
	start(t, next)
	cleanUp(t, old)
	for i, b := range []*Base{old, next} {
		intent, err := b.Intend(t.Context(), &accounting.Entry{AttemptID: ledgertest.Entry(i).AttemptID, Time: ledgertest.Entry(i).Time})
		if err != nil {
			t.Fatal(err)
		}
		e := ledgertest.Entry(i)
		intent.Settle(&e)
	}
	old.Release()
	<-f.closed
	cleanUp(t, next)
	<-f.closed
	for i := range 2 {
		if _, ok := f.entries[ledgertest.Entry(i).AttemptID]; !ok {
			t.Errorf("the entry of ledger %d is lost", i)
		}
	}
}

func TestNothingIsClosedUnderARequest(t *testing.T) {
	f := newFake()
	b := attach(t, configuration(t), f.database(t, "db"), Options{})
	start(t, b)
	b.Hold()
	b.Hold()
	intent, err := b.Intend(t.Context(), &accounting.Entry{AttemptID: ledgertest.Entry(1).AttemptID, Time: ledgertest.Entry(1).Time})
	if err != nil {
		t.Fatal(err)
	}
	cleanUp(t, b)
	b.Release()
	if _, open := b.Stats(); !open {
		t.Fatal("it was closed while a request holds it")
	}
	e := ledgertest.Entry(1)
	intent.Settle(&e)
	b.Release()
	<-f.closed
	if got, ok := f.entries[e.AttemptID]; !ok || got.Cost != e.Cost {
		t.Errorf("the request's entry is %+v, there: %v", got, ok)
	}
}

func TestARequestThatComesTooLateOpensTheStoreAgain(t *testing.T) {
	f := newFake()
	b := attach(t, configuration(t), f.database(t, "db"), Options{})
	start(t, b)
	cleanUp(t, b)
	<-f.closed
	if err := b.Record(t.Context(), []accounting.Entry{ledgertest.Entry(1)}); !errors.Is(err, accounting.ErrUnavailable) {
		t.Errorf("recording without holding it: %v, want %v", err, accounting.ErrUnavailable)
	}
	b.Hold()
	if err := b.Record(t.Context(), []accounting.Entry{ledgertest.Entry(1)}); err != nil {
		t.Error(err)
	}
	b.Release()
	<-f.closed
	if len(f.entries) != 1 {
		t.Errorf("there are %d entries, want 1", len(f.entries))
	}
}

func TestALedgerThatCannotBeOpenedRefusesCallsAndIsTriedAgain(t *testing.T) {
	f := newFake()
	f.fail(errBroken)
	b := attach(t, configuration(t), f.database(t, "db"), Options{})
	defer cleanUp(t, b)
	if err := b.Start(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("start: %v, want %v", err, errBroken)
	}
	for range 100 {
		if _, err := b.Intend(t.Context(), new(accounting.Entry)); !errors.Is(err, accounting.ErrUnavailable) || !errors.Is(err, errBroken) {
			t.Fatalf("intend: %v, want %v because of %v", err, accounting.ErrUnavailable, errBroken)
		}
	}
	if _, _, failed := f.counts(); failed > 2 {
		t.Errorf("it was tried %d times at once", failed)
	}
	f.fail(nil)
	start(t, b)
}

func TestARemoteDatabaseMayBeAwayAtTheStart(t *testing.T) {
	f := newFake()
	f.fail(errBroken)
	db := f.database(t, "db")
	db.Remote = true
	b := attach(t, configuration(t), db, Options{})
	start(t, b)
	if err := b.Record(t.Context(), []accounting.Entry{ledgertest.Entry(1)}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Sums(t.Context(), accounting.Query{}); !errors.Is(err, errBroken) {
		t.Errorf("sums: %v, want %v", err, errBroken)
	}
	if s, _ := b.Stats(); s.Pending != 1 || s.SinkError == nil {
		t.Errorf("stats are %+v", s)
	}
	f.fail(nil)
	o, err := b.store.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := o.journal.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	sums, err := b.Sums(t.Context(), accounting.Query{})
	if err != nil || sums[0].Attempts != 1 {
		t.Errorf("sums are %+v, %v", sums, err)
	}
	cleanUp(t, b)
	<-f.closed
}

func TestWhatADatabaseDidNotTakeIsThereAtTheNextStart(t *testing.T) {
	f := newFake()
	db := f.database(t, "db")
	db.Remote = true
	f.fail(errBroken)
	b := attach(t, configuration(t), db, Options{})
	start(t, b)
	if err := b.Record(t.Context(), []accounting.Entry{ledgertest.Entry(1)}); err != nil {
		t.Fatal(err)
	}
	o := b.store.opened.Swap(nil)
	o.close(time.Millisecond) // the database has no time to come back
	f.fail(nil)
	sums, err := b.Sums(t.Context(), accounting.Query{}) // starts it
	if err != nil || sums[0].Attempts != 1 {
		t.Errorf("sums are %+v, %v", sums, err)
	}
	cleanUp(t, b)
	<-f.closed
}
