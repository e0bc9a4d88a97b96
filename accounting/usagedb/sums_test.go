package usagedb

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
)

// zones are offsets of halves and quarters of hours, and clocks that were changed in the weeks of spread: at three, at one and at
// midnight, by an hour and by half of one.
var zones = []string{
	"UTC", "Europe/Berlin", "America/Los_Angeles", "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns", "America/Havana",
	"America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Chatham",
}

// spread is the time of test entries.
var spread = struct {
	start time.Time
	days  int
}{time.Date(2018, 9, 25, 0, 0, 0, 0, time.UTC), 45}

var fieldsOfTests = []string{
	"key", "user", "team", "feature", "provider", "model", "upstream_model", "dialect", "tier", "certainty", "error_class",
	"project", "a.b", "nobody's", "hour", "day", "month",
}

// randomEntry returns one of n attempts of a few users.
func randomEntry(r *rand.Rand, n int) accounting.Entry {
	pick := func(values ...string) string { return values[r.IntN(len(values))] }
	e := accounting.Entry{
		AttemptID: fmt.Sprintf("0198c0de-0000-7000-8000-%012x", r.IntN(n)),
		RequestID: fmt.Sprint("request ", r.IntN(n)),
		Attempt:   1 + r.IntN(2),
		Time:      spread.start.Add(time.Duration(r.Int64N(int64(spread.days) * 24 * int64(time.Hour)))),
		Key:       pick("", "k1", "k2"), User: pick("", "ann", "bob", "cem"), Team: pick("red", "blue"),
		Provider: pick("openai", "anthropic"), Dialect: pick("chat", "messages"), Model: pick("gpt", "claude", "x,y"),
		UpstreamModel: pick("gpt-5", "claude-5"), Tier: pick("", "batch"), ErrorClass: pick("", "", "rate"),
		Usage:     accounting.Usage{Input: r.Int64N(1e6), Output: r.Int64N(1e5), CacheReadImage: r.Int64N(10), WebSearches: r.Int64N(3)},
		Certainty: accounting.Certainty(r.IntN(4)), Cost: accounting.Money(r.Int64N(1e12)), AtRisk: accounting.Money(r.Int64N(1e9)),
		Priced: r.IntN(5) > 0, Latency: time.Duration(r.Int64N(1e10)).Truncate(time.Microsecond),
		TimeToFirstToken: time.Duration(r.Int64N(2) * 1e6),
	}
	for _, tag := range []string{"feature", "project", "a.b", "user"} {
		if r.IntN(2) > 0 {
			if e.Tags == nil {
				e.Tags = map[string]string{}
			}
			e.Tags[tag] = pick("one", "two", "\"three\"")
		}
	}
	return e
}

func randomQuery(r *rand.Rand) accounting.Query {
	var q accounting.Query
	for range r.IntN(4) {
		q.By = append(q.By, fieldsOfTests[r.IntN(len(fieldsOfTests))])
	}
	for range max(r.IntN(4)-1, 0) {
		if q.Match == nil {
			q.Match = map[string][]string{}
		}
		values := []string{"", "ann", "red", "one", "gpt", "x,y", "k1", "unknown", "rate", "chat", "openai"}
		r.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
		q.Match[fieldsOfTests[r.IntN(len(fieldsOfTests)-3)]] = values[:r.IntN(len(values))]
	}
	at := func() time.Time {
		t := spread.start.Add(time.Duration(r.Int64N(int64(spread.days+10)*24*int64(time.Hour)))).AddDate(0, 0, -5)
		if r.IntN(2) == 0 {
			t = t.Truncate(24 * time.Hour)
		}
		return t
	}
	if r.IntN(3) > 0 {
		q.Since = at()
	}
	if r.IntN(3) > 0 {
		q.Until = at()
	}
	if zone := zones[r.IntN(len(zones))]; zone != "UTC" {
		q.Location, _ = time.LoadLocation(zone)
	}
	return q
}

// model is a ledger that is too simple to be wrong.
type model map[string]accounting.Entry

func (m model) insert(entries ...accounting.Entry) {
	for _, e := range entries {
		old, ok := m[e.AttemptID]
		if !ok || old.Certainty == accounting.Unknown && e.Certainty != accounting.Unknown {
			m[e.AttemptID] = e
		}
	}
}

func valueOf(e *accounting.Entry, field string, zone *time.Location) string {
	switch field {
	case "key":
		return e.Key
	case "user":
		return e.User
	case "team":
		return e.Team
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
		return e.Time.Truncate(time.Hour).In(zone).Format("2006-01-02T15:04Z07:00")
	case "day":
		return e.Time.In(zone).Format("2006-01-02")
	case "month":
		return e.Time.In(zone).Format("2006-01")
	}
	return e.Tags[field]
}

func (m model) sums(q accounting.Query) map[string]accounting.Sum {
	zone := q.Location
	if zone == nil {
		zone = time.UTC
	}
	since, until := q.Since.Truncate(time.Hour), q.Until.Add(time.Hour-1).Truncate(time.Hour)
	groups := map[string]accounting.Sum{}
	for _, e := range m {
		if !q.Since.IsZero() && e.Time.Before(since) || !q.Until.IsZero() && !e.Time.Before(until) {
			continue
		}
		wanted := true
		for field, values := range q.Match {
			wanted = wanted && slices.Contains(values, valueOf(&e, field, zone))
		}
		if !wanted {
			continue
		}
		group := make([]string, len(q.By))
		for i, field := range q.By {
			group[i] = valueOf(&e, field, zone)
		}
		name := strings.Join(group, "|")
		s := groups[name]
		s.Group = group
		addEntry(&s, &e)
		groups[name] = s
	}
	if len(q.By) == 0 && len(groups) == 0 {
		groups[""] = accounting.Sum{Group: []string{}}
	}
	return groups
}

func addEntry(s *accounting.Sum, e *accounting.Entry) {
	count := func(n *int64, yes bool) {
		if yes {
			*n++
		}
	}
	count(&s.Requests, e.Attempt == 1)
	count(&s.Attempts, true)
	count(&s.Errors, e.ErrorClass != "")
	count(&s.Estimated, e.Certainty == accounting.Estimated)
	count(&s.Unknown, e.Certainty == accounting.Unknown)
	count(&s.Unpriced, !e.Priced)
	count(&s.FirstTokens, e.TimeToFirstToken > 0)
	to, from := reflect.ValueOf(&s.Usage).Elem(), reflect.ValueOf(e.Usage)
	for i := range to.NumField() {
		to.Field(i).SetInt(to.Field(i).Int() + from.Field(i).Int())
	}
	s.Cost += e.Cost
	s.AtRisk += e.AtRisk
	s.Latency += e.Latency
	s.TimeToFirstToken += e.TimeToFirstToken
}

// same checks that a database says what the model says.
func same(t *testing.T, d *DB, m model, q accounting.Query) {
	t.Helper()
	got, want := sums(t, d, q), m.sums(q)
	if len(got) != len(want) {
		t.Errorf("%s: %d groups, want %d", describe(q), len(got), len(want))
	}
	for _, g := range got {
		if w := want[strings.Join(g.Group, "|")]; !reflect.DeepEqual(g, w) {
			t.Fatalf("%s: got\n%+v\nwant\n%+v", describe(q), g, w)
		}
	}
	inOrder(t, q, got)
	if len(got) > 1 {
		q.Limit = len(got) / 2
		if limited := sums(t, d, q); !reflect.DeepEqual(limited, got[:q.Limit]) {
			t.Errorf("%s: limited to %d, there are others", describe(q), q.Limit)
		}
	}
}

func inOrder(t *testing.T, q accounting.Query, got []accounting.Sum) {
	t.Helper()
	byTime := len(q.By) > 0 && slices.Contains([]string{"hour", "day", "month"}, q.By[0])
	for i := 1; i < len(got); i++ {
		a, b := got[i-1], got[i]
		if byTime && a.Group[0] != b.Group[0] {
			before, after := a.Group[0], b.Group[0]
			if q.By[0] == "hour" { // an hour may come twice by its name
				x, _ := time.Parse("2006-01-02T15:04Z07:00", before)
				y, _ := time.Parse("2006-01-02T15:04Z07:00", after)
				before, after = x.UTC().Format(time.RFC3339), y.UTC().Format(time.RFC3339)
			}
			if before >= after {
				t.Errorf("%s: %s is before %s", describe(q), before, after)
			}
			continue
		}
		if a.Cost < b.Cost {
			t.Errorf("%s: %s is before %s", describe(q), a.Cost, b.Cost)
		}
	}
}

func describe(q accounting.Query) string {
	return fmt.Sprintf("by %q match %q from %s to %s in %s", q.By, q.Match, q.Since, q.Until, q.Location)
}

func TestSumsOfRollUpsAreSumsOfRows(t *testing.T) {
	each(t, func(t *testing.T, open func(testing.TB) *DB) {
		const seed, n, rounds, queries = 7, 2000, 5, 16
		r := rand.New(rand.NewPCG(seed, seed))
		d, m := open(t), model{}
		for range rounds {
			for range r.IntN(4) {
				batch := make([]accounting.Entry, r.IntN(200))
				for i := range batch {
					batch[i] = randomEntry(r, n)
				}
				insert(t, d, batch...)
				m.insert(batch...)
			}
			switch r.IntN(3) {
			case 0:
				fold(t, d)
			case 1: // only one group
				horizon, err := d.horizon(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if err := d.foldGroup(t.Context(), small, horizon); err != nil {
					t.Fatal(err)
				}
			}
			for range queries {
				same(t, d, m, randomQuery(r))
			}
		}
		fold(t, d)
		for _, g := range groups { // whatever the random queries left out
			for _, f := range g.families {
				same(t, d, m, accounting.Query{By: f.fields})
				same(t, d, m, accounting.Query{By: append([]string{"day"}, f.fields...)})
			}
		}
	})
}

func fold(t testing.TB, d *DB) {
	t.Helper()
	if err := d.Fold(t.Context()); err != nil {
		t.Fatalf("fold: %v", err)
	}
}

func TestSumsStayWhenRowsAreRemoved(t *testing.T) {
	each(t, func(t *testing.T, open func(testing.TB) *DB) {
		r := rand.New(rand.NewPCG(3, 3))
		d, m := open(t), model{}
		for range 5 {
			batch := make([]accounting.Entry, 700)
			for i := range batch {
				batch[i] = randomEntry(r, 1e6)
			}
			insert(t, d, batch...)
			m.insert(batch...)
		}
		before := spread.start.AddDate(0, 0, 30)
		old := len(entries(t, d, accounting.Filter{Until: before}))
		removed, err := d.Prune(t.Context(), before)
		if err != nil || removed != int64(old) || removed < 2*pruneBatch {
			t.Fatalf("prune removed %d attempts, error %v; want %d", removed, err, old)
		}
		if left := entries(t, d, accounting.Filter{Until: before}); len(left) != 0 {
			t.Errorf("%d old entries are left", len(left))
		}
		late := randomEntry(r, 1e6)
		late.AttemptID, late.Time = "0198c0de-0000-7000-8000-ffffffffffff", before.Add(-time.Hour)
		insert(t, d, late)
		m.insert(late)
		berlin, _ := time.LoadLocation("Europe/Berlin")
		for _, by := range [][]string{nil, {"user"}, {"project"}, {"day"}, {"hour", "model"}, {"user", "model"}, {"day", "key"}} {
			same(t, d, m, accounting.Query{By: by})
			if len(by) < 2 {
				same(t, d, m, accounting.Query{By: by, Location: berlin})
			}
		}
		for _, q := range []accounting.Query{
			{By: []string{"user", "tier"}},
			{By: []string{"project", "model"}},
			{By: []string{"day", "user", "model"}, Location: berlin},
		} {
			if _, err := d.Sums(t.Context(), q); !errors.Is(err, ErrRemoved) {
				t.Errorf("%s: error %v, want %v", describe(q), err, ErrRemoved)
			}
			q.Since = before.Add(48 * time.Hour)
			same(t, d, m, q)
		}
		if n, err := d.Prune(t.Context(), before); n != 1 || err != nil {
			t.Errorf("pruning again removed %d, error %v; want the one that came late", n, err)
		}
		insert(t, d, randomEntry(r, 1e6))
		if last := entries(t, d, accounting.Filter{}); len(last) == 0 {
			t.Error("nothing is left")
		}
	})
}
