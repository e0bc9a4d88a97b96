package usagedb

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/accounting/ledgertest"
	"github.com/caddy-llm/llmgateway/internal/pgtest"
)

// each runs a test on a database of each kind.
func each(t *testing.T, test func(t *testing.T, open func(t testing.TB) *DB)) {
	t.Run("sqlite", func(t *testing.T) { test(t, openSQLite) })
	t.Run("postgres", func(t *testing.T) {
		pgtest.Start(t) // skips where there is none
		test(t, openPostgres)
	})
}

// pool opens a database that is closed with the test.
func pool(t testing.TB, driver, dsn string, connections int) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(connections)
	return db
}

func openSQLite(t testing.TB) *DB {
	t.Helper()
	return openFile(t, filepath.Join(t.TempDir(), "usage ?#%.db"))
}

func openFile(t testing.TB, path string) *DB {
	t.Helper()
	d := opened(t, pool(t, "sqlite", SQLiteDSN(path, false), 1), SQLite)
	d.ReadFrom(pool(t, "sqlite", SQLiteDSN(path, true), 2))
	return d
}

func openPostgres(t testing.TB) *DB {
	t.Helper()
	return opened(t, pool(t, "pgx", pgtest.Start(t), 8), Postgres)
}

func opened(t testing.TB, db *sql.DB, dialect Dialect) *DB {
	t.Helper()
	d, err := Open(t.Context(), db, dialect)
	if err != nil {
		t.Fatal(err)
	}
	d.OnError = func(err error) { t.Errorf("upkeep: %v", err) }
	return d
}

func insert(t testing.TB, d *DB, entries ...accounting.Entry) {
	t.Helper()
	if err := d.Insert(t.Context(), entries); err != nil {
		t.Fatalf("insert: %v", err)
	}
}

func sums(t testing.TB, d *DB, q accounting.Query) []accounting.Sum {
	t.Helper()
	s, err := d.Sums(t.Context(), q)
	if err != nil {
		t.Fatalf("sums of %+v: %v", q, err)
	}
	return s
}

func entries(t testing.TB, d *DB, f accounting.Filter) []accounting.Entry {
	t.Helper()
	var all []accounting.Entry
	err := d.Entries(t.Context(), f, func(e *accounting.Entry) error {
		all = append(all, *e)
		return nil
	})
	if err != nil {
		t.Fatalf("entries of %+v: %v", f, err)
	}
	return all
}

// ledger makes a ledger of a database.
type ledger struct{ *DB }

func (l ledger) Record(ctx context.Context, entries []accounting.Entry) error {
	return l.Insert(ctx, entries)
}

func TestADatabaseIsALedger(t *testing.T) {
	each(t, func(t *testing.T, open func(testing.TB) *DB) {
		ledgertest.Run(t, ledgertest.Options{
			New: func(t *testing.T) accounting.Ledger { return ledger{open(t)} },
			Read: func(t *testing.T, l accounting.Ledger) []accounting.Entry {
				return entries(t, l.(ledger).DB, accounting.Filter{})
			},
		})
	})
}
