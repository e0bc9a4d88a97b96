package accounting

import (
	"slices"
	"testing"
)

// TestNamesOfModelsInEveryForm has at least one of every form in which vendors and their customers write names.
func TestNamesOfModelsInEveryForm(t *testing.T) {
	b := mustBook(t)
	for _, c := range []struct{ form, vendor, model, entry string }{
		{"a plain name", VendorOpenAI, "gpt-4o", "gpt-4o"},
		{"in capitals", VendorOpenAI, "GPT-4o-Mini", "gpt-4o-mini"},
		{"a dated snapshot", VendorOpenAI, "gpt-4o-2024-08-06", "gpt-4o"},
		{"a snapshot from after the book", VendorOpenAI, "gpt-5.4-mini-2026-11-11", "gpt-5.4-mini"},
		{"a snapshot by month and day", VendorOpenAI, "gpt-4-0613", "gpt-4"},
		{"the latest", VendorOpenAI, "gpt-5-chat-latest", "gpt-5"},
		{"a completions model", VendorOpenAI, "davinci-002", "davinci-002"},
		{"a fine-tuned model", VendorOpenAI, "ft:gpt-4o-mini-2024-07-18:acme::9x1Yz2", "ft:gpt-4o-mini"},
		{"a fine-tuned model with a suffix", VendorOpenAI, "ft:gpt-4.1-nano-2025-04-14:acme:support:Bq2", "ft:gpt-4.1-nano-2025-04-14"},
		{"a fine-tuned model that no table has", VendorOpenAI, "ft:gpt-9-2030-01-01:acme::x", ""},
		{"a fine-tuned model is not its base", VendorMistral, "ft:mistral-small-latest:acme:20250101:x", ""},
		{"OpenAI's at Azure", VendorAzure, "gpt-4o-mini-2024-07-18", "gpt-4o-mini"},
		{"a deployment of any name", VendorAzure, "prod-chat", ""},
		{"Anthropic's date", VendorAnthropic, "claude-sonnet-4-5-20250929", "claude-sonnet-4-5"},
		{"Anthropic's alias", VendorAnthropic, "claude-3-5-haiku-latest", "claude-3-5-haiku-latest"},
		{"Anthropic's alias with a zero", VendorAnthropic, "claude-sonnet-4-0", "claude-sonnet-4-0"},
		{"Gemini's resource", VendorGemini, "models/gemini-2.5-flash", "gemini-2.5-flash"},
		{"Gemini's version", VendorGemini, "gemini-2.0-flash-001", "gemini-2.0-flash"},
		{"Gemini's tuned model", VendorGemini, "tunedModels/gemini-2.5-flash", ""},
		{"Vertex's short name", VendorVertex, "publishers/google/models/gemini-2.5-pro", "gemini-2.5-pro"},
		{"Vertex's long name", VendorVertex, "projects/p/locations/eu/publishers/google/models/gemini-3-flash-preview", "gemini-3-flash-preview"},
		{"Vertex's endpoint", VendorVertex, "projects/p/locations/eu/endpoints/123456", ""},
		{"Anthropic's at Vertex", VendorVertex, "publishers/anthropic/models/claude-opus-4-1@20250805", "claude-4-opus"},
		{"Bedrock's id", VendorBedrock, "amazon.nova-micro-v1:0", "amazon.nova-micro-v1:0"},
		{"Bedrock's inference profile", VendorBedrock, "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "regional.anthropic.claude-sonnet-4-5-20250929-v1:0"},
		{"Bedrock's global profile", VendorBedrock, "global.anthropic.claude-sonnet-4-5-20250929-v1:0", "global.anthropic.claude-sonnet-4-5-20250929-v1:0"},
		{"Bedrock's profile of another vendor", VendorBedrock, "us.meta.llama4-maverick-17b-instruct-v1:0", "meta.llama4-maverick-17b-instruct-v1:0"},
		{"a geography that is not listed", VendorBedrock, "eu.qwen.qwen3-32b-v1:0", "qwen.qwen3-32b-v1:0"},
		{"Bedrock's context size", VendorBedrock, "eu.qwen.qwen3-32b-v1:0:200k", "qwen.qwen3-32b-v1:0"},
		{"Bedrock's model as a resource", VendorBedrock, "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0"},
		{"Bedrock's profile as a resource", VendorBedrock, "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.qwen.qwen3-32b-v1:0", "qwen.qwen3-32b-v1:0"},
		{"Bedrock's application profile", VendorBedrock, "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3", ""},
		{"Bedrock's provisioned model", VendorBedrock, "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/x9", ""},
		{"OpenRouter's name", VendorOpenRouter, "anthropic/claude-sonnet-4.5", "anthropic/claude-sonnet-4.5"},
		{"OpenRouter's free variant", VendorOpenRouter, "openai/gpt-oss-20b:free", "openai/gpt-oss-20b:free"},
		{"OpenRouter's routing", VendorOpenRouter, "openai/gpt-4o-mini:nitro", "openai/gpt-4o-mini"},
		{"OpenRouter's searching variant costs more", VendorOpenRouter, "openai/gpt-4o-mini:online", ""},
		{"a free variant is not the paid one", VendorOpenRouter, "openai/gpt-4o-mini:free", ""},
		{"Groq's vendors", VendorGroq, "meta-llama/llama-4-scout-17b-16e-instruct", "meta-llama/llama-4-scout-17b-16e-instruct"},
		{"Mistral's latest", VendorMistral, "mistral-medium-latest", "mistral-medium-3"},
		{"Together's capitals", VendorTogether, "mistralai/Mixtral-8x7B-Instruct-v0.1", "mistralai/Mixtral-8x7B-Instruct-v0.1"},
		{"Hugging Face's provider", VendorHuggingFace, "deepseek-ai/DeepSeek-R1:novita", "deepseek-ai/DeepSeek-R1"},
		{"a local name", "", "qwen3:32b", ""},
	} {
		m, ok := b.Find("", c.vendor, c.model)
		if ok != (c.entry != "") || ok && m.ID != c.entry {
			got := "nothing"
			if ok {
				got = m.Vendor + "/" + m.ID
			}
			t.Errorf("%s: %s/%s is %s, want %q", c.form, c.vendor, c.model, got, c.entry)
		}
	}
}

func TestAnExplanationSaysWhatMatched(t *testing.T) {
	b, err := testBook(t).Named("file.json").With(overrides(t, "acme/anvil* input 7 output 7")...)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		model string
		want  Explanation
	}{
		{"rocket-9", Explanation{Source: "file.json", List: "acme", Entry: "rocket", Match: `{"starts_with":"rocket"}`, Name: "rocket-9"}},
		{"acme/dated@001", Explanation{
			Source: "file.json", List: "acme", Entry: "dated", Name: "dated", Cut: []string{"the vendor's prefix", "the snapshot"},
		}},
		{"widget", Explanation{Source: "file.json", List: "other", Entry: "widget", Name: "widget"}},
		{"Anvil-2", Explanation{Line: "acme/anvil*", Name: "anvil-2"}},
		{"nothing", Explanation{}},
	} {
		got := b.Explain("", "acme", c.model)
		if found, ok := b.Find("", "acme", c.model); ok != (got.Model != nil) || ok && found.ID != got.Model.ID {
			t.Errorf("%s: explained %+v, found %+v", c.model, got.Model, found)
		}
		if got.Version != b.Version() || got.Source != "" && got.SourceVersion != testBook(t).Version() {
			t.Errorf("%s: version %q of %q", c.model, got.SourceVersion, got.Version)
		}
		if got.Source != c.want.Source || got.List != c.want.List || got.Entry != c.want.Entry || got.Match != c.want.Match ||
			got.Name != c.want.Name || got.Line != c.want.Line || !slices.Equal(got.Cut, c.want.Cut) {
			t.Errorf("%s: %+v, want %+v", c.model, got, c.want)
		}
	}
}
