package chatcompletions

import (
	"math"
	"strconv"

	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// wholeNumber reads an integer that may be spelled 7, 7.0, 7e0 or "7".
func wholeNumber(in *jsonedit.Reader) (int64, bool) {
	if in.Peek() == '0' {
		return parseWhole(jsonedit.View(in.Raw()))
	}
	s, ok := in.Text()
	if !ok {
		return 0, false
	}
	return parseWhole(s)
}

func parseWhole(s string) (int64, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

// offset reads a place in a text. What cannot be one is its beginning.
func offset(in *jsonedit.Reader) int {
	n, ok := wholeNumber(in)
	if !ok || n < 0 || n > math.MaxInt32 {
		return 0
	}
	return int(n)
}
