package ledgertest_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/accounting/ledgertest"
)

// memory is the smallest ledger that keeps the contract.
type memory struct {
	mu      sync.Mutex
	entries map[string]accounting.Entry
}

func (m *memory) Record(ctx context.Context, entries []accounting.Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range entries {
		m.entries[e.AttemptID] = e
	}
	return nil
}

func TestALedgerThatKeepsTheContractPasses(t *testing.T) {
	ledgertest.Run(t, ledgertest.Options{
		New: func(*testing.T) accounting.Ledger { return &memory{entries: map[string]accounting.Entry{}} },
		Read: func(_ *testing.T, l accounting.Ledger) []accounting.Entry {
			m := l.(*memory)
			m.mu.Lock()
			defer m.mu.Unlock()
			return slices.Collect(maps.Values(m.entries))
		},
	})
}

func TestEntriesDifferInEveryAttemptID(t *testing.T) {
	seen := map[string]bool{}
	for n := range 1000 {
		seen[ledgertest.Entry(n).AttemptID] = true
	}
	if len(seen) != 1000 {
		t.Errorf("1000 entries have %d attempt IDs", len(seen))
	}
}
