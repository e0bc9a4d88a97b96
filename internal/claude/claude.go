// Package claude knows the generations of Anthropic's models, whose rules are the same in every dialect that carries
// them, and how much thinking an effort is.
package claude

import (
	"math"
	"strings"
)

// Version is the generation of a Claude model times ten (4.6 is 46), 0 when the name does not tell. Models of other
// vendors behind Anthropic's dialect have no version and are treated like the models before 4.6, which is what they
// imitate.
type Version int

// The generations at which the rules change.
const (
	WithThinking   Version = 37 // thinking, with a budget of tokens
	WithLongNames  Version = 40 // tool names of 128 characters instead of 64
	WithOneSampler Version = 41 // temperature or top_p, and not both
	WithFormat     Version = 45 // structured output and strict tools
	WithAdaptive   Version = 46 // adaptive thinking, steered by an effort
	WithoutTunings Version = 47 // the budget is refused, and so are temperature, top_p and top_k; effort xhigh
)

// VersionOf reads the version from a model's name: "claude-3-7-sonnet-20250219", "claude-opus-4-6", "claude-2.1",
// and these with a prefix or suffix as other clouds have them ("us.anthropic.claude-sonnet-4-5-20250929-v1:0").
func VersionOf(model string) Version {
	_, rest, ok := strings.Cut(strings.ToLower(model), "claude-")
	if !ok {
		return 0
	}
	major := -1
	for part := range strings.FieldsFuncSeq(rest, func(r rune) bool { return r == '-' || r == '.' || r == '@' || r == ':' }) {
		if major < 0 {
			part = strings.TrimPrefix(part, "v") // claude-v2
		}
		n, short := smallNumber(part)
		switch {
		case short && major < 0:
			major = n
		case short:
			return Version(major*10 + min(n, 9))
		case major >= 0:
			return Version(major * 10)
		}
	}
	return Version(max(major, 0) * 10)
}

// smallNumber reads one or two digits: more are a date.
func smallNumber(s string) (n int, ok bool) {
	if len(s) == 0 || len(s) > 2 {
		return 0, false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// Has reports whether a model of this version has what came with since. Unknown names are given the benefit of the
// doubt only where asked is harmless, which the callers decide.
func (v Version) Has(since Version) bool { return v >= since }

// Level is the nearest effort that a model of this version knows.
func (v Version) Level(effort string) string {
	switch {
	case effort == "minimal":
		return "low"
	case effort == "xhigh" && !v.Has(WithoutTunings):
		return "high"
	}
	return effort
}

// Numbers of tokens. Anthropic has no official table between efforts and budgets; these are the customary ones.
const (
	MinBudget  = 1024 // smallest budget that the API accepts
	AnswerRoom = 4096 // left for the answer where the output limit is ours to choose
)

// BudgetOf is the budget for an effort. "max" is bounded by the output limit alone.
func BudgetOf(effort string) int64 {
	switch effort {
	case "minimal":
		return MinBudget
	case "low":
		return 2048
	case "high":
		return 16384
	case "xhigh":
		return 32768
	case "max":
		return math.MaxInt32
	}
	return 8192
}

// EffortOf is the effort for a budget.
func EffortOf(budget int64) string {
	switch {
	case budget <= 2048:
		return "low"
	case budget <= 8192:
		return "medium"
	case budget <= 16384:
		return "high"
	}
	return "xhigh"
}
