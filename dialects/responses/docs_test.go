package responses

import (
	"regexp"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
)

// TestThePageNamesEveryMember is about what the request decoder has a case for, and the table of hosted items.
func TestThePageNamesEveryMember(t *testing.T) {
	dialecttest.Page{
		Name:   "responses.md",
		Files:  []string{"decode_*.go"},
		Except: []string{"decode_response.go"},
		Word:   regexp.MustCompile(`^[a-z][A-Za-z_.0-9]+$`),
		Places: []dialecttest.Place{dialecttest.Cases, dialecttest.Variables},
		Least:  100,
	}.Check(t)
}
