package wiretest

import (
	"fmt"
	"slices"
)

func (r *Reply) chatWhole(doc node) {
	choice := doc.get("choices")
	if len(choice.list()) == 0 {
		r.breach("no choices")
		return
	}
	first := choice.list()[0]
	message := first.get("message")
	r.chatSaid(message)
	for _, c := range message.list("tool_calls") {
		p := chatCall(c)
		r.Calls = append(r.Calls, Call{p.ID, p.Name, argumentsOf(p)})
		if kind := c.str("type"); p.ID == "" || kind != "function" && kind != "custom" && r.Endpoint == Chat || !c.either("function", "custom").either("arguments", "input").isString() {
			r.breach("a call of the type %q with the id %q: %s", kind, p.ID, short(c.canonical()))
		}
	}
	if f := message.get("function_call"); f.str("name") != "" {
		r.Calls = append(r.Calls, Call{"", f.str("name"), f.str("arguments")})
	}
	r.chatSources(message.list("annotations"))
	r.stop(first.str("finish_reason"))
	r.chatUsage(doc)
	if r.Endpoint != Chat {
		return
	}
	if doc.str("object") != "chat.completion" || doc.str("id") == "" || doc.str("model") == "" || doc.count("created") == 0 {
		r.breach("object %q, id %q, model %q, created %d", doc.str("object"), doc.str("id"), doc.str("model"), doc.count("created"))
	}
	if first.number("index") != "0" || message.str("role") != roleAssistant {
		r.breach("choice %q of the role %q", first.number("index"), message.str("role"))
	}
	if !message.has("content") && r.Calls == nil {
		r.breach("no content")
	}
	r.chatEnd()
}

// argumentsOf is what a call says: text of a free-text tool becomes a JSON string.
func argumentsOf(p Part) string {
	if p.Custom {
		return string(quoted(p.Args))
	}
	return p.Args
}

// chatEnd checks that an answer says why it ended.
func (r *Reply) chatEnd() {
	switch {
	case r.RawStop == "" && r.Error == "":
		r.breach("no finish_reason")
	case len(r.Calls) > 0 && r.Stop == "stop":
		r.breach("finish_reason %s with calls", r.RawStop)
	}
}

// chatSaid reads what a message or delta says in words.
func (r *Reply) chatSaid(m node) {
	for _, p := range chatParts(m.get("content")) {
		switch p.Kind {
		case kindText:
			r.Text += p.Text
		case kindThinking:
			r.think("", p.Text)
		}
	}
	thoughts := m.get("reasoning_content")
	if thoughts.str() == "" {
		thoughts = m.get("reasoning")
	}
	r.think("", thoughts.str())
	r.Refusal += m.str("refusal")
	for _, image := range m.list("images") {
		r.medium(linked(image, "image_url"))
	}
}

// chatSources reads the annotations of an answer, which may precede the words that they are about.
func (r *Reply) chatSources(annotations []node) {
	for _, a := range annotations {
		c := a.get("url_citation")
		if !c.exists() || a.str("type") != "url_citation" {
			r.breach("an annotation of the type %q", a.str("type"))
			continue
		}
		r.source(c.str("url"), c.str("title"), r.characters(r.Text, c.get("start_index"), c.get("end_index")))
	}
}

func (r *Reply) chatUsage(doc node) {
	u := doc.get("usage")
	if !u.exists() {
		u = doc.get("x_groq", "usage")
	}
	if !u.exists() {
		return
	}
	n := Usage{
		Input:      u.count("prompt_tokens"),
		CacheRead:  u.count("prompt_tokens_details", "cached_tokens"),
		CacheWrite: u.count("prompt_tokens_details", "cache_write_tokens"),
		Output:     u.count("completion_tokens"),
		Reasoning:  u.count("completion_tokens_details", "reasoning_tokens"),
	}
	for _, vendors := range []string{"prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens"} {
		n.CacheRead = max(n.CacheRead, u.count(vendors))
	}
	total := u.count("total_tokens")
	if n.Reasoning > 0 && total == n.Input+n.Output+n.Reasoning { // xAI counts thoughts beside the output
		n.Output += n.Reasoning
	}
	if r.Endpoint == Chat && total != n.Input+n.Output {
		r.breach("the total of %v is %d", n, total)
	}
	if n.Reasoning > n.Output || n.CacheRead > n.Input {
		r.breach("the parts of %v are more than the whole", n)
	}
	r.Usage = &n
}

// chatStream is the state of a stream.
type chatStream struct {
	r        *Reply
	head     string        // what all chunks have in common
	counted  bool          // the usage came
	cited    []node        // the annotations
	calls    map[int64]int // by the index on the wire
	custom   map[int]bool  // which take free text
	done     bool
	stopped  bool
	anything bool
}

func (r *Reply) chatFrames(frames []frame) {
	s := chatStream{r: r, calls: map[int64]int{}, custom: map[int]bool{}}
	r.each(frames, func(f frame, n node) {
		switch {
		case s.done:
			r.breach("an event after [DONE]")
		case !n.exists():
			s.done = true
		default:
			s.chunk(f, n)
		}
	})
	if !s.done && r.Error == "" {
		r.breach("no [DONE]")
	}
	r.chatSources(s.cited)
	for i := range s.custom {
		r.Calls[i].Args = string(quoted(r.Calls[i].Args))
	}
	r.chatEnd()
}

func (s *chatStream) chunk(f frame, n node) {
	r := s.r
	if e := n.get("error"); e.exists() {
		r.Error = errorText(n)
	} else if r.Endpoint == Chat {
		s.envelope(f, n)
	}
	r.chatUsage(n)
	for _, c := range n.list("choices") {
		if c.count("index") == 0 {
			s.choice(c)
		}
	}
}

func (s *chatStream) envelope(f frame, n node) {
	r := s.r
	if f.name != "" {
		r.breach("an event called %q", f.name)
	}
	if n.str("object") != "chat.completion.chunk" || n.str("id") == "" || n.str("model") == "" || n.count("created") == 0 || !n.get("choices").isList() {
		r.breach("a chunk of the object %q, id %q, model %q, created %d", n.str("object"), n.str("id"), n.str("model"), n.count("created"))
	}
	head := fmt.Sprintf("id %q, model %q, created %d", n.str("id"), n.str("model"), n.count("created"))
	if s.head != "" && s.head != head {
		r.breach("%s becomes %s", s.head, head)
	}
	s.head = head
	for _, c := range n.list("choices") {
		if !c.get("index").exists() || !c.get("delta").isObject() || !c.has("finish_reason") {
			r.breach("a choice without index, delta or finish_reason")
		}
	}
	if n.get("usage").exists() {
		if s.counted || len(n.list("choices")) > 0 {
			r.breach("usage comes twice, or with a choice")
		}
		s.counted = true
	}
}

func (s *chatStream) choice(c node) {
	r, delta := s.r, c.get("delta")
	said := delta.get("content").str() != "" || len(delta.list("tool_calls")) > 0
	if s.stopped && said {
		r.breach("content after finish_reason")
	}
	if !s.anything && delta.str("role") != roleAssistant {
		r.breach("the first delta has the role %q", delta.str("role"))
	}
	s.anything = true
	r.chatSaid(delta)
	s.cited = append(s.cited, delta.list("annotations")...)
	for i, t := range delta.list("tool_calls") {
		s.call(i, t)
	}
	if f := delta.get("function_call"); f.str("name")+f.str("arguments") != "" {
		if len(r.Calls) == 0 {
			r.Calls = append(r.Calls, Call{})
		}
		r.Calls[0].Name += f.str("name")
		r.Calls[0].Args += f.str("arguments")
	}
	if word := c.str("finish_reason"); word != "" {
		if s.stopped {
			r.breach("a second finish_reason")
		}
		s.stopped = true
		r.stop(word)
	}
}

// call reads a fragment of a call. The first one names it; servers that leave the index out, or begin every call with
// index 0, tell calls apart by their ids.
func (s *chatStream) call(i int, t node) {
	r := s.r
	index := int64(i)
	if t.get("index").exists() {
		index = t.count("index")
	} else if r.Endpoint == Chat {
		r.breach("a fragment of a call without an index")
	}
	p := t.either("function", "custom")
	at, ok := s.calls[index]
	if ok && t.str("id") != "" && r.Calls[at].ID != "" && t.str("id") != r.Calls[at].ID {
		ok = false
		r.breach("a second call with the index %d", index)
	}
	if !ok {
		if index != int64(len(r.Calls)) {
			r.breach("call %d has the index %d", len(r.Calls), index)
		}
		at = len(r.Calls)
		s.calls[index] = at
		r.Calls = append(r.Calls, Call{ID: t.str("id")})
		if t.get("custom").exists() {
			s.custom[at] = true
		}
		if kind := t.str("type"); r.Endpoint == Chat && (t.str("id") == "" || p.str("name") == "" || !p.either("arguments", "input").isString() || !slices.Contains([]string{"function", "custom"}, kind)) {
			r.breach("a call begins with type %q, id %q and name %q", kind, t.str("id"), p.str("name"))
		}
	}
	if r.Calls[at].Name == "" {
		r.Calls[at].Name = p.str("name")
	}
	args := p.either("arguments", "input")
	if args.isObject() {
		r.Calls[at].Args = args.canonical()
	}
	r.Calls[at].Args += args.str()
}
