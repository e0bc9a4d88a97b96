package responses

import "strings"

// vendorRules is where a vendor's Responses API differs from what most servers accept.
type vendorRules struct {
	// openai: OpenAI's own API, or Azure's. It knows the developer role, free-text tools and its own Files API; and it
	// refuses members that a model does not know.
	openai bool
	// reasoningModel: a model that refuses to be sampled (OpenAI's o series and GPT-5).
	reasoningModel bool
	// encrypted: reasoning can be had in a form that is sent back.
	encrypted bool
}

// rulesFor returns the rules of a vendor. One that is not known by name gets what all compatible servers understand.
func rulesFor(vendor, model string) (r vendorRules) {
	switch vendor {
	case "openai", "azure":
		r.openai, r.reasoningModel = true, isReasoningModel(model)
		r.encrypted = r.reasoningModel
	case "openrouter", "xai":
		r.encrypted = true
	}
	return r
}

// isReasoningModel knows OpenAI's models that think, by name: only these take an effort, and none of them takes a
// temperature and the like.
func isReasoningModel(model string) bool {
	if strings.HasPrefix(model, "gpt-5-chat") {
		return false
	}
	for _, prefix := range [...]string{"gpt-5", "o1", "o3", "o4", "codex"} {
		if strings.HasPrefix(model, prefix) {
			return true
		}
	}
	return false
}

// offEffort is the effort that comes closest to no reasoning at all. OpenAI's models learned "none" with GPT-5.1; the
// first GPT-5 goes down to "minimal", and the o series to "low".
func (r vendorRules) offEffort(model string) string {
	switch {
	case !r.reasoningModel, strings.HasPrefix(model, "gpt-5."):
		return "none"
	case strings.HasPrefix(model, "gpt-5"):
		return "minimal"
	}
	return "low"
}

// Budgets in tokens up to which an effort is meant. There is no official table; these are the usual sizes.
const (
	lowBudget    = 2048
	mediumBudget = 8192
)

func budgetEffort(tokens int64) string {
	switch {
	case tokens <= lowBudget:
		return "low"
	case tokens <= mediumBudget:
		return "medium"
	}
	return "high"
}
