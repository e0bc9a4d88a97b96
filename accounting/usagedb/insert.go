package usagedb

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
)

// maxBatch is how many entries a transaction holds at most.
const maxBatch = 4096

// Insert adds entries, in one transaction for every 4,096 of them. An entry whose attempt is there already is left out, but for one
// that takes the place of an Unknown one and is not Unknown itself. When it returns nil, all are on the disk; when it returns an
// error, a whole number of transactions may be, and all entries may be given to it again.
func (d *DB) Insert(ctx context.Context, entries []accounting.Entry) error {
	for chunk := range slices.Chunk(entries, maxBatch) {
		rows := distinct(chunk)
		var added int64
		err := d.transact(ctx, func(tx *sql.Tx) (err error) {
			if d.dialect == Postgres {
				added, err = d.insertPostgres(ctx, tx, rows)
			} else {
				added, err = d.insertSQLite(ctx, tx, rows)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("insert %d attempts: %w", len(rows), err)
		}
		d.foldWhenDue(ctx, added)
	}
	return nil
}

// distinct makes rows of entries, one per attempt, in the order of their IDs, which is that of time.
func distinct(entries []accounting.Entry) []row {
	rows := make([]row, len(entries))
	for i := range entries {
		rows[i] = newRow(&entries[i])
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		return bytes.Compare(a.id[:], b.id[:])
	})
	kept := rows[:0]
	for i := range rows {
		last := len(kept) - 1
		switch {
		case last < 0 || kept[last].id != rows[i].id:
			kept = append(kept, rows[i])
		case replaces(&rows[i], &kept[last]):
			kept[last] = rows[i]
		}
	}
	return kept
}

// replaces reports whether a row takes the place of one for the same attempt.
func replaces(now, old *row) bool {
	return old.Certainty == accounting.Unknown && now.Certainty != accounting.Unknown
}

// sqliteInsert is the statement that adds a row.
func sqliteInsert() string {
	var s strings.Builder
	s.WriteString("INSERT INTO usage_log (id")
	for _, c := range columns {
		s.WriteString(", " + c.name)
	}
	s.WriteString(") VALUES (?" + strings.Repeat(", ?", len(columns)) + ") ON CONFLICT (attempt_id) DO NOTHING")
	return s.String()
}

// insertSQLite inserts row by row: a call of the database is a call of a function. IDs continue where they ended, also
// when the last rows were removed, because the roll-ups are known by them.
func (d *DB) insertSQLite(ctx context.Context, tx *sql.Tx, rows []row) (added int64, err error) {
	var id int64
	const lastID = "SELECT MAX(COALESCE((SELECT MAX(id) FROM usage_log), 0), COALESCE((SELECT MAX(value) FROM usage_state WHERE name LIKE 'folded%'), 0))"
	if err := tx.QueryRowContext(ctx, lastID).Scan(&id); err != nil {
		return 0, err
	}
	insert := tx.StmtContext(ctx, d.insert)
	args := make([]any, 0, len(columns)+1)
	for i := range rows {
		args = rows[i].values(SQLite, append(args[:0], id+1))
		result, err := insert.ExecContext(ctx, args...)
		if err != nil {
			return 0, err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return 0, err
		}
		if n == 0 {
			if err := d.replace(ctx, tx, &rows[i]); err != nil {
				return 0, err
			}
			continue
		}
		id++
		added++
	}
	return added, nil
}

// insertPostgres inserts all rows with one statement and then looks after those that were there.
func (d *DB) insertPostgres(ctx context.Context, tx *sql.Tx, rows []row) (added int64, err error) {
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock_shared($1)", int64(lockInsert)); err != nil {
		return 0, err
	}
	inserted, err := tx.QueryContext(ctx, postgresInsert, columnsOf(rows)...)
	if err != nil {
		return 0, err
	}
	defer inserted.Close()
	is := make(map[string]bool, len(rows))
	for inserted.Next() {
		var id string
		if err := inserted.Scan(&id); err != nil {
			return 0, err
		}
		is[id] = true
	}
	if err := inserted.Err(); err != nil {
		return 0, err
	}
	if len(is) == len(rows) {
		return int64(len(is)), nil
	}
	for i := range rows {
		if !is[formatID(rows[i].id[:])] {
			if err := d.replace(ctx, tx, &rows[i]); err != nil {
				return 0, err
			}
		}
	}
	return int64(len(is)), nil
}

// postgresInsert adds rows that come as one array per column.
var postgresInsert = func() string {
	var names, values, arrays, aliases strings.Builder
	types := map[kind]string{
		text: "text[]", integer: "bigint[]", boolean: "boolean[]", instant: "timestamptz[]", identifier: "text[]", document: "text[]",
	}
	for i, c := range columns {
		if i > 0 {
			for _, b := range [...]*strings.Builder{&names, &values, &arrays, &aliases} {
				b.WriteString(", ")
			}
		}
		names.WriteString(c.name)
		values.WriteString("b." + c.name)
		switch c.kind {
		case identifier:
			values.WriteString("::uuid")
		case document:
			values.WriteString("::jsonb")
		}
		fmt.Fprintf(&arrays, "$%d::%s", i+1, types[c.kind])
		aliases.WriteString(c.name)
	}
	return "INSERT INTO usage_log (" + names.String() + ") SELECT " + values.String() +
		" FROM unnest(" + arrays.String() + ") AS b (" + aliases.String() +
		") ON CONFLICT (attempt_id) DO NOTHING RETURNING attempt_id::text"
}()

// columnsOf turns rows into arrays of columns.
func columnsOf(rows []row) []any {
	arrays := make([]any, len(columns))
	cells := make([][]any, len(rows))
	for i := range rows {
		cells[i] = rows[i].values(Postgres, make([]any, 0, len(columns)))
	}
	for c := range columns {
		switch columns[c].kind {
		case integer:
			arrays[c] = transpose[int64](cells, c)
		case boolean:
			arrays[c] = transpose[bool](cells, c)
		case instant:
			arrays[c] = transpose[time.Time](cells, c)
		default:
			arrays[c] = transpose[string](cells, c)
		}
	}
	return arrays
}

func transpose[T any](cells [][]any, column int) []T {
	values := make([]T, len(cells))
	for i := range cells {
		values[i] = cells[i][column].(T)
	}
	return values
}

// replace lets a row take the place of the one that is stored for the attempt, if it may. What the roll-ups contain of the
// old one is corrected by the difference.
func (d *DB) replace(ctx context.Context, tx *sql.Tx, now *row) error {
	if now.Certainty == accounting.Unknown {
		return nil
	}
	id, old, err := d.stored(ctx, tx, now)
	if err != nil || !replaces(now, old) {
		return err
	}
	if err := d.overwrite(ctx, tx, id, now); err != nil {
		return err
	}
	for g := range groups {
		// Nobody may fold the row between this look and our commit.
		last, err := d.get(ctx, tx, folded[g], "FOR SHARE")
		if err != nil {
			return err
		}
		if id > last {
			continue // it will be folded as it is now
		}
		sums := rollup{}
		if err := cmp.Or(sums.addRow(g, old, -1), sums.addRow(g, now, 1)); err != nil {
			return err
		}
		if err := d.addRollup(ctx, tx, sums); err != nil {
			return err
		}
	}
	return nil
}

// stored reads the row of an attempt and keeps others from changing it.
func (d *DB) stored(ctx context.Context, tx *sql.Tx, of *row) (id int64, _ *row, err error) {
	s := statement{dialect: d.dialect}
	s.WriteString("SELECT id, " + selectColumns(d.dialect) + " FROM usage_log WHERE attempt_id = ")
	s.arg(attemptArg(d.dialect, of))
	if d.dialect == Postgres {
		s.WriteString(" FOR UPDATE")
	}
	var x scanned
	if err := tx.QueryRowContext(ctx, s.String(), s.args...).Scan(append([]any{&id}, x.destinations()...)...); err != nil {
		return 0, nil, fmt.Errorf("read a stored attempt: %w", err)
	}
	return id, &x.row, x.finish(d.dialect)
}

// overwrite writes all columns of a row.
func (d *DB) overwrite(ctx context.Context, tx *sql.Tx, id int64, now *row) error {
	s := statement{dialect: d.dialect}
	s.WriteString("UPDATE usage_log SET ")
	for i, v := range now.values(d.dialect, nil) {
		if i > 0 {
			s.WriteString(", ")
		}
		s.WriteString(columns[i].name + " = ")
		s.arg(v)
	}
	s.WriteString(" WHERE id = ")
	s.arg(id)
	if _, err := tx.ExecContext(ctx, s.String(), s.args...); err != nil {
		return fmt.Errorf("replace an unknown attempt: %w", err)
	}
	return nil
}

func attemptArg(d Dialect, r *row) any {
	if d == Postgres {
		return formatID(r.id[:])
	}
	return r.id[:]
}
