package llmgateway

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheLedgerIsCopiedWhileItIsUsed(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "usage.db"), filepath.Join(dir, "copy.db")
	db, err := sql.Open("sqlite", from)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{"PRAGMA journal_mode=WAL", "CREATE TABLE t (n)", "INSERT INTO t VALUES (42)"} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	backup := func(args ...string) error {
		cmd := backupCommand()
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		cmd.SetArgs(args)
		return cmd.Execute()
	}
	if err := backup("--ledger", from, to); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(to); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy is %v %v", info, err)
	}
	copied, err := sql.Open("sqlite", to)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	var n int
	if err := copied.QueryRowContext(t.Context(), "SELECT n FROM t").Scan(&n); err != nil || n != 42 {
		t.Errorf("the copy has %d %v", n, err)
	}
	for _, wrong := range [][]string{
		{"--ledger", from, to}, // it is there already
		{"--ledger", filepath.Join(dir, "none.db"), filepath.Join(dir, "other.db")},
	} {
		if err := backup(wrong...); err == nil || !strings.Contains(err.Error(), "db") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "other.db")); err == nil {
		t.Error("a copy of nothing was made")
	}
	t.Setenv("XDG_DATA_HOME", dir)
	if err := backup(filepath.Join(dir, "third.db")); err == nil || !strings.Contains(err.Error(), "--ledger") {
		t.Errorf("without a ledger where it is by default: %v", err)
	}
}
