package usagedb

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// pruneBatch is how many rows a transaction removes.
const pruneBatch = 1000

// Prune removes the rows of attempts that began before a time, and returns how many. Roll-ups stay as they are: the sums of
// everything that was ever recorded. It removes a few thousand at a time, and can be stopped and called again at any moment.
//
// An attempt whose row was removed is not known any more: recorded again, it counts again.
func (d *DB) Prune(ctx context.Context, before time.Time) (removed int64, err error) {
	if err := d.Fold(ctx); err != nil { // only what is in the roll-ups may go
		return 0, err
	}
	for {
		var n int64
		err := d.transact(ctx, func(tx *sql.Tx) (err error) {
			n, err = d.pruneSome(ctx, tx, before)
			return err
		})
		if err != nil {
			return removed, fmt.Errorf("remove old attempts: %w", err)
		}
		removed += n
		if n < pruneBatch {
			return removed, nil
		}
	}
}

func (d *DB) pruneSome(ctx context.Context, tx *sql.Tx, before time.Time) (int64, error) {
	last := int64(-1)
	for g := range groups {
		n, err := d.get(ctx, tx, folded[g], "")
		if err != nil {
			return 0, err
		}
		if last < 0 || n < last {
			last = n
		}
	}
	s := statement{dialect: d.dialect}
	s.WriteString("DELETE FROM usage_log WHERE id IN (SELECT id FROM usage_log WHERE time < ")
	s.arg(d.dialect.timeArg(before))
	s.WriteString(" AND id <= ")
	s.arg(last)
	s.WriteString(" ORDER BY time LIMIT ")
	s.arg(pruneBatch)
	s.WriteString(")")
	result, err := tx.ExecContext(ctx, s.String(), s.args...)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	if err != nil || n == 0 {
		return n, err // reports need not mind a time before which there was nothing
	}
	return n, d.set(ctx, tx, removedBefore, before.UnixMicro())
}
