package usagedb

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/accounting/ledgertest"
)

func TestEntriesComeOldestFirst(t *testing.T) {
	each(t, func(t *testing.T, open func(testing.TB) *DB) {
		d := open(t)
		const n = 2*entriesPage + 7
		batch := make([]accounting.Entry, n)
		for i := range batch {
			batch[i] = ledgertest.Entry(n - i)
			batch[i].Time = batch[i].Time.Truncate(20 * time.Minute) // more at one time than a page holds
		}
		insert(t, d, batch...)
		got := entries(t, d, accounting.Filter{})
		seen := map[string]bool{}
		for _, e := range got {
			seen[e.AttemptID] = true
		}
		if len(got) != n || len(seen) != n {
			t.Errorf("%d entries came, %d of them different; want %d", len(got), len(seen), n)
		}
		if !slices.IsSortedFunc(got, func(a, b accounting.Entry) int { return a.Time.Compare(b.Time) }) {
			t.Error("they are not in the order of time")
		}
	})
}

func TestEntriesAreFiltered(t *testing.T) {
	each(t, func(t *testing.T, open func(testing.TB) *DB) {
		d := open(t)
		all := []accounting.Entry{ledgertest.Entry(1), ledgertest.Entry(2), ledgertest.Entry(3)}
		all[2].Tags = nil
		insert(t, d, all...)
		for _, tc := range []struct {
			name string
			f    accounting.Filter
			want []int
		}{
			{"a period includes its beginning and not its end", accounting.Filter{Since: all[1].Time, Until: all[2].Time}, []int{1}},
			{"fields", accounting.Filter{Match: map[string][]string{"user": {"user 1", "user 3", "user 9"}}}, []int{0, 2}},
			{"several fields", accounting.Filter{Match: map[string][]string{"user": {"user 1"}, "model": {"model 2"}}}, nil},
			{"the feature", accounting.Filter{Match: map[string][]string{"feature": {"feature 2"}}}, []int{1}},
			{"other tags", accounting.Filter{Match: map[string][]string{"project": {"über \"alles\"\n"}}}, []int{0, 1}},
			{"tags that are missing", accounting.Filter{Match: map[string][]string{"project": {""}}}, []int{2}},
			{"no value at all", accounting.Filter{Match: map[string][]string{"user": {}}}, nil},
		} {
			t.Run(tc.name, func(t *testing.T) {
				var want []string
				for _, i := range tc.want {
					want = append(want, all[i].AttemptID)
				}
				var got []string
				for _, e := range entries(t, d, tc.f) {
					got = append(got, e.AttemptID)
				}
				if !slices.Equal(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		}
		stop, calls := errors.New("enough"), 0
		err := d.Entries(t.Context(), accounting.Filter{}, func(*accounting.Entry) error {
			calls++
			return stop
		})
		if !errors.Is(err, stop) || calls != 1 {
			t.Errorf("an error of yield ends Entries with %v after %d calls", err, calls)
		}
		if err := d.Entries(t.Context(), accounting.Filter{Match: map[string][]string{"day": {"2026-01-02"}}}, nil); err == nil {
			t.Error("times can be matched")
		}
	})
}

func TestTheViewHasOneRowPerRequest(t *testing.T) {
	each(t, func(t *testing.T, open func(testing.TB) *DB) {
		d := open(t)
		first, second, other := ledgertest.Entry(10), ledgertest.Entry(11), ledgertest.Entry(12)
		first.RequestID, second.RequestID = "r", "r"
		first.Attempt, second.Attempt, other.Attempt = 1, 2, 1
		first.Cost, second.Cost = 5, 7
		first.Latency, second.Latency = time.Second, 4*time.Second
		second.Time = first.Time.Add(2 * time.Second)
		insert(t, d, second, other, first)
		var n int
		if err := d.read.QueryRow("SELECT COUNT(*) FROM usage_requests").Scan(&n); err != nil || n != 2 {
			t.Fatalf("the view has %d rows, error %v; want 2", n, err)
		}
		var at timeColumn
		var attempts, cost, latency, input int64
		var model, provider, user string
		const query = "SELECT time, attempts, cost_nano, latency_us, input_tokens, model, provider, user_id FROM usage_requests WHERE request_id = 'r'"
		if err := d.read.QueryRow(query).Scan(&at, &attempts, &cost, &latency, &input, &model, &provider, &user); err != nil {
			t.Fatal(err)
		}
		if !at.Equal(first.Time) || attempts != 2 || cost != 12 || latency != 6e6 || input != first.Usage.Input+second.Usage.Input ||
			model != second.Model || provider != second.Provider || user != first.User {
			t.Error("got", at, attempts, cost, latency, input, model, provider, user)
		}
	})
}
