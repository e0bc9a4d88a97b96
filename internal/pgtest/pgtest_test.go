package pgtest

import (
	"strings"
	"testing"
	"time"
)

func TestEachTestHasAnEmptyDatabaseOfItsOwn(t *testing.T) {
	a, b := Start(t), Start(t)
	if a == b || !strings.HasPrefix(a, "postgres://") || !strings.Contains(a, Password) {
		t.Errorf("the databases are %q and %q", a, b)
	}
	tables := shared.server.Query(t, a[strings.LastIndex(a, "/")+1:strings.Index(a, "?")], "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
	if tables != "0" {
		t.Errorf("a new database has %s tables", tables)
	}
}

func TestAServerKeepsItsDataThroughEverything(t *testing.T) {
	s := New(t)
	s.Query(t, "postgres", "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
	for name, fault := range map[string]func(testing.TB){"stop": s.Stop, "kill": s.Kill} {
		fault(t)
		if _, err := s.psql("postgres", "SELECT 1"); err == nil {
			t.Errorf("after %s it still answers", name)
		}
		s.Start(t)
		if got := s.Query(t, "postgres", "SELECT n FROM kept"); got != "7" {
			t.Errorf("after %s there is %q, want 7", name, got)
		}
	}
}

func TestAPausedServerAnswersNobodyUntilItResumes(t *testing.T) {
	s := New(t, "fsync=off")
	s.Pause(t)
	answer := make(chan error, 1)
	go func() {
		_, err := s.psql("postgres", "SELECT 1")
		answer <- err
	}()
	select {
	case err := <-answer:
		t.Errorf("it answered while it was paused: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	s.Resume(t)
	if err := <-answer; err != nil {
		t.Error(err)
	}
}
