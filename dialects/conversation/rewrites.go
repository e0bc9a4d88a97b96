package conversation

import (
	"encoding/json"
	"strings"
)

// FreeTextSchema is the schema of the function that stands for a free-text tool, and FreeTextMember its one parameter.
const (
	FreeTextSchema = `{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}`
	FreeTextMember = "input"
)

// Rewrites is what an encoder had to change in a request and what therefore has to be changed back in the answer: tool
// names that the provider's rules forbid, functions that stand for free-text tools, the function that stands for
// structured output, and tools in place of legacy functions. The zero value has none; all methods work on nil.
type Rewrites struct {
	names  map[string]string // as the provider knows a tool → as the client does
	free   map[string]bool   // the provider's names of functions that stand for free-text tools
	answer string            // the provider's name of the function whose arguments are the answer
	legacy bool              // calls are legacy ones for the client
}

// Rename notes that the provider was given another name for a tool.
func (w *Rewrites) Rename(client, provider string) {
	if w == nil || client == provider {
		return
	}
	if w.names == nil {
		w.names = map[string]string{}
	}
	w.names[provider] = client
}

// FreeText notes that a function, as the provider knows it, stands for a free-text tool.
func (w *Rewrites) FreeText(provider string) {
	if w == nil {
		return
	}
	if w.free == nil {
		w.free = map[string]bool{}
	}
	w.free[provider] = true
}

// Answer notes that the arguments of a function, as the provider knows it, are the text of the answer.
func (w *Rewrites) Answer(provider string) {
	if w != nil {
		w.answer = provider
	}
}

// LegacyCalls notes that the client knows calls in the form of chat completions before tools only.
func (w *Rewrites) LegacyCalls() {
	if w != nil {
		w.legacy = true
	}
}

// None reports whether there is nothing to change back.
func (w *Rewrites) None() bool {
	return w == nil || len(w.names) == 0 && len(w.free) == 0 && w.answer == "" && !w.legacy
}

// isAnswer reports whether a call is the answer in disguise.
func (w *Rewrites) isAnswer(c *ToolCall) bool { return w.answer != "" && c.Name == w.answer }

// call is a call as the client knows it.
func (w *Rewrites) call(c *ToolCall) *ToolCall {
	out := *c
	out.Legacy = w.legacy
	if name, ok := w.names[c.Name]; ok {
		out.Name = name
	}
	if w.free[c.Name] {
		out.Custom = true
		out.Arguments = freeText(c.Arguments)
	}
	return &out
}

// Response changes a whole answer back.
func (w *Rewrites) Response(r *Response) {
	if w.None() {
		return
	}
	for i := range r.Choices {
		c := &r.Choices[i]
		calls := false
		for k := range c.Blocks {
			b := &c.Blocks[k]
			switch {
			case b.Kind != Call:
			case w.isAnswer(b.Call):
				*b = Block{Kind: Text, Text: b.Call.Arguments}
			default:
				b.Call, calls = w.call(b.Call), true
			}
		}
		if c.Stop == StopToolCalls && !calls {
			c.Stop = StopEnd
		}
	}
}

// freeText takes the text out of the arguments of a function that stands for a free-text tool. A model that did not keep
// to the schema is taken at its word.
func freeText(arguments string) string {
	var args map[string]string
	if json.Unmarshal([]byte(arguments), &args) == nil {
		if text, ok := args[FreeTextMember]; ok && len(args) == 1 {
			return text
		}
	}
	return arguments
}

// FreeTextDescription describes a free-text tool as the function that stands for it: nothing but words can say there what
// its input has to look like.
func FreeTextDescription(t *Tool) string {
	if t.Grammar == nil {
		return t.Description
	}
	rule := "The input must match this " + t.Grammar.Syntax + " grammar:\n" + t.Grammar.Definition
	if t.Description == "" {
		return rule
	}
	return t.Description + "\n\n" + rule
}

// FreeTextArguments are the arguments of a function that stands for a free-text tool.
func FreeTextArguments(text string) string {
	doc, _ := json.Marshal(map[string]string{FreeTextMember: text}) // a map of strings can be marshalled
	return string(doc)
}

// Events returns what changes the events of one stream back; nil when there is nothing to change.
func (w *Rewrites) Events() *Restorer {
	if w.None() {
		return nil
	}
	return &Restorer{w: w, blocks: map[[2]int]*restored{}}
}

// Restorer changes the events of one stream back.
type Restorer struct {
	w      *Rewrites
	blocks map[[2]int]*restored // the open blocks of interest, by choice and index
	calls  map[int]bool         // the choices that have a call that is one for the client, too
	in     []Event              // a copy of what came: what was returned may be where the caller reads the next events into
	out    []Event
}

// restored is a block that is something else for the client than for the provider.
type restored struct {
	answer bool
	text   strings.Builder // the arguments of a free-text tool, which are of use only once they are whole
}

// Restore returns the events as the client is to see them. The result is valid until the next call.
func (s *Restorer) Restore(events []Event) []Event {
	s.in = append(s.in[:0], events...)
	s.out = s.out[:0]
	for i := range s.in {
		s.event(&s.in[i])
	}
	return s.out
}

func (s *Restorer) event(ev *Event) {
	key := [2]int{ev.Choice, ev.Index}
	switch ev.Type {
	case EventBlockStart:
		if ev.Block != nil && ev.Block.Kind == Call {
			s.start(key, ev)
			return
		}
	case EventDelta:
		switch b := s.blocks[key]; {
		case b == nil || ev.Delta != DeltaArguments:
		case b.answer:
			text := *ev
			text.Delta = DeltaText
			s.out = append(s.out, text)
			return
		default:
			b.text.WriteString(ev.Text)
			return
		}
	case EventBlockStop:
		if b := s.blocks[key]; b != nil {
			delete(s.blocks, key)
			if !b.answer {
				s.out = append(s.out, Event{Type: EventDelta, Choice: ev.Choice, Index: ev.Index, Delta: DeltaArguments, Text: freeText(b.text.String())})
			}
		}
	case EventStop:
		if ev.Stop == StopToolCalls && !s.calls[ev.Choice] {
			end := *ev
			end.Stop = StopEnd
			s.out = append(s.out, end)
			return
		}
	}
	s.out = append(s.out, *ev)
}

// start opens the block of a call.
func (s *Restorer) start(key [2]int, ev *Event) {
	c := ev.Block.Call
	begin := *ev
	if s.w.isAnswer(c) {
		s.blocks[key] = &restored{answer: true}
		begin.Block = &Block{Kind: Text}
		s.out = append(s.out, begin)
		if c.Arguments != "" {
			s.out = append(s.out, Event{Type: EventDelta, Choice: ev.Choice, Index: ev.Index, Text: c.Arguments})
		}
		return
	}
	if s.calls == nil {
		s.calls = map[int]bool{}
	}
	s.calls[ev.Choice] = true
	block := *ev.Block
	arguments := c.Arguments
	block.Call = s.w.call(c)
	if s.w.free[c.Name] {
		b := &restored{}
		b.text.WriteString(arguments)
		s.blocks[key] = b
		block.Call.Arguments = ""
	}
	begin.Block = &block
	s.out = append(s.out, begin)
}
