// Package usagedb keeps the ledger in a SQL database: one row per attempt, and sums of them by hour, day and month, so that a
// report over millions of attempts reads thousands of rows. It is one program for two databases, SQLite and PostgreSQL.
//
// # How sums are kept
//
// [DB.Insert] writes rows of usage_log and nothing else, which costs little and lets several gateways write at once without
// waiting for each other's locks. Every few thousand rows they are folded: one transaction adds the rows that came since the
// last time to the roll-ups (usage_hours, usage_days and usage_months) and moves a watermark, the id of the last row that the
// roll-ups contain. [DB.Sums] adds what the roll-ups say and what the rows behind the watermark add up to, within one
// snapshot, so that sums are exact at any moment, and a crash at any moment leaves either both the sums and the watermark or neither.
//
// There is a roll-up for every field of [accounting.Query] alone, for every tag, and for pairs that are often asked for (see
// families). Months are made of months, and of days and hours at their ends; where that takes fewer rows, what is too much is
// taken away again: a month in Berlin is the month in UTC and two hours before it, less its own last two. Other combinations of fields
// are summed from the rows of usage_log.
package usagedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"
)

// ErrRemoved says that a report needs attempts whose rows have been removed by [DB.Prune].
var ErrRemoved = errors.New("the log rows that this report needs have been removed")

// DB is a ledger's database. It is safe for concurrent use.
type DB struct {
	// OnError, if set, is called with errors of the upkeep of roll-ups. They fail nothing: entries are safe, reports right and
	// slower, and it is tried again. It must be set before the first Insert.
	OnError func(error)

	write, read *sql.DB
	dialect     Dialect
	idle        time.Duration                           // PostgreSQL only: see idlePatience
	insert      *sql.Stmt                               // SQLite only
	upsert      [levels]struct{ full, short *sql.Stmt } // SQLite only
	foldShift   atomic.Int32                            // see maxFold
	unfolded    [len(groups)]atomic.Int64               // rows that this process inserted since it last folded
}

// Open brings the schema of db up to date and returns the ledger in it. It neither owns nor closes db.
//
// A database with a schema of a newer version of this program is refused. Several processes may open one at once. For SQLite,
// db must come from [SQLiteDSN], and should be limited to one connection.
func Open(ctx context.Context, db *sql.DB, dialect Dialect) (*DB, error) {
	d := &DB{write: db, read: db, dialect: dialect, idle: idlePatience}
	if err := again(ctx, func() error { return d.prepare(ctx) }); err != nil {
		return nil, err
	}
	if dialect == Postgres { // pgx prepares by itself
		return d, nil
	}
	var err error
	if d.insert, err = db.PrepareContext(ctx, sqliteInsert()); err != nil {
		return nil, fmt.Errorf("prepare insert: %w", err)
	}
	for l := range d.upsert {
		if d.upsert[l].full, err = db.PrepareContext(ctx, sqliteUpsert(level(l), every)); err != nil {
			return nil, fmt.Errorf("prepare roll-up: %w", err)
		}
		if d.upsert[l].short, err = db.PrepareContext(ctx, sqliteUpsert(level(l), usual)); err != nil {
			return nil, fmt.Errorf("prepare roll-up: %w", err)
		}
	}
	return d, nil
}

// OpenReader returns a ledger that can only be read. It changes nothing in the database, and refuses one whose schema is
// not exactly that of this program.
func OpenReader(ctx context.Context, db *sql.DB, dialect Dialect) (*DB, error) {
	d := &DB{read: db, dialect: dialect}
	var version int
	err := again(ctx, func() (err error) {
		version, err = d.version(ctx, db)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := d.checkVersion(version); err != nil {
		return nil, err
	}
	if version < d.latest() {
		return nil, fmt.Errorf("the usage database has schema version %d, and this program reads %d: start a gateway on it once", version, d.latest())
	}
	return d, nil
}

// ReadFrom makes Sums and Entries use connections of their own, so that reports do not wait for writers. It must be called
// before the DB is used.
func (d *DB) ReadFrom(db *sql.DB) { d.read = db }

// prepare brings the database into the form that this program works with.
func (d *DB) prepare(ctx context.Context) error {
	if d.dialect == SQLite {
		// Readers do not wait for writers. The file keeps the mode. Of several processes that meet over a new file SQLite refuses all but one
		// at once, whatever the patience of their connections, because waiting for each other they would wait forever.
		if _, err := d.write.ExecContext(ctx, "PRAGMA journal_mode = WAL"); err != nil {
			return fmt.Errorf("turn the write-ahead log on: %w", err)
		}
	}
	return d.migrate(ctx)
}

// transact runs f in a transaction, and once more for as long as the database says that it got in the way of another.
func (d *DB) transact(ctx context.Context, f func(tx *sql.Tx) error) error {
	return again(ctx, func() error { return d.once(ctx, f) })
}

// again calls f, and calls it again for up to a second as long as it fails with a conflict.
func again(ctx context.Context, f func() error) error {
	const attempts = 8
	wait := 5 * time.Millisecond
	for try := 1; ; try++ {
		err := f()
		if err == nil || try == attempts || !conflict(err) {
			return err
		}
		timer := time.NewTimer(wait/2 + rand.N(wait))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		wait *= 2
	}
}

// idlePatience is how long PostgreSQL lets a transaction wait for the next statement. It ends that of a gateway whose machine was
// cut off or stands still, whose locks others would otherwise wait for until the connection is found dead, which may take hours.
const idlePatience = 30 * time.Second

func (d *DB) once(ctx context.Context, f func(tx *sql.Tx) error) error {
	if d.write == nil {
		return errors.New("the usage database is open for reading only")
	}
	o := &sql.TxOptions{}
	if d.dialect == Postgres { // whatever the server's default: after a lock was waited for, the next statement must see more
		o.Isolation = sql.LevelReadCommitted
	}
	tx, err := d.write.BeginTx(ctx, o)
	if err != nil {
		return err
	}
	if d.dialect == Postgres {
		err = setLocal(ctx, tx, "idle_in_transaction_session_timeout", d.idle)
	}
	if err == nil {
		err = f(tx)
	}
	if err != nil {
		_ = tx.Rollback() // its error says less than the one that led here
		return err
	}
	return tx.Commit()
}

// setLocal sets a time of PostgreSQL's for the rest of a transaction.
func setLocal(ctx context.Context, tx *sql.Tx, name string, d time.Duration) error {
	if _, err := tx.ExecContext(ctx, "SELECT set_config($1, $2, true)", name, strconv.FormatInt(d.Milliseconds(), 10)); err != nil {
		return fmt.Errorf("set %s: %w", name, err)
	}
	return nil
}

// snapshot runs f in a transaction that sees the database as it is at one moment.
func (d *DB) snapshot(ctx context.Context, f func(tx *sql.Tx) error) error {
	o := &sql.TxOptions{ReadOnly: true}
	if d.dialect == Postgres {
		o.Isolation = sql.LevelRepeatableRead
	}
	tx, err := d.read.BeginTx(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	if d.dialect == Postgres {
		// Compiling thirty sums takes longer than adding them up, and groups fit into memory.
		const settings = "SELECT set_config('jit', 'off', true), set_config('work_mem', '64MB', true)"
		if _, err := tx.ExecContext(ctx, settings); err != nil {
			return err
		}
	}
	return f(tx)
}

// conflict reports whether err means that trying again is all that is needed: SQLITE_BUSY and SQLITE_LOCKED, and
// PostgreSQL's serialization failures and deadlocks.
func conflict(err error) bool {
	if e, ok := errors.AsType[interface {
		error
		SQLState() string
	}](err); ok {
		return e.SQLState() == "40001" || e.SQLState() == "40P01"
	}
	if e, ok := errors.AsType[interface {
		error
		Code() int
	}](err); ok {
		const busy, locked = 5, 6
		return e.Code()&0xff == busy || e.Code()&0xff == locked
	}
	return false
}
