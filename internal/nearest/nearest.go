// Package nearest finds what a typing error may have meant.
package nearest

import (
	"slices"
	"strings"
)

// maxLength is the length in bytes up to which a name is compared with others: the time that takes grows with its square.
const maxLength = 256

// DidYouMean returns `; did you mean "x"?` for the nearest of names, or nothing when none is near.
func DidYouMean(name string, names []string) string {
	if near := Names(name, names, 1); len(near) > 0 {
		return `; did you mean "` + near[0] + `"?`
	}
	return ""
}

// Names returns up to n of names that a typing error or a forgotten part may have turned into name, best first.
func Names(name string, names []string, n int) []string {
	type scored struct {
		name  string
		score int
	}
	lower := strings.ToLower(name)
	if len(lower) > maxLength {
		return nil
	}
	limit := max(2, len(lower)/3)
	var found []scored
	for _, c := range names {
		l := strings.ToLower(c)
		d := distance(lower, l, limit)
		if len(lower) >= 3 && len(l) >= 3 && (strings.Contains(l, lower) || strings.Contains(lower, l)) {
			d = min(d, 1+abs(len(l)-len(lower))/8)
		}
		if d <= limit {
			found = append(found, scored{c, d})
		}
	}
	slices.SortStableFunc(found, func(a, b scored) int { return a.score - b.score })
	var out []string
	for _, f := range found {
		if len(out) < n && !slices.Contains(out, f.name) {
			out = append(out, f.name)
		}
	}
	return out
}

// Slip returns the one of names that a single wrong, missing or superfluous letter turns into name, or nothing. It is for
// places where any name is allowed, and only what is nearly certainly an error should be taken for one.
func Slip(name string, names []string) string {
	if len(name) < 3 || len(name) > maxLength {
		return ""
	}
	for _, c := range names {
		if distance(name, c, 1) == 1 {
			return c
		}
	}
	return ""
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

// distance is the Levenshtein distance of two strings in bytes, or something above limit once it is exceeded.
func distance(a, b string, limit int) int {
	if abs(len(a)-len(b)) > limit {
		return limit + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		best := i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
			best = min(best, row[j])
		}
		if best > limit {
			return limit + 1
		}
	}
	return row[len(b)]
}
