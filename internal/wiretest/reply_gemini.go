package wiretest

import (
	"strconv"
	"strings"
)

func (r *Reply) geminiWhole(doc node) {
	s := geminiStream{r: r}
	s.answer(doc)
	s.end()
}

// geminiStream is the state of a stream. Each of its events is a whole response that adds to those before.
type geminiStream struct {
	r       *Reply
	id      string
	partial any // arguments that come in pieces
	open    bool
	blocked bool
}

func (r *Reply) geminiFrames(frames []frame) {
	s := geminiStream{r: r}
	r.each(frames, func(f frame, n node) {
		if f.name != "" || !n.exists() {
			r.breach("the event %q %s", f.name, short(f.data))
			return
		}
		s.answer(n)
	})
	s.end()
}

func (s *geminiStream) end() {
	if s.r.RawStop == "" && s.r.Error == "" && !s.blocked {
		s.r.breach("no finishReason")
	}
}

func (s *geminiStream) answer(doc node) {
	r := s.r
	if doc.get("error").exists() {
		r.Error = errorText(doc)
		return
	}
	if id := doc.str("responseId"); id != "" {
		if s.id != "" && s.id != id {
			r.breach("responseId changes from %q to %q", s.id, id)
		}
		s.id = id
	}
	if doc.str("modelVersion") == "" || doc.str("responseId") == "" {
		r.breach("no modelVersion or responseId")
	}
	for i, c := range doc.list("candidates") {
		if i > 0 || c.count("index") > 0 {
			continue
		}
		content := c.get("content")
		if role := content.str("role"); content.exists() && len(content.list("parts")) > 0 && role != "model" {
			r.breach("content of the role %q", role)
		}
		for _, p := range content.list("parts") {
			s.part(p)
		}
		r.geminiSources(c.get("groundingMetadata"))
		r.stop(geminiReason(c.get("finishReason")))
	}
	if word := doc.str("promptFeedback", "blockReason"); word != "" {
		s.blocked, r.Stop, r.RawStop = true, "filter", word
	}
	r.geminiUsage(doc.get("usageMetadata"))
}

// geminiSources reads the sources that some part of the answer rests on, or all of them where nothing says which do.
func (r *Reply) geminiSources(grounding node) {
	chunks, supports := grounding.list("groundingChunks"), grounding.list("groundingSupports")
	for _, support := range supports {
		for _, i := range support.list("groundingChunkIndices") {
			if n := i.count(); n >= 0 && n < int64(len(chunks)) {
				r.source(chunks[n].str("web", "uri"), chunks[n].str("web", "title"), support.str("segment", "text"))
			}
		}
		r.segment(support.get("segment"))
	}
	for _, chunk := range chunks {
		if len(supports) == 0 {
			r.source(chunk.str("web", "uri"), chunk.str("web", "title"), "")
		}
	}
}

// segment checks that a passage stands where it is said to: offsets count bytes. Parts after the first are not looked at.
func (r *Reply) segment(s node) {
	from, to := s.count("startIndex"), s.count("endIndex")
	if s.count("partIndex") == 0 && (from > to || to > int64(len(r.Text)) || r.Text[from:to] != s.str("text")) {
		r.breach("bytes %d to %d of %d are not %s", from, to, len(r.Text), short(s.str("text")))
	}
}

// geminiReason is a finishReason by its name; JSON of protocol buffers may have its number.
func geminiReason(n node) string {
	if n.number() == "" {
		return n.str()
	}
	names := []string{"", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL"}
	if i := n.count(); i >= 0 && i < int64(len(names)) {
		return names[i]
	}
	return "OTHER"
}

func (s *geminiStream) part(p node) {
	r := s.r
	call := p.get("functionCall")
	switch {
	case p.yes("thought"):
		r.think("", p.str("text"))
	case p.get("text").isString():
		r.Text += p.str("text")
	case call.isObject():
		s.call(call)
	case p.get("inlineData").exists():
		r.medium(Media{Data: p.str("inlineData", "data")})
	}
}

// call reads a call, which on Vertex may come as a name and then pieces of its arguments, each with a path.
func (s *geminiStream) call(c node) {
	r := s.r
	if name := c.str("name"); name != "" {
		r.Calls = append(r.Calls, Call{c.str("id"), name, c.get("args").canonical()})
		s.open, s.partial = c.yes("willContinue"), map[string]any{}
		return
	}
	if !s.open {
		r.breach("a call without a name")
		return
	}
	for _, piece := range c.list("partialArgs") {
		path := strings.FieldsFunc(strings.TrimPrefix(piece.str("jsonPath"), "$"), func(c rune) bool { return strings.ContainsRune(".[]'\"", c) })
		s.partial = place(s.partial, path, piece.either("stringValue", "numberValue", "boolValue").value)
	}
	r.Calls[len(r.Calls)-1].Args = node{s.partial}.canonical()
}

// place puts a value at a path, and makes what is missing on the way. A string goes on from the string that is there.
func place(root any, path []string, value any) any {
	if len(path) == 0 {
		before, ok1 := root.(string)
		more, ok2 := value.(string)
		if ok1 && ok2 {
			return before + more
		}
		return value
	}
	if i, err := strconv.Atoi(path[0]); err == nil {
		list, _ := root.([]any)
		for len(list) <= i {
			list = append(list, nil)
		}
		list[i] = place(list[i], path[1:], value)
		return list
	}
	m, _ := root.(map[string]any)
	if m == nil {
		m = map[string]any{}
	}
	m[path[0]] = place(m[path[0]], path[1:], value)
	return m
}

// geminiUsage replaces what was counted before: counts of a stream add up.
func (r *Reply) geminiUsage(u node) {
	if !u.get("promptTokenCount").exists() {
		return
	}
	n := Usage{
		Input:     u.count("promptTokenCount") + u.count("toolUsePromptTokenCount"),
		CacheRead: u.count("cachedContentTokenCount"),
		Output:    u.count("candidatesTokenCount") + u.count("thoughtsTokenCount"),
		Reasoning: u.count("thoughtsTokenCount"),
	}
	if total := u.count("totalTokenCount"); total != n.Input+n.Output {
		r.breach("the total of %v is %d", n, total)
	}
	r.Usage = &n
}
