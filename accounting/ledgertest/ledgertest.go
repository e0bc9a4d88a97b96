// Package ledgertest checks that a ledger keeps the contract of [accounting.Ledger]. A ledger's own tests run it:
//
//	func TestLedger(t *testing.T) {
//		ledgertest.Run(t, ledgertest.Options{
//			New:  func(t *testing.T) accounting.Ledger { … },
//			Read: func(t *testing.T, l accounting.Ledger) []accounting.Entry { … },
//		})
//	}
package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
)

// Options say how to get at the ledger under test.
type Options struct {
	// New returns an empty ledger, ready for use. Required.
	New func(t *testing.T) accounting.Ledger
	// Read returns everything that the ledger holds, in any order, once it is durable. Without it, only what can be
	// seen from the outside is checked, which leaves out idempotence.
	Read func(t *testing.T, l accounting.Ledger) []accounting.Entry
	// Lossy names fields of Entry that the ledger does not give back.
	Lossy []string
}

// Run runs the suite.
func Run(t *testing.T, o Options) {
	t.Run("an empty batch is fine", func(t *testing.T) {
		record(t, o.New(t))
	})
	t.Run("a canceled context ends a call", func(t *testing.T) { testCanceled(t, o) })
	t.Run("a caller may reuse its slice", func(t *testing.T) { testReuse(t, o) })
	t.Run("calls may overlap", func(t *testing.T) { testConcurrent(t, o) })
	if o.Read == nil {
		return
	}
	t.Run("what is recorded comes back whole", func(t *testing.T) { testRoundTrip(t, o) })
	t.Run("recording twice counts once", func(t *testing.T) { testIdempotent(t, o) })
	t.Run("a batch with one known entry records the others", func(t *testing.T) { testPartlyKnown(t, o) })
}

// Entry returns an entry in which every field has a value of its own that follows from n.
func Entry(n int) accounting.Entry {
	text := func(field string) string { return fmt.Sprintf("%s %d", field, n) }
	k := int64(n)
	return accounting.Entry{
		AttemptID: fmt.Sprintf("0198c0de-0000-7000-8000-%012x", n),
		RequestID: text("request"),
		Attempt:   1 + n%3,
		Time:      time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(n) * time.Second),
		Key:       text("key"), User: text("user"), Team: text("team"),
		Tags:     map[string]string{"feature": text("feature"), "project": "über \"alles\"\n"},
		Provider: text("provider"), Dialect: "chat",
		Model: text("model"), UpstreamModel: text("upstream"), AnsweredModel: text("answered"),
		ProviderRequestID: text("provider request"),
		Usage: accounting.Usage{
			Input: 1<<53 + 1 + k, CacheRead: 2 + k, CacheWrite: 3 + k, CacheWrite1h: 4 + k, InputAudio: 5 + k,
			InputImage: 10 + k, InputVideo: 11 + k, CacheReadAudio: 12 + k, CacheReadImage: 13 + k,
			Output: 6 + k, Reasoning: 7 + k, OutputAudio: 8 + k, OutputImage: 14 + k, WebSearches: 9 + k,
		},
		Certainty: accounting.Certainty(n % 4), Cost: 1<<53 + 1 + accounting.Money(n), Priced: true,
		UsageInvalid: n%2 == 1, Recovered: n%2 == 1, AtRisk: 15 + accounting.Money(n), Tier: text("tier"),
		PriceVersion: text("version"),
		Status:       200 + n, ErrorClass: text("class"), Stream: true,
		Latency:          time.Duration(1000+n) * time.Millisecond,
		TimeToFirstToken: time.Duration(100+n) * time.Millisecond,
	}
}

func record(t *testing.T, l accounting.Ledger, entries ...accounting.Entry) {
	t.Helper()
	if err := l.Record(t.Context(), entries); err != nil {
		t.Fatalf("record: %v", err)
	}
}

func testCanceled(t *testing.T, o Options) {
	l := o.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	done := make(chan error, 1)
	go func() { done <- l.Record(ctx, []accounting.Entry{Entry(1)}) }()
	select {
	case err := <-done:
		// A ledger may have been quick enough. If it was not, it has to say so.
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("record with a canceled context: %v, want success or %v", err, context.Canceled)
		}
		if o.Read != nil {
			if n := len(o.Read(t, l)); err == nil && n != 1 {
				t.Errorf("record reported success and kept %d entries, want 1", n)
			}
		}
	case <-time.After(10 * time.Second):
		t.Fatal("record did not return although its context was canceled")
	}
	record(t, l, Entry(1))
	if o.Read != nil {
		compare(t, o, o.Read(t, l), Entry(1))
	}
}

func testReuse(t *testing.T, o Options) {
	l := o.New(t)
	batch := []accounting.Entry{Entry(1), Entry(2)}
	record(t, l, batch...)
	clear(batch)
	batch[0], batch[1] = Entry(3), Entry(4)
	record(t, l, batch...)
	clear(batch)
	if o.Read != nil {
		compare(t, o, o.Read(t, l), Entry(1), Entry(2), Entry(3), Entry(4))
	}
}

func testConcurrent(t *testing.T, o Options) {
	const writers, batches, size = 8, 5, 7
	l := o.New(t)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for b := range batches {
				batch := make([]accounting.Entry, size)
				for i := range batch {
					batch[i] = Entry((w*batches+b)*size + i)
				}
				if err := l.Record(t.Context(), batch); err != nil {
					t.Errorf("record: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if o.Read == nil {
		return
	}
	want := make([]accounting.Entry, writers*batches*size)
	for i := range want {
		want[i] = Entry(i)
	}
	compare(t, o, o.Read(t, l), want...)
}

func testRoundTrip(t *testing.T, o Options) {
	l := o.New(t)
	bare := accounting.Entry{AttemptID: "0198c0de-0000-7000-9000-000000000000", Time: Entry(0).Time}
	record(t, l, Entry(1), bare, Entry(2))
	compare(t, o, o.Read(t, l), Entry(1), bare, Entry(2))
}

func testIdempotent(t *testing.T, o Options) {
	l := o.New(t)
	record(t, l, Entry(1), Entry(1))
	record(t, l, Entry(1))
	compare(t, o, o.Read(t, l), Entry(1))
}

func testPartlyKnown(t *testing.T, o Options) {
	l := o.New(t)
	record(t, l, Entry(2))
	record(t, l, Entry(1), Entry(2), Entry(3))
	compare(t, o, o.Read(t, l), Entry(1), Entry(2), Entry(3))
}

// compare checks that got holds exactly want, in any order.
func compare(t *testing.T, o Options, got []accounting.Entry, want ...accounting.Entry) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("the ledger holds %d entries, want %d", len(got), len(want))
	}
	byID := map[string]accounting.Entry{}
	for _, e := range got {
		byID[e.AttemptID] = e
	}
	for _, w := range want {
		g, ok := byID[w.AttemptID]
		if !ok {
			t.Errorf("the ledger lost entry %s", w.AttemptID)
			continue
		}
		if a, b := normal(g, o.Lossy), normal(w, o.Lossy); !reflect.DeepEqual(a, b) {
			t.Errorf("the ledger gave back\n%+v\nwant\n%+v", a, b)
		}
	}
}

// normal makes entries comparable: instants in UTC, no tags and empty tags the same, lossy fields cleared.
func normal(e accounting.Entry, lossy []string) accounting.Entry {
	e.Time = e.Time.UTC()
	if len(e.Tags) == 0 {
		e.Tags = nil
	}
	v := reflect.ValueOf(&e).Elem()
	for _, name := range lossy {
		v.FieldByName(name).SetZero()
	}
	return e
}
