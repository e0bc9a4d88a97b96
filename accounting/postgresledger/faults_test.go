package postgresledger

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/accounting/ledgertest"
	"github.com/caddy-llm/llmgateway/internal/pgtest"
)

// observe returns what is logged from now on: outside of a server, Caddy's modules log to the standard error.
func observe(t *testing.T) (said func() string) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	before := os.Stderr
	os.Stderr = f
	t.Cleanup(func() {
		os.Stderr = before
		f.Close()
	})
	return func() string {
		b, err := os.ReadFile(f.Name())
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
}

func mustParse(t *testing.T, dsn string) *pgx.ConnConfig {
	t.Helper()
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// traffic makes calls until it is told to stop, and returns how many were made. None may fail.
func traffic(t *testing.T, l *Ledger) (stop func() int) {
	t.Helper()
	var made atomic.Int64
	done := make(chan struct{})
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			tick := time.NewTicker(2 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-done:
					return
				case <-tick.C:
				}
				e := entry(int(made.Add(1)))
				began := time.Now()
				intent, err := l.Intend(t.Context(), &accounting.Entry{AttemptID: e.AttemptID, Time: e.Time})
				if err != nil {
					t.Errorf("a call was refused: %v", err)
					return
				}
				intent.Settle(&e)
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("a call waited %v for the ledger", took)
				}
			}
		})
	}
	return func() int {
		close(done)
		writers.Wait()
		return int(made.Load())
	}
}

// entry is like others but for its ID.
func entry(n int) accounting.Entry {
	e := ledgertest.Entry(1)
	e.AttemptID = ledgertest.Entry(n).AttemptID
	e.Usage, e.Cost = accounting.Usage{Input: 1}, 1
	return e
}

// complete waits until the database has exactly what was recorded, each once.
func complete(t *testing.T, s *pgtest.Server, l *Ledger, want int) {
	t.Helper()
	began := time.Now()
	eventually(t, "the database has all entries", func() bool {
		sums, err := l.Sums(t.Context(), accounting.Query{})
		return err == nil && len(sums) == 1 && sums[0].Attempts == int64(want) && sums[0].Cost == accounting.Money(want)
	})
	t.Logf("all %d entries were there %v after the end", want, time.Since(began))
	if got := s.Query(t, "usage", "SELECT count(*) - count(DISTINCT attempt_id) FROM usage_log"); got != "0" {
		t.Errorf("%s entries are there twice", got)
	}
}

func TestT77NothingIsLostWhateverHappensToTheServer(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault func(t *testing.T, s *pgtest.Server)
	}{
		{"it is restarted", func(t *testing.T, s *pgtest.Server) { s.Stop(t); s.Start(t) }},
		{"it is killed", func(t *testing.T, s *pgtest.Server) { s.Kill(t); pause(t, time.Second); s.Start(t) }},
		{"it does not answer", func(t *testing.T, s *pgtest.Server) { s.Pause(t); pause(t, silence()); s.Resume(t) }},
		{"connections are cut", func(t *testing.T, s *pgtest.Server) {
			for range 10 {
				s.Query(t, "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'usage'")
				pause(t, 50*time.Millisecond)
			}
		}},
		{"a table is locked", func(t *testing.T, s *pgtest.Server) {
			s.Query(t, "usage", "BEGIN; LOCK TABLE usage_log IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(2); COMMIT")
		}},
		{"it refuses by serialization failures and deadlocks", func(t *testing.T, s *pgtest.Server) {
			s.Query(t, "usage", `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				IF random() < 0.5 THEN RAISE EXCEPTION 'injected' USING ERRCODE = CASE WHEN random() < 0.5 THEN '40001' ELSE '40P01' END; END IF;
				RETURN NULL; END $$; CREATE TRIGGER fail AFTER INSERT ON usage_log FOR EACH STATEMENT EXECUTE FUNCTION fail()`)
			pause(t, 2*time.Second)
			s.Query(t, "usage", "DROP TRIGGER fail ON usage_log")
		}},
		{"it takes no connections", func(t *testing.T, s *pgtest.Server) {
			s.Query(t, "postgres", "ALTER DATABASE usage ALLOW_CONNECTIONS false")
			s.Query(t, "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'usage'")
			pause(t, time.Second)
			s.Query(t, "postgres", "ALTER DATABASE usage ALLOW_CONNECTIONS true")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := pgtest.New(t)
			s.Query(t, "postgres", "CREATE DATABASE usage")
			l := started(t, s.DSN("usage"))
			read(t, l) // connected
			stop := traffic(t, l)
			pause(t, 200*time.Millisecond)
			c.fault(t, s)
			pause(t, 200*time.Millisecond)
			complete(t, s, l, stop())
		})
	}
}

// silence is how long a server is silent.
func silence() time.Duration {
	if testing.Short() {
		return 2 * time.Second
	}
	return 30 * time.Second
}

// pause lets others go on for a while.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

func TestT77AServerThatIsAwayAtTheStartGetsEverythingLater(t *testing.T) {
	s := pgtest.New(t)
	s.Query(t, "postgres", "CREATE DATABASE usage")
	s.Stop(t)
	logs := observe(t)
	l := started(t, s.DSN("usage"))
	stop := traffic(t, l)
	eventually(t, "it is warned of", func() bool { return strings.Contains(logs(), "cannot be used yet") })
	s.Start(t)
	complete(t, s, l, stop())
	if strings.Contains(logs(), pgtest.Password) {
		t.Errorf("the password is in the log: %s", logs())
	}
}

func TestT77GatewaysThatComeTogetherMakeTheTablesOnce(t *testing.T) {
	s := pgtest.New(t, "fsync=off")
	s.Query(t, "postgres", "CREATE DATABASE usage")
	var all sync.WaitGroup
	ledgers := make([]*Ledger, 4)
	for i := range ledgers {
		ledgers[i] = started(t, s.DSN("usage"))
		all.Go(func() {
			for n := range 100 {
				// Half of the entries come from two gateways, as after a takeover.
				if err := ledgers[i].Record(t.Context(), []accounting.Entry{entry(i/2*1000 + n)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for _, l := range ledgers {
		complete(t, s, l, 200)
	}
}

func TestT77AWrongPasswordCanBeMendedByAReload(t *testing.T) {
	s := pgtest.New(t, "fsync=off")
	s.Query(t, "postgres", "CREATE DATABASE usage")
	logs := observe(t)
	outbox := t.TempDir()
	const wrongPassword = "wr0ng-c4n4ry"
	t.Setenv("LEDGER_PASSWORD", wrongPassword)
	dsn := strings.Replace(s.DSN("usage"), ":"+pgtest.Password, "", 1)
	wrong := &Ledger{DSN: dsn, Password: "{env.LEDGER_PASSWORD}", Outbox: outbox}
	endWrong := provision(t, wrong)
	if err := wrong.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := wrong.Record(t.Context(), []accounting.Entry{entry(1)}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is warned of", func() bool { return strings.Contains(logs(), "password authentication failed") })
	t.Setenv("LEDGER_PASSWORD", pgtest.Password)
	right := &Ledger{DSN: dsn, Password: "{env.LEDGER_PASSWORD}", Outbox: outbox}
	endRight := provision(t, right)
	if err := right.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := right.Record(t.Context(), []accounting.Entry{entry(2)}); err != nil {
		t.Fatal(err)
	}
	complete(t, s, right, 1)
	endWrong()
	defer endRight()
	// The old one is given some time to get rid of its entries, and leaves them to the new one.
	eventually(t, "the new one has everything", func() bool { return len(read(t, right)) == 2 })
	complete(t, s, right, 2)
	if said := logs(); strings.Contains(said, wrongPassword) || strings.Contains(said, pgtest.Password) {
		t.Errorf("a password is in the log: %s", said)
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	dsn := pgtest.Start(t)
	read(t, started(t, dsn)) // what starts once, starts here
	before := runtime.NumGoroutine()
	for i := range 3 {
		l := &Ledger{DSN: dsn, Outbox: t.TempDir()}
		cleanUp := provision(t, l)
		if err := l.Record(t.Context(), []accounting.Entry{entry(i)}); err != nil {
			t.Fatal(err)
		}
		read(t, l)
		cleanUp()
		closed(t, l.Outbox)
	}
	eventually(t, "all goroutines have ended", func() bool { return runtime.NumGoroutine() <= before })
}
