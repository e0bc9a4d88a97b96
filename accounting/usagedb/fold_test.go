package usagedb

import (
	"errors"
	"testing"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/accounting/ledgertest"
)

func TestRollUpsThatAreFoldedSeldomAreNeverAheadOfTheOthers(t *testing.T) {
	each(t, func(t *testing.T, open func(testing.TB) *DB) {
		d := open(t)
		at := func(n int, month time.Month) accounting.Entry {
			e := ledgertest.Entry(n)
			e.Time, e.User, e.Model, e.Certainty = time.Date(2026, month, 1, 0, 30, 0, 0, time.UTC), "ann", "gpt", accounting.Reported
			return e
		}
		insert(t, d, at(1, time.January))
		if err := d.Fold(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.unfolded[large].Store(groups[large].every - 1) // many came, and the small ones were folded a moment ago
		insert(t, d, at(2, time.March))
		for _, q := range []accounting.Query{
			{By: []string{"user", "model"}},
			{By: []string{"user", "model"}, Filter: accounting.Filter{Since: time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)}},
			{By: []string{"month", "user", "model"}},
		} {
			var attempts int64
			for _, s := range sums(t, d, q) {
				attempts += s.Attempts
			}
			if attempts != 2 {
				t.Errorf("by %v since %v: %d attempts, want 2", q.By, q.Since, attempts)
			}
		}
	})
}

func TestAReportOfAllTimesIsMissingNothingWhereNothingWasRemoved(t *testing.T) {
	each(t, func(t *testing.T, open func(testing.TB) *DB) {
		d := open(t)
		e := ledgertest.Entry(1)
		e.Time = time.Date(2026, time.March, 1, 0, 30, 0, 0, time.UTC)
		insert(t, d, e)
		all := accounting.Query{By: []string{"user", "dialect"}} // which no roll-up knows
		if n, err := d.Prune(t.Context(), e.Time.AddDate(0, 0, -1)); err != nil || n != 0 {
			t.Fatalf("prune: %d, %v", n, err)
		}
		if s := sums(t, d, all); len(s) != 1 {
			t.Errorf("%d groups, want 1", len(s))
		}
		if n, err := d.Prune(t.Context(), e.Time.AddDate(0, 0, 1)); err != nil || n != 1 {
			t.Fatalf("prune: %d, %v", n, err)
		}
		if _, err := d.Sums(t.Context(), all); !errors.Is(err, ErrRemoved) {
			t.Errorf("sums of what was removed: %v, want %v", err, ErrRemoved)
		}
	})
}
