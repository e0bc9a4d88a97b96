package usagedb

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
)

// Sums implements [accounting.Reader]. The period is widened to full hours of UTC.
//
// The error is [ErrRemoved] when the roll-ups cannot answer and rows of the period have been removed: then other fields or full days can be asked for.
func (d *DB) Sums(ctx context.Context, q accounting.Query) ([]accounting.Sum, error) {
	r, err := newReport(q)
	if err != nil {
		return nil, err
	}
	err = d.snapshot(ctx, func(tx *sql.Tx) error {
		r.dialect, r.tx = d.dialect, tx
		if r.removed, err = d.get(ctx, tx, removedBefore, ""); err != nil {
			return err
		}
		family, ok := familyOf(r.all)
		if !ok {
			return r.readLog(ctx, segment{log, r.from, r.to, 1}, everyRow, 0)
		}
		if r.folded, err = d.get(ctx, tx, folded[family.group], ""); err != nil {
			return err
		}
		if err := r.readFamily(ctx, family); err != nil {
			return err
		}
		return r.readLog(ctx, segment{log, r.from, r.to, 1}, unfoldedRows, 0)
	})
	if err != nil {
		return nil, fmt.Errorf("add up usage: %w", err)
	}
	return r.result(), nil
}

// report is one query on its way.
type report struct {
	by     []string
	units  []unit   // the times among by, the finest first
	fields []string // the others, each once
	match  map[string][]string
	all    []string // fields and what is matched
	zone   *time.Location
	limit  int
	// The period in Unix seconds.
	from, to int64

	dialect Dialect
	tx      *sql.Tx
	folded  int64 // the last row in the roll-ups
	removed int64 // rows before this time, in Unix microseconds, may be missing
	groups  map[groupKey]*measures
	begins  map[int64]int64 // memory of unit.begin
}

// groupKey names a group.
type groupKey struct {
	begin  int64  // of the finest time that is grouped by
	values string // of report.fields, with NULs between: no value contains one
}

// The ends of all times: 290,000 years away, so that microseconds still fit.
const (
	always = math.MinInt64 / 1_000_000
	never  = math.MaxInt64 / 1_000_000
)

func newReport(q accounting.Query) (*report, error) {
	r := &report{
		by: q.By, zone: cmp.Or(q.Location, time.UTC), limit: q.Limit, from: always, to: never,
		match: map[string][]string{}, groups: map[groupKey]*measures{}, begins: map[int64]int64{},
	}
	if !q.Since.IsZero() {
		r.from = hours.floor(q.Since.Unix())
	}
	if !q.Until.IsZero() {
		r.to = hours.floor(q.Until.Add(time.Hour - 1).Unix())
	}
	for _, field := range q.By {
		if u, ok := units[field]; ok {
			r.units = append(r.units, u)
		} else if !slices.Contains(r.fields, field) {
			r.fields = append(r.fields, field)
		}
	}
	slices.SortFunc(r.units, func(a, b unit) int { return a.rank - b.rank })
	r.all = slices.Clone(r.fields)
	for field, values := range q.Match {
		if _, ok := units[field]; ok {
			return nil, fmt.Errorf("a report cannot be limited to values of %q: use the period", field)
		}
		for _, v := range values {
			r.match[field] = append(r.match[field], clean(v))
		}
		if len(values) == 0 {
			r.match[field] = []string{} // nothing is wanted
		}
		if !slices.Contains(r.all, field) {
			r.all = append(r.all, field)
		}
	}
	slices.Sort(r.all)
	return r, nil
}

// wants reports whether a value of a field is wanted.
func (r *report) wants(field, value string) bool {
	values, limited := r.match[field]
	return !limited || slices.Contains(values, value)
}

// begin returns when the group begins that a time belongs to; 0 when times are not grouped by.
func (r *report) begin(t int64) int64 {
	if len(r.units) == 0 {
		return 0
	}
	t = floor(t, slot)
	b, ok := r.begins[t]
	if !ok {
		b = r.units[0].begin(t, r.zone)
		r.begins[t] = b
	}
	return b
}

// add adds sign × measures to a group.
func (r *report) add(begin int64, values []string, m *measures, sign int64) {
	key := groupKey{begin, strings.Join(values, "\x00")}
	sum := r.groups[key]
	if sum == nil {
		sum = new(measures)
		r.groups[key] = sum
	}
	sum.add(m, sign)
}

// group returns the values of all that is grouped by.
func (r *report) group(key groupKey) []string {
	values := strings.Split(key.values, "\x00")
	group := make([]string, len(r.by))
	for i, field := range r.by {
		if u, ok := units[field]; ok {
			group[i] = u.label(key.begin, r.zone)
		} else {
			group[i] = values[slices.Index(r.fields, field)]
		}
	}
	return group
}

// order returns what maps the beginning of a group to that by which groups are sorted first: nothing, or the first thing that is
// grouped by, if that is a time, which need not be the finest.
func (r *report) order() func(begin int64) int64 {
	if len(r.by) == 0 || units[r.by[0]].rank == 0 {
		return func(int64) int64 { return 0 }
	}
	known := map[int64]int64{}
	return func(begin int64) int64 {
		first, ok := known[begin]
		if !ok {
			first = units[r.by[0]].begin(begin, r.zone)
			known[begin] = first
		}
		return first
	}
}

// result sorts the groups.
func (r *report) result() []accounting.Sum {
	type entry struct {
		first int64 // when the first time that is grouped by begins
		key   groupKey
		sum   *measures
	}
	entries := make([]entry, 0, len(r.groups))
	first := r.order()
	for key, sum := range r.groups {
		if sum[attempts] != 0 { // otherwise it was added and taken away again
			entries = append(entries, entry{first(key.begin), key, sum})
		}
	}
	if len(r.by) == 0 && len(entries) == 0 {
		return []accounting.Sum{{Group: []string{}}}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(
			cmp.Compare(a.first, b.first), cmp.Compare(b.sum.cost(), a.sum.cost()), cmp.Compare(b.sum[attempts], a.sum[attempts]),
			cmp.Compare(a.key.begin, b.key.begin), strings.Compare(a.key.values, b.key.values),
		)
	})
	if r.limit > 0 && len(entries) > r.limit {
		entries = entries[:r.limit]
	}
	sums := make([]accounting.Sum, len(entries))
	for i, e := range entries {
		sums[i] = e.sum.sum()
		sums[i].Group = r.group(e.key)
	}
	return sums
}
