package wiretest

import (
	"fmt"
	"strconv"
	"strings"
)

// responsesStream is the state of a stream: what its items have said, to be held against what later events repeat.
type responsesStream struct {
	r        *Reply
	sequence int64
	head     string // what the response repeats about itself
	ended    bool
	items    []*streamedItem
}

// streamedItem is an item with its parts, of its content or of its summary.
type streamedItem struct {
	id, kind string
	added    node // as its first event announces it
	done     node // as its last event repeats it
	parts    map[string]*streamedPart
	args     strings.Builder
	argsDone bool
}

type streamedPart struct {
	text         strings.Builder
	said, closed bool
	kind         string
	cited        []any
	done         node // as its last event repeats it
}

func (r *Reply) responsesFrames(frames []frame) {
	s := responsesStream{r: r}
	r.each(frames, func(f frame, n node) {
		if !n.exists() {
			r.breach("[DONE] in a stream of Responses")
			return
		}
		s.event(f, n)
	})
	if !s.ended && r.Error == "" {
		r.breach("the response is never finished")
	}
}

func (s *responsesStream) event(f frame, n node) {
	r, kind := s.r, n.str("type")
	if f.name != kind {
		r.breach("an event called %q of the type %q", f.name, kind)
	}
	if s.ended {
		r.breach("%s after the end", kind)
	}
	if got := n.get("sequence_number"); !got.exists() || n.count("sequence_number") != s.sequence {
		r.breach("%s has the number %q, not %d", kind, got.number(), s.sequence)
		s.sequence = n.count("sequence_number")
	}
	s.sequence++
	switch {
	case kind == "response.created":
		if s.head != "" {
			r.breach("it begins twice")
		}
		s.underway(n.get("response"))
	case kind == "error":
		if r.Error = n.str("message"); r.Error == "" {
			r.Error = errorText(n)
		}
	case s.head == "":
		r.breach("%s before response.created", kind)
		s.head = "?"
	case kind == "response.output_item.added":
		s.added(n)
	case kind == "response.completed" || kind == "response.incomplete" || kind == "response.failed":
		s.finished(kind, n.get("response"))
	case kind == "response.in_progress" || kind == "response.queued":
		s.underway(n.get("response"))
	default:
		s.within(kind, n)
	}
}

// underway reads the response as it is before it has said anything.
func (s *responsesStream) underway(response node) {
	s.r.responsesHead(response)
	s.same(response)
	if status := response.str("status"); status != "in_progress" && status != "queued" {
		s.r.breach("it begins and is %q", status)
	}
	if len(response.list("output")) > 0 {
		s.r.breach("it begins and has output")
	}
}

// same holds what a response says about itself against what it said before.
func (s *responsesStream) same(response node) {
	head := fmt.Sprintf("id %q, model %q, created at %d", response.str("id"), response.str("model"), response.count("created_at"))
	if s.head != "" && s.head != head {
		s.r.breach("%s becomes %s", s.head, head)
	}
	s.head = head
}

func (s *responsesStream) added(n node) {
	item := n.get("item")
	if n.number("output_index") != strconv.Itoa(len(s.items)) {
		s.r.breach("item %d is added as number %d", len(s.items), n.count("output_index"))
	}
	for _, it := range s.items {
		if it.id == item.str("id") {
			s.r.breach("two items have the id %q", it.id)
		}
	}
	if !isNew(item) {
		s.r.breach("item %q is added as %s", item.str("id"), short(item.canonical()))
	}
	s.items = append(s.items, &streamedItem{id: item.str("id"), kind: item.str("type"), added: item, parts: map[string]*streamedPart{}})
}

// isNew reports whether an item has said nothing yet, but has where to put it: clients add to what is there.
func isNew(item node) bool {
	switch item.str("type") {
	case "message":
		return item.str("status") == "in_progress" && item.get("content").canonical() == "[]"
	case "function_call", "custom_tool_call":
		return item.str("status") == "in_progress" && item.either("arguments", "input").canonical() == `""`
	case "reasoning":
		return item.get("summary").canonical() == "[]"
	}
	return true
}

// within reads an event about an item.
func (s *responsesStream) within(kind string, n node) {
	i := n.count("output_index")
	if i >= int64(len(s.items)) || !n.get("output_index").exists() {
		s.r.breach("%s of item %q of %d", kind, n.number("output_index"), len(s.items))
		return
	}
	it := s.items[i]
	if it.done.exists() {
		s.r.breach("%s of item %d, which is done", kind, i)
	}
	name := strings.TrimPrefix(kind, "response.")
	if name == "output_item.done" {
		s.itemDone(it, n.get("item"))
		return
	}
	if id := n.str("item_id"); id != it.id && !strings.HasPrefix(name, "shell_call") { // which have none
		s.r.breach("%s of %q, but item %d is %q", kind, id, i, it.id)
	}
	switch name {
	case "function_call_arguments.delta", "custom_tool_call_input.delta":
		it.args.WriteString(n.str("delta"))
	case "function_call_arguments.done", "custom_tool_call_input.done":
		it.argsDone = true
		if said := n.either("arguments", "input").str(); it.args.String() != said && it.args.Len() > 0 {
			s.r.breach("the arguments were %s, and then %s", short(it.args.String()), short(said))
		}
	case "content_part.added", "reasoning_summary_part.added":
		s.partAdded(it, n)
	case "output_text.delta", "refusal.delta", "reasoning_summary_text.delta", "reasoning_text.delta":
		if p := s.part(it, kind, n); p != nil {
			p.text.WriteString(n.str("delta"))
		}
	case "output_text.done", "refusal.done", "reasoning_summary_text.done", "reasoning_text.done":
		if p := s.part(it, kind, n); p != nil {
			p.said = true
			s.repeats(kind, p, n.either("text", "refusal").str())
		}
	case "output_text.annotation.added":
		if p := s.part(it, kind, n); p != nil {
			if n.number("annotation_index") != strconv.Itoa(len(p.cited)) {
				s.r.breach("annotation %d has the number %q", len(p.cited), n.number("annotation_index"))
			}
			p.cited = append(p.cited, n.get("annotation").value)
		}
	case "content_part.done", "reasoning_summary_part.done":
		if p := s.part(it, kind, n); p != nil {
			p.closed, p.done = true, n.get("part")
			if streamed, repeated := (node{p.cited}), p.done.get("annotations"); len(p.cited) != len(repeated.list()) || p.cited != nil && streamed.canonical() != repeated.canonical() {
				s.r.breach("the annotations were %s, and then %s", short(streamed.canonical()), short(repeated.canonical()))
			}
			s.repeats(kind, p, p.done.either("text", "refusal").str())
			if !p.said {
				s.r.breach("%s of a part that says nothing of its end", kind)
			}
		}
	}
}

// partKey names a part: by number in the content, or in the summary of reasoning.
func partKey(n node) string {
	if i := n.get("summary_index"); i.exists() {
		return "summary " + i.number()
	}
	return "content " + n.number("content_index")
}

func (s *responsesStream) partAdded(it *streamedItem, n node) {
	key := partKey(n)
	if it.parts[key] != nil {
		s.r.breach("part %s is added twice", key)
	}
	for before, p := range it.parts {
		if !p.closed {
			s.r.breach("part %s is added while %s is open", key, before)
		}
	}
	part := n.get("part")
	if text := part.either("text", "refusal"); !text.isString() || text.str() != "" {
		s.r.breach("part %s is added as %s", key, short(part.canonical()))
	}
	it.parts[key] = &streamedPart{kind: part.str("type")}
}

func (s *responsesStream) part(it *streamedItem, kind string, n node) *streamedPart {
	p := it.parts[partKey(n)]
	if p == nil && strings.Contains(kind, "reasoning_text") { // of open models, whose parts nobody announces
		p = &streamedPart{}
		it.parts[partKey(n)] = p
	}
	if p == nil || p.closed {
		s.r.breach("%s of part %s of %q, which is not open", kind, partKey(n), it.id)
	}
	return p
}

func (s *responsesStream) repeats(kind string, p *streamedPart, text string) {
	if said := p.text.String(); said != text {
		s.r.breach("%s: the text was %s, and then %s", kind, short(said), short(text))
	}
}

func (s *responsesStream) itemDone(it *streamedItem, item node) {
	it.done = item
	if item.str("id") != it.id || item.str("type") != it.kind {
		s.r.breach("%s %q is done as %s %q", it.kind, it.id, item.str("type"), item.str("id"))
	}
	for _, k := range []string{"call_id", "name", "role"} {
		if before := it.added.get(k).canonical(); before != item.get(k).canonical() {
			s.r.breach("%s of %q was %s, and then %s", k, it.id, before, item.get(k).canonical())
		}
	}
	if it.kind == "function_call" || it.kind == "custom_tool_call" {
		if said := item.either("arguments", "input").str(); !it.argsDone || said != it.args.String() {
			s.r.breach("the arguments were %s, and then %s", short(it.args.String()), short(said))
		}
	}
	var said, repeated strings.Builder
	for _, key := range []string{"summary", "content"} {
		for i, p := range item.list(key) {
			repeated.WriteString(p.either("text", "refusal").str())
			streamed := it.parts[key+" "+strconv.Itoa(i)]
			if streamed == nil {
				continue
			}
			said.WriteString(streamed.text.String())
			if streamed.done.exists() && (streamed.kind != p.str("type") || streamed.done.canonical() != p.canonical()) {
				s.r.breach("a part was %s %s, and then %s", streamed.kind, short(streamed.done.canonical()), short(p.canonical()))
			}
		}
	}
	if said.String() != repeated.String() {
		s.r.breach("item %q said %s, and then %s", it.id, short(said.String()), short(repeated.String()))
	}
}

// finished reads the items as they were done, and holds the final response against them.
func (s *responsesStream) finished(kind string, response node) {
	s.ended = true
	output := response.list("output")
	for i, it := range s.items {
		if it.done.exists() {
			s.r.responsesItem(i, it.done)
		} else if kind != "response.failed" {
			s.r.breach("item %q is never done", it.id)
		}
	}
	s.r.responsesEnd(response)
	s.same(response)
	if status := response.str("status"); "response."+status != kind {
		s.r.breach("%s has the status %q", kind, status)
	}
	if kind == "response.failed" {
		return
	}
	if len(output) != len(s.items) {
		s.r.breach("%d items were streamed, and %d are repeated", len(s.items), len(output))
		return
	}
	for i, item := range output {
		if it := s.items[i]; withoutSecret(it.done) != withoutSecret(item) {
			s.r.breach("item %q was %s, and then %s", it.id, short(it.done.canonical()), short(item.canonical()))
		}
	}
}

// withoutSecret is an item less what is encrypted anew whenever it is repeated.
func withoutSecret(item node) string {
	out := map[string]any{}
	for _, k := range item.keys() {
		if k != "encrypted_content" {
			out[k] = item.get(k).value
		}
	}
	return node{out}.canonical()
}
