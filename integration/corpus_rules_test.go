package integration

import (
	"net/http"
	"testing"

	"github.com/caddy-llm/llmgateway/internal/wiretest"
)

// corpusInventors are the vendors whose traffic shows what the rules of a dialect are.
var corpusInventors = map[string][]string{
	wiretest.Chat: {"openai"}, wiretest.Responses: {"openai"}, wiretest.Messages: {"anthropic"}, wiretest.Gemini: {"gemini", "vertex"},
	wiretest.Converse: {"bedrock"}, wiretest.Mistral: {"mistral"}, wiretest.Cohere: {"cohere"}, wiretest.Ollama: {"ollama"},
}

// TestTheRulesAreThoseOfRealTraffic makes sure that what translations are held to are no rules of our own: the traffic
// between a vendor and its clients keeps them.
func TestTheRulesAreThoseOfRealTraffic(t *testing.T) {
	corpusFolder(t)
	table, reviews := &corpusTable{}, &corpusReviews{list: corpusReviewedRules}
	for _, endpoint := range wiretest.Endpoints() {
		for _, e := range corpusLoad(t, endpoint) {
			for _, vendor := range corpusInventors[endpoint] {
				if e.Provider != vendor {
					continue
				}
				var findings []string
				for _, b := range e.reply().Breaches {
					findings = append(findings, "reply: "+b)
				}
				if e.Request != nil && e.Response.Status == http.StatusOK {
					for _, b := range wiretest.ReadAsk(endpoint, e.stream(), e.Request.Body).Breaches {
						findings = append(findings, "request: "+b)
					}
				}
				table.count(endpoint, vendor, e.stream(), len(findings) == 0)
				for _, f := range reviews.sort(table, e.ID, vendor, findings) {
					t.Errorf("%s: %s", e.ID, f)
				}
			}
		}
	}
	table.print(t)
	table.reach(t, corpusGoal)
	reviews.unused(t)
}
