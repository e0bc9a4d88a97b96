package sqliteledger

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/accounting/dbledger"
	"github.com/caddy-llm/llmgateway/accounting/ledgertest"
)

// provision returns a ledger of a configuration of its own, that is cleaned up by the function returned.
func provision(t *testing.T, l *Ledger) (cleanUp func()) {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	if err := l.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	if err := l.Validate(); err != nil {
		t.Fatal(err)
	}
	return func() {
		cancel()
		if err := l.Cleanup(); err != nil {
			t.Error(err)
		}
	}
}

// started returns a ledger that is ready, and that is closed when the test ends.
func started(t *testing.T, path string) *Ledger {
	t.Helper()
	l := &Ledger{Path: path}
	cleanUp := provision(t, l)
	t.Cleanup(func() { cleanUp(); closed(t, l.path) })
	if err := l.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

// eventually waits until f is true.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); !f(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come about that %s", what)
		}
	}
}

// closed waits until a ledger is closed: it leaves neither a write-ahead log nor a journal behind.
func closed(t *testing.T, path string) {
	t.Helper()
	eventually(t, path+" is closed", func() bool {
		_, err := os.Stat(path + "-wal")
		left, _ := os.ReadDir(path + ".intents")
		return os.IsNotExist(err) && len(left) == 0
	})
}

func read(t *testing.T, l accounting.Ledger) (found []accounting.Entry) {
	t.Helper()
	err := l.(accounting.Reader).Entries(t.Context(), accounting.Filter{}, func(e *accounting.Entry) error {
		found = append(found, *e)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return found
}

// readAll is read on a machine that may have so much else to do that the database has everything only after some seconds.
func readAll(t *testing.T, l accounting.Ledger) []accounting.Entry {
	t.Helper()
	eventually(t, "the database has everything", func() bool {
		stats, _ := l.(*Ledger).Stats()
		return stats.Pending == 0
	})
	return read(t, l)
}

func record(t *testing.T, l *Ledger, numbers ...int) {
	t.Helper()
	entries := make([]accounting.Entry, len(numbers))
	for i, n := range numbers {
		entries[i] = ledgertest.Entry(n)
	}
	if err := l.Record(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
}

func TestTheSQLiteLedgerKeepsTheContract(t *testing.T) {
	ledgertest.Run(t, ledgertest.Options{
		New:  func(t *testing.T) accounting.Ledger { return started(t, filepath.Join(t.TempDir(), "usage.db")) },
		Read: readAll,
	})
}

func TestValidatingHasNoEffects(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "new", "usage.db")
	provision(t, &Ledger{Path: path})()
	if found, err := os.ReadDir(folder); err != nil || len(found) > 0 {
		t.Errorf("there is %v, %v", found, err)
	}
}

func TestTheDefaultPathIsInCaddysFolder(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	l := new(Ledger)
	defer provision(t, l)()
	if want := filepath.Join(caddy.AppDataDir(), "llm_gateway", "usage.db"); l.path != want {
		t.Errorf("the path is %s, want %s", l.path, want)
	}
}

func TestPathsTakePlaceholdersAndAnyCharacters(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("LEDGER_FOLDER", folder)
	l := started(t, "{env.LEDGER_FOLDER}/a b/ü%20?x=1#y&.db")
	record(t, l, 1)
	if n := len(read(t, l)); n != 1 {
		t.Errorf("there are %d entries, want 1", n)
	}
	if _, err := os.Stat(filepath.Join(folder, "a b", "ü%20?x=1#y&.db")); err != nil {
		t.Error(err)
	}
	if l.Path != "{env.LEDGER_FOLDER}/a b/ü%20?x=1#y&.db" {
		t.Errorf("the configuration became %q", l.Path)
	}
}

func TestNobodyElseMayReadTheFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	path := filepath.Join(t.TempDir(), "a", "b", "usage.db")
	l := started(t, path)
	record(t, l, 1)
	read(t, l)
	for name, want := range map[string]os.FileMode{
		filepath.Dir(filepath.Dir(path)): 0o700 | os.ModeDir, filepath.Dir(path): 0o700 | os.ModeDir,
		path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600, path + ".intents": 0o700 | os.ModeDir,
	} {
		if info, err := os.Stat(name); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v; want mode %v", name, info.Mode(), err, want)
		}
	}
}

func TestAReloadKeepsTheFileOpenForRequestsUnderWay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usage.db")
	old, next := &Ledger{Path: path}, &Ledger{Path: path}
	endOld := provision(t, old)
	if err := old.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	old.Hold()
	intent, err := old.Intend(t.Context(), &accounting.Entry{AttemptID: ledgertest.Entry(1).AttemptID, Time: ledgertest.Entry(1).Time})
	if err != nil {
		t.Fatal(err)
	}
	endNext := provision(t, next)
	if err := next.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	endOld()
	journals, err := os.ReadDir(path + ".intents")
	if err != nil || len(journals) != 1 {
		t.Errorf("there are journals %v, %v; want one for both configurations", journals, err)
	}
	endNext() // and the ledger is removed from the configuration
	e := ledgertest.Entry(1)
	intent.Settle(&e)
	old.Release()
	closed(t, path)
	if got := read(t, started(t, path)); len(got) != 1 || got[0].Cost != e.Cost {
		t.Errorf("there is %+v", got)
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	started(t, filepath.Join(t.TempDir(), "usage.db")) // what starts once, starts here
	before := runtime.NumGoroutine()
	path := filepath.Join(t.TempDir(), "usage.db")
	for i := range 3 {
		l := &Ledger{Path: path}
		cleanUp := provision(t, l)
		if err := l.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		record(t, l, i)
		read(t, l)
		cleanUp()
		closed(t, path)
	}
	eventually(t, "all goroutines have ended", func() bool { return runtime.NumGoroutine() <= before })
}

func TestOldEntriesAreDeletedAndSumsStay(t *testing.T) {
	l := started(t, filepath.Join(t.TempDir(), "usage.db"))
	record(t, l, 1, 2, 3)
	read(t, l)
	err := l.View(t.Context(), func(r dbledger.Records) error {
		n, err := r.Prune(t.Context(), ledgertest.Entry(3).Time.Add(24*time.Hour))
		if n != 3 {
			t.Errorf("%d were deleted, want 3", n)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, l); len(got) > 0 {
		t.Errorf("there are still %d", len(got))
	}
	sums, err := l.Sums(t.Context(), accounting.Query{})
	if err != nil || len(sums) != 1 || sums[0].Attempts != 3 {
		t.Errorf("sums are %+v, %v", sums, err)
	}
}

func TestCaddyfile(t *testing.T) {
	for _, c := range []struct{ text, json, fails string }{
		{"sqlite", `{}`, ""},
		{"sqlite /var/lib/usage.db", `{"path":"/var/lib/usage.db"}`, ""},
		{"sqlite {env.DIR}/usage.db {\n}", `{"path":"{env.DIR}/usage.db"}`, ""},
		{
			"sqlite {\n durability power\n on_failure refuse\n retention 90d\n max_outbox 2GiB\n}",
			`{"durability":"power","on_failure":"refuse","retention":7776000000000000,"max_outbox":2147483648}`, "",
		},
		{"sqlite {\n retention forever\n}", `{"retention":-1}`, ""},
		{"sqlite a b", "", "wrong argument count"},
		{`sqlite ""`, "", "the path is empty"},
		{"sqlite {\n durability\n}", "", "wrong argument count"},
		{"sqlite {\n durability safe\n}", "", "durability must be process, power or async, not 'safe'"},
		{"sqlite {\n durability power\n durability power\n}", "", "durability already specified"},
		{"sqlite {\n on_failure ignore\n}", "", "on_failure must be buffer or refuse, not 'ignore'"},
		{"sqlite {\n retention 1h\n}", "", "retention must be at least 1d, not '1h'"},
		{"sqlite {\n retention always\n}", "", "retention must be a duration such as 90d or forever, not 'always'"},
		{"sqlite {\n retention -5d\n}", "", "retention must be at least 1d"},
		{"sqlite {\n max_outbox 3\n}", "", "max_outbox must be at least 16MiB"},
		{"sqlite {\n max_outbox much\n}", "", "max_outbox must be a size such as 512MiB, not 'much'"},
		{"sqlite {\n retain 1d\n}", "", "unrecognized ledger option 'retain'; known are durability, on_failure, retention, max_outbox"},
	} {
		l := new(Ledger)
		err := l.UnmarshalCaddyfile(caddyfile.NewTestDispenser(c.text))
		if c.fails != "" {
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%q: error %v, want one with %q", c.text, err, c.fails)
			}
			continue
		}
		got, _ := json.Marshal(l)
		if err != nil || string(got) != c.json {
			t.Errorf("%q became %s, %v; want %s", c.text, got, err, c.json)
		}
	}
}

func TestOptionsInJSONAreChecked(t *testing.T) {
	for text, want := range map[string]string{
		`{"durability":"safe"}`:         "durability must be process, power or async",
		`{"on_failure":"ignore"}`:       "on_failure must be buffer or refuse",
		`{"retention":5}`:               "retention must be at least 1d",
		`{"max_outbox":5}`:              "max_outbox must be at least 16777216",
		`{"path":":memory:"}`:           "needs a file",
		`{"path":"{env.NOT_THERE}/db"}`: "env.NOT_THERE",
	} {
		l := new(Ledger)
		if err := json.Unmarshal([]byte(text), l); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
		if err := l.Provision(ctx); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", text, err, want)
		}
		if err := l.Cleanup(); err != nil {
			t.Error(err)
		}
		cancel()
	}
}

func TestTheModuleIsRegistered(t *testing.T) {
	m, err := caddy.GetModule("http.llm_gateway.ledgers.sqlite")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := m.New().(accounting.Ledger); !ok {
		t.Errorf("%T is no ledger", m.New())
	}
}
