package usagedb

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
)

// interval is a time that is a group of its own.
type interval struct{ begin, from, to int64 }

// readFamily adds what the roll-ups of a family say.
func (r *report) readFamily(ctx context.Context, f family) error {
	if !f.tag {
		return r.readFolded(ctx, f, r)
	}
	// Attempts without the tag are those of everything but those with it.
	field := f.fields[0]
	tagged := r.like([]string{field}, nil)
	if err := r.readFolded(ctx, f, tagged); err != nil {
		return err
	}
	everything := r.like(nil, nil)
	if err := r.readFolded(ctx, groups[single].families[0], everything); err != nil {
		return err
	}
	maps.DeleteFunc(tagged.groups, func(key groupKey, _ *measures) bool { return key.values == "" })
	for key, sum := range everything.groups {
		tagged.add(key.begin, []string{""}, sum, 1)
	}
	for key, sum := range maps.Clone(tagged.groups) {
		if key.values != "" {
			tagged.add(key.begin, []string{""}, sum, -1)
		}
	}
	for key, sum := range tagged.groups {
		if !r.wants(field, key.values) {
			continue
		}
		var values []string
		if len(r.fields) > 0 {
			values = []string{key.values}
		}
		r.add(key.begin, values, sum, 1)
	}
	return nil
}

// like returns a report of the same time with other fields.
func (r *report) like(fields []string, match map[string][]string) *report {
	other := *r
	other.fields, other.all, other.match, other.groups = fields, fields, match, map[groupKey]*measures{}
	return &other
}

// readFolded adds a family's sums of the rows that are folded to the groups of a report.
func (r *report) readFolded(ctx context.Context, f family, to *report) error {
	first, last, err := r.extent(ctx)
	if err != nil || first == last {
		return err
	}
	intervals, err := r.intervals(ctx)
	if err != nil {
		return err
	}
	p := planner{hours: f.hours, first: first, last: last}
	type part struct {
		level level
		sign  int64
	}
	buckets := map[part]map[int64]int64{} // start of a row to the beginning of its group
	for _, i := range intervals {
		for _, s := range p.plan(r.boundary(f, i.from), r.boundary(f, i.to)) {
			if s.level == log {
				if err := to.readLog(ctx, s, foldedRows, i.begin); err != nil {
					return err
				}
				continue
			}
			of := buckets[part{s.level, s.sign}]
			if of == nil {
				of = map[int64]int64{}
				buckets[part{s.level, s.sign}] = of
			}
			for t := s.from; t < s.to; t = s.level.next(t) {
				of[t] = i.begin
			}
		}
	}
	for part, begins := range buckets {
		if err := to.readRollup(ctx, f, part.level, part.sign, begins); err != nil {
			return err
		}
	}
	return nil
}

// boundary moves the end of a day that is within an hour to the beginning of the hour, where the rows that could tell the hour's
// halves apart are gone.
func (r *report) boundary(f family, t int64) int64 {
	if f.hours && t > always && t < never && hours.floor(t)*1e6 < r.removed {
		return hours.floor(t)
	}
	return t
}

// extent returns the time that the roll-ups are about: nothing in them is before first or from last on.
func (r *report) extent(ctx context.Context) (first, last int64, err error) {
	var a, b timeColumn
	const ends = "SELECT start FROM usage_hours WHERE field = '' ORDER BY start "
	err = r.tx.QueryRowContext(ctx, ends+"LIMIT 1").Scan(&a)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	if err := r.tx.QueryRowContext(ctx, ends+"DESC LIMIT 1").Scan(&b); err != nil {
		return 0, 0, err
	}
	return a.Unix(), hours.next(b.Unix()), nil
}

// intervals divides the period by the finest time that is grouped by. Only those in which something happened are returned.
func (r *report) intervals(ctx context.Context) ([]interval, error) {
	if len(r.units) == 0 {
		return []interval{{0, r.from, r.to}}, nil
	}
	s := statement{dialect: r.dialect}
	s.WriteString("SELECT start FROM usage_hours WHERE field = '' AND start >= ")
	s.arg(r.timeArg(r.from))
	s.WriteString(" AND start < ")
	s.arg(r.timeArg(r.to))
	s.WriteString(" ORDER BY start")
	rows, err := r.tx.QueryContext(ctx, s.String(), s.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var begins []int64
	var t timeColumn
	for rows.Next() {
		if err := rows.Scan(&t); err != nil {
			return nil, err
		}
		// An hour may be of two days.
		begins = append(begins, r.begin(t.Unix()), r.begin(t.Unix()+secondsPerHour-slot))
	}
	begins = slices.Compact(begins)
	intervals := make([]interval, len(begins))
	for i, b := range begins {
		intervals[i] = interval{b, max(b, r.from), min(r.units[0].end(b, r.zone), r.to)}
	}
	return intervals, rows.Err()
}

// readRollup adds sign × the sums of one level. begins maps the times of its rows to the groups that they belong to.
func (r *report) readRollup(ctx context.Context, f family, l level, sign int64, begins map[int64]int64) error {
	if l == hours && !f.hours {
		panic("a family without hours was planned with them")
	}
	s := statement{dialect: r.dialect}
	columns := make([]string, 0, 3)
	if len(r.units) > 0 {
		columns = append(columns, "start")
	}
	names := [...]string{"value", "value2"}
	for _, field := range r.fields {
		columns = append(columns, names[slices.Index(f.fields, field)])
	}
	s.WriteString("SELECT field")
	for _, c := range columns {
		s.WriteString(", " + c)
	}
	s.WriteString(sumOfRollups + " FROM " + l.table() + " WHERE field = ")
	s.arg(f.name)
	s.WriteString(" AND ")
	s.oneOfTimes("start", slices.Sorted(maps.Keys(begins)))
	for i, field := range f.fields {
		if values, limited := r.match[field]; limited {
			s.WriteString(" AND ")
			s.oneOf(names[i], values)
		}
	}
	s.WriteString(" GROUP BY field")
	for _, c := range columns {
		s.WriteString(", " + c)
	}
	rows, err := r.tx.QueryContext(ctx, s.String(), s.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var name string
	var start timeColumn
	var m measures
	values := make([]string, len(r.fields))
	dest := []any{&name}
	if len(r.units) > 0 {
		dest = append(dest, &start)
	}
	for i := range values {
		dest = append(dest, &values[i])
	}
	dest = m.destinations(dest)
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		begin := int64(0)
		if len(r.units) > 0 {
			begin = begins[start.Unix()]
		}
		r.add(begin, values, &m, sign)
	}
	return rows.Err()
}
