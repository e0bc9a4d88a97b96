package messages

import (
	"strings"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// stop is why an answer ended. It does not alias what it was read from.
type stop struct {
	known            bool
	reason           conversation.StopReason
	sequence, detail string
}

// read reads a member of a message, or of the delta of one, if it is one of those that say why it ended.
func (s *stop) read(key string, in *jsonedit.Reader) {
	switch key {
	case "stop_reason":
		var name string
		if name, s.known = in.Text(); s.known {
			s.reason = parseStop(name)
		}
	case "stop_sequence":
		s.sequence = clone(in)
	case "stop_details":
		s.detail = strings.Clone(textIn(in, "explanation"))
	}
}

// merge takes over what was read of a later event, if that says anything.
func (s *stop) merge(later stop) {
	if later.known {
		*s = later
	}
}

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

// stopName is the stop_reason for a neutral one. Where the provider named none it is derived from what it sent, and so it is
// where it disagrees with that: clients look for calls on tool_use only, and may not go on without answering them.
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
	}
	if calls {
		return "tool_use"
	}
	return "end_turn"
}
