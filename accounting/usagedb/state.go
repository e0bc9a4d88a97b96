package usagedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
)

// Names of usage_state. folded is the id of the last row that the roll-ups of a group contain. removedBefore is a time in
// Unix microseconds: rows that are older may be gone.
var folded = [len(groups)]string{"folded_single", "folded_pairs"}

const removedBefore = "removed_before"

// get reads a number of usage_state. lock is a constant such as "FOR UPDATE", for PostgreSQL.
func (d *DB) get(ctx context.Context, q querier, name, lock string) (int64, error) {
	s := statement{dialect: d.dialect}
	s.WriteString("SELECT value FROM usage_state WHERE name = ")
	s.arg(name)
	if d.dialect == Postgres && lock != "" {
		s.WriteString(" " + lock)
	}
	var n int64
	err := q.QueryRowContext(ctx, s.String(), s.args...).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) && name == removedBefore {
		return math.MinInt64, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", name, err)
	}
	return n, nil
}

// set sets a number of usage_state, which only grow.
func (d *DB) set(ctx context.Context, tx *sql.Tx, name string, n int64) error {
	s := statement{dialect: d.dialect}
	s.WriteString("INSERT INTO usage_state (name, value) VALUES (")
	s.arg(name)
	s.WriteString(", ")
	s.arg(n)
	s.WriteString(") ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE usage_state.value < excluded.value")
	if _, err := tx.ExecContext(ctx, s.String(), s.args...); err != nil {
		return fmt.Errorf("set %s: %w", name, err)
	}
	return nil
}
