package gemini

import (
	"regexp"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
)

// TestTheManualNamesEveryMemberThatIsRead is about the request decoder.
func TestTheManualNamesEveryMemberThatIsRead(t *testing.T) {
	dialecttest.Page{
		Name:   "gemini.md",
		Files:  []string{"decode_*.go"},
		Except: []string{"decode_response.go", "decode_part.go"},
		Word:   regexp.MustCompile(`^[a-z][a-zA-Z]+$`),
		// Values, the wrappers of results, and the neutral word for a role.
		Values: []string{"user", "tool", "function", "error", "standard", "unspecified"},
		Places: []dialecttest.Place{dialecttest.Cases, dialecttest.Comparisons},
		Least:  40,
	}.Check(t)
}
