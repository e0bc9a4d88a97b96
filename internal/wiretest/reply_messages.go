package wiretest

import (
	"slices"
	"strconv"
	"strings"
)

func (r *Reply) messagesWhole(doc node) {
	r.messageHead(doc)
	for i, b := range doc.list("content") {
		r.messagesBlock(i, b)
	}
	r.stop(doc.str("stop_reason"))
	r.messagesStop(doc)
	if !doc.get("usage").exists() {
		r.breach("no usage")
	}
	r.messagesUsage(doc.get("usage"))
}

func (r *Reply) messageHead(m node) {
	if m.str("type") != "message" || m.str("role") != roleAssistant || !strings.HasPrefix(m.str("id"), "msg_") || m.str("model") == "" || !m.get("content").isList() {
		r.breach("type %q, role %q, id %q, model %q", m.str("type"), m.str("role"), m.str("id"), m.str("model"))
	}
}

func (r *Reply) messagesStop(n node) {
	if r.RawStop == "" {
		r.breach("no stop_reason")
	}
	if s := n.get("stop_sequence"); !n.has("stop_sequence") || r.RawStop == "stop_sequence" != s.exists() {
		r.breach("stop_reason %s with the stop_sequence %s", r.RawStop, s.canonical())
	}
	if (r.RawStop == "tool_use") != (len(r.Calls) > 0) && r.Stop == "stop" {
		r.breach("stop_reason %s with %d calls", r.RawStop, len(r.Calls))
	}
}

func (r *Reply) messagesBlock(i int, b node) {
	switch kind := b.str("type"); kind {
	case "text":
		if b.str("text") == "" {
			r.breach("block %d: an empty text", i)
		}
		r.Text += b.str("text")
		for _, c := range b.list("citations") {
			r.cite(c)
		}
	case "thinking":
		r.think("block "+strconv.Itoa(i), b.str("thinking"))
	case "tool_use":
		if !wordID.MatchString(b.str("id")) {
			r.breach("block %d: the call id %q", i, b.str("id"))
		}
		if !b.get("input").isObject() {
			r.breach("block %d: the input is no object", i)
		}
		r.Calls = append(r.Calls, Call{b.str("id"), b.str("name"), b.get("input").canonical()})
	case "":
		r.breach("block %d has no type", i)
	}
}

// cite reads a citation of a text block, which is about all of it.
func (r *Reply) cite(c node) {
	if c.str("url") != "" && c.str("type") != "web_search_result_location" {
		r.breach("a citation of the type %q", c.str("type"))
	}
	r.source(c.str("url"), c.str("title"), "")
}

func (r *Reply) messagesUsage(u node) {
	if !u.exists() {
		return
	}
	if r.Usage == nil {
		r.Usage = &Usage{}
	}
	if u.get("input_tokens").exists() {
		r.Usage.CacheRead, r.Usage.CacheWrite = u.count("cache_read_input_tokens"), u.count("cache_creation_input_tokens")
		r.Usage.Input = u.count("input_tokens") + r.Usage.CacheRead + r.Usage.CacheWrite
	}
	if u.get("output_tokens").exists() {
		r.Usage.Output = u.count("output_tokens")
	}
	if n := u.count("output_tokens_details", "thinking_tokens"); n > 0 {
		r.Usage.Reasoning = n
	}
}

// messagesStream is the state of a stream: which block is open, and what came before.
type messagesStream struct {
	r     *Reply
	state string // start, between (blocks), block, ending, end
	index int64
	block map[string]any
	input strings.Builder
}

func (r *Reply) messagesFrames(frames []frame) {
	s := messagesStream{r: r, state: "start"}
	r.each(frames, func(f frame, n node) {
		kind := n.str("type")
		if f.name != kind {
			r.breach("an event called %q of the type %q", f.name, kind)
		}
		s.event(kind, n)
	})
	if s.state != "end" && r.Error == "" {
		r.breach("the stream ends in the state %s", s.state)
	}
}

// want checks the state that an event may come in, and moves on to the next.
func (s *messagesStream) want(kind, state, next string) {
	if s.state != state {
		s.r.breach("%s in the state %s", kind, s.state)
	}
	s.state = next
}

func (s *messagesStream) event(kind string, n node) {
	r := s.r
	switch kind {
	case "ping":
	case "error":
		r.Error, s.state = errorText(n), "end"
	case "message_start":
		s.want(kind, "start", "between")
		m := n.get("message")
		r.messageHead(m)
		r.messagesUsage(m.get("usage"))
		if !m.has("stop_reason") || !m.has("stop_sequence") || !m.get("usage", "output_tokens").exists() || !m.get("usage", "input_tokens").exists() {
			r.breach("a message_start without stop_reason, stop_sequence or usage")
		}
		for i, b := range m.list("content") { // turns of programmatic tool calls come whole
			r.messagesBlock(i, b)
		}
		if word := m.str("stop_reason"); word != "" {
			r.stop(word)
			s.state = "ending"
		}
	case "content_block_start":
		s.want(kind, "between", "block")
		if n.number("index") != strconv.FormatInt(s.index, 10) {
			r.breach("block %s begins where %d is due", n.number("index"), s.index)
		}
		s.begin(n.get("content_block"))
		s.block, _ = n.get("content_block").value.(map[string]any)
		if s.block == nil {
			s.block = map[string]any{}
		}
		s.input.Reset()
	case "content_block_delta":
		s.want(kind, "block", "block")
		s.delta(n)
	case "content_block_stop":
		s.want(kind, "block", "between")
		s.close(n)
	case "message_delta":
		s.want(kind, "between", "ending")
		r.stop(n.str("delta", "stop_reason"))
		r.messagesStop(n.get("delta"))
		if !n.get("usage").exists() {
			r.breach("a message_delta without usage")
		}
		r.messagesUsage(n.get("usage"))
	case "message_stop":
		s.want(kind, "ending", "end")
	default:
		r.breach("an event of the type %q", kind)
	}
}

// begin checks that a block begins with nothing said.
func (s *messagesStream) begin(b node) {
	empty := true
	switch b.str("type") {
	case "text":
		empty = b.get("text").canonical() == `""`
	case "thinking":
		empty = b.get("thinking").canonical() == `""` && b.get("signature").isString()
	case "tool_use":
		empty = b.get("input").isObject()
	}
	if !empty {
		s.r.breach("block %d begins as %s", s.index, short(b.canonical()))
	}
}

// deltaBlocks say in which blocks a delta may come.
var deltaBlocks = map[string][]string{
	"text_delta":       {"text"},
	"citations_delta":  {"text"},
	"thinking_delta":   {"thinking"},
	"signature_delta":  {"thinking"},
	"input_json_delta": {"tool_use", "server_tool_use", "mcp_tool_use"},
	"compaction_delta": {"compaction"},
}

func (s *messagesStream) delta(n node) {
	delta, block := n.get("delta"), node{s.block}
	kind := delta.str("type")
	if n.number("index") != strconv.FormatInt(s.index, 10) {
		s.r.breach("a delta of block %s in block %d", n.number("index"), s.index)
	}
	if !slices.Contains(deltaBlocks[kind], block.str("type")) {
		s.r.breach("%s in a block of the type %q", kind, block.str("type"))
		return
	}
	for _, k := range []string{"text", "thinking"} {
		if more := delta.str(k); more != "" {
			s.block[k] = block.str(k) + more
		}
	}
	s.input.WriteString(delta.str("partial_json"))
	if kind == "citations_delta" {
		s.r.cite(delta.get("citation"))
	}
}

func (s *messagesStream) close(n node) {
	if n.number("index") != strconv.FormatInt(s.index, 10) {
		s.r.breach("block %s ends in block %d", n.number("index"), s.index)
	}
	if text := s.input.String(); text != "" {
		input, err := parse([]byte(text))
		if err != nil {
			s.r.breach("block %d: the input is no JSON", s.index)
		}
		s.block["input"] = input.value
	}
	s.r.messagesBlock(int(s.index), node{s.block})
	s.index++
}
