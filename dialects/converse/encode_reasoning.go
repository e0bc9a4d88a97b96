package converse

import (
	"strings"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/claude"
)

// thinks reports whether Claude is asked to think.
func (e *requestEncoder) thinks() bool {
	return e.model.family == anthropic && (e.thinking == "enabled" || e.thinking == "adaptive")
}

// forcesCall reports whether the model is to call a tool.
func (e *requestEncoder) forcesCall() bool {
	mode := e.choice.Mode
	return len(e.tools) > 0 && (mode == conversation.ChoiceRequired || mode == conversation.ChoiceTool)
}

// planReasoning decides on thinking and on maxTokens, which bound each other.
func (e *requestEncoder) planReasoning() {
	if n := e.r.MaxTokens; n != nil {
		e.maxTokens = *n
		if limit := e.o.MaxOutput; limit > 0 && *n > limit {
			e.maxTokens = limit
			e.note("max_tokens")
		}
	}
	q := e.r.Reasoning
	if q == nil {
		return
	}
	off := q.Off || q.Effort == "none" || q.Budget != nil && *q.Budget <= 0
	if !off && q.Effort == "" && q.Budget == nil && !q.Adaptive {
		return // a wish about summaries alone asks for no thinking
	}
	switch e.model.family {
	case anthropic:
		e.planClaude(q, off)
		if e.thinks() && e.forcesCall() {
			// The model takes one or the other. A client that forces a call cannot do with less, but it can with less thought.
			e.note("reasoning")
			e.thinking, e.display = "", ""
		}
	case nova:
		e.planNova(q, off)
	case gptOSS, qwen, deepSeek:
		switch {
		case !off:
			e.effort = threeLevels(q)
		case e.model.family == gptOSS:
			e.effort = "low" // it always thinks
			e.note("reasoning")
		}
		if e.effort != "" && strings.Contains(e.model.id, "deepseek.r1") {
			e.effort = "" // it always thinks, and as much as it likes
			e.note("reasoning")
		}
	default:
		if !off {
			e.note("reasoning")
		}
	}
}

// planNova steers the thinking of Nova 2; there was none before.
func (e *requestEncoder) planNova(q *conversation.Reasoning, off bool) {
	switch {
	case !strings.Contains(e.model.id, "nova-2"):
		if !off {
			e.note("reasoning")
		}
	case off:
		e.thinking = "disabled"
	default:
		e.thinking, e.effort = "enabled", threeLevels(q)
	}
}

// threeLevels is the nearest of the efforts that most makers know.
func threeLevels(q *conversation.Reasoning) string {
	effort := q.Effort
	if q.Budget != nil {
		effort = claude.EffortOf(*q.Budget)
	}
	switch effort {
	case "minimal", "low":
		return "low"
	case "high", "xhigh", "max":
		return "high"
	}
	return "medium"
}

func (e *requestEncoder) planClaude(q *conversation.Reasoning, off bool) {
	native := e.r.Origin == anthropicOrigin
	old := e.model.version != 0 && e.model.version < claude.WithThinking
	switch {
	case off:
		if !old {
			e.thinking = "disabled"
		}
		if native {
			e.effort = q.Effort
		}
	case native && q.Budget == nil && !q.Adaptive:
		e.effort = q.Effort // in Anthropic's own dialect, effort alone does not turn thinking on
	case old:
		e.note("reasoning")
	case e.model.version >= claude.WithAdaptive && (q.Budget == nil || e.model.version >= claude.WithoutTunings):
		e.thinking = "adaptive"
		e.planDisplay(q)
		if e.effort = e.model.version.Level(q.Effort); q.Budget != nil {
			e.effort = claude.EffortOf(*q.Budget)
		}
	default:
		e.planBudget(q)
	}
}

// planBudget turns thinking on with a number of tokens. It stays off where the answer has no room beside the smallest
// budget, where the conversation is in the middle of a turn whose thinking did not survive another dialect, since the model
// demands that such a turn begins with it, and where the client wrote the beginning of the answer itself.
func (e *requestEncoder) planBudget(q *conversation.Reasoning) {
	budget := claude.BudgetOf(q.Effort)
	if q.Budget != nil {
		budget = *q.Budget
	}
	budget = max(budget, claude.MinBudget)
	room := e.maxTokens
	if room == 0 {
		if room = e.o.MaxOutput; room == 0 {
			budget = min(budget, claude.BudgetOf("xhigh"))
			room = budget + claude.AnswerRoom
		}
	}
	if room <= claude.MinBudget || e.loopWithoutThinking() || e.prefilled() {
		e.note("reasoning")
		return
	}
	e.maxTokens = room
	e.thinking, e.budget = "enabled", min(budget, room-1)
	e.planDisplay(q)
}

func (e *requestEncoder) planDisplay(q *conversation.Reasoning) {
	switch q.Summary {
	case "":
	case "none":
		e.display = "omitted"
	default:
		e.display = "summarized"
	}
}

// loopWithoutThinking reports whether the conversation ends in the middle of a turn that does not begin with thinking.
func (e *requestEncoder) loopWithoutThinking() bool {
	var loop claude.Loop
	for _, t := range e.turns {
		first := t.blocks[0].Kind
		if t.role == conversation.Assistant {
			loop.Answer(first == conversation.Thinking)
		} else {
			loop.Question(first == conversation.Result)
		}
	}
	return loop.Refused()
}

// prefilled reports whether the conversation ends with the beginning of an answer.
func (e *requestEncoder) prefilled() bool {
	n := len(e.turns)
	return n > 0 && e.turns[n-1].role == conversation.Assistant
}
