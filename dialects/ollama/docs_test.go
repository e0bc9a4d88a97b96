package ollama

import (
	"regexp"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
)

// TestThePageNamesEveryMember is about the members that the code reads and writes.
func TestThePageNamesEveryMember(t *testing.T) {
	dialecttest.Page{
		Name:   "ollama.md",
		Files:  []string{"*.go"},
		Word:   regexp.MustCompile("^[A-Za-z][A-Za-z_-]+$"),
		Values: []string{"true", "null", "none", "gpt-oss"}, // two are a neutral effort and a model
		Places: []dialecttest.Place{dialecttest.Cases, dialecttest.Arguments("Append"), dialecttest.Arguments("number")},
		Least:  50,
	}.Check(t)
}
