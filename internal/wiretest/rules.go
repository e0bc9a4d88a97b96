package wiretest

import (
	"regexp"
	"slices"
	"strings"
)

// Names and ids that vendors accept.
var (
	wordName     = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)
	longWordName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)
	dottedName   = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}$`)
	wordID       = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)
	shortID      = regexp.MustCompile(`^[a-zA-Z0-9]{9}$`)
)

// checkKeys finds members that the API would refuse.
func (a *Ask) checkKeys(where string, n node, known string) {
	for _, k := range n.keys() {
		if !slices.Contains(strings.Fields(known), k) {
			a.breach("%s: unknown member %s", where, k)
		}
	}
}

// checkTools finds names that the API would refuse.
func (a *Ask) checkTools(pattern *regexp.Regexp) {
	seen := map[string]bool{}
	for _, t := range a.Tools {
		if !pattern.MatchString(t.Name) {
			a.breach("the tool name %q is not allowed", t.Name)
		}
		if seen[t.Name] {
			a.breach("two tools are called %q", t.Name)
		}
		seen[t.Name] = true
	}
	if name := a.Choice.Name; name != "" && !seen[name] && len(a.Tools) > 0 {
		a.breach("the choice is the unknown tool %q", name)
	}
	if a.Choice.Mode != "" && len(a.Tools)+a.ServerTools == 0 {
		a.breach("a tool choice without tools")
	}
}

// checkCalls finds calls that no result answers before the conversation goes on, results that answer no call, and ids
// and names that the API would refuse. Patterns may be nil.
func (a *Ask) checkCalls(ids, names *regexp.Regexp) {
	number := 0
	seen := map[string]bool{}
	for i, t := range a.Turns {
		first := number
		for _, p := range t.Parts {
			switch p.Kind {
			case kindCall:
				number++
				if ids != nil && !ids.MatchString(p.ID) {
					a.breach("the call id %q is not allowed", p.ID)
				}
				if names != nil && !names.MatchString(p.Name) {
					a.breach("the name %q of a call is not allowed", p.Name)
				}
				if p.ID != "" && seen[p.ID] {
					a.breach("two calls have the id %q", p.ID)
				}
				seen[p.ID] = true
			case kindResult:
				if p.Answers < 0 {
					a.breach("the result %q answers no call", p.ID)
				}
			}
		}
		if next := a.after(i); next != nil {
			a.checkAnswered(first, number, next)
		}
	}
}

// after is the turn that follows the i-th, system prompts aside.
func (a *Ask) after(i int) *Turn {
	for j := i + 1; j < len(a.Turns); j++ {
		if a.Turns[j].Role != roleSystem {
			return &a.Turns[j]
		}
	}
	return nil
}

func (a *Ask) checkAnswered(first, end int, next *Turn) {
	for n := first; n < end; n++ {
		if !slices.ContainsFunc(next.Parts, func(p Part) bool { return p.Kind == kindResult && p.Answers == n }) {
			a.breach("call %d is not answered in the next turn", n)
		}
	}
}

// between finds numbers that are out of bounds.
func (a *Ask) between(name string, n node, low, high string) {
	if s := n.number(); s != "" && (lessNumber(s, low) || lessNumber(high, s)) {
		a.breach("%s is %s, not between %s and %s", name, s, low, high)
	}
}

func lessNumber(a, b string) bool {
	x, ok1 := rational(a)
	y, ok2 := rational(b)
	return ok1 && ok2 && x.Cmp(y) < 0
}

// blank reports whether a text has no visible character.
func blank(s string) bool { return strings.TrimSpace(s) == "" }
