package chatcompletions

import (
	"slices"
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
	style := e.rules.effort
	if style == effortOrSwitch && (r.Off || r.Adaptive && r.Effort == "") {
		style = effortSwitch
	}
	switch style {
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
	if r.Summary == "none" {
		e.dst = append(e.dst, `,"exclude":true`...)
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

// isPlainThought reports whether a thought is a text of this dialect that nobody signed.
func isPlainThought(b *conversation.Block) bool {
	return b.Kind == conversation.Thinking && !b.Redacted && b.Origin == origin && b.Text != ""
}

// thoughts replays reasoning to the vendors that want it back: OpenRouter's entries as it wrote them, and otherwise the
// text alone. What another vendor signed is of no use here.
func (e *requestEncoder) thoughts(blocks []conversation.Block) {
	if e.rules.details && slices.ContainsFunc(blocks, func(b conversation.Block) bool { return isDetail(&b) }) {
		e.replayDetails(blocks)
		return
	}
	var all strings.Builder
	for i := range blocks {
		b := &blocks[i]
		if b.Kind != conversation.Thinking || e.rules.thinkingParts && isPlainThought(b) {
			continue
		}
		ours := b.Origin == origin || e.rules.needsThinking && b.Signature == ""
		if e.rules.thinking == "" || !ours || b.Redacted {
			e.note("thinking")
			continue
		}
		all.WriteString(b.Text)
	}
	e.dst = jsonedit.AppendTextMember(e.dst, e.rules.thinking, all.String())
}

func isDetail(b *conversation.Block) bool { return b.Kind == conversation.Thinking && isPacked(b) }

func (e *requestEncoder) replayDetails(blocks []conversation.Block) {
	e.dst = append(jsonedit.AppendKey(e.dst, "reasoning_details"), '[')
	for i := range blocks {
		switch b := &blocks[i]; {
		case b.Kind != conversation.Thinking:
		case isDetail(b):
			e.dst = appendDetail(jsonedit.AppendComma(e.dst), b, i)
		case isPlainThought(b):
			e.dst = append(jsonedit.AppendComma(e.dst), `{"type":"`+textDetail+`"`...)
			e.dst = append(jsonedit.AppendStringMember(e.dst, "text", b.Text), '}')
		default:
			e.note("thinking")
		}
	}
	e.dst = append(e.dst, ']')
}

// thinkingPart writes a thought the way Mistral has them: as a chunk of the content.
func (e *requestEncoder) thinkingPart(s string) {
	e.dst = append(jsonedit.AppendComma(e.dst), `{"type":"thinking","thinking":[`...)
	e.textPart(s)
	e.dst = append(e.dst, ']', '}')
}
