package integration

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
)

// corpusTable counts exchanges by endpoint, client and whether they are streams.
type corpusTable struct {
	mu    sync.Mutex
	rows  map[corpusRow]*corpusCount
	notes []string
}

type corpusRow struct {
	endpoint, client string
	stream           bool
}

type corpusCount struct{ passed, total int }

func (c *corpusTable) count(endpoint, client string, stream, passed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rows == nil {
		c.rows = map[corpusRow]*corpusCount{}
	}
	row := corpusRow{endpoint, client, stream}
	if c.rows[row] == nil {
		c.rows[row] = &corpusCount{}
	}
	c.rows[row].total++
	if passed {
		c.rows[row].passed++
	}
}

func (c *corpusTable) note(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

// percent is the share of exchanges that passed.
func (c *corpusTable) percent() float64 {
	var all corpusCount
	for _, n := range c.rows {
		all.passed, all.total = all.passed+n.passed, all.total+n.total
	}
	return 100 * float64(all.passed) / float64(max(all.total, 1))
}

// print logs the table and the notes.
func (c *corpusTable) print(t *testing.T) {
	t.Helper()
	var out strings.Builder
	fmt.Fprintf(&out, "%-20s %-20s %11s %11s\n", "endpoint", "client", "unary", "stream")
	type line struct{ endpoint, client string }
	lines := map[line]bool{}
	for row := range c.rows {
		lines[line{row.endpoint, row.client}] = true
	}
	var sums [2]corpusCount
	for _, l := range slices.SortedFunc(maps.Keys(lines), func(a, b line) int {
		return cmp.Or(cmp.Compare(a.endpoint, b.endpoint), cmp.Compare(a.client, b.client))
	}) {
		fmt.Fprintf(&out, "%-20s %-20s", l.endpoint, l.client)
		for i, stream := range []bool{false, true} {
			n := c.rows[corpusRow{l.endpoint, l.client, stream}]
			if n == nil {
				n = &corpusCount{}
			}
			fmt.Fprintf(&out, " %4d / %4d", n.passed, n.total)
			sums[i].passed, sums[i].total = sums[i].passed+n.passed, sums[i].total+n.total
		}
		out.WriteByte('\n')
	}
	fmt.Fprintf(&out, "%-41s %4d / %4d %4d / %4d  %.2f %%\n", "all", sums[0].passed, sums[0].total, sums[1].passed, sums[1].total, c.percent())
	slices.Sort(c.notes)
	for _, n := range c.notes {
		fmt.Fprintf(&out, "    %s\n", n)
	}
	t.Log("\n" + out.String())
}

// corpusReview is a finding that somebody looked at: it is right as it is, and because says why. Exchange, client and
// finding are patterns as of [path.Match]; an empty one stands for all. A finding is its kind and what it begins with.
type corpusReview struct{ exchange, client, finding, because string }

func (v *corpusReview) covers(exchange, client, finding string) bool {
	return (v.client == "" || v.client == client) && corpusMatch(v.exchange, exchange) && corpusMatch(v.finding, finding)
}

// corpusMatch is [path.Match] for texts in which a slash is a character like any other.
func corpusMatch(pattern, s string) bool {
	plain := strings.NewReplacer("/", "\x00")
	ok, err := path.Match(plain.Replace(pattern), plain.Replace(s))
	return pattern == "" || err == nil && ok
}

// corpusReviews tells which reviewed findings were seen.
type corpusReviews struct {
	mu   sync.Mutex
	list []corpusReview
	used map[int]int
}

// sort takes the reviewed findings out. It returns the others, and the reasons for those it took.
func (v *corpusReviews) sort(exchange, client string, findings []string) (rest, reasons []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, f := range findings {
		i := slices.IndexFunc(v.list, func(r corpusReview) bool { return r.covers(exchange, client, f) })
		if i < 0 {
			rest = append(rest, f)
			continue
		}
		if v.used == nil {
			v.used = map[int]int{}
		}
		v.used[i]++
		reasons = append(reasons, v.list[i].because)
	}
	return rest, reasons
}

// unused fails the test for reviews that are about nothing any more.
func (v *corpusReviews) unused(t *testing.T) {
	t.Helper()
	for i, r := range v.list {
		if v.used[i] == 0 {
			t.Errorf("the review of %q for %q, %q covers no finding any more (%s)", r.exchange, r.client, r.finding, r.because)
		}
	}
}
