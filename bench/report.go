package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// row is one lane's result in one scenario. A figure that does not exist is zero: the lane without a process has no cost.
type row struct {
	Scenario string  `json:"scenario"`
	Lane     string  `json:"lane"`
	Unit     string  `json:"unit"`           // of Cost: "µs CPU/request", "µs CPU/event" or "KiB/stream"
	Cost     float64 `json:"cost,omitempty"` // median of the rounds
	// Ratio is the median of the rounds' ratios to reverse_proxy, with the quartiles.
	Ratio     float64 `json:"ratio,omitempty"`
	RatioLow  float64 `json:"ratio_low,omitempty"`
	RatioHigh float64 `json:"ratio_high,omitempty"`
	Limit     float64 `json:"limit,omitempty"`   // the most that Ratio may be
	Verdict   string  `json:"verdict,omitempty"` // "ok" or "over" where there is a limit
	Rate      float64 `json:"per_second,omitempty"`
	P50       float64 `json:"p50_us,omitempty"` // latency of a request, or time to the first byte of a stream
	P99       float64 `json:"p99_us,omitempty"`
}

// report is the result of a run.
type report struct {
	// Others is the part of the two CPUs that other programs used during the measurements of CPU time, from 0 to 1.
	Others float64 `json:"cpu_used_by_others"`
	Rows   []row   `json:"rows"`
}

func (s scenario) limit(id laneID) float64 {
	switch id {
	case gatewayQuiet:
		return s.limitQuiet
	case gatewayFull:
		return s.limitFull
	default:
		return 0
	}
}

// compare fills in the cost and what follows from it.
func (r *row) compare(s scenario, id laneID, costs, base []float64) {
	if id == direct {
		return
	}
	r.Cost = median(costs)
	ratios := pairedRatios(costs, base)
	if len(ratios) == 0 {
		return
	}
	r.Ratio, r.RatioLow, r.RatioHigh = median(ratios), quantile(ratios, 0.25), quantile(ratios, 0.75)
	if r.Limit = s.limit(id); r.Limit > 0 {
		r.Verdict = "ok"
		if r.Ratio > r.Limit {
			r.Verdict = "over"
		}
	}
}

// loadRows makes the rows of a set. Lanes that cannot translate were measured once and are repeated for comparison.
func loadRows(set []scenario, slots []*slot) []row {
	var rows []row
	for i, sc := range set {
		var base []float64
		for _, s := range slots {
			if s.lane.id == reverseProxy {
				base = s.costs()
			}
		}
		for _, s := range slots {
			if s.scenario.name != sc.name && (i == 0 || s.lane.id.isGateway()) {
				continue
			}
			r := row{Scenario: sc.name, Lane: s.lane.id.String(), Unit: "µs CPU/request"}
			if sc.kind == streams {
				r.Unit = "µs CPU/event"
			}
			r.compare(sc, s.lane.id, s.costs(), base)
			r.addTimes(s.samples)
			rows = append(rows, r)
		}
	}
	return rows
}

// costs is the CPU time per unit in each round, in microseconds.
func (s *slot) costs() []float64 {
	costs := make([]float64, len(s.samples))
	for i, got := range s.samples {
		costs[i] = got.cpu.Seconds() * 1e6 / float64(max(got.units, 1))
	}
	return costs
}

func (r *row) addTimes(samples []sample) {
	var rates []float64
	var latencies []time.Duration
	for _, s := range samples {
		rates = append(rates, float64(s.units)/s.wall.Seconds())
		latencies = append(latencies, s.latencies...)
	}
	slices.Sort(latencies)
	r.Rate = median(rates)
	r.P50 = float64(percentile(latencies, 0.50)) / float64(time.Microsecond)
	r.P99 = float64(percentile(latencies, 0.99)) / float64(time.Microsecond)
}

// idleRows makes the rows about memory, what the system sees and what the streams need. The limits are for the first.
func idleRows(s scenario, ids []laneID, samples map[laneID][]idleSample) []row {
	views := []struct {
		scenario
		of func(idleSample) float64
	}{
		{s, func(i idleSample) float64 { return i.resident }},
		{scenario{name: s.name + ", live heap and stacks"}, func(i idleSample) float64 { return i.live }},
	}
	var rows []row
	for _, view := range views {
		kib := func(id laneID) []float64 {
			var values []float64
			for _, got := range samples[id] {
				values = append(values, view.of(got)/1024)
			}
			return values
		}
		for _, id := range ids {
			if id == direct {
				continue
			}
			r := row{Scenario: view.name, Lane: id.String(), Unit: "KiB/stream"}
			r.compare(view.scenario, id, kib(id), kib(reverseProxy))
			rows = append(rows, r)
		}
	}
	return rows
}

func (r *report) writeJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

// writeTable prints the report for people.
func (r *report) writeTable(w io.Writer) error {
	var text bytes.Buffer
	t := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "scenario\tlane\tcost\tratio\tquartiles\tlimit\t\t  per second\t      p50\t      p99")
	last := ""
	for _, row := range r.Rows {
		name := row.Scenario
		if name == last {
			name = ""
		} else if last != "" {
			fmt.Fprintln(t, strings.Repeat("\t", 9))
		}
		last = row.Scenario
		quartiles := ""
		if row.Ratio > 0 && row.Lane != reverseProxy.String() {
			quartiles = fmt.Sprintf("%.2f–%.2f", row.RatioLow, row.RatioHigh)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", name, row.Lane, cell("%6.1f "+row.Unit, row.Cost),
			cell("%.2f", row.Ratio), quartiles, cell("≤ %.2f", row.Limit), row.Verdict,
			cell("%12.0f", row.Rate), cell("%6.2f ms", row.P50/1000), cell("%6.2f ms", row.P99/1000))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for line := range bytes.Lines(text.Bytes()) {
		if _, err := fmt.Fprintf(w, "%s\n", bytes.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(r.Rows, func(row row) bool { return row.Rate > 0 }) {
		return nil
	}
	_, err := fmt.Fprintf(w, "\nOther programs used %.0f %% of the two CPUs meanwhile.\n", r.Others*100)
	return err
}

// cell formats a figure, or nothing where there is none.
func cell(format string, v float64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf(format, v)
}
