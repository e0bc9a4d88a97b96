package chatcompletions

import (
	"regexp"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
)

// TestThePageNamesEveryMember is about what the request decoder has a case for, and the vendors that have rules of their
// own.
func TestThePageNamesEveryMember(t *testing.T) {
	dialecttest.Page{
		Name:   "chat.md",
		Files:  []string{"decode_*.go", "details.go", "vendor.go"},
		Except: []string{"decode_response.go"},
		Word:   regexp.MustCompile(`^[a-z][a-z_.]+$`),
		Places: []dialecttest.Place{dialecttest.Cases},
		Least:  100,
	}.Check(t)
}
