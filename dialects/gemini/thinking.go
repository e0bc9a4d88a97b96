package gemini

import (
	"strconv"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/providers"
)

// generation is which Gemini a model name stands for, as far as the dialect differs.
type generation struct {
	known        bool
	major, minor int
	pro          bool
	lite         bool
	media        bool // makes pictures or speech
}

// generationOf reads names such as gemini-2.5-flash-lite, models/gemini-3-pro-preview, google/gemini-3.1-pro and
// gemini-flash-latest. Tuned models and other names are unknown.
func generationOf(model string) (g generation) {
	model = strings.ToLower(model[strings.LastIndexByte(model, '/')+1:])
	rest, ok := strings.CutPrefix(model, "gemini-")
	if !ok {
		return g
	}
	g.pro, g.lite = strings.Contains(rest, "pro"), strings.Contains(rest, "lite")
	g.media = strings.Contains(rest, "-image") || strings.Contains(rest, "-tts")
	if strings.HasSuffix(rest, "-latest") && (rest[0] < '0' || rest[0] > '9') {
		g.known, g.major = true, 3
		return g
	}
	version, _, _ := strings.Cut(rest, "-")
	major, minor, _ := strings.Cut(version, ".")
	var err error
	if g.major, err = strconv.Atoi(major); err != nil {
		return generation{}
	}
	g.minor, _ = strconv.Atoi(minor)
	g.known = true
	return g
}

// thinksByLevel: Gemini 3 and later take a thinkingLevel.
func (g generation) thinksByLevel() bool { return g.known && g.major >= 3 }

// thinksByBudget: Gemini 2.5 takes a thinkingBudget in tokens. What came before does not think, nor do the 2.5 models
// for pictures and speech.
func (g generation) thinksByBudget() bool {
	return g.known && g.major == 2 && g.minor >= 5 && !g.media
}

// budgetRange is what a 2.5 model accepts besides 0, where that is allowed, and -1.
func (g generation) budgetRange() (lo, hi int64) {
	switch {
	case g.pro:
		return 128, 32768
	case g.lite:
		return 512, 24576
	}
	return 1, 24576
}

// thinking appends thinkingConfig.
//
//	asked for         2.5: thinkingBudget            3 and later: thinkingLevel
//	off, none         0 (Pro: 128, noted)            MINIMAL (Pro: LOW), noted: it cannot be turned off
//	minimal           1024                           MINIMAL (Pro: LOW)
//	low               1024                           LOW
//	medium            8192                           MEDIUM (3.0 Pro: HIGH, it has no MEDIUM)
//	high              24576                          HIGH
//	xhigh, max        the model's maximum            HIGH
//	a budget          the budget, within the range   ≤ 1024 as minimal, ≤ 4096 low, ≤ 16384 medium, else high
//	adaptive          the effort beside it, else -1  the effort beside it, else nothing: it is the default
//
// The rows from minimal to high are the ones that Google's own OpenAI-compatible endpoint uses. Thoughts are included
// when they are asked for.
func (e *encoder) thinking() {
	r := e.r.Reasoning
	if r == nil {
		return
	}
	if !e.model.thinksByLevel() && !e.model.thinksByBudget() {
		if !r.Off && r.Effort != "none" {
			e.note("reasoning")
		}
		return
	}
	before := len(e.dst)
	e.dst = append(jsonedit.AppendKey(e.dst, "thinkingConfig"), '{')
	empty := len(e.dst)
	if e.model.thinksByLevel() {
		if level := e.thinkingLevel(r); level != "" {
			e.dst = jsonedit.AppendStringMember(e.dst, "thinkingLevel", level)
		}
	} else if budget, ok := e.thinkingBudget(r); ok {
		e.dst = jsonedit.AppendIntMember(e.dst, "thinkingBudget", budget)
	}
	if e.showsThoughts(r) {
		e.dst = append(jsonedit.AppendKey(e.dst, "includeThoughts"), "true"...)
	}
	if len(e.dst) == empty {
		e.dst = e.dst[:before]
		return
	}
	e.dst = append(e.dst, '}')
}

// showsThoughts reports whether thoughts are to come with the answer. Clients of Anthropic Messages that turn thinking on
// expect them unless they say otherwise.
func (e *encoder) showsThoughts(r *conversation.Reasoning) bool {
	switch {
	case r.Off || r.Summary == "none":
		return false
	case r.Summary != "":
		return true
	}
	return e.r.Origin == string(providers.Messages) && (r.Adaptive || r.Budget != nil)
}

func (e *encoder) thinkingBudget(r *conversation.Reasoning) (int64, bool) {
	lo, hi := e.model.budgetRange()
	off := func() (int64, bool) {
		if e.model.pro {
			e.note("reasoning")
			return lo, true
		}
		return 0, true
	}
	switch {
	case r.Off:
		return off()
	case r.Adaptive && r.Effort == "":
		return -1, true
	case r.Budget != nil && *r.Budget == 0:
		return off()
	case r.Budget != nil:
		return min(max(*r.Budget, lo), hi), true
	}
	switch r.Effort {
	case "none":
		return off()
	case "minimal", "low":
		return 1024, true
	case "medium":
		return 8192, true
	case "high":
		return 24576, true
	case "xhigh", "max":
		return hi, true
	}
	return 0, false
}

func (e *encoder) thinkingLevel(r *conversation.Reasoning) string {
	effort := r.Effort
	switch {
	case r.Off:
		effort = "none"
	case r.Adaptive && r.Effort == "":
		return ""
	case r.Budget != nil:
		effort = effortOf(*r.Budget)
	}
	switch effort {
	case "none", "minimal":
		if effort == "none" {
			e.note("reasoning")
		}
		if e.model.pro {
			return "LOW"
		}
		return "MINIMAL"
	case "low":
		return "LOW"
	case "medium":
		if e.model.pro && e.model.major == 3 && e.model.minor == 0 {
			return "HIGH"
		}
		return "MEDIUM"
	case "high", "xhigh", "max":
		return "HIGH"
	}
	return ""
}

func effortOf(budget int64) string {
	switch {
	case budget == 0:
		return "none"
	case budget <= 1024:
		return "minimal"
	case budget <= 4096:
		return "low"
	case budget <= 16384:
		return "medium"
	}
	return "high"
}
