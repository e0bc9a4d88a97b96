package cohere

import "github.com/caddy-llm/llmgateway/dialects/conversation"

// stopReason reads a finish_reason. StopUnknown means that there was none.
func stopReason(s string) conversation.StopReason {
	switch s {
	case "":
		return conversation.StopUnknown
	case "STOP_SEQUENCE":
		return conversation.StopSequence
	case "MAX_TOKENS", "ERROR_LIMIT":
		return conversation.StopLength
	case "TOOL_CALL":
		return conversation.StopToolCalls
	case "ERROR_TOXIC":
		return conversation.StopFiltered
	case "ERROR", "TIMEOUT":
		return conversation.StopError
	}
	return conversation.StopEnd // COMPLETE, and what may be added
}

// settleStop is the stop reason of an answer that may have come without one.
func settleStop(s conversation.StopReason, calls bool) conversation.StopReason {
	switch {
	case s != conversation.StopUnknown:
		return s
	case calls:
		return conversation.StopToolCalls
	}
	return conversation.StopEnd
}
