package messages

import (
	"strings"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/claude"
)

// maxMarks is the number of cache marks that a request may have.
const maxMarks = 4

// planTools picks the tools that can be sent. Where the client allows only some of them for this turn, the others are
// left out: the dialect has no other way to say so.
func (e *requestEncoder) planTools() {
	allows := e.r.Choice.Allows()
	for i := range e.r.Tools {
		t := &e.r.Tools[i]
		switch {
		case !allows(t.Name):
		case t.Raw != nil && t.Origin != origin && !t.Custom:
			e.note("tools." + t.Name)
		default:
			e.tools = append(e.tools, t)
		}
	}
}

func (e *requestEncoder) writeTools() {
	if e.format == formatTool {
		e.key("tools")
		e.dst = append(e.dst, '[')
		e.tool(e.answerAsTool())
		e.dst = append(e.dst, `],"tool_choice":{"type":"tool","name":"`+answerTool+`","disable_parallel_tool_use":true}`...)
		return
	}
	if len(e.tools) == 0 {
		return
	}
	e.key("tools")
	e.dst = append(e.dst, '[')
	for i, t := range e.tools {
		e.comma(i)
		if t.Raw != nil && t.Origin == origin {
			e.raw(t.Raw, t.Cache)
			continue
		}
		e.tool(t)
	}
	e.dst = append(e.dst, ']')
	e.writeChoice()
}

// tool writes a function, or one that stands for a free-text tool.
func (e *requestEncoder) tool(t *conversation.Tool) {
	e.dst = append(e.dst, `{"name":`...)
	name := e.toolName(t.Name)
	description, schema := t.Description, []byte(t.Schema)
	if t.Custom {
		e.o.Rewrites.FreeText(name)
		description, schema = conversation.FreeTextDescription(t), []byte(conversation.FreeTextSchema)
	}
	if description != "" {
		e.key("description")
		e.string(description)
	}
	e.key("input_schema")
	strict := e.strict(t)
	if strict && e.r.Origin != origin {
		e.dst = claude.AppendClosed(e.dst, schema)
	} else {
		e.dst = claude.AppendToolSchema(e.dst, schema)
	}
	if strict {
		e.dst = append(e.dst, `,"strict":true`...)
	}
	e.mark(t.Cache)
	e.dst = append(e.dst, '}')
}

// strict reports whether the model is to be held to the schema of a tool.
func (e *requestEncoder) strict(t *conversation.Tool) bool {
	switch {
	case t.Strict == nil || !*t.Strict || t.Custom:
		return false
	case e.r.Origin == origin:
		return true
	case e.version.Has(claude.WithFormat) && claude.DescribesObject(t.Schema) && claude.Closable(t.Schema):
		return true
	}
	e.note("strict")
	return false
}

// toolName writes a name and returns it. The model answers with the name it was given, so that a rewritten one has to
// be changed back.
func (e *requestEncoder) toolName(name string) string {
	ours := toolName(name, e.version)
	if ours != name {
		if e.o.Rewrites == nil {
			e.note("tool_name")
		}
		e.o.Rewrites.Rename(name, ours)
	}
	e.string(ours)
	return ours
}

// forcesCall reports whether the model is to call a tool.
func (e *requestEncoder) forcesCall() bool {
	mode := e.r.Choice.Mode
	return len(e.tools) > 0 && (mode == conversation.ChoiceRequired || mode == conversation.ChoiceTool)
}

// writeChoice writes tool_choice.
func (e *requestEncoder) writeChoice() {
	c := e.r.Choice
	serial := e.r.ParallelTools != nil && !*e.r.ParallelTools
	kind := "auto"
	switch c.Mode {
	case conversation.ChoiceUnset:
		if !serial {
			return
		}
	case conversation.ChoiceNone:
		kind, serial = "none", false
	case conversation.ChoiceRequired:
		kind = "any"
	case conversation.ChoiceTool:
		kind = "tool"
	}
	e.key("tool_choice")
	e.dst = append(append(append(e.dst, `{"type":"`...), kind...), '"')
	if kind == "tool" {
		e.key("name")
		e.toolName(c.Name)
	}
	if serial {
		e.dst = append(e.dst, `,"disable_parallel_tool_use":true`...)
	}
	e.dst = append(e.dst, '}')
}

// writeSampling writes what steers the choice of tokens, as far as model and thinking allow.
func (e *requestEncoder) writeSampling() {
	fixed := e.version.Has(claude.WithoutTunings)
	temperature, p := e.temperature(fixed), e.r.TopP
	if p != "" && (fixed || e.thinks() && p.Float() < 0.95) {
		if p.Float() != 1 { // what it is unasked
			e.note("top_p")
		}
		p = ""
	}
	if e.r.Origin != origin && e.version.Has(claude.WithOneSampler) {
		var lost bool
		if temperature, p, lost = claude.OneSampler(temperature, p); lost {
			e.note("top_p")
		}
	}
	if temperature != "" {
		e.number("temperature", temperature)
	}
	if p != "" {
		e.number("top_p", p)
	}
	if k := e.r.TopK; k != "" {
		if fixed || e.thinks() {
			e.note("top_k")
		} else {
			e.number("top_k", k.Whole())
		}
	}
	e.writeStop()
}

// temperature is the temperature as the model takes it; empty when it takes none.
func (e *requestEncoder) temperature(fixed bool) conversation.Number {
	t := e.r.Temperature
	if t == "" {
		return ""
	}
	switch f := t.Float(); {
	case fixed || e.thinks() && min(max(f, 0), 1) != 1:
		if f != 1 {
			e.note("temperature")
		}
		return ""
	case f < 0:
		e.note("temperature")
		return "0"
	case f > 1:
		e.note("temperature")
		return "1"
	}
	return t
}

func (e *requestEncoder) writeStop() {
	n := 0
	for _, s := range e.r.Stop {
		if blank(s) { // refused by the API
			e.note("stop")
			continue
		}
		if n++; n == 1 {
			e.key("stop_sequences")
			e.dst = append(e.dst, '[')
		} else {
			e.dst = append(e.dst, ',')
		}
		e.string(s)
	}
	if n > 0 {
		e.dst = append(e.dst, ']')
	}
}

func (e *requestEncoder) number(name string, n conversation.Number) {
	e.key(name)
	e.dst = append(e.dst, n...)
}

// spareMarks finds out how many cache marks are too many. The last ones are kept, since they cover the longest prefix.
func (e *requestEncoder) spareMarks() {
	n := 0
	for _, t := range e.tools {
		if t.Cache != nil {
			n++
		}
	}
	for _, b := range e.system {
		n += marks(b)
	}
	for _, t := range e.turns {
		for _, b := range t.blocks {
			n += marks(b)
		}
	}
	for _, f := range e.r.Extra {
		if f.Name == "cache_control" && e.r.Origin == origin {
			n++ // the API sets this one itself
		}
	}
	if e.skipMarks = max(n-maxMarks, 0); e.skipMarks > 0 {
		e.note("cache_control")
	}
}

// marks counts the cache marks that block writes.
func marks(b *conversation.Block) (n int) {
	if b.Cache != nil && b.Kind != conversation.Thinking {
		n++
	}
	if b.Kind == conversation.Result && !(len(b.Result.Content) == 1 && plain(&b.Result.Content[0])) {
		for i := range b.Result.Content {
			if inner := &b.Result.Content[i]; inResult(inner) {
				n += marks(inner)
			}
		}
	}
	return n
}

// writeOutputConfig writes the members of output_config.
func (e *requestEncoder) writeOutputConfig() {
	n := 0
	member := func(name string) {
		if n++; n == 1 {
			e.key("output_config")
			e.dst = append(e.dst, '{')
		} else {
			e.dst = append(e.dst, ',')
		}
		e.string(name)
		e.dst = append(e.dst, ':')
	}
	if e.effort != "" {
		member("effort")
		e.string(e.effort)
	}
	if e.format == formatNative {
		member("format")
		e.dst = append(e.dst, `{"type":"json_schema","schema":`...)
		e.dst = claude.AppendClosed(e.dst, e.r.Format.Schema)
		e.dst = append(e.dst, '}')
	}
	for _, f := range e.r.Extra {
		if name, ok := strings.CutPrefix(f.Name, "output_config."); ok && e.r.Origin == origin {
			member(name)
			e.dst = append(e.dst, f.Value...)
		}
	}
	if n > 0 {
		e.dst = append(e.dst, '}')
	}
}
