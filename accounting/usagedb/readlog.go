package usagedb

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// which chooses rows of usage_log.
type which uint8

const (
	everyRow     which = iota
	foldedRows         // that the roll-ups contain
	unfoldedRows       // that they do not
)

// timeArg is a time in Unix seconds as a value of a column.
func (r *report) timeArg(t int64) any {
	if r.dialect == SQLite {
		return t * 1e6
	}
	// The years that a timestamptz knows, with a distance from its ends.
	const first, last = -200_000_000_000, 9_000_000_000_000
	return time.Unix(min(max(t, first), last), 0)
}

// readLog adds the sums of rows. Folded rows are those of the group that begins then.
//
// Tags are within JSON. The database groups by the JSON as it is, and only the groups that come out are taken apart.
func (r *report) readLog(ctx context.Context, s segment, w which, begin int64) error {
	if w != unfoldedRows && max(s.from, always)*1e6 < r.removed && s.from < s.to {
		oldest := time.UnixMicro(r.removed).UTC()
		return fmt.Errorf("%w: it can begin at %s", ErrRemoved, oldest.Format(time.RFC3339))
	}
	q, columns, tags, slots := r.logStatement(s, w)
	rows, err := r.tx.QueryContext(ctx, q.String(), q.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var at int64
	var document string
	var m measures
	read := make([]string, len(columns))
	dest := []any{}
	if slots {
		dest = append(dest, &at)
	}
	for i := range read {
		dest = append(dest, &read[i])
	}
	if tags {
		dest = append(dest, &document)
	}
	dest = m.destinations(dest)
	values := make([]string, len(r.fields))
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		var of map[string]string
		if tags {
			if of, err = decodeTags(document, ""); err != nil {
				return err
			}
		}
		if !r.wantsTags(of) {
			continue
		}
		for i, field := range r.fields {
			if k := slices.Index(columns, field); k >= 0 {
				values[i] = read[k]
			} else {
				values[i] = of[field]
			}
		}
		if slots {
			begin = r.begin(at * slot)
		}
		r.add(begin, values, &m, s.sign)
	}
	return rows.Err()
}

// wantsTags reports whether an attempt with these tags is wanted.
func (r *report) wantsTags(tags map[string]string) bool {
	for field := range r.match {
		if dimensionOf(field) == nil && !r.wants(field, tags[field]) {
			return false
		}
	}
	return true
}

// logStatement returns the statement that sums rows: which fields it returns, and whether the tags and a slot's number too.
func (r *report) logStatement(of segment, w which) (s *statement, fields []string, tags, slots bool) {
	s = &statement{dialect: r.dialect}
	var grouped []string
	if slots = len(r.units) > 0 && w != foldedRows; slots {
		grouped = append(grouped, r.slotExpression())
	}
	for _, field := range r.fields {
		if dim := dimensionOf(field); dim != nil {
			fields, grouped = append(fields, field), append(grouped, dim.column)
		}
	}
	for _, field := range r.all {
		tags = tags || dimensionOf(field) == nil
	}
	if tags && r.dialect == Postgres {
		grouped = append(grouped, "tags::text")
	} else if tags {
		grouped = append(grouped, "tags")
	}
	s.WriteString("SELECT ")
	for _, g := range grouped {
		s.WriteString(g + ", ")
	}
	s.WriteString(sumOfLog[len(", "):])
	s.WriteString(" FROM usage_log WHERE ")
	r.logConditions(s, of, w)
	for i, g := range grouped {
		if i == 0 {
			s.WriteString(" GROUP BY ")
		} else {
			s.WriteString(", ")
		}
		s.WriteString(g)
	}
	s.WriteString(" HAVING COUNT(*) > 0")
	return s, fields, tags, slots
}

// slotExpression is the number of the slot that a row is in. Times before 1970 are negative.
func (r *report) slotExpression() string {
	if r.dialect == Postgres {
		return "CAST(FLOOR(EXTRACT(EPOCH FROM time) / 900) AS bigint)"
	}
	return "(time - ((time % 900000000) + 900000000) % 900000000) / 900000000"
}

func (r *report) logConditions(s *statement, of segment, w which) {
	// SQLite has to be told which index is the good one: an operator in front of a column takes it out of the choice.
	id, at := "id", "time"
	if r.dialect == SQLite && w == unfoldedRows {
		at = "+time"
	} else if r.dialect == SQLite {
		id = "+id"
	}
	s.WriteString(at + " >= ")
	s.arg(r.timeArg(of.from))
	s.WriteString(" AND " + at + " < ")
	s.arg(r.timeArg(of.to))
	switch w {
	case foldedRows:
		s.WriteString(" AND " + id + " <= ")
		s.arg(r.folded)
	case unfoldedRows:
		s.WriteString(" AND " + id + " > ")
		s.arg(r.folded)
	}
	for _, field := range r.all {
		dim := dimensionOf(field)
		if values, limited := r.match[field]; limited && dim != nil {
			s.WriteString(" AND ")
			s.oneOf(dim.column, values)
		}
	}
}
