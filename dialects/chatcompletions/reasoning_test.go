package chatcompletions

import (
	"reflect"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
)

func TestReasoningIsReadInEveryVendorsWords(t *testing.T) {
	budget := int64(2000)
	for _, tt := range []struct {
		member string
		want   *conversation.Reasoning
	}{
		{`"reasoning_effort":"low"`, &conversation.Reasoning{Effort: "low"}},
		{`"reasoning_effort":"none"`, &conversation.Reasoning{Effort: "none", Off: true}},
		{`"reasoning":{"effort":"high","enabled":true}`, &conversation.Reasoning{Effort: "high"}},
		{`"reasoning":{"max_tokens":2000}`, &conversation.Reasoning{Budget: &budget}},
		{`"reasoning":{"enabled":true}`, &conversation.Reasoning{Adaptive: true}},
		{`"reasoning":{"enabled":false}`, &conversation.Reasoning{Off: true}},
		{`"reasoning":{"exclude":true}`, nil},
		{`"reasoning":{"exclude":true,"effort":"low"}`, &conversation.Reasoning{Effort: "low", Summary: "none"}},
		{`"reasoning":{"exclude":false,"max_tokens":2000}`, &conversation.Reasoning{Budget: &budget}},
		{`"thinking":{"type":"disabled","clear_thinking":true}`, &conversation.Reasoning{Off: true}},
		{`"thinking":{"type":"enabled"}`, &conversation.Reasoning{Adaptive: true}},
		{`"thinking":{"type":"enabled","budget_tokens":2000}`, &conversation.Reasoning{Budget: &budget}},
		{`"reasoning_effort":"low","thinking":{"type":"enabled"}`, &conversation.Reasoning{Effort: "low"}},
		{`"reasoning":null`, nil},
	} {
		r := dialecttest.MustDecode(t, Codec{}, `{"model":"m","messages":[{"role":"user","content":"x"}],`+tt.member+`}`)
		if !reflect.DeepEqual(r.Reasoning, tt.want) {
			t.Errorf("%s: got %+v, want %+v", tt.member, r.Reasoning, tt.want)
		}
	}
}

func TestReasoningIsWrittenInTheVendorsWords(t *testing.T) {
	off, budget := &conversation.Reasoning{Off: true}, &conversation.Reasoning{Budget: new(int64(5000))}
	effort := func(s string) *conversation.Reasoning { return &conversation.Reasoning{Effort: s} }
	for _, tt := range []struct {
		vendor, model string
		r             *conversation.Reasoning
		want, notes   string
	}{
		{"openai", "gpt-5", effort("high"), `"reasoning_effort":"high"`, ""},
		{"openai", "gpt-5", budget, `"reasoning_effort":"medium"`, ""},
		{"openai", "gpt-5-mini", off, `"reasoning_effort":"minimal"`, ""},
		{"openai", "gpt-5.2", off, `"reasoning_effort":"none"`, ""},
		{"openai", "o3", off, `"reasoning_effort":"low"`, ""},
		{"openai", "gpt-4o", effort("high"), ``, "reasoning_effort"},
		{"openai", "gpt-4o", off, ``, ""},
		{"openai", "gpt-5", &conversation.Reasoning{Adaptive: true}, ``, ""},
		{"groq", "m", effort("xhigh"), `"reasoning_effort":"high"`, ""},
		{"groq", "m", effort("minimal"), `"reasoning_effort":"low"`, ""},
		{"mistral", "m", effort("low"), `"reasoning_effort":"high"`, ""},
		{"mistral", "m", off, `"reasoning_effort":"none"`, ""},
		{"openrouter", "m", budget, `"reasoning":{"max_tokens":5000}`, ""},
		{"openrouter", "m", off, `"reasoning":{"enabled":false}`, ""},
		{"openrouter", "m", effort("low"), `"reasoning":{"effort":"low"}`, ""},
		{"snowflake", "m", effort("low"), `"reasoning":{"effort":"low"}`, ""},
		{"openrouter", "m", &conversation.Reasoning{Effort: "low", Summary: "none"}, `"reasoning":{"effort":"low","exclude":true}`, ""},
		{"deepseek", "m", off, `"thinking":{"type":"disabled"}`, ""},
		{"deepseek", "m", effort("high"), `"reasoning_effort":"high"`, ""},
		{"deepseek", "m", &conversation.Reasoning{Adaptive: true}, `"thinking":{"type":"enabled"}`, ""},
		{"deepseek", "m", &conversation.Reasoning{Adaptive: true, Effort: "high"}, `"reasoning_effort":"high"`, ""},
		{"zai", "m", off, `"thinking":{"type":"disabled"}`, ""},
		{"zai", "m", budget, `"thinking":{"type":"enabled"}`, ""},
		{"compatible", "m", effort("max"), `"reasoning_effort":"max"`, ""},
	} {
		r := ask()
		r.Reasoning = tt.r
		body, notes, err := Codec{}.EncodeRequest(nil, r, dialects.EncodeOptions{Model: tt.model, Vendor: tt.vendor})
		if err != nil {
			t.Fatal(err)
		}
		got := strings.TrimSuffix(strings.TrimPrefix(string(body), `{"model":"`+tt.model+`","messages":[]`), "}")
		if strings.TrimPrefix(got, ",") != tt.want || strings.Join(notes, " ") != tt.notes {
			t.Errorf("%s %s %+v: got %s, notes %v", tt.vendor, tt.model, tt.r, got, notes)
		}
	}
}
