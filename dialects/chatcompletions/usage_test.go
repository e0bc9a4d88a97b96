package chatcompletions

import (
	"testing"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

func usageOf(doc string) (conversation.Usage, bool) {
	in := jsonedit.NewReader([]byte(doc))
	return readUsage(&in)
}

func TestUsageIsSplitIntoDisjointClasses(t *testing.T) {
	for _, tt := range []struct {
		name, doc string
		want      conversation.Usage
	}{
		{"plain", `{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}`, conversation.Usage{Input: 10, Output: 5}},
		{"zero is not missing", `{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}`, conversation.Usage{}},
		{"embeddings", `{"prompt_tokens":29,"total_tokens":29}`, conversation.Usage{Input: 29}},
		{"a total alone", `{"total_tokens":12}`, conversation.Usage{Input: 12}},
		{
			"cached and written", `{"prompt_tokens":100,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":30}}`,
			conversation.Usage{Input: 10, CacheRead: 60, CacheWrite: 30, Output: 5},
		},
		{
			"read and written overlap at OpenRouter", `{"prompt_tokens":2168,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":2161,"cache_write_tokens":2161}}`,
			conversation.Usage{CacheRead: 2161, CacheWrite: 7, Output: 1},
		},
		{
			"reasoning within the completion", `{"prompt_tokens":24,"completion_tokens":1355,"total_tokens":1379,"completion_tokens_details":{"reasoning_tokens":1084}}`,
			conversation.Usage{Input: 24, Output: 271, Reasoning: 1084},
		},
		{
			"reasoning beside the completion at xAI", `{"prompt_tokens":12,"completion_tokens":2,"total_tokens":334,"completion_tokens_details":{"reasoning_tokens":320}}`,
			conversation.Usage{Input: 12, Output: 2, Reasoning: 320},
		},
		{
			"more reasoning than completion", `{"prompt_tokens":1,"completion_tokens":2,"completion_tokens_details":{"reasoning_tokens":9}}`,
			conversation.Usage{Input: 1, Output: 2, Reasoning: 9},
		},
		{
			"reasoning in nothing but the total at Google", `{"prompt_tokens":35,"completion_tokens":12,"total_tokens":109}`,
			conversation.Usage{Input: 35, Output: 12, Reasoning: 62},
		},
		{
			"audio", `{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,"prompt_tokens_details":{"audio_tokens":40,"cached_tokens":10},"completion_tokens_details":{"audio_tokens":30,"reasoning_tokens":5}}`,
			conversation.Usage{Input: 50, CacheRead: 10, InputAudio: 40, Output: 15, Reasoning: 5, OutputAudio: 30},
		},
		{
			"DeepSeek's cache hits", `{"prompt_tokens":100,"completion_tokens":1,"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":36}`,
			conversation.Usage{Input: 36, CacheRead: 64, Output: 1},
		},
		{"Moonshot's bare cached_tokens", `{"prompt_tokens":100,"completion_tokens":1,"cached_tokens":64}`, conversation.Usage{Input: 36, CacheRead: 64, Output: 1}},
		{"null details", `{"prompt_tokens":3,"completion_tokens":4,"prompt_tokens_details":null,"completion_tokens_details":null}`, conversation.Usage{Input: 3, Output: 4}},
		{"more cached than read", `{"prompt_tokens":3,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":50}}`, conversation.Usage{CacheRead: 3, Output: 4}},
		{"negative details", `{"prompt_tokens":3,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":-50}}`, conversation.Usage{Input: 3, Output: 4}},
		{"odd numbers", `{"prompt_tokens":"3","completion_tokens":1e1}`, conversation.Usage{Input: 3, Output: 10}},
		{"searches", `{"prompt_tokens":3,"completion_tokens":4,"server_tool_use":{"web_search_requests":2}}`, conversation.Usage{Input: 3, Output: 4, WebSearches: 2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := usageOf(tt.doc)
			if !ok || got != tt.want {
				t.Errorf("got %+v, %v; want %+v", got, ok, tt.want)
			}
		})
	}
}

func TestUsageThatCannotBeTrueIsNoUsage(t *testing.T) {
	for _, doc := range []string{
		`null`, `{}`, `[]`, `7`, `{"prompt_tokens":null}`, `{"prompt_tokens":-1,"completion_tokens":5}`,
		`{"prompt_tokens":1,"completion_tokens":9223372036854775808}`, `{"prompt_tokens":1,"completion_tokens":2e9}`,
		`{"prompt_tokens":1.5}`, `{"prompt_tokens":"many"}`, `{"prompt_tokens":[1]}`,
	} {
		if u, ok := usageOf(doc); ok {
			t.Errorf("%s was taken for %+v", doc, u)
		}
	}
}

func TestUsageIsReadBackAsItWasWritten(t *testing.T) {
	for _, want := range []conversation.Usage{
		{}, {Input: 1, Output: 2}, {Input: 1, CacheRead: 2, CacheWrite: 3, InputAudio: 4, Output: 5, Reasoning: 6, OutputAudio: 7, WebSearches: 8},
	} {
		doc := appendUsage(nil, want)
		if got, ok := usageOf(dialecttest.ValidJSON(t, doc).Raw); !ok || got != want {
			t.Errorf("%s: got %+v, %v; want %+v", doc, got, ok, want)
		}
	}
}
