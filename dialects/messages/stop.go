package messages

import (
	"github.com/caddy-llm/llmgateway/dialects/conversation"
)

// parseStop reads a stop_reason. A reason from the future counts as an ordinary end, since the turn did end.
func parseStop(s string) conversation.StopReason {
	switch s {
	case "":
		return conversation.StopUnknown
	case "stop_sequence":
		return conversation.StopSequence
	case "max_tokens", "model_context_window_exceeded":
		return conversation.StopLength
	case "tool_use":
		return conversation.StopToolCalls
	case "refusal":
		return conversation.StopRefusal
	case "pause_turn", "compaction":
		return conversation.StopPause
	}
	return conversation.StopEnd
}

// stopName is the stop_reason for a neutral one. Where the provider named none it is derived from what it sent.
func stopName(r conversation.StopReason, calls bool) string {
	switch r {
	case conversation.StopSequence:
		return "stop_sequence"
	case conversation.StopLength:
		return "max_tokens"
	case conversation.StopToolCalls:
		return "tool_use"
	case conversation.StopRefusal, conversation.StopFiltered:
		return "refusal"
	case conversation.StopPause:
		return "pause_turn"
	case conversation.StopUnknown:
		if calls {
			return "tool_use"
		}
	}
	return "end_turn"
}
