package usagedb

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"
)

// How many rows one transaction folds: as many as there are, up to maxFold. Where that takes longer than there is time for, the
// next tries take ever fewer, down to minFold, so that it goes on at all.
const (
	maxFold = 1 << 16
	minFold = 1 << 9
)

// lockPatience is how long those who insert are waited for.
const lockPatience = 2 * time.Second

// foldWhenDue counts rows that were inserted and folds when there are many. What goes wrong with that is not the matter of
// who inserted: the entries are safe.
func (d *DB) foldWhenDue(ctx context.Context, added int64) {
	due := -1
	for g := range groups {
		if d.unfolded[g].Add(added) >= groups[g].every {
			due = g
		}
	}
	if due < 0 {
		return
	}
	if err := d.foldUpTo(ctx, due); err != nil {
		d.failed(err) // the next Insert tries again
	}
}

func (d *DB) failed(err error) {
	if d.OnError != nil {
		d.OnError(err)
	}
}

// Fold brings the roll-ups up to date. Insert does so by itself every few thousand rows; calling it before a long pause makes
// the reports during the pause faster.
func (d *DB) Fold(ctx context.Context) error {
	return d.foldUpTo(ctx, len(groups)-1)
}

// foldUpTo folds a group, and those before it first, whether they are due or not: reports learn from the sums by hour, which
// are in the first, when there is anything in the others.
func (d *DB) foldUpTo(ctx context.Context, last int) error {
	horizon, err := d.horizon(ctx)
	if err != nil {
		return err
	}
	for g := range last + 1 {
		if err := d.foldGroup(ctx, g, horizon); err != nil {
			return err
		}
		d.unfolded[g].Store(0)
	}
	return nil
}

// horizon returns a row's id such that no row up to it will ever come that is not there.
//
// PostgreSQL gives out ids before transactions commit. Everyone who inserts therefore shares a lock, and who gets it alone knows
// that all who had an id before have committed or never will. It waits for that no longer than lockPatience, because all who
// come meanwhile wait behind it. SQLite has one writer at a time.
func (d *DB) horizon(ctx context.Context) (id int64, err error) {
	err = d.transact(ctx, func(tx *sql.Tx) error {
		if d.dialect == Postgres {
			if err := setLocal(ctx, tx, "lock_timeout", lockPatience); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(lockInsert)); err != nil {
				return err
			}
		}
		return tx.QueryRowContext(ctx, "SELECT COALESCE(MAX(id), 0) FROM usage_log").Scan(&id)
	})
	if err != nil {
		return 0, fmt.Errorf("look for rows to fold: %w", err)
	}
	return id, nil
}

// foldGroup folds the rows up to the horizon into the roll-ups of a group.
func (d *DB) foldGroup(ctx context.Context, g int, horizon int64) error {
	for {
		var done bool
		size := maxFold >> d.foldShift.Load()
		err := d.transact(ctx, func(tx *sql.Tx) (err error) {
			done, err = d.foldSome(ctx, tx, g, horizon, size)
			return err
		})
		if err != nil {
			if ctx.Err() != nil && size > minFold {
				d.foldShift.Add(1)
			}
			return fmt.Errorf("fold: %w", err)
		}
		if done {
			return nil
		}
	}
}

// foldSome folds up to size rows and reports whether they were the last.
func (d *DB) foldSome(ctx context.Context, tx *sql.Tx, g int, horizon int64, size int) (done bool, err error) {
	from, err := d.get(ctx, tx, folded[g], "FOR UPDATE")
	if err != nil || from >= horizon {
		return true, err
	}
	s := statement{dialect: d.dialect}
	s.WriteString("SELECT id, " + selectColumns(d.dialect) + " FROM usage_log WHERE id > ")
	s.arg(from)
	s.WriteString(" AND id <= ")
	s.arg(horizon)
	s.WriteString(" ORDER BY id LIMIT ")
	s.arg(size)
	rows, err := tx.QueryContext(ctx, s.String(), s.args...)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	var x scanned
	var last int64
	n, sums := 0, rollup{}
	for dest := append([]any{&last}, x.destinations()...); rows.Next(); n++ {
		if err := rows.Scan(dest...); err != nil {
			return false, err
		}
		x.finish(d.dialect)
		if err := sums.addRow(g, &x.row, 1); err != nil {
			return false, err
		}
	}
	if err := rows.Err(); err != nil {
		return false, err
	}
	_ = rows.Close() // all was read; one connection does one thing at a time
	if n < size {
		last = horizon
	}
	if err := d.addRollup(ctx, tx, sums); err != nil {
		return false, err
	}
	return last == horizon, d.set(ctx, tx, folded[g], last)
}

// addRollup adds sums by hour to the tables of all levels.
func (d *DB) addRollup(ctx context.Context, tx *sql.Tx, sums rollup) error {
	byLevel := [levels]rollup{hours: sums}
	byLevel[days] = sums.coarser(days)
	byLevel[months] = byLevel[days].coarser(months)
	for l := range byLevel {
		cells := byLevel[l].sorted()
		if level(l) == hours {
			cells = slices.DeleteFunc(cells, func(c cell) bool { return withoutHours[c.field] })
		}
		var err error
		if d.dialect == Postgres {
			err = upsertPostgres(ctx, tx, level(l), byLevel[l], cells)
		} else {
			err = d.upsertSQLite(ctx, tx, level(l), byLevel[l], cells)
		}
		if err != nil {
			return fmt.Errorf("add to %s: %w", level(l).table(), err)
		}
	}
	return nil
}

// setMeasures is what an upsert does with a row that exists. least is the dialect's function for the smaller of two.
func setMeasures(table, least string, of []int) string {
	var s strings.Builder
	for i, index := range of {
		m := measured[index]
		if i > 0 {
			s.WriteString(", ")
		}
		fmt.Fprintf(&s, "%s = %s(%s.%s + excluded.%s, %d)", m.name, least, table, m.name, m.name, int64(ceiling))
	}
	return s.String()
}

func measureNames(of []int) string {
	var s strings.Builder
	for _, index := range of {
		s.WriteString(", " + measured[index].name)
	}
	return s.String()
}

// sqliteUpsert is the statement that adds some measures to a row; the others are zero in a new one.
func sqliteUpsert(l level, of []int) string {
	return "INSERT INTO " + l.table() + " (field, start, value, value2" + measureNames(of) + ") VALUES (?, ?, ?, ?" +
		strings.Repeat(", ?", len(of)) + ") ON CONFLICT (field, start, value, value2) DO UPDATE SET " + setMeasures(l.table(), "MIN", of)
}

func (d *DB) upsertSQLite(ctx context.Context, tx *sql.Tx, l level, sums rollup, cells []cell) error {
	calls := context.WithoutCancel(ctx) // watching a context costs more than what is done here
	full, short := tx.StmtContext(calls, d.upsert[l].full), tx.StmtContext(calls, d.upsert[l].short)
	args := make([]any, 0, 4+len(measured))
	for _, c := range cells {
		if err := ctx.Err(); err != nil {
			return err
		}
		sum, upsert, of := sums[c], short, usual
		if !sum.isUsual() {
			upsert, of = full, every
		}
		args = append(args[:0], c.field, c.start*1e6, c.value[0], c.value[1])
		for _, index := range of {
			args = append(args, sum[index])
		}
		if _, err := upsert.ExecContext(calls, args...); err != nil {
			return err
		}
	}
	return nil
}

// postgresUpserts add rows that come as one array per column.
var postgresUpserts = func() (statements [levels]string) {
	var arrays strings.Builder
	for i := range measured {
		fmt.Fprintf(&arrays, ", $%d::bigint[]", i+5)
	}
	for l := range statements {
		table := level(l).table()
		statements[l] = "INSERT INTO " + table + " (field, start, value, value2" + measureNames(every) +
			") SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[]" + arrays.String() +
			") ON CONFLICT (field, start, value, value2) DO UPDATE SET " + setMeasures(table, "LEAST", every)
	}
	return statements
}()

func upsertPostgres(ctx context.Context, tx *sql.Tx, l level, sums rollup, cells []cell) error {
	const chunk = 4096
	for ; len(cells) > 0; cells = cells[min(chunk, len(cells)):] {
		part := cells[:min(chunk, len(cells))]
		fields, starts := make([]string, len(part)), make([]time.Time, len(part))
		var values [2][]string
		values[0], values[1] = make([]string, len(part)), make([]string, len(part))
		numbers := make([][]int64, len(measured))
		for m := range numbers {
			numbers[m] = make([]int64, len(part))
		}
		for i, c := range part {
			fields[i], starts[i], values[0][i], values[1][i] = c.field, time.Unix(c.start, 0), c.value[0], c.value[1]
			for m, n := range sums[c] {
				numbers[m][i] = n
			}
		}
		args := []any{fields, starts, values[0], values[1]}
		for _, n := range numbers {
			args = append(args, n)
		}
		if _, err := tx.ExecContext(ctx, postgresUpserts[l], args...); err != nil {
			return err
		}
	}
	return nil
}
