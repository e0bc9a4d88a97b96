package responses

import (
	"strconv"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// itemKind is what an item of the output is.
type itemKind uint8

const (
	noItem itemKind = iota
	messageItem
	reasoningItem
	pendingReasoning // a reasoning item of which nothing was written yet
	callItem
	customItem // a call of a free-text tool
	searchItem // a search for tools that the client does
	imageItem
	opaqueItem
)

// itemState is the item that is being written.
type itemState struct {
	kind  itemKind
	parts int    // finished ones
	done  []byte // the finished parts
	call  conversation.ToolCall
	whole *conversation.Block // of an item that comes in one piece

	signature []byte
	origin    string
	redacted  bool
}

// partState is the part of an item that is being written: a text, a refusal, a summary, or the arguments of a call.
type partState struct {
	open, refusal bool
	text          []byte // escaped, without quotes
	citations     int
	annotations   []byte
	logprobs      []byte // the elements of the array
}

// next is the state of a new part, with the memory of this one.
func (p *partState) next(refusal bool) partState {
	return partState{open: true, refusal: refusal, text: p.text[:0], annotations: p.annotations[:0], logprobs: p.logprobs[:0]}
}

// itemOf tells which item a block belongs to; noItem for what has no place in an answer of this dialect.
func itemOf(b *conversation.Block) itemKind {
	switch b.Kind {
	case conversation.Text, conversation.Refusal:
		return messageItem
	case conversation.Thinking:
		return reasoningItem
	case conversation.Call:
		switch {
		case b.Call.Custom:
			return customItem
		case b.Call.Name == clientSearch:
			return searchItem
		}
		return callItem
	}
	switch {
	case len(b.Raw) > 0 && b.Origin == origin:
		return opaqueItem
	case b.Kind == conversation.Image && b.Media != nil && b.Media.Data != "":
		return imageItem
	}
	return noItem
}

// hasParts reports whether events about the item say which of its parts they are about.
func (s *itemState) hasParts() bool { return s.kind == messageItem || s.kind == reasoningItem }

func (s *itemState) indexKey() string {
	if s.kind == reasoningItem {
		return "summary_index"
	}
	return "content_index"
}

// itemID appends the id of the open item.
func (w *eventWriter) itemID(dst []byte) []byte {
	switch w.item.kind {
	case messageItem:
		dst = append(dst, "msg_"...)
	case reasoningItem:
		dst = append(dst, "rs_"...)
	case callItem:
		dst = append(dst, "fc_"...)
	case customItem:
		dst = append(dst, "ctc_"...)
	case searchItem:
		dst = append(dst, "tsc_"...)
	case imageItem:
		dst = append(dst, "ig_"...)
	}
	dst = append(append(dst, w.tail...), '_')
	return strconv.AppendInt(dst, int64(w.index), 10)
}

// itemAdded opens an item.
func (w *eventWriter) itemAdded(dst []byte, s itemState) []byte {
	s.done, s.signature = w.item.done[:0], append(w.item.signature[:0], s.signature...)
	w.item = s
	w.part = w.part.next(false)
	w.part.open = false
	if w.unary {
		return dst
	}
	dst = w.event(dst, "response.output_item.added")
	dst = strconv.AppendInt(append(dst, `,"output_index":`...), int64(w.index), 10)
	dst = append(dst, `,"item":`...)
	return w.close(w.itemObject(dst, "in_progress"))
}

// beginReasoning opens the reasoning item that was waiting for something to say.
func (w *eventWriter) beginReasoning(dst []byte) []byte {
	s := w.item
	s.kind = reasoningItem
	return w.itemAdded(dst, s)
}

// itemObject appends the open item as far as it has come.
func (w *eventWriter) itemObject(dst []byte, status string) []byte {
	s := &w.item
	if s.kind == opaqueItem {
		return appendOneLine(dst, s.whole.Raw)
	}
	dst = append(dst, `{"id":"`...)
	dst = append(w.itemID(dst), `","type":"`...)
	if s.kind == reasoningItem {
		dst = append(append(dst, `reasoning","summary":[`...), s.done...)
		if status == "completed" && len(s.signature) > 0 {
			dst = append(dst, `],"encrypted_content":`...)
			b := conversation.Block{Signature: jsonedit.View(s.signature), Origin: s.origin, Redacted: s.redacted}
			return append(jsonedit.AppendString(dst, label(&b)), '}')
		}
		return append(dst, ']', '}')
	}
	switch s.kind {
	case messageItem:
		dst = append(dst, `message","role":"assistant","content":[`...)
		dst = append(append(dst, s.done...), ']')
	case callItem:
		dst = append(dst, `function_call","arguments":"`...)
		dst = w.callTail(append(dst, w.part.text...))
	case customItem:
		dst = append(dst, `custom_tool_call","input":"`...)
		dst = w.callTail(append(dst, w.part.text...))
	case searchItem:
		dst = append(dst, `tool_search_call","execution":"client"`...)
		dst = w.callID(dst)
		dst = append(dst, `,"arguments":`...)
		if jsonedit.Validate(w.part.text, jsonedit.Limits{}) == nil {
			dst = appendOneLine(dst, w.part.text)
		} else {
			dst = append(dst, '{', '}')
		}
	case imageItem:
		dst = append(dst, `image_generation_call","result":`...)
		if status == "completed" {
			dst = jsonedit.AppendString(dst, s.whole.Media.Data)
		} else {
			dst = append(dst, "null"...)
		}
	}
	dst = append(append(dst, `,"status":"`...), status...)
	return append(dst, '"', '}')
}

// callID appends the id of the open call. One without, as Gemini's models make them, is given one that no other call of
// the conversation has.
func (w *eventWriter) callID(dst []byte) []byte {
	dst = append(dst, `,"call_id":`...)
	if c := &w.item.call; c.ID != "" {
		return jsonedit.AppendString(dst, c.ID)
	}
	dst = append(append(dst, `"call_`...), w.tail...)
	return append(strconv.AppendInt(append(dst, '_'), int64(w.index), 10), '"')
}

// callTail appends what calls of functions and of free-text tools have in common.
func (w *eventWriter) callTail(dst []byte) []byte {
	dst = w.callID(append(dst, '"'))
	name := w.item.call.Name
	if namespace, inner, ok := strings.Cut(name, namespaceMark); ok {
		dst = jsonedit.AppendString(append(dst, `,"namespace":`...), namespace)
		name = inner
	}
	return jsonedit.AppendString(append(dst, `,"name":`...), name)
}

// itemDone closes the open item, if there is one, with what is still to be said about it.
func (w *eventWriter) itemDone(dst []byte) []byte {
	switch w.item.kind {
	case noItem:
		return dst
	case pendingReasoning:
		if len(w.item.signature) == 0 {
			w.item.kind = noItem
			return dst
		}
		dst = w.beginReasoning(dst)
	case callItem:
		if len(w.part.text) == 0 {
			dst = w.say(dst, "{}", nil) // clients parse it
		}
		dst = w.textDone(dst, "response.function_call_arguments.done", "arguments")
	case customItem:
		dst = w.textDone(dst, "response.custom_tool_call_input.done", "input")
	case searchItem:
		w.part.open = false
	}
	dst = w.partDone(dst)
	item := w.keepItem("completed")
	if !w.unary {
		dst = w.event(dst, "response.output_item.done")
		dst = strconv.AppendInt(append(dst, `,"output_index":`...), int64(w.index), 10)
		dst = append(append(dst, `,"item":`...), item...)
		dst = w.close(dst)
	}
	w.item.kind = noItem
	w.index++
	return dst
}

// keepItem keeps the open item for the final event, and returns it.
func (w *eventWriter) keepItem(status string) []byte {
	if len(w.output) > 0 {
		w.output = append(w.output, ',')
	}
	start := len(w.output)
	w.output = w.itemObject(w.output, status)
	return w.output[start:]
}

// textDone repeats what the deltas of an item said.
func (w *eventWriter) textDone(dst []byte, name, key string) []byte {
	w.part.open = false
	if w.unary {
		return dst
	}
	dst = append(append(w.itemEvent(dst, name), `,"`...), key...)
	dst = append(append(dst, `":"`...), w.part.text...)
	return w.close(append(dst, '"'))
}

// partAdded opens a part of the open item.
func (w *eventWriter) partAdded(dst []byte, refusal bool) []byte {
	w.part = w.part.next(refusal)
	if w.unary {
		return dst
	}
	name := "response.content_part.added"
	if w.item.kind == reasoningItem {
		name = "response.reasoning_summary_part.added"
	}
	dst = append(w.partEvent(dst, name), `,"part":`...)
	return w.close(w.partObject(dst))
}

// partObject appends the open part as far as it has come.
func (w *eventWriter) partObject(dst []byte) []byte {
	switch {
	case w.item.kind == reasoningItem:
		dst = append(dst, `{"type":"summary_text","text":"`...)
	case w.part.refusal:
		dst = append(dst, `{"type":"refusal","refusal":"`...)
	default:
		dst = append(append(dst, `{"type":"output_text","annotations":[`...), w.part.annotations...)
		dst = append(append(dst, `],"logprobs":[`...), w.part.logprobs...)
		dst = append(dst, `],"text":"`...)
	}
	dst = append(dst, w.part.text...)
	return append(dst, '"', '}')
}

// partDone closes the open part, if there is one.
func (w *eventWriter) partDone(dst []byte) []byte {
	if !w.part.open {
		return dst
	}
	w.part.open = false
	s := &w.item
	if s.parts > 0 {
		s.done = append(s.done, ',')
	}
	start := len(s.done)
	s.done = w.partObject(s.done)
	if !w.unary {
		text, part, key := "response.output_text.done", "response.content_part.done", `,"text":"`
		switch {
		case s.kind == reasoningItem:
			text, part = "response.reasoning_summary_text.done", "response.reasoning_summary_part.done"
		case w.part.refusal:
			text, key = "response.refusal.done", `,"refusal":"`
		}
		dst = append(append(w.partEvent(dst, text), key...), w.part.text...)
		dst = append(dst, '"')
		if s.kind == messageItem && !w.part.refusal {
			dst = append(append(append(dst, `,"logprobs":[`...), w.part.logprobs...), ']')
		}
		dst = w.close(dst)
		dst = append(append(w.partEvent(dst, part), `,"part":`...), s.done[start:]...)
		dst = w.close(dst)
	}
	s.parts++
	return dst
}

// citation adds a source to the open text.
func (w *eventWriter) citation(dst []byte, c *conversation.Citation) []byte {
	a := w.part.annotations
	if w.part.citations > 0 {
		a = append(a, ',')
	}
	start := len(a)
	if c.Origin == origin && len(c.Raw) > 0 {
		a = appendOneLine(a, c.Raw)
	} else {
		a = append(a, `{"type":"url_citation","start_index":`...)
		a = strconv.AppendInt(a, int64(c.Start), 10)
		a = strconv.AppendInt(append(a, `,"end_index":`...), int64(c.End), 10)
		a = jsonedit.AppendString(append(a, `,"url":`...), c.URL)
		a = jsonedit.AppendString(append(a, `,"title":`...), c.Title)
		a = append(a, '}')
	}
	w.part.annotations = a
	if !w.unary {
		dst = w.partEvent(dst, "response.output_text.annotation.added")
		dst = strconv.AppendInt(append(dst, `,"annotation_index":`...), int64(w.part.citations), 10)
		dst = append(append(dst, `,"annotation":`...), a[start:]...)
		dst = w.close(dst)
	}
	w.part.citations++
	return dst
}
