package report

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"math"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/accounting/report/reporttest"
)

// entry is a call of a user at a time in UTC, which cost so many nano-dollars.
func entry(t testing.TB, when, user, model string, cost accounting.Money) accounting.Entry {
	t.Helper()
	return accounting.Entry{
		AttemptID: when + user, RequestID: "r-" + when, Attempt: 1, Time: at(t, "UTC", when), User: user, Model: model, Provider: "p",
		Certainty: accounting.Reported, Priced: true, Cost: cost, Status: 200,
		Usage:   accounting.Usage{Input: 100, CacheRead: 20, Output: 10, Reasoning: 5},
		Latency: 800 * time.Millisecond, TimeToFirstToken: 200 * time.Millisecond,
	}
}

func household(t testing.TB) []accounting.Entry {
	failed := entry(t, "2026-11-20 08:00:01", "alice", "gpt", 0)
	failed.Priced, failed.Certainty, failed.ErrorClass, failed.AtRisk, failed.TimeToFirstToken = false, accounting.Unknown, "timeout", 5_000_000, 0
	again := entry(t, "2026-11-20 08:00:02", "alice", "gpt", 1_000_000_001)
	again.Attempt = 2
	guessed := entry(t, "2026-11-19 23:30:00", "bob", "opus", 250_000_000)
	guessed.Certainty, guessed.Tags = accounting.Estimated, map[string]string{"feature": "batch"}
	return []accounting.Entry{failed, again, guessed, entry(t, "2026-11-01 00:30:00", "", "gpt", 30), entry(t, "2026-10-31 23:59:59", "bob", "gpt", 7*accounting.Dollar)}
}

func sums(t testing.TB, query string, readers ...accounting.Reader) *Sums {
	t.Helper()
	v, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ParseSums(v, at(t, "UTC", "2026-11-20 12:00:00"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Run(context.Background(), readers)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSumsPerUserOfAPeriodInOneCall(t *testing.T) {
	got := string(sums(t, "by=user&since=month", &reporttest.Memory{Kept: household(t)}).AppendJSON(nil))
	const numbers = `"audio_input_tokens":0,"image_input_tokens":0,"video_input_tokens":0,"cache_read_audio_tokens":0,"cache_read_image_tokens":0,`
	const want = `{"period":{"since":"2026-11-01T00:00:00Z","until":"2026-11-20T12:00:00Z","timezone":"UTC"},"by":["user"],"rows":[` +
		`{"user":"alice","requests":1,"attempts":2,"errors":1,"estimated":0,"unknown":1,"unpriced":1,"input_tokens":240,"output_tokens":30,` +
		`"text_input_tokens":200,"cache_read_tokens":40,"cache_write_tokens":0,"cache_write_1h_tokens":0,` + numbers +
		`"text_output_tokens":20,"reasoning_tokens":10,"audio_output_tokens":0,"image_output_tokens":0,"web_searches":0,` +
		`"cost_usd":"1.000000001","cost_nano":1000000001,"at_risk_usd":"0.005","at_risk_nano":5000000,"avg_latency_ms":800.0,"avg_ttft_ms":200.0},` +
		`{"user":"bob","requests":1,"attempts":1,"errors":0,"estimated":1,"unknown":0,"unpriced":0,"input_tokens":120,"output_tokens":15,` +
		`"text_input_tokens":100,"cache_read_tokens":20,"cache_write_tokens":0,"cache_write_1h_tokens":0,` + numbers +
		`"text_output_tokens":10,"reasoning_tokens":5,"audio_output_tokens":0,"image_output_tokens":0,"web_searches":0,` +
		`"cost_usd":"0.25","cost_nano":250000000,"at_risk_usd":"0","at_risk_nano":0,"avg_latency_ms":800.0,"avg_ttft_ms":200.0},` +
		`{"user":"","requests":1,"attempts":1,"errors":0,"estimated":0,"unknown":0,"unpriced":0,"input_tokens":120,"output_tokens":15,` +
		`"text_input_tokens":100,"cache_read_tokens":20,"cache_write_tokens":0,"cache_write_1h_tokens":0,` + numbers +
		`"text_output_tokens":10,"reasoning_tokens":5,"audio_output_tokens":0,"image_output_tokens":0,"web_searches":0,` +
		`"cost_usd":"0.00000003","cost_nano":30,"at_risk_usd":"0","at_risk_nano":0,"avg_latency_ms":800.0,"avg_ttft_ms":200.0}],` +
		`"total":{"requests":3,"attempts":4,"errors":1,"estimated":1,"unknown":1,"unpriced":1,"input_tokens":480,"output_tokens":60,` +
		`"text_input_tokens":400,"cache_read_tokens":80,"cache_write_tokens":0,"cache_write_1h_tokens":0,` + numbers +
		`"text_output_tokens":40,"reasoning_tokens":20,"audio_output_tokens":0,"image_output_tokens":0,"web_searches":0,` +
		`"cost_usd":"1.250000031","cost_nano":1250000031,"at_risk_usd":"0.005","at_risk_nano":5000000,"avg_latency_ms":800.0,"avg_ttft_ms":200.0},` +
		`"more":false}` + "\n"
	if got != want {
		t.Errorf("\n%s, want\n%s", got, want)
	}
}

func TestWithoutGroupsThereIsOneRowAlsoOfNothing(t *testing.T) {
	s := sums(t, "since=2001&until=2002", &reporttest.Memory{Kept: household(t)})
	var d struct {
		Rows  []map[string]any `json:"rows"`
		Total map[string]any   `json:"total"`
	}
	if err := json.Unmarshal(s.AppendJSON(nil), &d); err != nil || len(d.Rows) != 1 {
		t.Fatalf("%v %+v", err, d)
	}
	if d.Total["avg_latency_ms"] != nil || d.Total["cost_usd"] != "0" || d.Total["requests"] != 0.0 {
		t.Errorf("%v", d.Total)
	}
	if grouped := sums(t, "by=user&since=2001&until=2002", new(reporttest.Memory)); !strings.Contains(string(grouped.AppendJSON(nil)), `"rows":[]`) {
		t.Errorf("%s", grouped.AppendJSON(nil))
	}
}

func TestFiltersAndTags(t *testing.T) {
	m := &reporttest.Memory{Kept: household(t)}
	for query, want := range map[string]string{
		"by=feature&since=year":                        " 8.000000031|batch 0.25|",
		"by=tag.feature&since=year&tag.feature=batch":  "batch 0.25|",
		"by=user&since=year&user=bob&user=alice":       "bob 7.25|alice 1.000000001|",
		"by=user,model&since=year&user=bob&model=opus": "bob opus 0.25|",
		"by=certainty&since=month":                     "reported 1.000000031|estimated 0.25|unknown 0|",
		"by=day,user&since=month":                      "2026-11-01  0.00000003|2026-11-19 bob 0.25|2026-11-20 alice 1.000000001|",
		"by=day&since=month&tz=Asia/Kolkata":           "2026-11-01 7.00000003|2026-11-20 1.250000001|",
		"by=month&since=all":                           "2026-10 7|2026-11 1.250000031|",
	} {
		var got strings.Builder
		for _, row := range sums(t, query, m).Rows {
			got.WriteString(strings.Join(row.Group, " ") + " " + row.Cost.String() + "|")
		}
		if got.String() != want {
			t.Errorf("%s: %s, want %s", query, got.String(), want)
		}
	}
}

func TestALimitCutsRowsAndNotTheTotal(t *testing.T) {
	whole := household(t)
	for name, readers := range map[string][]accounting.Reader{
		"one ledger":      {&reporttest.Memory{Kept: whole}},
		"several ledgers": {&reporttest.Memory{Kept: whole[:2]}, &reporttest.Memory{Kept: whole[2:]}},
	} {
		s := sums(t, "by=user&since=year&limit=1", readers...)
		if len(s.Rows) != 1 || s.Rows[0].Group[0] != "bob" || !s.More || s.Total.Cost != 8_250_000_031 || s.Total.Attempts != 5 {
			t.Errorf("%s: %+v", name, s)
		}
		if all := sums(t, "by=user&since=year&limit=3", readers...); len(all.Rows) != 3 || all.More || all.Total.Cost != s.Total.Cost {
			t.Errorf("%s: %+v", name, all)
		}
	}
	// The most expensive group of all is the second of each ledger.
	a := &reporttest.Memory{Kept: []accounting.Entry{entry(t, "2026-11-20 08:00:00", "a", "m", 10), entry(t, "2026-11-20 08:00:00", "both", "m", 9)}}
	b := &reporttest.Memory{Kept: []accounting.Entry{entry(t, "2026-11-20 08:00:00", "b", "m", 10), entry(t, "2026-11-20 08:00:00", "both", "m", 9)}}
	if s := sums(t, "by=user&limit=1", a, b); s.Rows[0].Group[0] != "both" || s.Rows[0].Cost != 18 {
		t.Errorf("%+v", s.Rows)
	}
}

func TestSeveralLedgersSayTheSameAsOneWithEverything(t *testing.T) {
	all := household(t)
	for _, query := range []string{"by=user&since=year", "by=user,model&since=year", "by=day,model&since=year", "by=hour&since=all&tz=Europe/Berlin", "since=all"} {
		want := string(sums(t, query, &reporttest.Memory{Kept: all}).AppendJSON(nil))
		for cut := range len(all) + 1 {
			got := string(sums(t, query, &reporttest.Memory{Kept: all[:cut]}, new(reporttest.Memory), &reporttest.Memory{Kept: all[cut:]}).AppendJSON(nil))
			if got != want {
				t.Errorf("%s cut at %d:\n%s, want\n%s", query, cut, got, want)
			}
		}
	}
}

func TestHoursOfTwoLedgersStayInOrderWhenClocksAreSetBack(t *testing.T) {
	a := &reporttest.Memory{Kept: []accounting.Entry{entry(t, "2026-10-25 00:10:00", "a", "m", 1)}}
	b := &reporttest.Memory{Kept: []accounting.Entry{entry(t, "2026-10-25 01:10:00", "b", "m", 2)}}
	s := sums(t, "by=hour&since=2026-10-25&tz=Europe/Berlin", b, a)
	if len(s.Rows) != 2 || s.Rows[0].Group[0] != "2026-10-25T02:00+02:00" || s.Rows[1].Group[0] != "2026-10-25T02:00+01:00" {
		t.Errorf("%+v", s.Rows)
	}
}

func TestALedgerThatFailsFailsTheWhole(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, query := range []string{"by=user", "by=user&limit=1", ""} {
		v, _ := url.ParseQuery(query)
		r, err := ParseSums(v, at(t, "UTC", "2026-11-20 12:00:00"))
		if err != nil {
			t.Fatal(err)
		}
		if s, err := r.Run(context.Background(), []accounting.Reader{&reporttest.Memory{Kept: household(t)}, &reporttest.Memory{Err: broken}}); !errors.Is(err, broken) {
			t.Errorf("%q: %+v %v", query, s, err)
		}
	}
}

func TestSumsDoNotWrapAround(t *testing.T) {
	a, b := new(reporttest.Memory), new(reporttest.Memory)
	for _, m := range []*reporttest.Memory{a, b} {
		e := entry(t, "2026-11-20 08:00:00", "u", "m", math.MaxInt64)
		e.Usage.Input = math.MaxInt64
		m.Kept = []accounting.Entry{e}
	}
	s := sums(t, "by=user", a, b)
	if s.Total.Cost != math.MaxInt64 || s.Total.Usage.Input != math.MaxInt64 || s.Total.Usage.TotalInput() != math.MaxInt64 {
		t.Errorf("%+v", s.Total)
	}
}

func TestSumsAsCSV(t *testing.T) {
	m := &reporttest.Memory{Kept: []accounting.Entry{entry(t, "2026-11-20 08:00:00", "=cmd()", "a,b", 1_500_000_000)}}
	got, err := csv.NewReader(strings.NewReader(string(sums(t, "by=user,model,tag.x&format=csv", m).AppendCSV(nil)))).ReadAll()
	if err != nil || len(got) != 2 {
		t.Fatalf("%v %q", err, got)
	}
	cells := map[string]string{}
	for i, name := range got[0] {
		cells[name] = got[1][i]
	}
	for name, want := range map[string]string{
		"user": "'=cmd()", "model": "a,b", "tag.x": "", "requests": "1", "input_tokens": "120", "output_tokens": "15",
		"cost_usd": "1.5", "cost_nano": "1500000000", "avg_latency_ms": "800.0",
	} {
		if cells[name] != want {
			t.Errorf("%s is %q, want %q", name, cells[name], want)
		}
	}
	if strings.Join(got[0][:4], " ") != "user model tag.x requests" || len(got[0]) != 3+len(sumColumns) {
		t.Errorf("%q", got[0])
	}
}
