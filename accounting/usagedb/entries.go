package usagedb

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
)

// entriesPage is how many rows Entries reads at once. Between pages it holds nothing in the database, so that one who takes
// hours to read does not keep the database from cleaning up.
const entriesPage = 1000

// Entries implements [accounting.Reader]. What is recorded during the call may be left out or not.
func (d *DB) Entries(ctx context.Context, f accounting.Filter, yield func(*accounting.Entry) error) error {
	q, err := newReport(accounting.Query{Filter: f})
	if err != nil {
		return err
	}
	q.dialect = d.dialect
	from := position{time: f.Since}
	for {
		page, err := d.page(ctx, q, f, from)
		if err != nil {
			return fmt.Errorf("read entries: %w", err)
		}
		for i := range page {
			if tags := page[i].Tags; !q.wantsTags(tags) {
				continue
			}
			if err := yield(&page[i].Entry); err != nil {
				return err
			}
		}
		if len(page) < entriesPage {
			return nil
		}
		last := page[len(page)-1]
		from = position{time: last.Time, id: last.id}
	}
}

// position is behind a row. The zero id is before all rows of a time.
type position struct {
	time time.Time
	id   int64
}

// located is an entry and where it is.
type located struct {
	accounting.Entry
	id int64
}

// page reads the next entries behind a position.
func (d *DB) page(ctx context.Context, q *report, f accounting.Filter, from position) ([]located, error) {
	s := statement{dialect: d.dialect}
	s.WriteString("SELECT id, " + selectColumns(d.dialect) + " FROM usage_log WHERE 1 = 1")
	if from.id != 0 {
		s.WriteString(" AND (time, id) > (")
		s.arg(d.dialect.timeArg(from.time))
		s.WriteString(", ")
		s.arg(from.id)
		s.WriteString(")")
	} else if !from.time.IsZero() {
		s.WriteString(" AND time >= ")
		s.arg(d.dialect.timeArg(from.time))
	}
	if !f.Until.IsZero() {
		s.WriteString(" AND time < ")
		s.arg(d.dialect.timeArg(f.Until))
	}
	for _, field := range q.all {
		if dim := dimensionOf(field); dim != nil {
			s.WriteString(" AND ")
			s.oneOf(dim.column, q.match[field])
		}
	}
	s.WriteString(" ORDER BY time, id LIMIT ")
	s.arg(entriesPage)
	rows, err := d.read.QueryContext(ctx, s.String(), s.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var x scanned
	var page []located
	for dest := append([]any{&from.id}, x.destinations()...); rows.Next(); {
		if err := rows.Scan(dest...); err != nil {
			return nil, err
		}
		if err := x.finish(d.dialect); err != nil {
			return nil, err
		}
		page = append(page, located{x.Entry, from.id})
	}
	return slices.Clip(page), rows.Err()
}
