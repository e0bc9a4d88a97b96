package usagedb

import (
	"database/sql"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/accounting/ledgertest"
	"github.com/caddy-llm/llmgateway/internal/pgtest"
)

func TestADatabaseOfANewerVersionIsRefused(t *testing.T) {
	each(t, func(t *testing.T, open func(testing.TB) *DB) {
		d := open(t)
		if _, err := d.write.Exec("INSERT INTO usage_schema (version, applied) VALUES (99, 'tomorrow')"); err != nil {
			t.Fatal(err)
		}
		for name, open := range map[string]func() error{
			"for writing": func() error { _, err := Open(t.Context(), d.write, d.dialect); return err },
			"for reading": func() error { _, err := OpenReader(t.Context(), d.write, d.dialect); return err },
		} {
			if err := open(); err == nil || !strings.Contains(err.Error(), "version 99") {
				t.Errorf("opening it %s: %v", name, err)
			}
		}
	})
}

func TestAReaderChangesNothing(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "usage.db")
		empty := pool(t, "sqlite", SQLiteDSN(filepath.Join(t.TempDir(), "none.db"), true), 1)
		if _, err := OpenReader(t.Context(), empty, SQLite); err == nil {
			t.Error("a file that is not there can be read")
		}
		readOnly(t, openFile(t, path), func() (*DB, error) {
			return OpenReader(t.Context(), pool(t, "sqlite", SQLiteDSN(path, true), 1), SQLite)
		})
	})
	t.Run("postgres", func(t *testing.T) {
		if _, err := OpenReader(t.Context(), pool(t, "pgx", pgtest.Start(t), 1), Postgres); err == nil {
			t.Error("an empty database can be read")
		}
		dsn := pgtest.Start(t)
		readOnly(t, opened(t, pool(t, "pgx", dsn, 1), Postgres), func() (*DB, error) {
			return OpenReader(t.Context(), pool(t, "pgx", dsn, 1), Postgres)
		})
	})
}

func readOnly(t *testing.T, writer *DB, open func() (*DB, error)) {
	t.Helper()
	insert(t, writer, ledgertest.Entry(1))
	d, err := open()
	if err != nil {
		t.Fatal(err)
	}
	if got := sums(t, d, accounting.Query{}); got[0].Attempts != 1 {
		t.Errorf("it reads %+v", got)
	}
	if err := d.Insert(t.Context(), []accounting.Entry{ledgertest.Entry(2)}); err == nil {
		t.Error("it can be written to")
	}
}

func TestSQLiteIsOpenedForALedger(t *testing.T) {
	d := openSQLite(t)
	for _, tc := range []struct {
		pragma       string
		write, reads any
	}{
		{"journal_mode", "wal", "wal"},
		{"synchronous", int64(2), nil}, // full
		{"busy_timeout", int64(5000), int64(5000)},
		{"query_only", int64(0), int64(1)},
		{"cache_size", int64(-32768), int64(-32768)},
	} {
		var write, reads any
		if err := d.write.QueryRow("PRAGMA " + tc.pragma).Scan(&write); err != nil {
			t.Fatal(err)
		}
		if err := d.read.QueryRow("PRAGMA " + tc.pragma).Scan(&reads); err != nil {
			t.Fatal(err)
		}
		if write != tc.write || tc.reads != nil && reads != tc.reads {
			t.Errorf("%s is %v for writers and %v for readers, want %v and %v", tc.pragma, write, reads, tc.write, tc.reads)
		}
	}
}

func TestGatewaysMeetOverANewFile(t *testing.T) {
	const rounds, gateways = 30, 8
	for range rounds {
		path := filepath.Join(t.TempDir(), "usage.db")
		var opening sync.WaitGroup
		start := make(chan struct{})
		for range gateways {
			opening.Go(func() {
				db, err := sql.Open("sqlite", SQLiteDSN(path, false))
				if err != nil {
					t.Error(err)
					return
				}
				defer db.Close()
				db.SetMaxOpenConns(1)
				<-start
				if _, err := Open(t.Context(), db, SQLite); err != nil {
					t.Errorf("one of %d gateways that start at once: %v", gateways, err)
				}
			})
		}
		close(start)
		opening.Wait()
	}
}
