package integration

import (
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
)

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

// sort notes the reviewed findings about an exchange in the table, and returns the others.
func (v *corpusReviews) sort(table *corpusTable, exchange, client string, findings []string) (rest []string) {
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
		table.note(v.list[i].because)
	}
	return rest
}

// unused fails the test for reviews that are about nothing any more. A sample does not tell.
func (v *corpusReviews) unused(t *testing.T) {
	t.Helper()
	if corpusEvery > 1 {
		return
	}
	for i, r := range v.list {
		if v.used[i] == 0 {
			t.Errorf("the review of %q for %q, %q covers no finding any more (%s)", r.exchange, r.client, r.finding, r.because)
		}
	}
}
