package chatcompletions

import (
	"strings"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
)

// stopReason reads a finish_reason, in OpenAI's words or a vendor's. StopUnknown means that there was none.
func stopReason(s string) conversation.StopReason {
	switch s {
	case "", "null":
		return conversation.StopUnknown
	case "stop_sequence":
		return conversation.StopSequence
	case "length", "model_length", "max_tokens":
		return conversation.StopLength
	case "tool_calls", "function_call", "tool_use":
		return conversation.StopToolCalls
	case "content_filter", "sensitive": // the latter is Z.ai's
		return conversation.StopFiltered
	case "refusal":
		return conversation.StopRefusal
	case "error", "network_error", "insufficient_system_resource", "abort":
		return conversation.StopError
	}
	return conversation.StopEnd // stop, eos, and what vendors will think of next
}

// finishedBy reads a finish_reason; without one, OpenRouter's native_finish_reason tells it in the words of the provider
// behind it.
func finishedBy(finish, native string) conversation.StopReason {
	if s := stopReason(finish); s != conversation.StopUnknown {
		return s
	}
	return stopReason(strings.ToLower(native))
}

// matched takes vLLM's stop_reason into account, which is the stop sequence that was found.
func matched(s conversation.StopReason, sequence string) (conversation.StopReason, string) {
	if sequence == "" || s != conversation.StopEnd {
		return s, ""
	}
	return conversation.StopSequence, sequence
}

// settleStop corrects a stop reason by what the answer holds: some vendors say "stop" after tool calls, others nothing
// at all, and a refusal has no reason of its own.
func settleStop(s conversation.StopReason, calls, refusal bool) conversation.StopReason {
	if s != conversation.StopUnknown && s != conversation.StopEnd {
		return s
	}
	switch {
	case calls:
		return conversation.StopToolCalls
	case refusal:
		return conversation.StopRefusal
	}
	return conversation.StopEnd
}

// finishReason is the inverse of stopReason. A refusal that the model worded is told by the message's refusal member, not
// by its reason; see choiceReason for one without a word.
func finishReason(s conversation.StopReason) string {
	switch s {
	case conversation.StopLength:
		return "length"
	case conversation.StopToolCalls:
		return "tool_calls"
	case conversation.StopFiltered:
		return "content_filter"
	case conversation.StopError:
		return "error"
	}
	return "stop"
}

// choiceReason is finishReason for an answer of which it is known whether it has a refusal. An answer that a vendor's
// classifier cut off is what this dialect calls filtered.
func choiceReason(s conversation.StopReason, refusal bool) string {
	if s == conversation.StopRefusal && !refusal {
		return "content_filter"
	}
	return finishReason(s)
}
