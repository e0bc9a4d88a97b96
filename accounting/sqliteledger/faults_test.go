package sqliteledger

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/accounting/usagedb"
)

// refuses checks that a ledger does not start, and says why and what to do.
func refuses(t *testing.T, path string, says ...string) {
	t.Helper()
	l := &Ledger{Path: path}
	defer provision(t, l)()
	err := l.Start(t.Context())
	if err == nil {
		t.Fatal("it started")
	}
	for _, want := range append(says, path) {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it says %q, without %q", err, want)
		}
	}
	if _, err := l.Intend(t.Context(), new(accounting.Entry)); err == nil {
		t.Error("it takes entries all the same")
	}
}

// filled makes a database with entries, which nothing uses anymore.
func filled(t *testing.T, path string, entries int) {
	t.Helper()
	l := &Ledger{Path: path}
	cleanUp := provision(t, l)
	if err := l.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range entries {
		record(t, l, i)
	}
	cleanUp()
	closed(t, path)
}

func hash(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))
}

func TestT71TheFolderCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refuses(t, filepath.Join(file, "usage.db"), "has to be able to write to the file and to its folder")
}

func TestT71TheFileIsAFolder(t *testing.T) {
	refuses(t, t.TempDir(), "has to be able to write to the file")
}

func TestT71AFileOfAnotherProgramIsLeftAlone(t *testing.T) {
	for name, content := range map[string]string{"long": strings.Repeat("precious ", 1000), "short": "x"} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		before := hash(t, path)
		refuses(t, path, "not a SQLite database", "name another path")
		if hash(t, path) != before {
			t.Errorf("%s: it was changed", name)
		}
	}
}

func TestT71ADamagedDatabaseIsLeftAlone(t *testing.T) {
	for name, damage := range map[string]func(db []byte){
		"a page in the middle": func(db []byte) { fillWith(db[len(db)/2:len(db)/2+8192], 0xa5) },
		"the schema":           func(db []byte) { fillWith(db[100:2000], 0xa5) },
		"the header":           func(db []byte) { fillWith(db[16:100], 0xff) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "usage.db")
			filled(t, path, 200)
			db, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			damage(db)
			if err := os.WriteFile(path, db, 0o600); err != nil {
				t.Fatal(err)
			}
			before := hash(t, path)
			refuses(t, path, "it was left as it is", "backup", ".recover")
			if hash(t, path) != before {
				t.Error("it was changed")
			}
		})
	}
}

func fillWith(b []byte, v byte) {
	for i := range b {
		b[i] = v
	}
}

func TestT71ACutOffDatabaseIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usage.db")
	filled(t, path, 200)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()/2); err != nil {
		t.Fatal(err)
	}
	before := hash(t, path)
	refuses(t, path, "it was left as it is")
	if hash(t, path) != before {
		t.Error("it was changed")
	}
}

func TestT71ADatabaseOfANewerVersionIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usage.db")
	filled(t, path, 1)
	db := openFile(t, path)
	if _, err := db.Exec(newer); err != nil {
		t.Fatal(err)
	}
	db.Close()
	refuses(t, path, "newer")
}

func TestT71ALockedDatabaseIsReportedAfterFiveSeconds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usage.db")
	filled(t, path, 1)
	db := openFile(t, path)
	db.SetMaxOpenConns(1)
	for _, statement := range []string{"PRAGMA locking_mode = EXCLUSIVE", "BEGIN EXCLUSIVE"} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	refuses(t, path, "another program has locked it", "5 s")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	started(t, path)
}

func TestT71WhatAnotherProcessDoesForAWhileDelaysNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usage.db")
	l := started(t, path)
	db := openFile(t, path)
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	record(t, l, 1)
	if s, _ := l.Stats(); s.Pending != 1 {
		t.Errorf("pending are %d, want 1", s.Pending)
	}
	if _, err := db.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	eventually(t, "the entry is in the database", func() bool { return len(read(t, l)) == 1 })
}

func TestT71ADamagedJournalIsKeptAndTheLedgerStarts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usage.db")
	l := &Ledger{Path: path}
	cleanUp := provision(t, l)
	if err := l.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	segments, err := filepath.Glob(path + ".intents/*/*.segment")
	if err != nil || len(segments) == 0 {
		t.Fatalf("there are no segments: %v", err)
	}
	whole, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	cleanUp()
	closed(t, path)
	left := filepath.Join(path+".intents", "0123456789abcdef.journal")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	fillWith(whole[8:64], 0xa5) // the header
	if err := os.WriteFile(filepath.Join(left, "0123456789abcdef.segment"), whole, 0o600); err != nil {
		t.Fatal(err)
	}
	l = &Ledger{Path: path}
	defer provision(t, l)()
	if err := l.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	record(t, l, 1)
	if n := len(read(t, l)); n != 1 {
		t.Errorf("there are %d entries, want 1", n)
	}
	var kept int
	err = filepath.WalkDir(path+".intents", func(name string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(name, ".corrupt") {
			kept++
		}
		return err
	})
	if err != nil || kept != 1 {
		t.Errorf("%d damaged files were kept, %v", kept, err)
	}
}

// A process that was killed leaves its write-ahead log, which may be large when a report kept it from being folded.
func TestT71AHugeWriteAheadLogIsFoldedAndCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usage.db")
	filled(t, path, 1)
	db := openFile(t, path)
	db.SetMaxOpenConns(1)
	for _, statement := range []string{
		"PRAGMA wal_autocheckpoint = 0", "CREATE TABLE filler (b BLOB)",
		"INSERT INTO filler SELECT zeroblob(1048576) FROM json_each('[" + strings.Repeat("0,", 11) + "0]')",
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	defer db.Close() // a killed process would not fold it either
	if info, err := os.Stat(path + "-wal"); err != nil || info.Size() < walSize {
		t.Fatalf("the log is %v, %v", info, err)
	}
	l := started(t, path)
	record(t, l, 2)
	if n := len(read(t, l)); n != 2 {
		t.Errorf("there are %d entries, want 2", n)
	}
	o, err := open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if err := o.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path + "-wal"); err != nil || info.Size() >= walSize {
		t.Errorf("the log still has %d bytes, %v", info.Size(), err)
	}
}

func TestBackupsAreWholeAndPrivate(t *testing.T) {
	folder := t.TempDir()
	l := started(t, filepath.Join(folder, "usage.db"))
	for i := range 50 {
		record(t, l, i)
	}
	copied := filepath.Join(folder, "copy ü.db")
	if err := l.BackupTo(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(copied); err != nil || info.Mode() != 0o600 {
		t.Errorf("the copy is %v, %v", info, err)
	}
	if n := len(read(t, started(t, copied))); n != 50 {
		t.Errorf("the copy has %d entries, want 50", n)
	}
	before := hash(t, copied)
	if err := l.BackupTo(t.Context(), copied); err == nil || hash(t, copied) != before {
		t.Errorf("a backup replaced another: %v", err)
	}
	if err := l.BackupTo(t.Context(), filepath.Join(folder, "none", "copy.db")); err == nil {
		t.Error("a backup went to a folder that is not there")
	}
}

func TestTheSQLiteProgramMakesBackupsToo(t *testing.T) {
	for name, command := range map[string]string{"backup": ".backup '%s'", "vacuum": "VACUUM INTO '%s'"} {
		t.Run(name, func(t *testing.T) {
			program, err := exec.LookPath("sqlite3")
			if err != nil {
				t.Skip("the sqlite3 program is not installed")
			}
			folder := t.TempDir()
			l := started(t, filepath.Join(folder, "usage.db"))
			record(t, l, 1, 2)
			read(t, l)
			copied := filepath.Join(folder, "copy.db")
			if said, err := exec.Command(program, l.path, fmt.Sprintf(command, copied)).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, said)
			}
			if n := len(read(t, started(t, copied))); n != 2 {
				t.Errorf("the copy has %d entries, want 2", n)
			}
		})
	}
}

func TestSeveralProcessesShareAFile(t *testing.T) {
	if path := os.Getenv("SQLITELEDGER_SHARED"); path != "" {
		l := &Ledger{Path: path}
		provision(t, l) // and the end of the process ends it
		for i := range 200 {
			record(t, l, 1000+i)
		}
		eventually(t, "all is in the database", func() bool {
			read(t, l)
			s, _ := l.Stats()
			return s.Pending == 0
		})
		return
	}
	path := filepath.Join(t.TempDir(), "usage.db")
	l := &Ledger{Path: path}
	cleanUp := provision(t, l)
	other := exec.Command(os.Args[0], "-test.run=^TestSeveralProcessesShareAFile$")
	other.Env = append(os.Environ(), "SQLITELEDGER_SHARED="+path)
	var said bytes.Buffer
	other.Stdout, other.Stderr = &said, &said
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		record(t, l, i)
	}
	if err := other.Wait(); err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	eventually(t, "the entries of both are there", func() bool { return len(read(t, l)) == 400 })
	cleanUp()
	if n := len(read(t, started(t, path))); n != 400 { // it clears up after the other one, too
		t.Errorf("there are %d entries, want 400", n)
	}
}

func openFile(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, usagedb.SQLiteDSN(path, false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// newer is what a later version of the program might do to a database.
const newer = `INSERT INTO usage_schema VALUES (999, '2999-01-01')`
