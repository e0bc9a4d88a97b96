package chatcompletions

import "strings"

// vendorRules is where a vendor's chat completions differ from what most vendors accept.
type vendorRules struct {
	vendor string
	// maxTokens is the name of the output limit.
	maxTokens string
	// openai: OpenAI's own API, or Azure's. It knows the developer role, refusals, free-text tools and allowed_tools;
	// and it refuses members that a model does not know.
	openai bool
	// reasoningModel: a model that refuses to be sampled (OpenAI's o series and GPT-5).
	reasoningModel bool
	// noStreamOptions: usage comes unasked, and asking for it is an error.
	noStreamOptions bool
	// seed is the name of the seed.
	seed string
	// required is the word for "call some tool".
	required string
	// shortIDs: tool call IDs are exactly nine letters and digits.
	shortIDs bool
	// answerTools: a user message must not follow a tool's directly.
	answerTools bool
	// thinking is the member that takes past reasoning back; empty where the vendor wants none.
	thinking string
	// needsThinking: within a tool loop past reasoning is demanded back, even when the client's dialect lost its origin.
	needsThinking bool
	// effort is how reasoning is controlled.
	effort effortStyle
	// topK, cacheMarks, user, tier, cacheKey and logprobs say which members are known.
	topK, cacheMarks, user, tier, cacheKey, logprobs bool
	// names: messages may carry the participant's name.
	names bool
	// oneAnswer: n must be 1.
	oneAnswer bool
	// maxStops is the most stop sequences; 0 means no limit.
	maxStops int
	// video: video_url parts exist.
	video bool
	// textParts: an assistant's or a tool's content may be an array of several texts.
	textParts bool
	// details: reasoning_details are taken back.
	details bool
	// thinkingParts: thoughts are parts of the content.
	thinkingParts bool
	// signatures: calls have Google's signatures.
	signatures bool
	// prefix: a last message of the assistant, which the model is to go on with, has to be marked.
	prefix bool
	// jsonOnly: response_format knows JSON mode but no schema.
	jsonOnly bool
	// refuses are members of OpenAI's that the vendor answers with an error.
	refuses []string
}

// Members that vendors who check what they are given refuse, although OpenAI's clients send them.
var (
	mistralRefuses = []string{
		"audio", "function_call", "functions", "logit_bias", "logprobs", "max_completion_tokens", "modalities", "moderation",
		"prediction", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning", "safety_identifier",
		"seed", "service_tier", "store", "top_k", "top_logprobs", "user", "verbosity", "web_search_options",
	}
	groqRefuses = []string{"logit_bias", "logprobs", "top_logprobs", "functions", "function_call"}
)

// effortStyle is how a vendor spells reasoning control.
type effortStyle uint8

const (
	effortMember   effortStyle = iota // reasoning_effort, as at OpenAI
	effortObject                      // reasoning: {effort, max_tokens, enabled}: OpenRouter
	effortNested                      // reasoning: {effort}: Snowflake
	effortHighest                     // reasoning_effort: high or none: Mistral
	effortThree                       // reasoning_effort: none, low, medium or high: Groq
	effortSwitch                      // thinking: {type}: Z.ai
	effortOrSwitch                    // reasoning_effort, but thinking: {type} where there is no degree: DeepSeek
)

// rulesFor returns the rules of a vendor. One that is not known by name gets what all compatible servers understand.
func rulesFor(vendor, model string) vendorRules {
	r := vendorRules{
		vendor: vendor, maxTokens: "max_tokens", seed: "seed", required: "required", thinking: "reasoning_content",
		user: true, logprobs: true, names: true, video: true,
	}
	switch vendor {
	case "openai", "azure":
		r.maxTokens, r.openai, r.thinking, r.video = "max_completion_tokens", true, "", false
		r.tier, r.cacheKey, r.maxStops = true, true, 4
		r.reasoningModel, r.textParts = isReasoningModel(model), true
	case "mistral":
		r.noStreamOptions, r.seed, r.required, r.shortIDs = true, "random_seed", "any", true
		r.thinking, r.user, r.logprobs, r.names, r.effort = "", false, false, false, effortHighest
		r.answerTools, r.thinkingParts, r.textParts, r.prefix, r.refuses = true, true, true, true, mistralRefuses
	case "deepseek":
		r.needsThinking, r.jsonOnly, r.effort = true, true, effortOrSwitch
	case "gemini", "vertex":
		r.signatures = true
	case "groq":
		r.thinking, r.effort, r.tier = "reasoning", effortThree, true
		r.logprobs, r.names, r.oneAnswer, r.maxStops, r.refuses = false, false, true, 4, groqRefuses
	case "openrouter":
		r.thinking, r.effort, r.topK, r.cacheMarks, r.tier, r.cacheKey = "reasoning", effortObject, true, true, true, true
		r.details, r.textParts = true, true
	case "cerebras", "ollama":
		r.thinking = "reasoning"
	case "vllm", "together", "fireworks":
		r.topK = true
	case "zai", "zhipuai":
		r.effort, r.jsonOnly = effortSwitch, true
	case "snowflake":
		r.effort = effortNested
	}
	return r
}

// isReasoningModel knows OpenAI's models that think, by name: only these take reasoning_effort, and none of them takes
// temperature and the like.
func isReasoningModel(model string) bool {
	if strings.HasPrefix(model, "gpt-5-chat") {
		return false
	}
	for _, prefix := range [...]string{"gpt-5", "o1", "o3", "o4"} {
		if strings.HasPrefix(model, prefix) {
			return true
		}
	}
	return false
}
