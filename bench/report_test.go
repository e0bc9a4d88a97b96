package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

var limited = scenario{name: "same dialect", concurrency: 16, limitQuiet: 0.8, limitFull: 1}

// cost makes samples of one request each.
func cost(micros ...int) []sample {
	var samples []sample
	for _, us := range micros {
		samples = append(samples, sample{
			requests: 1, units: 1, wall: time.Millisecond, cpu: time.Duration(us) * time.Microsecond,
			latencies: []time.Duration{time.Duration(us) * time.Microsecond},
		})
	}
	return samples
}

func find(t *testing.T, rows []row, scenario string, id laneID) row {
	t.Helper()
	for _, r := range rows {
		if r.Scenario == scenario && r.Lane == id.String() {
			return r
		}
	}
	t.Fatalf("no row for %s, %s", scenario, id)
	return row{}
}

func TestLoadRowsJudgeTheGatewayAgainstReverseProxy(t *testing.T) {
	translated := scenario{name: "translated", concurrency: 16, translated: true, limitQuiet: 1, limitFull: 1.15}
	slots := []*slot{
		{scenario: limited, lane: &lane{id: direct}, samples: cost(0, 0, 0)},
		{scenario: limited, lane: &lane{id: reverseProxy}, samples: cost(100, 50, 200)},
		{scenario: limited, lane: &lane{id: gatewayQuiet}, samples: cost(70, 40, 140)},
		{scenario: limited, lane: &lane{id: gatewayFull}, samples: cost(110, 55, 240)},
		{scenario: translated, lane: &lane{id: gatewayQuiet}, samples: cost(90, 45, 180)},
		{scenario: translated, lane: &lane{id: gatewayFull}, samples: cost(130, 65, 260)},
	}
	rows := loadRows([]scenario{limited, translated}, slots)
	if len(rows) != 8 {
		t.Fatalf("got %d rows, want four lanes of two scenarios", len(rows))
	}
	for _, tc := range []struct {
		scenario    string
		lane        laneID
		cost, ratio float64
		verdict     string
	}{
		{"same dialect", direct, 0, 0, ""},
		{"same dialect", reverseProxy, 100, 1, ""},
		{"same dialect", gatewayQuiet, 70, 0.7, "ok"},
		{"same dialect", gatewayFull, 110, 1.1, "over"},
		{"translated", direct, 0, 0, ""},
		{"translated", reverseProxy, 100, 1, ""},
		{"translated", gatewayQuiet, 90, 0.9, "ok"},
		{"translated", gatewayFull, 130, 1.3, "over"},
	} {
		r := find(t, rows, tc.scenario, tc.lane)
		if r.Cost != tc.cost || r.Ratio != tc.ratio || r.Verdict != tc.verdict {
			t.Errorf("%s, %s: cost %v ratio %v %q, want %v %v %q", tc.scenario, tc.lane, r.Cost, r.Ratio, r.Verdict, tc.cost, tc.ratio, tc.verdict)
		}
	}
	if r := find(t, rows, "same dialect", reverseProxy); r.Rate != 1000 || r.P50 != 100 || r.P99 != 200 {
		t.Errorf("rate %v, p50 %v, p99 %v, want 1000, 100, 200", r.Rate, r.P50, r.P99)
	}
}

func TestIdleRowsLimitWhatTheSystemSees(t *testing.T) {
	samples := map[laneID][]idleSample{
		reverseProxy: {{resident: 2048, live: 1024}},
		gatewayQuiet: {{resident: 1024, live: 2048}},
	}
	rows := idleRows(scenario{name: "idle", limitQuiet: 0.85, limitFull: 0.9}, []laneID{direct, reverseProxy, gatewayQuiet}, samples)
	if len(rows) != 4 {
		t.Fatalf("got %d rows, want two lanes twice", len(rows))
	}
	if r := find(t, rows, "idle", gatewayQuiet); r.Cost != 1 || r.Ratio != 0.5 || r.Verdict != "ok" {
		t.Errorf("resident: %+v", r)
	}
	if r := find(t, rows, "idle, live heap and stacks", gatewayQuiet); r.Ratio != 2 || r.Verdict != "" {
		t.Errorf("live: %+v", r)
	}
}

func TestWriteTableNamesAScenarioOnceAndLeavesUnknownCellsEmpty(t *testing.T) {
	r := report{Others: 0.03, Rows: []row{
		{Scenario: "a", Lane: "direct", Unit: "µs CPU/request", Rate: 30000, P50: 250, P99: 1600},
		{Scenario: "a", Lane: "gateway full", Unit: "µs CPU/request", Cost: 48.25, Ratio: 0.9, RatioLow: 0.85, RatioHigh: 0.95, Limit: 1, Verdict: "ok", Rate: 15000, P50: 1000, P99: 2000},
	}}
	var b bytes.Buffer
	if err := r.writeTable(&b); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	for i, want := range [][]string{
		1: {"a", "direct", "30000", "0.25", "ms", "1.60", "ms"},
		2: {"gateway", "full", "48.2", "µs", "CPU/request", "0.90", "0.85–0.95", "≤", "1.00", "ok", "15000", "1.00", "ms", "2.00", "ms"},
		4: {"Other", "programs", "used", "3", "%", "of", "the", "two", "CPUs", "meanwhile."},
	} {
		if want != nil && strings.Join(strings.Fields(lines[i]), " ") != strings.Join(want, " ") {
			t.Errorf("line %d is %q, want %q", i, lines[i], want)
		}
	}
}

func TestWriteJSONIsReadableAgain(t *testing.T) {
	r := report{Others: 0.5, Rows: []row{{Scenario: "a → b", Lane: "direct", Rate: 1}}}
	var b bytes.Buffer
	if err := r.writeJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got report
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Others != r.Others || len(got.Rows) != 1 || got.Rows[0] != r.Rows[0] {
		t.Errorf("got %+v, want %+v", got, r)
	}
}
