package converse

import (
	"strconv"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/claude"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// members opens an object with its first member and closes it after the last one, so that there is none without any.
type members struct {
	e    *requestEncoder
	name string
	open bool
}

func (m *members) key(name string) {
	if !m.open {
		m.e.key(m.name)
		m.e.raw("{")
		m.open = true
	}
	m.e.key(name)
}

func (m *members) end() {
	if m.open {
		m.e.raw("}")
	}
}

// writeInference writes inferenceConfig.
func (e *requestEncoder) writeInference() {
	m := members{e: e, name: "inferenceConfig"}
	// Nova refuses these while it thinks hard.
	free := e.model.family == nova && e.thinking == "enabled" && e.effort == "high"
	if e.maxTokens > 0 {
		if free {
			e.note("max_tokens")
		} else {
			m.key("maxTokens")
			e.dst = strconv.AppendInt(e.dst, e.maxTokens, 10)
		}
	}
	temperature, p := e.sampled("temperature", e.r.Temperature, 0, free), e.sampled("top_p", e.r.TopP, 0.95, free)
	if e.model.version.Has(claude.WithOneSampler) {
		var lost bool
		if temperature, p, lost = claude.OneSampler(temperature, p); lost {
			e.note("top_p")
		}
	}
	if temperature != "" {
		m.key("temperature")
		e.raw(string(temperature))
	}
	if p != "" {
		m.key("topP")
		e.raw(string(p))
	}
	n := 0
	for _, s := range e.r.Stop {
		if s == "" || e.model.family == anthropic && blank(s) { // refused by the API
			e.note("stop")
			continue
		}
		if n++; n == 1 {
			m.key("stopSequences")
			e.raw("[")
		}
		e.comma()
		e.dst = jsonedit.AppendString(e.dst, s)
	}
	if n > 0 {
		e.raw("]")
	}
	m.end()
}

// sampled is a number between 0 and 1 as the model takes it; empty when it takes none. While Claude thinks it takes what
// is at least floor, or 1 where that is 0.
func (e *requestEncoder) sampled(name string, n conversation.Number, floor float64, free bool) conversation.Number {
	if n == "" {
		return ""
	}
	f := n.Float()
	isClaude := e.model.family == anthropic
	switch {
	case free, isClaude && e.model.version >= claude.WithoutTunings, isClaude && e.thinks() && (floor == 0 && f < 1 || f < floor):
		if f != 1 {
			e.note(name)
		}
		return ""
	case f > 1:
		e.note(name)
		return "1"
	case f < 0:
		e.note(name)
		return "0"
	}
	return n
}

// writeFields writes the options that only the model's maker knows.
func (e *requestEncoder) writeFields() {
	m := members{e: e, name: "additionalModelRequestFields"}
	switch e.model.family {
	case anthropic:
		e.writeClaude(&m)
	case nova:
		if e.thinking != "" {
			m.key("reasoningConfig")
			e.raw("{")
			e.text("type", e.thinking)
			if e.thinking == "enabled" {
				e.text("maxReasoningEffort", e.effort)
			}
			e.raw("}")
		}
		if k := e.r.TopK; k != "" {
			m.key("inferenceConfig")
			e.raw("{")
			e.number("topK", k.Whole())
			e.raw("}")
		}
	case gptOSS, qwen, deepSeek:
		if e.effort != "" {
			if e.model.family == gptOSS {
				m.key("reasoning_effort")
			} else {
				m.key("reasoning_config")
			}
			e.dst = jsonedit.AppendString(e.dst, e.effort)
		}
	}
	m.end()
	if e.r.TopK != "" && e.model.family != anthropic && e.model.family != nova {
		e.note("top_k")
	}
	if e.model.family == anthropic && len(e.r.Stop) > 0 {
		e.raw(`,"additionalModelResponseFieldPaths":["/stop_sequence"]`) // which one it was is told on demand only
	}
}

// writeClaude writes the members that Anthropic's own API has and this dialect lacks.
func (e *requestEncoder) writeClaude(m *members) {
	if k := e.r.TopK; k != "" {
		if e.model.version >= claude.WithoutTunings || e.thinks() {
			e.note("top_k")
		} else {
			m.key("top_k")
			e.raw(string(k.Whole()))
		}
	}
	if e.serial {
		m.key("tool_choice")
		e.raw(`{"type":"auto","disable_parallel_tool_use":true}`)
	}
	if e.thinking != "" {
		m.key("thinking")
		e.raw("{")
		e.text("type", e.thinking)
		if e.thinking == "enabled" {
			e.dst = jsonedit.AppendIntMember(e.dst, "budget_tokens", e.budget)
		}
		e.dst = jsonedit.AppendTextMember(e.dst, "display", e.display)
		e.raw("}")
	}
	if e.effort != "" {
		m.key("output_config")
		e.raw("{")
		e.text("effort", e.effort)
		e.raw("}")
	}
}
