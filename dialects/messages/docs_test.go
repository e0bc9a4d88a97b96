package messages

import (
	"regexp"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
)

// TestThePageNamesWhatTheDecoderKnows is about the words that decoding a request looks for.
func TestThePageNamesWhatTheDecoderKnows(t *testing.T) {
	dialecttest.Page{
		Name:   "messages.md",
		Files:  []string{"decode_request.go", "decode_options.go", "decode_blocks.go"},
		Word:   regexp.MustCompile(`.`),
		Places: []dialecttest.Place{dialecttest.Cases},
		Least:  50,
	}.Check(t)
}
