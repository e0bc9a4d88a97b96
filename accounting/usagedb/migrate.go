package usagedb

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// The names of migrations begin with their number. They are never changed once they were released.
//
//go:embed schema
var schema embed.FS

// Numbers of PostgreSQL's advisory locks.
const (
	lockSchema = 0x6c6c6d75736167 // "llmusag"
	lockInsert = lockSchema + 1   // shared by those who insert; see fold
)

// migrations returns the statements that make each version of the schema out of the one before.
func (d *DB) migrations() []string {
	files, _ := fs.Glob(schema, "schema/"+d.dialect.String()+"/*.sql") // the pattern is well formed
	slices.Sort(files)
	scripts := make([]string, len(files))
	for i, name := range files {
		b, _ := schema.ReadFile(name) // it is in the program
		scripts[i] = string(b)
	}
	return scripts
}

func (d *DB) latest() int { return len(d.migrations()) }

// querier is a *sql.DB or *sql.Tx.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// version returns the version of the schema: 0 for a database without.
func (d *DB) version(ctx context.Context, q querier) (int, error) {
	exists := "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'usage_schema'"
	if d.dialect == Postgres {
		exists = "SELECT COUNT(*) FROM pg_class WHERE oid = to_regclass('usage_schema')"
	}
	var n int
	if err := q.QueryRowContext(ctx, exists).Scan(&n); err != nil {
		return 0, fmt.Errorf("read the schema version: %w", err)
	}
	if n == 0 {
		return 0, nil
	}
	var version sql.NullInt64
	if err := q.QueryRowContext(ctx, "SELECT MAX(version) FROM usage_schema").Scan(&version); err != nil {
		return 0, fmt.Errorf("read the schema version: %w", err)
	}
	return int(version.Int64), nil
}

func (d *DB) checkVersion(version int) error {
	if version > d.latest() {
		return fmt.Errorf("the usage database has schema version %d, and this program knows versions up to %d: a newer version of it wrote there", version, d.latest())
	}
	return nil
}

// migrate brings the schema up to date, in one transaction. Of several processes one does, and the others wait for it. What gets in its
// way is for [Open] to try again.
func (d *DB) migrate(ctx context.Context) error {
	version, err := d.version(ctx, d.write)
	if err != nil {
		return err
	}
	if err := d.checkVersion(version); err != nil || version == d.latest() {
		return err
	}
	return d.once(ctx, func(tx *sql.Tx) error {
		if d.dialect == Postgres {
			if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(lockSchema)); err != nil {
				return fmt.Errorf("lock the schema: %w", err)
			}
		}
		version, err := d.version(ctx, tx) // another process may have been faster
		if err != nil {
			return err
		}
		if err := d.checkVersion(version); err != nil {
			return err
		}
		if version == 0 {
			if _, err := tx.ExecContext(ctx, "CREATE TABLE usage_schema (version integer PRIMARY KEY, applied text NOT NULL)"); err != nil {
				return fmt.Errorf("create the schema: %w", err)
			}
		}
		for i, script := range d.migrations()[version:] {
			if _, err := tx.ExecContext(ctx, script); err != nil {
				return fmt.Errorf("migrate the schema to version %d: %w", version+i+1, err)
			}
			if err := d.applied(ctx, tx, version+i+1); err != nil {
				return err
			}
		}
		return nil
	})
}

func (d *DB) applied(ctx context.Context, tx *sql.Tx, version int) error {
	s := statement{dialect: d.dialect}
	s.WriteString("INSERT INTO usage_schema (version, applied) VALUES (")
	s.arg(version)
	s.WriteString(", ")
	s.arg(time.Now().UTC().Format(time.RFC3339))
	s.WriteString(")")
	if _, err := tx.ExecContext(ctx, s.String(), s.args...); err != nil {
		return fmt.Errorf("note schema version %d: %w", version, err)
	}
	return nil
}
