package messages

import (
	"strconv"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/claude"
)

// thinks reports whether the request turns thinking on.
func (e *requestEncoder) thinks() bool { return e.thinking == "enabled" || e.thinking == "adaptive" }

// planReasoning decides on thinking and on max_tokens, which bound each other.
func (e *requestEncoder) planReasoning() {
	e.planLimit()
	if e.r.Reasoning != nil {
		e.planThinking(e.r.Reasoning)
	}
	if e.thinks() && e.forcesCall() {
		// The API takes one or the other. A client that forces a call cannot do with less, but it can with less thought.
		e.note("reasoning")
		e.thinking, e.display = "", ""
	}
}

func (e *requestEncoder) planLimit() {
	e.maxTokens = defaultOutput
	switch limit := e.o.MaxOutput; {
	case e.r.MaxTokens == nil && limit > 0:
		e.maxTokens = limit
	case e.r.MaxTokens == nil:
	case limit > 0 && *e.r.MaxTokens > limit:
		e.maxTokens = limit
		e.note("max_tokens")
	default:
		e.maxTokens = *e.r.MaxTokens
	}
}

func (e *requestEncoder) planThinking(q *conversation.Reasoning) {
	native := e.r.Origin == origin
	old := e.version != 0 && !e.version.Has(claude.WithThinking)
	off := q.Off || q.Effort == "none" || q.Budget != nil && *q.Budget <= 0
	switch {
	case off:
		switch {
		case alwaysThinks(e.o.Model):
			e.note("reasoning")
		case !old:
			e.thinking = "disabled"
		}
		if native {
			e.effort = q.Effort
		}
	case native && q.Budget == nil && !q.Adaptive:
		e.effort = q.Effort // in this dialect, effort alone does not turn thinking on
	case q.Effort == "" && q.Budget == nil && !q.Adaptive:
		// A wish about summaries alone asks for no thinking.
	case old:
		e.note("reasoning")
	case e.version.Has(claude.WithAdaptive) && (q.Budget == nil || e.version.Has(claude.WithoutTunings) || e.loopWithoutThinking()):
		e.planAdaptive(q)
	default:
		e.planBudget(q)
	}
}

func (e *requestEncoder) planAdaptive(q *conversation.Reasoning) {
	e.thinking = "adaptive"
	e.planDisplay(q)
	switch {
	case q.Budget != nil:
		e.effort = e.version.Level(claude.EffortOf(*q.Budget))
	case q.Effort != "":
		e.effort = e.version.Level(q.Effort)
	}
	if e.r.MaxTokens == nil && e.o.MaxOutput == 0 { // thoughts count as output
		e.maxTokens = min(claude.BudgetOf(e.effort), claude.BudgetOf("xhigh")) + claude.AnswerRoom
	}
}

// planBudget turns thinking on with a number of tokens. It stays off where the answer has no room beside the smallest
// budget, where the conversation is in the middle of a turn whose thinking did not survive another dialect, since the
// API demands that such a turn begins with it, and where the client wrote the beginning of the answer itself.
func (e *requestEncoder) planBudget(q *conversation.Reasoning) {
	if e.loopWithoutThinking() || e.prefilled() {
		e.note("reasoning")
		return
	}
	budget := claude.BudgetOf(q.Effort)
	if q.Budget != nil {
		budget = *q.Budget
	}
	budget = max(budget, claude.MinBudget)
	if e.r.MaxTokens == nil {
		if limit := e.o.MaxOutput; limit > 0 {
			e.maxTokens = limit
		} else {
			budget = min(budget, claude.BudgetOf("xhigh"))
			e.maxTokens = max(e.maxTokens, budget+claude.AnswerRoom)
		}
	}
	if e.maxTokens <= claude.MinBudget {
		e.note("reasoning")
		return
	}
	e.thinking, e.budget = "enabled", min(budget, e.maxTokens-1)
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

// prefilled reports whether the conversation ends with the beginning of an answer.
func (e *requestEncoder) prefilled() bool {
	n := len(e.turns)
	return n > 0 && e.turns[n-1].role == conversation.Assistant
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

func (e *requestEncoder) writeReasoning() {
	if e.thinking != "" {
		e.key("thinking")
		e.dst = append(append(append(e.dst, `{"type":"`...), e.thinking...), '"')
		if e.thinking == "enabled" {
			e.key("budget_tokens")
			e.dst = strconv.AppendInt(e.dst, e.budget, 10)
		}
		if e.display != "" {
			e.key("display")
			e.string(e.display)
		}
		e.dst = append(e.dst, '}')
	}
	e.writeOutputConfig()
}
