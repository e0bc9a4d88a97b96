package sqliteledger

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"
	_ "modernc.org/sqlite" // the driver

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/accounting/dbledger"
	"github.com/caddy-llm/llmgateway/accounting/usagedb"
)

const (
	driver = "sqlite"

	// checkPatience is how long the start waits for SQLite to look through the file. It finds the damage that there is in
	// about the first 200 MB of it.
	checkPatience = 500 * time.Millisecond
	// readers is how many reports read at the same time.
	readers = 4
	// walSize is the size from which the write-ahead log is folded into the file and cut, in bytes. SQLite folds it by
	// itself all the time, but never cuts it.
	walSize = 8 << 20
)

// magic is how SQLite's files begin.
var magic = []byte("SQLite format 3\x00")

// database is an open file.
type database struct {
	*usagedb.DB
	path        string
	write, read *sql.DB
}

// open opens the file, or makes it. A file that SQLite cannot use is left as it is.
func open(ctx context.Context, path string, logger *zap.Logger) (dbledger.Records, error) {
	if err := prepare(path); err != nil {
		return nil, err
	}
	if err := check(ctx, path); err != nil {
		return nil, explain(path, err)
	}
	write, err := sql.Open(driver, usagedb.SQLiteDSN(uriPath(path), false))
	if err != nil {
		return nil, explain(path, err)
	}
	write.SetMaxOpenConns(1)
	usage, err := usagedb.Open(ctx, write, usagedb.SQLite)
	if err != nil {
		return nil, errors.Join(explain(path, err), write.Close())
	}
	read, err := sql.Open(driver, usagedb.SQLiteDSN(uriPath(path), true))
	if err != nil {
		return nil, errors.Join(explain(path, err), write.Close())
	}
	read.SetMaxOpenConns(readers)
	read.SetConnMaxIdleTime(time.Minute)
	usage.ReadFrom(read)
	usage.OnError = func(err error) {
		logger.Warn("adding up the usage database failed", zap.String("database", path), zap.Error(explain(path, err)))
	}
	return &database{usage, path, write, read}, nil
}

// uriPath is a path as SQLite's URIs have it.
func uriPath(path string) string {
	if filepath.VolumeName(path) != "" {
		return "/" + filepath.ToSlash(path)
	}
	return path
}

// prepare makes the file if there is none, readable by nobody else: SQLite makes its other files like it. It refuses files of
// other programs.
func prepare(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return explain(path, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return explain(path, err)
	}
	defer f.Close()
	begin := make([]byte, len(magic))
	switch _, err := io.ReadFull(f, begin); {
	case errors.Is(err, io.EOF): // it is empty
		return nil
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return explain(path, err)
	case !bytes.Equal(begin, magic):
		return explain(path, errForeign)
	}
	return nil
}

// check looks for damage, for a short while, without changing anything.
func check(ctx context.Context, path string) error {
	db, err := sql.Open(driver, usagedb.SQLiteDSN(uriPath(path), true))
	if err != nil {
		return err
	}
	defer db.Close()
	// The first access waits for others' locks, which is not what the time is for.
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(new(int)); err != nil {
		return err
	}
	brief, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	var found string
	err = db.QueryRowContext(brief, "PRAGMA quick_check(1)").Scan(&found)
	switch {
	case brief.Err() != nil:
		return ctx.Err() // nil when only the time for it is over
	case err != nil:
		return err
	case found != "ok":
		return fmt.Errorf("%w: %s", errDamaged, found)
	}
	return nil
}

// Insert explains what went wrong.
func (d *database) Insert(ctx context.Context, entries []accounting.Entry) error {
	return explain(d.path, d.DB.Insert(ctx, entries))
}

// Maintain keeps the write-ahead log small.
func (d *database) Maintain(ctx context.Context) error {
	wal, err := os.Stat(d.path + "-wal")
	if err != nil || wal.Size() < walSize {
		return nil //nolint:nilerr // there is none
	}
	var busy, pages, folded int
	// A report that reads for long keeps the log from being cut. The next time is in a minute.
	err = d.write.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &folded)
	return explain(d.path, err)
}

// Backup copies the database at from, as it is at one moment, to a file that does not exist yet. Gateways that use it may go
// on meanwhile.
func Backup(ctx context.Context, from, to string) (err error) {
	if _, err := os.Stat(from); err != nil {
		return explain(from, err) // and not an empty database
	}
	// SQLite would make the copy readable for others. It takes an empty file for none.
	f, err := os.OpenFile(to, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("making the backup: %w", err)
	}
	defer func() {
		if err == nil {
			err = f.Sync()
		}
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(fmt.Errorf("making the backup %s: %w", to, err), os.Remove(to))
		}
	}()
	db, err := sql.Open(driver, usagedb.SQLiteDSN(uriPath(from), false))
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", to)
	return err
}

// Close folds the write-ahead log into the file, which SQLite does with the last connection, and closes it.
func (d *database) Close() error {
	return errors.Join(d.read.Close(), d.write.Close())
}
