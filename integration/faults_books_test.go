package integration

import (
	"database/sql"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-llm/llmgateway/internal/faultllm"
	"github.com/caddy-llm/llmgateway/internal/pgtest"
)

// Group E, what of it is about the record of calls when the process that makes them dies, or the database.

// killed runs the gateway under load and kills it, again and again. meanwhile, if set, happens during each load.
func (r *bookRig) killed(meanwhile func(round int)) {
	for round := range faultN(5, 20) {
		r.start()
		done := make(chan struct{})
		go func() {
			defer close(done)
			if meanwhile != nil {
				meanwhile(round)
			}
		}()
		wait := r.load(faultN(200, 500), time.Duration(50+rand.IntN(450))*time.Millisecond)
		r.end(syscall.SIGKILL)
		wait()
		<-done
	}
	r.start()
	wait := r.load(100, 200*time.Millisecond)
	wait()
	r.quiet()
	if took := r.end(syscall.SIGTERM); took > 6*time.Second {
		r.Errorf("T%d: the last gateway took %s to end", r.row, took)
	}
	r.kills = r.kills[:len(r.kills)-1]
}

func TestFaults_T68_KillNine(t *testing.T) {
	faultTest(t, 68, func(f *fault) {
		path := filepath.Join(f.TempDir(), "usage.db")
		r := f.books("ledger sqlite "+path, bookAnswers)
		r.killed(nil)
		r.compare(r.rows("sqlite", path))
		db, err := sql.Open("sqlite", path)
		if err != nil {
			f.Fatal(err)
		}
		defer db.Close()
		var integrity string
		if err := db.QueryRowContext(f.Context(), "PRAGMA integrity_check").Scan(&integrity); err != nil || integrity != "ok" {
			f.Errorf("T68: integrity check: %s %v", integrity, err)
		}
	})
}

func TestFaults_T77_PostgresAndTheGatewayDie(t *testing.T) {
	faultTest(t, 77, func(f *fault) {
		server := pgtest.New(f.T)
		dsn := server.Database(f.T)
		r := f.books("ledger postgres "+dsn, bookAnswers)
		r.killed(func(round int) {
			switch round % 3 {
			case 0:
				server.Kill(f.T)
				server.Start(f.T)
			case 1:
				server.Stop(f.T)
				server.Start(f.T)
			}
		})
		r.compare(r.rows("pgx", dsn))
	})
}

func TestFaults_T72_EveryStreamCutByAnExitHasItsRow(t *testing.T) {
	faultTest(t, 72, func(f *fault) {
		path := filepath.Join(f.TempDir(), "usage.db")
		n := faultN(40, 200)
		r := f.books("ledger sqlite "+path, func(*faultllm.Request) faultllm.Script {
			return faultllm.Script{Pieces: 3_000, Gap: 100 * time.Millisecond}
		})
		r.start()
		for range n {
			r.stream()
		}
		started := 0
		if !r.up.Wait(gwPatience, func(j []faultllm.Entry) bool {
			started = 0
			for _, e := range j {
				if e.Pieces > 0 {
					started++
				}
			}
			return started == n
		}) {
			f.Fatalf("T72: %d of %d streams started; clients got %q; the gateway said %s", started, n, r.disappointed(), gwClip(r.stderr.String(), 3000))
		}
		took := r.end(syscall.SIGTERM)
		estimated, written := 0, len(r.rows("sqlite", path))
		if written < n { // what the exit left no time for is in the journal, and follows at the next start
			r.start()
			r.end(syscall.SIGTERM)
		}
		rows := r.rows("sqlite", path)
		for _, row := range rows {
			if row.certainty == "estimated" && row.output > 0 && row.cost == row.input*bookInput+row.output*bookOutput {
				estimated++
			}
		}
		f.figure("SQLite: %d streams, %d rows at the end of the process and %d in all, %d estimated, exit after %.1f s", n, written, len(rows), estimated, took.Seconds())
		if len(rows) != n || estimated != n {
			f.Errorf("T72: %d rows, %d estimated, of %d streams", len(rows), estimated, n)
		}
	})
}
