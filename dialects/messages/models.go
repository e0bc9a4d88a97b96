package messages

import (
	"math"
	"strings"
)

// version is the generation of a Claude model times ten (4.6 is 46), 0 when the name does not tell. Models of other
// vendors behind this dialect have no version and are treated like the models before 4.6, which is what they imitate.
type version int

// The generations at which the rules change:
//
//	3.7  thinking, with a budget of tokens
//	4.0  tool names of 128 characters instead of 64
//	4.5  output_config.format and strict tools
//	4.6  adaptive thinking, steered by output_config.effort
//	4.7  the budget is refused, and so are temperature, top_p and top_k; effort xhigh
const (
	withThinking   version = 37
	withLongNames  version = 40
	withFormat     version = 45
	withAdaptive   version = 46
	withoutTunings version = 47
)

// versionOf reads the version from a model's name: "claude-3-7-sonnet-20250219", "claude-opus-4-6", "claude-2.1",
// and these with a prefix or suffix as other clouds have them ("us.anthropic.claude-sonnet-4-5-20250929-v1:0").
func versionOf(model string) version {
	_, rest, ok := strings.Cut(strings.ToLower(model), "claude-")
	if !ok {
		return 0
	}
	major := -1
	for part := range strings.FieldsFuncSeq(rest, func(r rune) bool { return r == '-' || r == '.' || r == '@' || r == ':' }) {
		n, short := smallNumber(part)
		switch {
		case short && major < 0:
			major = n
		case short:
			return version(major*10 + min(n, 9))
		case major >= 0:
			return version(major * 10)
		}
	}
	if major < 0 && strings.HasPrefix(rest, "mythos") {
		return withoutTunings // its first models have no number
	}
	return version(max(major, 0) * 10)
}

// alwaysThinks tells the models that refuse to have thinking turned off.
func alwaysThinks(model string) bool {
	return strings.Contains(strings.ToLower(model), "claude-mythos")
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

// has reports whether a model of this version has what came with since. Unknown names are given the benefit of the
// doubt only where asked is harmless, which the callers decide.
func (v version) has(since version) bool { return v >= since }

// Anthropic has no official table between efforts and budgets. These are the customary ones.
const (
	minBudget     = 1024 // smallest budget_tokens that the API accepts
	defaultOutput = 4096 // max_tokens where neither the client nor the configuration says
	answerRoom    = 4096 // tokens left for the answer where max_tokens is ours to choose
)

// budgetOf is the budget for an effort. "max" is bounded by max_tokens alone.
func budgetOf(effort string) int64 {
	switch effort {
	case "minimal":
		return minBudget
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

// effortOf is the effort for a budget.
func effortOf(budget int64) string {
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

// level is the nearest effort that a model of this version knows.
func (v version) level(effort string) string {
	switch {
	case effort == "minimal":
		return "low"
	case effort == "xhigh" && !v.has(withoutTunings):
		return "high"
	}
	return effort
}
