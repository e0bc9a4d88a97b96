package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/caddy-llm/llmgateway/accounting"
)

// Document is what a reader needs of the JSON of [Sums] to show it to people.
type Document struct {
	Period struct {
		Since    *time.Time `json:"since"`
		Until    time.Time  `json:"until"`
		Timezone string     `json:"timezone"`
	} `json:"period"`
	By    []string                     `json:"by"`
	Rows  []map[string]json.RawMessage `json:"rows"`
	Total Line                         `json:"total"`
	More  bool                         `json:"more"`
}

// Line is what a table shows of a sum.
type Line struct {
	Requests     int64            `json:"requests"`
	Errors       int64            `json:"errors"`
	Estimated    int64            `json:"estimated"`
	Unknown      int64            `json:"unknown"`
	Unpriced     int64            `json:"unpriced"`
	InputTokens  int64            `json:"input_tokens"`
	OutputTokens int64            `json:"output_tokens"`
	Cost         accounting.Money `json:"cost_nano"`
	AtRisk       accounting.Money `json:"at_risk_nano"`
}

// maxCell is how many characters of a value a table shows.
const maxCell = 40

// WriteTable reads the JSON of [Sums] and writes it as a table with a line of totals, and with notes on what the numbers leave out.
func WriteTable(w io.Writer, document io.Reader) error {
	var d Document
	if err := json.NewDecoder(document).Decode(&d); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if d.Period.Until.IsZero() {
		return errors.New("reading the answer: it has no period, so these are no sums")
	}
	rows := [][]string{headings(d.By)}
	places := decimals(d.Total.Cost)
	for _, r := range d.Rows {
		if len(d.By) == 0 {
			break // the only row is the total
		}
		var cells []string
		for _, name := range d.By {
			var value string
			if err := json.Unmarshal(r[name], &value); err != nil {
				return fmt.Errorf("reading the answer: %s: %w", name, err)
			}
			cells = append(cells, printable(value))
		}
		line, err := lineOf(r)
		if err != nil {
			return fmt.Errorf("reading the answer: %w", err)
		}
		rows = append(rows, append(cells, line.cells(places)...))
	}
	var total []string
	for i := range d.By {
		if i == 0 {
			total = append(total, "TOTAL")
			continue
		}
		total = append(total, "")
	}
	rows = append(rows, append(total, d.Total.cells(places)...))
	var b strings.Builder
	align(&b, rows, len(d.By))
	d.notes(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// lineOf reads the numbers of a row.
func lineOf(row map[string]json.RawMessage) (Line, error) {
	var l Line
	for name, to := range map[string]*int64{
		"requests": &l.Requests, "errors": &l.Errors, "input_tokens": &l.InputTokens, "output_tokens": &l.OutputTokens,
		"unpriced": &l.Unpriced, "cost_nano": (*int64)(&l.Cost),
	} {
		if err := json.Unmarshal(row[name], to); err != nil {
			return l, fmt.Errorf("%s: %w", name, err)
		}
	}
	return l, nil
}

func headings(by []string) []string {
	var out []string
	for _, name := range by {
		out = append(out, strings.ToUpper(printable(strings.ReplaceAll(name, "_", " "))))
	}
	return append(out, "REQUESTS", "ERRORS", "TOKENS IN", "TOKENS OUT", "COST")
}

func (l *Line) cells(places int) []string {
	cost := formatDollars(l.Cost, places)
	if l.Unpriced > 0 {
		cost += "+" // and what the attempts without a price cost
	}
	return []string{thousands(l.Requests), thousands(l.Errors), thousands(l.InputTokens), thousands(l.OutputTokens), cost}
}

// align writes the rows with two spaces between columns: the first left columns begin at the same place, the others end there.
func align(b *strings.Builder, rows [][]string, left int) {
	widths := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, cell := range r {
			widths[i] = max(widths[i], utf8.RuneCountInString(strings.TrimSuffix(cell, "+")))
		}
	}
	for _, r := range rows {
		var line strings.Builder
		for i, cell := range r {
			if i > 0 {
				line.WriteString("  ")
			}
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(strings.TrimSuffix(cell, "+")))
			if i < left {
				line.WriteString(cell + pad)
			} else {
				line.WriteString(pad + cell)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// notes say what the table is about, and what its numbers do not say.
func (d *Document) notes(b *strings.Builder) {
	const minute = "2006-01-02 15:04"
	since := "the beginning"
	if d.Period.Since != nil {
		since = d.Period.Since.Format(minute)
	}
	fmt.Fprintf(b, "\n%s to %s (%s)\n", since, d.Period.Until.Format(minute+" -07:00"), printable(d.Period.Timezone))
	if d.More {
		fmt.Fprintf(b, "There are more groups than the limit of %s; the total is of all.\n", thousands(int64(len(d.Rows))))
	}
	if n := d.Total.Unpriced; n > 0 {
		fmt.Fprintf(b, "%s without a known price: where there is a + the true cost is higher.\n", calls(n))
	}
	if n := d.Total.Estimated; n > 0 {
		fmt.Fprintf(b, "%s with estimated usage.\n", calls(n))
	}
	if n := d.Total.Unknown; n > 0 {
		fmt.Fprintf(b, "%s with unknown usage, which may have cost %s more.\n", calls(n), formatDollars(d.Total.AtRisk, decimals(d.Total.AtRisk)))
	}
}

func calls(n int64) string {
	if n == 1 {
		return "1 call"
	}
	return thousands(n) + " calls"
}

// printable makes text of clients fit for a terminal, which would obey what is hidden in it.
func printable(s string) string {
	if s == "" {
		return "-"
	}
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
	if runes := []rune(s); len(runes) > maxCell {
		return string(slices.Concat(runes[:maxCell-1], []rune("…")))
	}
	return s
}
