package dbledger

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-llm/llmgateway/accounting"
)

// fake is a database that is counted and can be broken.
type fake struct {
	mu                    sync.Mutex
	opens, closes, failed int
	broken                error // of opening it and of everything else
	entries               map[string]accounting.Entry
	pruned                []time.Time
	maintained            int
	closed                chan struct{} // receives for every Close
}

func newFake() *fake {
	return &fake{entries: map[string]accounting.Entry{}, closed: make(chan struct{}, 100)}
}

// database describes the fake, with a journal in a folder of the test.
func (f *fake) database(t *testing.T, name string) Database {
	return Database{
		Name: name, Journal: t.TempDir(), Patience: time.Second,
		Open: func(context.Context, *zap.Logger) (Records, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.broken != nil {
				f.failed++
				return nil, f.broken
			}
			f.opens++
			return f, nil
		},
	}
}

func (f *fake) fail(err error) {
	f.mu.Lock()
	f.broken = err
	f.mu.Unlock()
}

func (f *fake) counts() (opens, closes, failed int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.opens, f.closes, f.failed
}

func (f *fake) Insert(ctx context.Context, entries []accounting.Entry) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return f.broken
	}
	for _, e := range entries {
		if known, ok := f.entries[e.AttemptID]; !ok || known.Certainty == accounting.Unknown {
			f.entries[e.AttemptID] = e
		}
	}
	return ctx.Err()
}

func (f *fake) Sums(context.Context, accounting.Query) ([]accounting.Sum, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return []accounting.Sum{{Attempts: int64(len(f.entries))}}, f.broken
}

func (f *fake) Entries(_ context.Context, _ accounting.Filter, yield func(*accounting.Entry) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.entries {
		if err := yield(&e); err != nil {
			return err
		}
	}
	return f.broken
}

func (f *fake) Prune(_ context.Context, before time.Time) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pruned = append(f.pruned, before)
	return 1, f.broken
}

func (f *fake) Maintain(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.maintained++
	return f.broken
}

func (f *fake) Close() error {
	f.mu.Lock()
	f.closes++
	f.mu.Unlock()
	f.closed <- struct{}{}
	return nil
}

var errBroken = errors.New("broken on purpose")

// configuration returns a context as Caddy makes one for each configuration.
func configuration(t *testing.T) caddy.Context {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(cancel)
	return ctx
}

// attach returns a ledger that is attached.
func attach(t *testing.T, ctx caddy.Context, db Database, o Options) *Base {
	t.Helper()
	b := &Base{Options: o}
	if err := b.Attach(ctx, db); err != nil {
		t.Fatal(err)
	}
	return b
}

func cleanUp(t *testing.T, b *Base) {
	t.Helper()
	if err := b.Cleanup(); err != nil {
		t.Fatal(err)
	}
}
