package postgresledger

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/accounting/ledgertest"
	"github.com/caddy-llm/llmgateway/internal/pgtest"
)

// provision returns what cleans a ledger up that is made part of a configuration of its own.
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
func started(t *testing.T, dsn string) *Ledger {
	t.Helper()
	l := &Ledger{DSN: dsn, Outbox: t.TempDir()}
	cleanUp := provision(t, l)
	t.Cleanup(func() { cleanUp(); closed(t, l.Outbox) })
	if err := l.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

// closed waits until a ledger is closed, and has left nothing in its outbox.
func closed(t *testing.T, outbox string) {
	t.Helper()
	eventually(t, "the outbox is empty", func() bool {
		left, err := os.ReadDir(outbox)
		return err == nil && len(left) == 0
	})
}

// eventually waits until f is true.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(60 * time.Second); !f(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come about that %s", what)
		}
	}
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

func TestThePostgresLedgerKeepsTheContract(t *testing.T) {
	pgtest.Start(t) // or skip
	// The second is what poolers need that share connections between transactions.
	for name, parameters := range map[string]string{"as it is": "", "without prepared statements": "&default_query_exec_mode=exec"} {
		t.Run(name, func(t *testing.T) {
			ledgertest.Run(t, ledgertest.Options{
				New:  func(t *testing.T) accounting.Ledger { return started(t, pgtest.Start(t)+parameters) },
				Read: readAll,
			})
		})
	}
}

func TestValidatingHasNoEffects(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	folder := t.TempDir()
	provision(t, &Ledger{DSN: "postgres://gateway@127.0.0.1:1/usage"})() // nobody listens there, and nobody asks
	provision(t, &Ledger{DSN: "host=/nonexistent dbname=usage", Outbox: filepath.Join(folder, "outbox")})()
	for _, f := range []string{folder, os.Getenv("XDG_DATA_HOME")} {
		if found, err := os.ReadDir(f); err != nil || len(found) > 0 {
			t.Errorf("there is %v, %v", found, err)
		}
	}
}

func TestEachDatabaseHasAnOutboxOfItsOwn(t *testing.T) {
	seen := map[string]string{}
	for _, dsn := range []string{
		"postgres://a@db.example:5432/usage", "postgres://b@db.example:5432/usage", "postgres://a@db.example:5433/usage",
		"postgres://a@db.example:5432/other", "host=/var/run/postgresql dbname=usage user=a", "host=../.. dbname=../../x user=a",
	} {
		l := &Ledger{DSN: dsn}
		s, _, err := l.parse()
		if err != nil {
			t.Fatal(err)
		}
		outbox, err := l.outbox(s)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Dir(outbox) != filepath.Join(caddy.AppDataDir(), "llm_gateway", "outbox") {
			t.Errorf("%s has the outbox %s", dsn, outbox)
		}
		if other, ok := seen[outbox]; ok {
			t.Errorf("%s and %s share %s", dsn, other, outbox)
		}
		seen[outbox] = dsn
	}
	with := &Ledger{DSN: "postgres://a:one@db.example/usage"}
	s1, _, _ := with.parse()
	with.DSN = "postgres://a:two@db.example/usage"
	s2, _, _ := with.parse()
	if a, b := mustOutbox(t, with, s1), mustOutbox(t, with, s2); a != b {
		t.Errorf("a new password makes another outbox: %s and %s", a, b)
	}
}

func mustOutbox(t *testing.T, l *Ledger, s *server) string {
	t.Helper()
	folder, err := l.outbox(s)
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// canary is a password that URLs have to escape.
const canary = "c4n4ry/p@ss:w%rd"

func TestThePasswordIsNowhere(t *testing.T) {
	t.Setenv("LEDGER_PASSWORD", canary)
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(canary+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, l := range map[string]*Ledger{
		"an option":      {DSN: "postgres://gateway@127.0.0.1:1/usage?connect_timeout=1", Password: "{env.LEDGER_PASSWORD}"},
		"a file":         {DSN: "postgres://gateway@127.0.0.1:1/usage", Password: "{file." + file + "}"},
		"key and value":  {DSN: "host=127.0.0.1 port=1 user=gateway dbname=usage password='{env.LEDGER_PASSWORD}'"},
		"all of the DSN": {DSN: "{env.LEDGER_DSN}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("LEDGER_DSN", "postgres://gateway:c4n4ry%2Fp%40ss%3Aw%25rd@127.0.0.1:1/usage")
			l.Outbox = t.TempDir()
			logs := observe(t)
			ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
			defer cancel()
			if err := l.Provision(ctx); err != nil {
				t.Fatal(err)
			}
			if l.server.config.Password != canary {
				t.Fatalf("the password is %q", l.server.config.Password)
			}
			if err := l.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := l.Record(t.Context(), []accounting.Entry{ledgertest.Entry(1)}); err != nil {
				t.Fatal(err)
			}
			_, err := l.Sums(t.Context(), accounting.Query{})
			if err == nil {
				t.Error("a server answered where there is none")
			}
			config, _ := json.Marshal(l)
			said := fmt.Sprintf("%v %+v %#v %s %v", l, l, l, config, err) + logs()
			for _, form := range []string{"c4n4ry", "p%40ss", "p@ss"} {
				if strings.Contains(said, form) {
					t.Errorf("the password is in %s", said)
				}
			}
			if err := l.Cleanup(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestErrorsKeepThePasswordOut(t *testing.T) {
	t.Setenv("LEDGER_PASSWORD", canary)
	t.Setenv("EMPTY", "")
	for _, c := range []struct{ dsn, password, says string }{
		{"", "", "dsn is missing"},
		{"postgres://gateway:" + canary + "@host:port/db", "", "it cannot be read"},
		{"postgres://gateway:c4n4ry@host:99999999/db", "", "it cannot be read"},
		{"mysql://gateway:c4n4ry@host/db", "", "it cannot be read"},
		{"host=h password=c4n4ry sslmode=sometimes", "", "it cannot be read"},
		{"password = 'c4n4ry", "", "it cannot be read"},
		{"postgres://gateway:c4n4ry@{env.NOT_THERE}/db", "", "{env.NOT_THERE} has no value"},
		{"postgres://gateway@host/db", "{env.EMPTY}", "password: {env.EMPTY} has no value"},
		{"postgres://gateway@host/db", "a{c4n4ry}b", "password: a placeholder in it is not known"},
	} {
		l := &Ledger{DSN: c.dsn, Password: c.password}
		ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
		err := l.Provision(ctx)
		cancel()
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "c4n4ry") || strings.Contains(err.Error(), "p@ss") {
			t.Errorf("%q with %q: %v, want %q and no password", c.dsn, c.password, err, c.says)
		}
	}
	s := &server{config: mustParse(t, "postgres://gateway@host/db")}
	s.config.Password = canary
	if err := s.explain(fmt.Errorf("%s and c4n4ry%%2Fp%%40ss%%3Aw%%25rd", canary)); strings.Contains(err.Error(), "c4n4ry") {
		t.Errorf("an error became %q", err)
	}
}

func TestAPasswordInTheConfigurationIsWarnedOf(t *testing.T) {
	t.Setenv("LEDGER_PASSWORD", "secret")
	for _, c := range []struct {
		dsn, password string
		warned        bool
	}{
		{"postgres://gateway:secret@host/db", "", true},
		{"host=h user=gateway password=secret", "", true},
		{"postgres://gateway@host/db", "secret", true},
		{"postgres://gateway:{env.LEDGER_PASSWORD}@host/db", "", false},
		{"postgres://gateway@host/db", "{env.LEDGER_PASSWORD}", false},
		{"postgres://gateway@host/db", "", false},
	} {
		logs := observe(t)
		provision(t, &Ledger{DSN: c.dsn, Password: c.password})()
		said := logs()
		if strings.Contains(said, "stands in the configuration") != c.warned || strings.Contains(said, "secret") {
			t.Errorf("%q, %q: it says %q", c.dsn, c.password, said)
		}
	}
}

func TestCaddyfile(t *testing.T) {
	for _, c := range []struct{ text, json, fails string }{
		{"postgres postgres://gateway@db/usage", `{"dsn":"postgres://gateway@db/usage"}`, ""},
		{
			"postgres {env.DSN} {\n password {env.PASSWORD}\n max_conns 8\n outbox /var/outbox\n durability power\n on_failure refuse\n retention 30d\n max_outbox 4GiB\n}",
			`{"dsn":"{env.DSN}","password":"{env.PASSWORD}","max_conns":8,"outbox":"/var/outbox","durability":"power","on_failure":"refuse","retention":2592000000000000,"max_outbox":4294967296}`, "",
		},
		{"postgres", "", "wrong argument count"},
		{"postgres a b", "", "wrong argument count"},
		{`postgres ""`, "", "the dsn is empty"},
		{"postgres a {\n max_conns many\n}", "", "max_conns must be a number from 1 to 1000, not 'many'"},
		{"postgres a {\n max_conns 0\n}", "", "max_conns must be a number from 1"},
		{"postgres a {\n outbox\n}", "", "wrong argument count"},
		{"postgres a {\n outbox x\n outbox y\n}", "", "outbox already specified"},
		{"postgres a {\n password x\n password y\n}", "", "password already specified"},
		{"postgres a {\n durability safe\n}", "", "durability must be process, power or async, not 'safe'"},
		{"postgres a {\n pool 5\n}", "", "unrecognized ledger option 'pool'; known are password, max_conns, outbox, durability"},
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

func TestTheModuleIsRegistered(t *testing.T) {
	m, err := caddy.GetModule("http.llm_gateway.ledgers.postgres")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := m.New().(accounting.Ledger); !ok {
		t.Errorf("%T is no ledger", m.New())
	}
}
