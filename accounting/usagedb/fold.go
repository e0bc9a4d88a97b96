package usagedb

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// foldChunk is how many rows one transaction folds at most.
const foldChunk = 1 << 16

// foldWhenDue counts rows that were inserted and folds when there are many. What goes wrong with that is not the matter of
// who inserted: the entries are safe.
func (d *DB) foldWhenDue(ctx context.Context, added int64) {
	horizon := int64(-1)
	for g := range groups {
		if d.unfolded[g].Add(added) < groups[g].every {
			continue
		}
		d.unfolded[g].Store(0)
		var err error
		if horizon < 0 {
			if horizon, err = d.horizon(ctx); err != nil {
				d.failed(err)
				return
			}
		}
		if err := d.foldGroup(ctx, g, horizon); err != nil {
			d.unfolded[g].Store(groups[g].every) // the next Insert tries again
			d.failed(err)
			return
		}
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
	horizon, err := d.horizon(ctx)
	if err != nil {
		return err
	}
	for g := range groups { // singles first: pairs never contain what singles do not
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
// that all who had an id before have committed or never will. SQLite has one writer at a time.
func (d *DB) horizon(ctx context.Context) (id int64, err error) {
	err = d.transact(ctx, func(tx *sql.Tx) error {
		if d.dialect == Postgres {
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
		err := d.transact(ctx, func(tx *sql.Tx) (err error) {
			done, err = d.foldSome(ctx, tx, g, horizon)
			return err
		})
		if err != nil {
			return fmt.Errorf("fold: %w", err)
		}
		if done {
			return nil
		}
	}
}

// foldSome folds one chunk and reports whether it was the last.
func (d *DB) foldSome(ctx context.Context, tx *sql.Tx, g int, horizon int64) (done bool, err error) {
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
	s.arg(foldChunk)
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
		if err := x.finish(d.dialect); err != nil {
			return false, err
		}
		if err := sums.addRow(g, &x.row, 1); err != nil {
			return false, err
		}
	}
	if err := rows.Err(); err != nil {
		return false, err
	}
	_ = rows.Close() // all was read; one connection does one thing at a time
	if n < foldChunk {
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
		keep := func(cell) bool { return true }
		if level(l) == hours {
			keep = func(c cell) bool { return !withoutHours[c.field] }
		}
		cells := byLevel[l].sorted(keep)
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
func setMeasures(table, least string) string {
	var s strings.Builder
	for i, m := range measured {
		if i > 0 {
			s.WriteString(", ")
		}
		fmt.Fprintf(&s, "%s = %s(%s.%s + excluded.%s, %d)", m.name, least, table, m.name, m.name, int64(ceiling))
	}
	return s.String()
}

func measureNames() string {
	var s strings.Builder
	for _, m := range measured {
		s.WriteString(", " + m.name)
	}
	return s.String()
}

func sqliteUpsert(l level) string {
	return "INSERT INTO " + l.table() + " (field, start, value, value2" + measureNames() + ") VALUES (?, ?, ?, ?" +
		strings.Repeat(", ?", len(measured)) + ") ON CONFLICT (field, start, value, value2) DO UPDATE SET " + setMeasures(l.table(), "MIN")
}

func (d *DB) upsertSQLite(ctx context.Context, tx *sql.Tx, l level, sums rollup, cells []cell) error {
	upsert := tx.StmtContext(ctx, d.upsert[l])
	args := make([]any, 0, 4+len(measured))
	for _, c := range cells {
		args = append(args[:0], c.field, c.start*1e6, c.value[0], c.value[1])
		for _, n := range sums[c] {
			args = append(args, n)
		}
		if _, err := upsert.ExecContext(ctx, args...); err != nil {
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
		statements[l] = "INSERT INTO " + table + " (field, start, value, value2" + measureNames() +
			") SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[]" + arrays.String() +
			") ON CONFLICT (field, start, value, value2) DO UPDATE SET " + setMeasures(table, "LEAST")
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
