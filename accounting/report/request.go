// Package report answers what was spent: it reads the parameters of a question, asks the ledgers, adds up what several of them say,
// and writes the answer as JSON, CSV or a table.
package report

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/internal/nearest"
)

// MaxRows is the largest number of sums in one answer, and what is taken when no limit is named.
const MaxRows = 100_000

// ParameterError says what is wrong with a parameter.
type ParameterError struct{ Parameter, Reason string }

func (e *ParameterError) Error() string { return e.Parameter + ": " + e.Reason }

// The formats of answers.
const (
	FormatJSON  = "json"
	FormatJSONL = "jsonl" // an object in each line
	FormatCSV   = "csv"
)

// SumsRequest asks for sums.
type SumsRequest struct {
	Period Period // in full hours, unless it ends now
	// Columns are the names of what is grouped by, as they were asked for: tags may have the prefix "tag.".
	Columns []string
	Query   accounting.Query
	Format  string
}

// EntriesRequest asks for the entries themselves.
type EntriesRequest struct {
	Filter accounting.Filter
	Format string
	// Limit is the largest number of entries. 0 means all.
	Limit int
}

// SummaryRequest asks for a [Summary].
type SummaryRequest struct {
	Now   time.Time // in the time zone of the days and months
	Match map[string][]string
}

// ParseSums reads the parameters of a request for sums: by, since, until, tz, limit, format (json or csv), and filters. Every
// mistake is a [ParameterError]. The time zone of now is the default of tz. The period is widened to full hours.
func ParseSums(v url.Values, now time.Time) (*SumsRequest, error) {
	p, err := newParameters(v, now, "by", "since", "until", "tz", "limit", "format")
	if err != nil {
		return nil, err
	}
	r := &SumsRequest{Query: accounting.Query{Location: p.now.Location()}}
	if r.Columns, r.Query.By, err = parseBy(p.get("by")); err != nil {
		return nil, err
	}
	if r.Period, err = ParsePeriod(p.get("since"), p.get("until"), p.now); err != nil {
		return nil, err
	}
	r.Period = r.Period.wholeHours(p.now)
	r.Query.Since, r.Query.Until = r.Period.Since, r.Period.Until
	if r.Format, err = p.format(FormatJSON, FormatCSV); err != nil {
		return nil, err
	}
	if r.Query.Limit, err = p.limit(MaxRows, MaxRows); err != nil {
		return nil, err
	}
	r.Query.Match, err = p.filters()
	return r, err
}

// ParseEntries reads the parameters of a request for entries: since, until, tz, limit, format (jsonl or csv), and filters.
func ParseEntries(v url.Values, now time.Time) (*EntriesRequest, error) {
	p, err := newParameters(v, now, "since", "until", "tz", "limit", "format")
	if err != nil {
		return nil, err
	}
	r := new(EntriesRequest)
	period, err := ParsePeriod(p.get("since"), p.get("until"), p.now)
	if err != nil {
		return nil, err
	}
	r.Filter.Since, r.Filter.Until = period.Since, period.Until
	if r.Format, err = p.format(FormatJSONL, FormatCSV); err != nil {
		return nil, err
	}
	if r.Limit, err = p.limit(0, 1<<31-1); err != nil {
		return nil, err
	}
	r.Filter.Match, err = p.filters()
	return r, err
}

// ParseSummary reads the parameters of a request for a summary: tz, and filters.
func ParseSummary(v url.Values, now time.Time) (*SummaryRequest, error) {
	p, err := newParameters(v, now, "tz")
	if err != nil {
		return nil, err
	}
	match, err := p.filters()
	return &SummaryRequest{Now: p.now, Match: match}, err
}

// parameters are those of a request. The ones that are no filters have names of their own.
type parameters struct {
	values url.Values
	names  []string
	now    time.Time
}

func newParameters(v url.Values, now time.Time, names ...string) (*parameters, error) {
	p := &parameters{values: v, names: names, now: now}
	for _, name := range names {
		if len(v[name]) > 1 {
			return nil, &ParameterError{name, "is given twice"}
		}
	}
	if tz := p.get("tz"); tz != "" {
		loc, err := location(tz)
		if err != nil {
			return nil, &ParameterError{"tz", err.Error()}
		}
		p.now = now.In(loc)
	}
	return p, nil
}

// location finds a time zone. The names are those of files, so only what looks like one of theirs is looked for.
func location(name string) (*time.Location, error) {
	odd := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/_+-", r))
	}
	if len(name) <= 64 && !strings.ContainsFunc(name, odd) && !strings.HasPrefix(name, "/") {
		if loc, err := time.LoadLocation(name); err == nil {
			return loc, nil
		}
	}
	return nil, fmt.Errorf("there is no time zone %q; names are such as Europe/Berlin, America/New_York and UTC", clip(name))
}

func (p *parameters) get(name string) string { return p.values.Get(name) }

// format returns the format asked for; the first is the default.
func (p *parameters) format(known ...string) (string, error) {
	f := p.get("format")
	if f == "" {
		return known[0], nil
	}
	if !slices.Contains(known, f) {
		return "", &ParameterError{"format", fmt.Sprintf("%q is neither %s%s", clip(f), strings.Join(known, " nor "), nearest.DidYouMean(f, known))}
	}
	return f, nil
}

func (p *parameters) limit(otherwise, most int) (int, error) {
	s := p.get("limit")
	if s == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > most {
		return 0, &ParameterError{"limit", fmt.Sprintf("%q is not a number from 1 to %d", clip(s), most)}
	}
	return n, nil
}

// filters are all parameters without a meaning of their own.
func (p *parameters) filters() (map[string][]string, error) {
	match, count := map[string][]string{}, 0
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		values := p.values[name]
		if slices.Contains(p.names, name) {
			continue
		}
		field, err := filterField(name, p.names)
		if err != nil {
			return nil, err
		}
		if err := checkFilter(field, values); err != nil {
			return nil, &ParameterError{clip(name), err.Error()}
		}
		if count += len(values); count > maxValues {
			return nil, &ParameterError{clip(name), fmt.Sprintf("filters have at most %d values together", maxValues)}
		}
		match[field] = append(match[field], values...)
	}
	return match, nil
}
