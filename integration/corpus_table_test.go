package integration

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// corpusTable counts exchanges by endpoint, client and whether they are streams.
type corpusTable struct {
	mu    sync.Mutex
	rows  map[corpusRow]*corpusCount
	notes map[string]int
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

// note counts a reason for which exchanges were left alone.
func (c *corpusTable) note(because string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.notes == nil {
		c.notes = map[string]int{}
	}
	c.notes[because]++
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
	for _, because := range slices.Sorted(maps.Keys(c.notes)) {
		fmt.Fprintf(&out, "    %4d x %s\n", c.notes[because], because)
	}
	t.Log("\n" + out.String())
}

// reach fails the test if too few passed.
func (c *corpusTable) reach(t *testing.T, goal float64) {
	t.Helper()
	if got := c.percent(); got < goal {
		t.Errorf("%.2f %% pass, not %g %%", got, goal)
	}
}
