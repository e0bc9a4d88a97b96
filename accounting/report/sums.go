package report

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// Sums is the answer to a [SumsRequest].
type Sums struct {
	Request *SumsRequest
	Rows    []accounting.Sum
	// Total is of everything, also of what Rows has no room for.
	Total accounting.Sum
	// More says that there are more groups than the limit allowed.
	More bool
}

// Run asks all readers, and adds up what they have in the same group.
func (r *SumsRequest) Run(ctx context.Context, readers []accounting.Reader) (*Sums, error) {
	limit := r.Query.Limit
	q := r.Query
	q.Limit++ // one more tells whether there are more
	if len(readers) > 1 {
		q.Limit = MaxRows + 1 // what is the most expensive group of all need not be that of any reader
	}
	rows, err := ask(ctx, readers, q)
	if err != nil {
		return nil, err
	}
	out := &Sums{Request: r, Rows: rows}
	if len(rows) <= limit {
		for i := range rows {
			add(&out.Total, &rows[i])
		}
		return out, nil
	}
	out.Rows, out.More = rows[:limit], true
	q.By, q.Limit = nil, 0
	if rows, err = ask(ctx, readers, q); err != nil {
		return nil, err
	}
	for i := range rows {
		add(&out.Total, &rows[i])
	}
	return out, nil
}

// ask merges the sums of all readers. The order is the one that a [accounting.Reader] promises.
func ask(ctx context.Context, readers []accounting.Reader, q accounting.Query) ([]accounting.Sum, error) {
	if len(readers) == 1 {
		return readers[0].Sums(ctx, q)
	}
	var out []accounting.Sum
	index := map[string]int{}
	for _, r := range readers {
		sums, err := r.Sums(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range sums {
			key := strings.Join(sums[i].Group, "\x00")
			at, ok := index[key]
			if !ok {
				at = len(out)
				index[key] = at
				out = append(out, accounting.Sum{Group: sums[i].Group})
			}
			add(&out[at], &sums[i])
		}
	}
	timed := len(q.By) > 0 && slices.Contains(times, q.By[0])
	slices.SortStableFunc(out, func(a, b accounting.Sum) int {
		if timed {
			if c := compareTimes(a.Group[0], b.Group[0]); c != 0 {
				return c
			}
		}
		return cmp.Or(cmp.Compare(b.Cost, a.Cost), cmp.Compare(b.Attempts, a.Attempts), slices.Compare(a.Group, b.Group))
	})
	return out, nil
}

// compareTimes compares two values of the same field of time. Hours are compared as moments: when clocks are set back, the earlier
// of two hours of the same name is written like the later one but for its offset.
func compareTimes(a, b string) int {
	const hour = "2006-01-02T15:04Z07:00"
	if x, err := time.Parse(hour, a); err == nil {
		if y, err := time.Parse(hour, b); err == nil {
			return x.Compare(y)
		}
	}
	return strings.Compare(a, b)
}

// add adds b to a. Nothing wraps around.
func add(a, b *accounting.Sum) {
	for _, n := range [...][2]*int64{
		{&a.Requests, &b.Requests},
		{&a.Attempts, &b.Attempts},
		{&a.Errors, &b.Errors},
		{&a.Estimated, &b.Estimated},
		{&a.Unknown, &b.Unknown},
		{&a.Unpriced, &b.Unpriced},
		{&a.Usage.Input, &b.Usage.Input},
		{&a.Usage.CacheRead, &b.Usage.CacheRead},
		{&a.Usage.CacheWrite, &b.Usage.CacheWrite},
		{&a.Usage.CacheWrite1h, &b.Usage.CacheWrite1h},
		{&a.Usage.InputAudio, &b.Usage.InputAudio},
		{&a.Usage.InputImage, &b.Usage.InputImage},
		{&a.Usage.InputVideo, &b.Usage.InputVideo},
		{&a.Usage.CacheReadAudio, &b.Usage.CacheReadAudio},
		{&a.Usage.CacheReadImage, &b.Usage.CacheReadImage},
		{&a.Usage.Output, &b.Usage.Output},
		{&a.Usage.Reasoning, &b.Usage.Reasoning},
		{&a.Usage.OutputAudio, &b.Usage.OutputAudio},
		{&a.Usage.OutputImage, &b.Usage.OutputImage},
		{&a.Usage.WebSearches, &b.Usage.WebSearches},
		{(*int64)(&a.Latency), (*int64)(&b.Latency)},
		{(*int64)(&a.TimeToFirstToken), (*int64)(&b.TimeToFirstToken)},
		{&a.FirstTokens, &b.FirstTokens},
	} {
		*n[0] = saturate(*n[0], *n[1])
	}
	a.Cost = a.Cost.Add(b.Cost)
	a.AtRisk = a.AtRisk.Add(b.AtRisk)
}

func saturate(a, b int64) int64 {
	if b > 0 && a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// AppendJSON appends the answer as a JSON object with the members period, by, rows, total and more.
func (s *Sums) AppendJSON(dst []byte) []byte {
	var w writer
	dst = append(dst, `{"period":`...)
	dst = s.Request.Period.appendJSON(dst)
	dst = append(dst, `,"by":[`...)
	for i, name := range s.Request.Columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jsonedit.AppendString(dst, name)
	}
	dst = append(dst, `],"rows":[`...)
	for i := range s.Rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '{')
		for j, name := range s.Request.Columns {
			dst = append(jsonedit.AppendString(dst, name), ':')
			dst = append(jsonedit.AppendString(dst, s.Rows[i].Group[j]), ',')
		}
		dst = append(members(&w, dst, sumColumns, &s.Rows[i]), '}')
	}
	dst = append(dst, `],"total":{`...)
	dst = members(&w, dst, sumColumns, &s.Total)
	dst = append(dst, `},"more":`...)
	if s.More {
		return append(dst, "true}\n"...)
	}
	return append(dst, "false}\n"...)
}

// appendJSON appends {"since":…,"until":…,"timezone":…}.
func (p Period) appendJSON(dst []byte) []byte {
	dst = append(dst, `{"since":`...)
	if p.Since.IsZero() {
		dst = append(dst, "null"...)
	} else {
		dst = append(p.Since.AppendFormat(append(dst, '"'), time.RFC3339), '"')
	}
	dst = append(p.Until.AppendFormat(append(dst, `,"until":"`...), time.RFC3339), `","timezone":`...)
	return append(jsonedit.AppendString(dst, zoneName(p.Until)), '}')
}

// zoneName is the name of the time zone of t. The machine's own has none but what it is called at the time, such as CET.
func zoneName(t time.Time) string {
	if t.Location() != time.Local {
		return t.Location().String()
	}
	name, _ := t.Zone()
	return name
}

// AppendCSV appends the rows with a line of names before them. There is no total: who reads CSV adds up.
func (s *Sums) AppendCSV(dst []byte) []byte {
	var w writer
	for _, name := range s.Request.Columns {
		dst = append(AppendCell(dst, name), ',')
	}
	dst = append(heads(dst, sumColumns), '\n')
	for i := range s.Rows {
		for _, value := range s.Rows[i].Group {
			dst = append(AppendCell(dst, value), ',')
		}
		dst = append(cells(&w, dst, sumColumns, &s.Rows[i]), '\n')
	}
	return dst
}
