package messages

import (
	"bytes"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/internal/claude"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// Splice replaces the model name: Anthropic reports usage unasked, so an ordinary request needs nothing else. What the
// API would refuse because another vendor had a part in the conversation is taken out: thinking blocks with another
// vendor's signature, citations without an index of Anthropic's, and the wish to think where the open tool loop does not begin with Anthropic's own thinking.
func (Codec) Splice(doc []byte, obj *jsonedit.Object, h dialects.Head, o dialects.SpliceOptions, edits []jsonedit.Edit) dialects.Splice {
	if m, ok := obj.Get("model"); ok && h.Model != o.Model {
		edits = append(edits, jsonedit.ReplaceValue(m, jsonedit.AppendString(nil, o.Model)))
	}
	s := dialects.Splice{Edits: edits}
	foreign, budgeted := labelled(doc), thinksByBudget(doc, obj)
	if !foreign && (!budgeted || !bytes.Contains(doc, resultType)) {
		return s
	}
	m, ok := present(doc, obj, "messages")
	if !ok {
		return s
	}
	f := foreigners{in: jsonedit.NewReader(doc), edits: s.Edits}
	f.in.Seek(jsonedit.Mark(m.Start + 1))
	for ok := f.in.Array(); ok; ok = f.in.Next() {
		f.message(doc)
	}
	if f.removed {
		s.Notes = append(s.Notes, "thinking")
	}
	if f.uncited {
		s.Notes = append(s.Notes, "citations")
	}
	if budgeted && f.loop.Refused() {
		if f.rethink(doc, obj, versionOf(o.Model)) {
			s.Notes = append(s.Notes, "reasoning")
		}
	}
	s.Edits = f.edits
	return s
}

var resultType = []byte(`"tool_result"`)

// thinksByBudget reports whether a request turns thinking on with a number of tokens. It is the one case in which the
// API demands that a turn that calls tools begins with thinking.
func thinksByBudget(doc []byte, obj *jsonedit.Object) bool {
	m, ok := obj.Get("thinking")
	if !ok {
		return false
	}
	in := jsonedit.NewReader(m.Raw(doc))
	return textIn(&in, "type") == "enabled"
}

// foreigners finds the blocks that other vendors signed, and what they cited.
type foreigners struct {
	in      jsonedit.Reader
	edits   []jsonedit.Edit
	removed bool // blocks
	uncited bool // texts

	loop claude.Loop
}

// message looks through one message. One of which no block is left goes as a whole.
func (f *foreigners) message(doc []byte) {
	start, role, content := f.in.Mark(), "", jsonedit.Mark(0)
	for ok := f.in.Object(); ok; ok = f.in.Next() {
		switch f.in.Key() {
		case "role":
			role, _ = f.in.Text()
		case "content":
			content = f.in.Mark()
		}
	}
	end := f.in.Mark()
	f.in.Seek(content)
	before, kept, thinking, result := len(f.edits), 0, false, false
	for ok := f.in.Array(); ok; ok = f.in.Next() {
		at := f.in.Mark()
		kind, foreign := f.block(doc)
		if foreign {
			f.removed = true
			f.edits = append(f.edits, removal(doc, at, f.in.Mark()))
			continue
		}
		if kept++; kept == 1 {
			thinking = kind == "thinking" || kind == "redacted_thinking"
		}
		result = result || kind == "tool_result"
	}
	f.in.Seek(end)
	if kept == 0 && len(f.edits) > before {
		f.edits = append(f.edits[:before], removal(doc, start, end))
		return
	}
	if role == "assistant" {
		f.loop.Answer(thinking)
	} else {
		f.loop.Question(result)
	}
}

// block looks through one block. Of a text the citations go, if need be, and the text stays.
func (f *foreigners) block(doc []byte) (kind string, foreign bool) {
	var proof string
	start, cited := f.in.Mark(), false
	for ok := f.in.Object(); ok; ok = f.in.Next() {
		switch f.in.Key() {
		case "type":
			kind, _ = f.in.Text()
		case "signature", "data":
			proof, _ = f.in.Text()
		case "citations":
			cited = f.cites()
		}
	}
	switch kind {
	case "thinking", "redacted_thinking":
		_, from := unlabel(proof)
		return kind, from != origin
	case "text":
		if cited {
			f.uncite(doc, start)
		}
	}
	return kind, false
}

// cites reports whether one of some citations is another vendor's.
func (f *foreigners) cites() (foreign bool) {
	for ok := f.in.Array(); ok; ok = f.in.Next() {
		_, from := unlabel(textIn(&f.in, "encrypted_index"))
		foreign = foreign || from != origin
	}
	return foreign
}

// uncite removes the citations of the block that begins at start and has just been read.
func (f *foreigners) uncite(doc []byte, start jsonedit.Mark) {
	var block jsonedit.Object
	if jsonedit.ScanObject(doc, int(start)-1, int(f.in.Mark())-1, &block) != nil {
		return // it was scanned with the document
	}
	for _, m := range block.Members {
		if m.Key == "citations" {
			f.edits = append(f.edits, jsonedit.RemoveMember(&block, doc, m))
			f.uncited = true
		}
	}
}

// rethink leaves it to the model whether to think, or turns thinking off for this turn where a model cannot decide that.
// With it goes the clean-up of thoughts, which the API takes from those who think only. It reports whether thinking is off.
func (f *foreigners) rethink(doc []byte, obj *jsonedit.Object, v claude.Version) (off bool) {
	m, _ := obj.Get("thinking")
	if !v.Has(claude.WithAdaptive) {
		f.edits = append(f.edits, jsonedit.ReplaceValue(m, []byte(`{"type":"disabled"}`)))
		f.keepThoughts(obj, doc)
		return true
	}
	var thinking jsonedit.Object
	if jsonedit.ScanObject(doc, m.Start, m.End, &thinking) != nil {
		return false // it was scanned with the document
	}
	for _, m := range thinking.Members {
		switch m.Key {
		case "type":
			f.edits = append(f.edits, jsonedit.ReplaceValue(m, []byte(`"adaptive"`)))
		case "budget_tokens":
			f.edits = append(f.edits, jsonedit.RemoveMember(&thinking, doc, m))
		}
	}
	return false
}

// keepThoughts removes the wish to clear old thoughts.
func (f *foreigners) keepThoughts(obj *jsonedit.Object, doc []byte) {
	m, ok := obj.Get("context_management")
	if !ok {
		return
	}
	f.in.Seek(jsonedit.Mark(m.Start + 1))
	f.in.Seek(f.in.Get("edits"))
	for ok := f.in.Array(); ok; ok = f.in.Next() {
		at := f.in.Mark()
		if kind := textIn(&f.in, "type"); strings.HasPrefix(kind, "clear_thinking_") {
			f.edits = append(f.edits, removal(doc, at, f.in.Mark()))
		}
	}
}

// removal removes an element of an array, which takes its comma with it just as a member does.
func removal(doc []byte, start, end jsonedit.Mark) jsonedit.Edit {
	return jsonedit.RemoveMember(nil, doc, jsonedit.Member{KeyStart: int(start) - 1, End: int(end) - 1})
}
