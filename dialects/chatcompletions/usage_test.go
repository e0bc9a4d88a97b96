package chatcompletions

import (
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

func usageOf(doc string) dialects.Reported {
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
		{
			"more reasoning than completion, by another tokenizer", `{"prompt_tokens":1,"completion_tokens":8,"total_tokens":9,"completion_tokens_details":{"reasoning_tokens":9}}`,
			conversation.Usage{Input: 1, Reasoning: 8},
		},
		{
			"pictures at xAI, of which the cached ones are not told apart", `{"prompt_tokens":300,"completion_tokens":2,"total_tokens":302,"prompt_tokens_details":{"text_tokens":44,"image_tokens":256,"cached_tokens":100}}`,
			conversation.Usage{CacheRead: 100, InputImage: 200, Output: 2},
		},
		{
			"video in and pictures out at OpenRouter", `{"prompt_tokens":300,"completion_tokens":1300,"total_tokens":1600,"prompt_tokens_details":{"video_tokens":250},"completion_tokens_details":{"image_tokens":1290,"reasoning_tokens":0}}`,
			conversation.Usage{Input: 50, InputVideo: 250, Output: 10, OutputImage: 1290},
		},
		{
			"pictures at gpt-image", `{"input_tokens":1012,"output_tokens":4170,"total_tokens":5182,"input_tokens_details":{"text_tokens":12,"image_tokens":1000,"cached_tokens":600,"cached_tokens_details":{"text_tokens":4,"image_tokens":596}},"output_tokens_details":{"image_tokens":4160,"text_tokens":10}}`,
			conversation.Usage{Input: 8, CacheRead: 4, CacheReadImage: 596, InputImage: 404, Output: 10, OutputImage: 4160},
		},
		{
			"cached audio", `{"prompt_tokens":100,"completion_tokens":1,"prompt_tokens_details":{"audio_tokens":60,"cached_tokens":50,"cached_tokens_details":{"text_tokens":10,"audio_tokens":40}}}`,
			conversation.Usage{Input: 30, CacheRead: 10, CacheReadAudio: 40, InputAudio: 20, Output: 1},
		},
		{"a transcript", `{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":0,"audio_tokens":14},"output_tokens":45,"total_tokens":59}`, conversation.Usage{InputAudio: 14, Output: 45}},
		{"Mistral's cache", `{"prompt_tokens":20,"completion_tokens":4,"total_tokens":24,"num_cached_tokens":16,"prompt_tokens_details":{"cached_tokens":16}}`, conversation.Usage{Input: 4, CacheRead: 16, Output: 4}},
		{"a total left at zero", `{"prompt_tokens":3,"completion_tokens":4,"total_tokens":0}`, conversation.Usage{Input: 3, Output: 4}},
		{"queries at Perplexity", `{"prompt_tokens":3,"completion_tokens":4,"num_search_queries":18}`, conversation.Usage{Input: 3, Output: 4, WebSearches: 18}},
		{
			"research at Perplexity, which counts what it thought and read beside the total",
			`{"prompt_tokens":33,"completion_tokens":7163,"total_tokens":7196,"citation_tokens":20016,"num_search_queries":18,"reasoning_tokens":305942}`,
			conversation.Usage{Input: 20049, Output: 7163, Reasoning: 305942, WebSearches: 18},
		},
		{
			"less thought than said at Perplexity",
			`{"prompt_tokens":33,"completion_tokens":7163,"total_tokens":7196,"citation_tokens":0,"reasoning_tokens":99}`,
			conversation.Usage{Input: 33, Output: 7163, Reasoning: 99},
		},
		{
			"reasoning that others tell in this place, within the output",
			`{"prompt_tokens":3,"completion_tokens":9,"total_tokens":12,"reasoning_tokens":5}`,
			conversation.Usage{Input: 3, Output: 9},
		},
		{"odd numbers", `{"prompt_tokens":"3","completion_tokens":1e1}`, conversation.Usage{Input: 3, Output: 10}},
		{"searches", `{"prompt_tokens":3,"completion_tokens":4,"server_tool_use":{"web_search_requests":2}}`, conversation.Usage{Input: 3, Output: 4, WebSearches: 2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, want := usageOf(tt.doc), (dialects.Reported{Usage: tt.want, UsageKnown: true}); got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestUsageThatIsMissingIsUnknown(t *testing.T) {
	for _, doc := range []string{
		`null`, `{}`, `[]`, `7`, `{"prompt_tokens":null}`, `{"type":"duration","seconds":9}`, `{"prompt_tokens_details":{"cached_tokens":0}}`,
	} {
		if u := usageOf(doc); u != (dialects.Reported{}) {
			t.Errorf("%s was taken for %+v", doc, u)
		}
	}
}

func TestUsageThatCannotBeTrueIsNoUsage(t *testing.T) {
	for _, doc := range []string{
		`{"prompt_tokens":-1,"completion_tokens":5}`, `{"prompt_tokens":1,"completion_tokens":-5}`,
		`{"prompt_tokens":1,"completion_tokens":9223372036854775808}`, `{"prompt_tokens":1,"completion_tokens":2e9}`,
		`{"prompt_tokens":50000001,"completion_tokens":1}`, `{"prompt_tokens":1.5}`, `{"prompt_tokens":"many"}`, `{"prompt_tokens":""}`,
		`{"prompt_tokens":[1]}`, `{"prompt_tokens":true}`, `{"prompt_tokens":"NaN"}`, `{"prompt_tokens":1e999}`,
		`{"prompt_tokens":3,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":50}}`,
		`{"prompt_tokens":3,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":-50}}`,
		`{"prompt_tokens":3,"completion_tokens":4,"prompt_tokens_details":{"cache_write_tokens":5}}`,
		`{"prompt_tokens":3,"completion_tokens":4,"prompt_tokens_details":{"audio_tokens":2,"image_tokens":2}}`,
		`{"prompt_tokens":3,"completion_tokens":4,"completion_tokens_details":{"audio_tokens":5}}`,
	} {
		if u := usageOf(doc); u != (dialects.Reported{UsageInvalid: true}) {
			t.Errorf("%s was taken for %+v", doc, u)
		}
	}
}

func TestUsageIsReadBackAsItWasWritten(t *testing.T) {
	for _, want := range []conversation.Usage{
		{},
		{Input: 1, Output: 2},
		{Input: 1, CacheRead: 2, CacheWrite: 3, InputAudio: 4, Output: 5, Reasoning: 6, OutputAudio: 7, WebSearches: 8},
		{
			Input: 1, CacheRead: 2, CacheWrite: 3, InputAudio: 4, InputImage: 5, InputVideo: 6, CacheReadAudio: 7, CacheReadImage: 8,
			Output: 9, Reasoning: 10, OutputAudio: 11, OutputImage: 12, WebSearches: 13,
		},
	} {
		doc := appendUsage(nil, want)
		if got := usageOf(dialecttest.ValidJSON(t, doc).Raw); !got.UsageKnown || got.Usage != want {
			t.Errorf("%s: got %+v; want %+v", doc, got, want)
		}
	}
}
