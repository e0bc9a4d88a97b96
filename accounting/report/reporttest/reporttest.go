// Package reporttest has a ledger to ask, for tests of reports.
package reporttest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
)

// Memory is an [accounting.Reader] over the entries it holds. It filters and adds up as a database does, one entry at a time and
// with no shortcut.
type Memory struct {
	Kept []accounting.Entry
	// Err is what asking ends with, after everything that there was to say.
	Err error
	// Asked are the queries so far.
	Asked []accounting.Query
}

// Sums implements [accounting.Reader].
func (m *Memory) Sums(ctx context.Context, q accounting.Query) ([]accounting.Sum, error) {
	m.Asked = append(m.Asked, q)
	if q.Location == nil {
		q.Location = time.UTC
	}
	var out []accounting.Sum
	if len(q.By) == 0 {
		out = []accounting.Sum{{}}
	}
	err := m.Entries(ctx, q.Filter, func(e *accounting.Entry) error {
		var group []string
		for _, f := range q.By {
			group = append(group, field(e, f, q.Location))
		}
		i := slices.IndexFunc(out, func(s accounting.Sum) bool { return slices.Equal(s.Group, group) })
		if i < 0 {
			i = len(out)
			out = append(out, accounting.Sum{Group: group})
		}
		add(&out[i], e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	// Entries come in the order of time, and so do groups of times.
	if len(q.By) == 0 || !slices.Contains([]string{"hour", "day", "month"}, q.By[0]) {
		slices.SortStableFunc(out, func(a, b accounting.Sum) int {
			return cmp.Or(cmp.Compare(b.Cost, a.Cost), cmp.Compare(b.Attempts, a.Attempts), slices.Compare(a.Group, b.Group))
		})
	}
	if q.Limit > 0 && len(out) > q.Limit {
		out = out[:q.Limit]
	}
	return out, nil
}

// Entries implements [accounting.Reader].
func (m *Memory) Entries(ctx context.Context, f accounting.Filter, yield func(*accounting.Entry) error) error {
	sorted := slices.Clone(m.Kept)
	slices.SortStableFunc(sorted, func(a, b accounting.Entry) int { return a.Time.Compare(b.Time) })
	for i := range sorted {
		e := sorted[i]
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if !f.Since.IsZero() && e.Time.Before(f.Since) || !f.Until.IsZero() && !e.Time.Before(f.Until) || !matches(&e, f.Match) {
			continue
		}
		if err := yield(&e); err != nil {
			return err
		}
		e = accounting.Entry{Provider: "used after the call"}
	}
	return m.Err
}

func matches(e *accounting.Entry, match map[string][]string) bool {
	for name, wanted := range match {
		if !slices.Contains(wanted, field(e, name, time.UTC)) {
			return false
		}
	}
	return true
}

func field(e *accounting.Entry, name string, loc *time.Location) string {
	switch name {
	case "user":
		return e.User
	case "team":
		return e.Team
	case "key":
		return e.Key
	case "provider":
		return e.Provider
	case "model":
		return e.Model
	case "upstream_model":
		return e.UpstreamModel
	case "dialect":
		return e.Dialect
	case "tier":
		return e.Tier
	case "certainty":
		return e.Certainty.String()
	case "error_class":
		return e.ErrorClass
	case "hour":
		return e.Time.In(loc).Format("2006-01-02T15:00Z07:00")
	case "day":
		return e.Time.In(loc).Format(time.DateOnly)
	case "month":
		return e.Time.In(loc).Format("2006-01")
	}
	return e.Tags[name]
}

func add(s *accounting.Sum, e *accounting.Entry) {
	s.Attempts++
	if e.Attempt == 1 {
		s.Requests++
	}
	for counter, is := range map[*int64]bool{
		&s.Errors: e.ErrorClass != "", &s.Estimated: e.Certainty == accounting.Estimated,
		&s.Unknown: e.Certainty == accounting.Unknown, &s.Unpriced: !e.Priced, &s.FirstTokens: e.TimeToFirstToken > 0,
	} {
		if is {
			*counter++
		}
	}
	u, v := &s.Usage, &e.Usage
	u.Input += v.Input
	u.CacheRead += v.CacheRead
	u.CacheWrite += v.CacheWrite
	u.CacheWrite1h += v.CacheWrite1h
	u.InputAudio += v.InputAudio
	u.InputImage += v.InputImage
	u.InputVideo += v.InputVideo
	u.CacheReadAudio += v.CacheReadAudio
	u.CacheReadImage += v.CacheReadImage
	u.Output += v.Output
	u.Reasoning += v.Reasoning
	u.OutputAudio += v.OutputAudio
	u.OutputImage += v.OutputImage
	u.WebSearches += v.WebSearches
	s.Cost += e.Cost
	s.AtRisk += e.AtRisk
	s.Latency += e.Latency
	s.TimeToFirstToken += e.TimeToFirstToken
}

// Interface guards
var _ accounting.Reader = (*Memory)(nil)
