package usagedb

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/accounting/ledgertest"
	"github.com/caddy-llm/llmgateway/internal/pgtest"
)

// freeze begins to insert, and stops before the end, as a gateway does whose machine is cut off or stands still.
func freeze(t *testing.T, d *DB, e accounting.Entry) {
	t.Helper()
	frozen, thaw, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		_ = d.once(context.WithoutCancel(t.Context()), func(tx *sql.Tx) error {
			_, err := d.insertPostgres(t.Context(), tx, distinct([]accounting.Entry{e}))
			close(frozen)
			<-thaw
			return err
		})
	}()
	t.Cleanup(func() {
		close(thaw)
		<-ended
	})
	<-frozen
}

func TestAGatewayThatStandsStillHoldsUpNoOther(t *testing.T) {
	dsn := pgtest.Start(t)
	still, running := opened(t, pool(t, "pgx", dsn, 2), Postgres), opened(t, pool(t, "pgx", dsn, 2), Postgres)
	freeze(t, still, ledgertest.Entry(1))
	failed := 0
	running.OnError = func(error) { failed++ }
	running.unfolded[small].Store(groups[small].every)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := running.Insert(ctx, []accounting.Entry{ledgertest.Entry(2)}); err != nil {
		t.Fatal(err)
	}
	if ctx.Err() != nil || failed != 1 {
		t.Errorf("an insert waited for the other: %v, folding failed %d times", ctx.Err(), failed)
	}
}

func TestAGatewayThatStandsStillIsNotWaitedForForever(t *testing.T) {
	dsn := pgtest.Start(t)
	still, running := opened(t, pool(t, "pgx", dsn, 2), Postgres), opened(t, pool(t, "pgx", dsn, 2), Postgres)
	still.idle = time.Second
	one, two := ledgertest.Entry(1), ledgertest.Entry(2)
	freeze(t, still, one)
	insert(t, running, two)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err := running.Fold(ctx)
	for ; err != nil && ctx.Err() == nil; err = running.Fold(ctx) {
	}
	if err != nil {
		t.Fatalf("nothing can be folded: %v", err)
	}
	insert(t, running, one) // the journal gives it again
	if s := sums(t, running, accounting.Query{}); s[0].Attempts != 2 {
		t.Errorf("%d attempts, want 2", s[0].Attempts)
	}
}
