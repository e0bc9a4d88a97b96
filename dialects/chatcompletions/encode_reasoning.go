package chatcompletions

import (
	"strings"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// Budgets in tokens up to which an effort is meant. There is no official table; these are the usual sizes.
const (
	lowBudget    = 2048
	mediumBudget = 8192
)

// reasoning writes how much the model is to think, in the vendor's way.
func (e *requestEncoder) reasoning() {
	r := e.r.Reasoning
	if r == nil {
		return
	}
	if r.Summary == "concise" || r.Summary == "detailed" {
		e.note("reasoning.summary")
	}
	switch e.rules.effort {
	case effortObject:
		e.reasoningObject(r)
	case effortSwitch:
		e.dst = append(jsonedit.AppendKey(e.dst, "thinking"), `{"type":"`...)
		if r.Off {
			e.dst = append(e.dst, `disabled"}`...)
		} else {
			e.dst = append(e.dst, `enabled"}`...)
		}
	case effortNested:
		if effort := e.effort(r); effort != "" {
			e.dst = append(jsonedit.AppendKey(e.dst, "reasoning"), '{')
			e.dst = append(jsonedit.AppendStringMember(e.dst, "effort", effort), '}')
		}
	default:
		e.dst = jsonedit.AppendTextMember(e.dst, "reasoning_effort", e.effort(r))
	}
}

func (e *requestEncoder) reasoningObject(r *conversation.Reasoning) {
	e.dst = append(jsonedit.AppendKey(e.dst, "reasoning"), '{')
	switch {
	case r.Off:
		e.dst = append(e.dst, `"enabled":false`...)
	case r.Budget != nil:
		e.dst = jsonedit.AppendIntMember(e.dst, "max_tokens", *r.Budget)
	case r.Effort != "":
		e.dst = jsonedit.AppendStringMember(e.dst, "effort", r.Effort)
	default:
		e.dst = append(e.dst, `"enabled":true`...)
	}
	e.dst = append(e.dst, '}')
}

// effort is the word for reasoning_effort; empty when none is to be written: adaptive thinking is what models do unasked,
// and OpenAI's models that do not think refuse the member.
func (e *requestEncoder) effort(r *conversation.Reasoning) string {
	if e.rules.openai && !e.rules.reasoningModel {
		e.noteIf("reasoning_effort", !r.Off && !r.Adaptive)
		return ""
	}
	var effort string
	switch {
	case r.Off:
		return e.offEffort()
	case r.Budget != nil:
		effort = budgetEffort(*r.Budget)
	default:
		effort = r.Effort
	}
	switch {
	case effort == "":
		return ""
	case e.rules.effort == effortHighest:
		return "high"
	case e.rules.effort == effortThree && effort == "minimal":
		return "low"
	case e.rules.effort == effortThree && (effort == "xhigh" || effort == "max"):
		return "high"
	}
	return effort
}

// offEffort is the effort that comes closest to no reasoning at all. OpenAI's models learned "none" with GPT-5.1; the
// first GPT-5 goes down to "minimal", and the o series to "low".
func (e *requestEncoder) offEffort() string {
	switch {
	case !e.rules.reasoningModel, strings.HasPrefix(e.model, "gpt-5."):
		return "none"
	case strings.HasPrefix(e.model, "gpt-5"):
		return "minimal"
	}
	return "low"
}

func budgetEffort(tokens int64) string {
	switch {
	case tokens <= lowBudget:
		return "low"
	case tokens <= mediumBudget:
		return "medium"
	}
	return "high"
}
