package report

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/accounting/report/reporttest"
)

// sink keeps what is written to it, and where it was flushed.
type sink struct {
	bytes.Buffer
	flushed []int
	largest int
	err     error
}

func (s *sink) Write(p []byte) (int, error) {
	s.largest = max(s.largest, len(p))
	if s.err != nil {
		return 0, s.err
	}
	return s.Buffer.Write(p)
}

func (s *sink) Flush() error {
	s.flushed = append(s.flushed, s.Len())
	return nil
}

func TestEntriesAsLines(t *testing.T) {
	e := accounting.Entry{
		AttemptID: "a-1", RequestID: "r-1", Attempt: 2, Time: time.Date(2026, 11, 20, 9, 0, 0, 5000, time.FixedZone("", 3600)),
		Key: "k", User: "al\"ice\n", Team: "t", Tags: map[string]string{"z": "=1", "feature": "b"}, Provider: "p", Dialect: "chat",
		Model: "m", UpstreamModel: "um", AnsweredModel: "am", ProviderRequestID: "pr",
		Usage: accounting.Usage{
			Input: 1, CacheRead: 2, CacheWrite: 3, CacheWrite1h: 4, InputAudio: 5, InputImage: 6, InputVideo: 7, CacheReadAudio: 8,
			CacheReadImage: 9, Output: 10, Reasoning: 11, OutputAudio: 12, OutputImage: 13, WebSearches: 14,
		},
		Certainty: accounting.Estimated, UsageInvalid: true, Recovered: true, Cost: 1_500_000_000, Priced: true, AtRisk: 1,
		Tier: "batch", PriceVersion: "v", Status: 529, ErrorClass: "overloaded", Stream: true, Latency: 1234567 * time.Microsecond,
	}
	var out sink
	if err := (&EntriesRequest{Format: FormatJSONL}).Write(context.Background(), []accounting.Reader{&reporttest.Memory{Kept: []accounting.Entry{e}}}, &out); err != nil {
		t.Fatal(err)
	}
	const want = `{"time":"2026-11-20T08:00:00.000005Z","attempt_id":"a-1","request_id":"r-1","attempt":2,"key":"k","user":"al\"ice\n","team":"t",` +
		`"tags":{"feature":"b","z":"=1"},"provider":"p","dialect":"chat","model":"m","upstream_model":"um","answered_model":"am","provider_request_id":"pr",` +
		`"input_tokens":45,"output_tokens":46,"text_input_tokens":1,"cache_read_tokens":2,"cache_write_tokens":3,"cache_write_1h_tokens":4,` +
		`"audio_input_tokens":5,"image_input_tokens":6,"video_input_tokens":7,"cache_read_audio_tokens":8,"cache_read_image_tokens":9,` +
		`"text_output_tokens":10,"reasoning_tokens":11,"audio_output_tokens":12,"image_output_tokens":13,"web_searches":14,` +
		`"certainty":"estimated","usage_invalid":true,"recovered":true,"cost_usd":"1.5","cost_nano":1500000000,"priced":true,` +
		`"at_risk_usd":"0.000000001","at_risk_nano":1,"tier":"batch","price_version":"v","status":529,"error_class":"overloaded","stream":true,` +
		`"latency_ms":1234.6,"ttft_ms":null}` + "\n"
	if out.String() != want {
		t.Errorf("\n%s, want\n%s", out.String(), want)
	}
	out = sink{}
	if err := (&EntriesRequest{Format: FormatCSV}).Write(context.Background(), []accounting.Reader{&reporttest.Memory{Kept: []accounting.Entry{e}}}, &out); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 2 {
		t.Fatalf("%v %q", err, rows)
	}
	for i, name := range rows[0] {
		if want := map[string]string{"user": "al\"ice\n", "tags": `{"feature":"b","z":"=1"}`, "ttft_ms": "", "cost_usd": "1.5", "stream": "true"}[name]; want != "" && rows[1][i] != want {
			t.Errorf("%s is %q, want %q", name, rows[1][i], want)
		}
	}
}

func TestEntriesOfSeveralLedgersComeInOrder(t *testing.T) {
	var all, odd, even []accounting.Entry
	for i := range 20 {
		e := entry(t, fmt.Sprintf("2026-11-20 08:00:%02d", i), "u", "m", 1)
		all = append(all, e)
		if i%3 == 0 {
			odd = append(odd, e)
		} else {
			even = append(even, e)
		}
	}
	for _, format := range []string{FormatJSONL, FormatCSV} {
		for _, limit := range []int{0, 7, 20, 100} {
			r := &EntriesRequest{Format: format, Limit: limit}
			var want, got sink
			if err := r.Write(context.Background(), []accounting.Reader{&reporttest.Memory{Kept: all}}, &want); err != nil {
				t.Fatal(err)
			}
			if err := r.Write(context.Background(), []accounting.Reader{new(reporttest.Memory), &reporttest.Memory{Kept: even}, &reporttest.Memory{Kept: odd}}, &got); err != nil {
				t.Fatal(err)
			}
			lines := strings.Count(want.String(), "\n")
			if expect := map[int]int{0: 20, 7: 7, 20: 20, 100: 20}[limit]; format == FormatJSONL && lines != expect || format == FormatCSV && lines != expect+1 {
				t.Errorf("%s with limit %d has %d lines", format, limit, lines)
			}
			if got.String() != want.String() {
				t.Errorf("%s with limit %d:\n%s, want\n%s", format, limit, &got.Buffer, &want.Buffer)
			}
		}
	}
}

func TestAnExportOfNothing(t *testing.T) {
	for format, want := range map[string]string{FormatJSONL: "", FormatCSV: string(heads(nil, entryColumns)) + "\n"} {
		var out sink
		if err := (&EntriesRequest{Format: format}).Write(context.Background(), []accounting.Reader{new(reporttest.Memory)}, &out); err != nil || out.String() != want {
			t.Errorf("%s: %q %v", format, out.String(), err)
		}
	}
}

// slow yields an entry a second.
type slow struct {
	reporttest.Memory
	n int
}

func (s *slow) Entries(ctx context.Context, _ accounting.Filter, yield func(*accounting.Entry) error) error {
	for i := range s.n {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
		if err := yield(&accounting.Entry{AttemptID: fmt.Sprint(i), Time: time.Now()}); err != nil {
			return err
		}
	}
	return nil
}

func TestEntriesOfASlowLedgerAreSentAsTheyCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out sink
		began := time.Now()
		if err := (&EntriesRequest{Format: FormatJSONL}).Write(t.Context(), []accounting.Reader{&slow{n: 3}}, &out); err != nil {
			t.Fatal(err)
		}
		if len(out.flushed) != 4 || out.flushed[0] == 0 || out.flushed[0]*3 != out.Len() || time.Since(began) != 3*time.Second {
			t.Errorf("flushed at %v of %d", out.flushed, out.Len())
		}
	})
}

func TestAnExportEndsWhenItsContextDoesOrItsClientHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, readers := range [][]accounting.Reader{{&slow{n: 100}}, {&slow{n: 100}, &slow{n: 100}}} {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+time.Millisecond)
			var out sink
			began := time.Now()
			err := (&EntriesRequest{Format: FormatJSONL}).Write(ctx, readers, &out)
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 11*time.Second || out.Len() == 0 {
				t.Errorf("%v after %v", err, time.Since(began))
			}
			left := errors.New("left")
			out = sink{err: left}
			began = time.Now()
			if err := (&EntriesRequest{Format: FormatJSONL}).Write(t.Context(), readers, &out); !errors.Is(err, left) || time.Since(began) > 3*time.Second {
				t.Errorf("%v after %v", err, time.Since(began))
			}
		}
	})
}

func TestALedgerThatFailsAtOnceHasWrittenNothing(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, readers := range [][]accounting.Reader{
		{&reporttest.Memory{Err: broken, Kept: household(t)}},
		{&reporttest.Memory{Kept: household(t)}, &reporttest.Memory{Err: broken}},
		{&reporttest.Memory{Kept: household(t)}, &reporttest.Memory{Err: broken, Kept: household(t)}},
	} {
		var out sink
		if err := (&EntriesRequest{Format: FormatCSV}).Write(context.Background(), readers, &out); !errors.Is(err, broken) || out.Len() > 0 {
			t.Errorf("%v after %q", err, out.String())
		}
	}
}

// endless yields the same entry over and over.
type endless struct {
	reporttest.Memory
	n int
}

func (s *endless) Entries(_ context.Context, _ accounting.Filter, yield func(*accounting.Entry) error) error {
	e := s.Kept[0]
	for range s.n {
		if err := yield(&e); err != nil {
			return err
		}
	}
	return nil
}

// discard is an output that keeps nothing but counts.
type discard struct{ total, largest int }

func (d *discard) Write(p []byte) (int, error) {
	d.total += len(p)
	d.largest = max(d.largest, len(p))
	return len(p), nil
}

func (*discard) Flush() error { return nil }

func TestMemoryDoesNotGrowWithTheNumberOfEntries(t *testing.T) {
	const n = 50_000
	m := &endless{Memory: reporttest.Memory{Kept: household(t)[2:3]}, n: n}
	var out discard
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := (&EntriesRequest{Format: FormatJSONL}).Write(context.Background(), []accounting.Reader{m}, &out); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if out.total < n*500 || out.largest > bufferSize+2000 {
		t.Errorf("%d bytes, %d at a time", out.total, out.largest)
	}
	if perEntry := float64(after.Mallocs-before.Mallocs) / n; perEntry > 40 {
		t.Errorf("%.1f allocations for each entry", perEntry)
	}
	if after.HeapAlloc > before.HeapAlloc+64<<20 {
		t.Errorf("the heap grew by %d bytes", after.HeapAlloc-before.HeapAlloc)
	}
}

func BenchmarkEntries(b *testing.B) {
	for _, format := range []string{FormatJSONL, FormatCSV} {
		b.Run(format, func(b *testing.B) {
			m := &endless{Memory: reporttest.Memory{Kept: household(b)[2:3]}, n: b.N}
			b.ReportAllocs()
			if err := (&EntriesRequest{Format: format}).Write(context.Background(), []accounting.Reader{m}, new(discard)); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func TestSummary(t *testing.T) {
	kept := household(t)
	for _, tc := range []struct {
		name, now, tz string
		readers       []accounting.Reader
		want          string
	}{
		{
			"in the middle of a month", "2026-11-20 12:00:00", "UTC",
			[]accounting.Reader{&reporttest.Memory{Kept: kept}},
			`{"updated":"2026-11-20T12:00:00Z","timezone":"UTC",` +
				`"today_cost_usd":1.000000001,"today_requests":1,"today_errors":1,"today_input_tokens":240,"today_output_tokens":30,"today_unpriced":1,` +
				`"yesterday_cost_usd":0.25,"yesterday_requests":1,"yesterday_errors":0,"yesterday_input_tokens":120,"yesterday_output_tokens":15,"yesterday_unpriced":0,` +
				`"month_cost_usd":1.250000031,"month_requests":3,"month_errors":1,"month_input_tokens":480,"month_output_tokens":60,"month_unpriced":1,` +
				`"models":[{"model":"gpt","cost_usd":1.000000031,"requests":2},{"model":"opus","cost_usd":0.25,"requests":1}]}`,
		},
		{
			"on the first of a month, of several ledgers", "2026-11-01 12:00:00", "UTC",
			[]accounting.Reader{&reporttest.Memory{Kept: kept[:4]}, &reporttest.Memory{Kept: kept[4:]}},
			`{"updated":"2026-11-01T12:00:00Z","timezone":"UTC",` +
				`"today_cost_usd":0.00000003,"today_requests":1,"today_errors":0,"today_input_tokens":120,"today_output_tokens":15,"today_unpriced":0,` +
				`"yesterday_cost_usd":7,"yesterday_requests":1,"yesterday_errors":0,"yesterday_input_tokens":120,"yesterday_output_tokens":15,"yesterday_unpriced":0,` +
				`"month_cost_usd":0.00000003,"month_requests":1,"month_errors":0,"month_input_tokens":120,"month_output_tokens":15,"month_unpriced":0,` +
				`"models":[{"model":"gpt","cost_usd":0.00000003,"requests":1}]}`,
		},
		{
			"of nothing", "2026-11-20 12:00:00", "Asia/Kolkata",
			[]accounting.Reader{new(reporttest.Memory)},
			`{"updated":"2026-11-20T12:00:00+05:30","timezone":"Asia/Kolkata",` +
				`"today_cost_usd":0,"today_requests":0,"today_errors":0,"today_input_tokens":0,"today_output_tokens":0,"today_unpriced":0,` +
				`"yesterday_cost_usd":0,"yesterday_requests":0,"yesterday_errors":0,"yesterday_input_tokens":0,"yesterday_output_tokens":0,"yesterday_unpriced":0,` +
				`"month_cost_usd":0,"month_requests":0,"month_errors":0,"month_input_tokens":0,"month_output_tokens":0,"month_unpriced":0,` +
				`"models":[]}`,
		},
	} {
		s, err := (&SummaryRequest{Now: at(t, tc.tz, tc.now)}).Run(context.Background(), tc.readers)
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(s)
		if err != nil || string(got) != tc.want {
			t.Errorf("%s: %v\n%s, want\n%s", tc.name, err, got, tc.want)
		}
		var back Summary
		if err := json.Unmarshal(got, &back); err != nil || back.MonthCost != s.MonthCost {
			t.Errorf("%s: %v %+v", tc.name, err, back)
		}
	}
	s, err := (&SummaryRequest{Now: at(t, "UTC", "2026-11-20 12:00:00"), Match: map[string][]string{"user": {"bob"}}}).Run(context.Background(), []accounting.Reader{&reporttest.Memory{Kept: kept}})
	if err != nil || s.TodayRequests != 0 || s.MonthRequests != 1 {
		t.Errorf("%+v %v", s, err)
	}
	if _, err := (&SummaryRequest{Now: time.Now()}).Run(context.Background(), []accounting.Reader{&reporttest.Memory{Err: errors.ErrUnsupported}}); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
}
