package messages

import (
	"bytes"
	"unicode/utf8"

	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// event holds what was found in the data of one event. It is reused from event to event, so that deltas, which a
// stream almost entirely consists of, are read without allocating.
type event struct {
	data  []byte
	outer jsonedit.Object
	in    jsonedit.Reader
}

// scan validates the data of an event and finds its members.
func (e *event) scan(data []byte) error {
	e.data = data
	err := jsonedit.Scan(data, nil, jsonedit.Limits{}, &e.outer)
	if err != nil && !utf8.Valid(data) {
		e.data = bytes.ToValidUTF8(data, []byte("\uFFFD")) // the damage stays where it is
		err = jsonedit.Scan(e.data, nil, jsonedit.Limits{}, &e.outer)
	}
	return err
}

// name is the type of the event. The data has it as well, for servers that leave the event field out.
func (e *event) name(field []byte) string {
	if len(field) > 0 {
		return jsonedit.View(field)
	}
	if m, ok := e.outer.Get("type"); ok {
		s, _ := m.String(e.data)
		return s
	}
	return ""
}

// read returns a reader of a member; where it is missing, there is nothing to read. What was read of the event before
// becomes invalid.
func (e *event) read(key string) *jsonedit.Reader {
	if m, ok := e.outer.Get(key); ok {
		e.in.Reset(m.Raw(e.data))
	} else {
		e.in.Reset(nil)
	}
	return &e.in
}

// delta is what a content_block_delta event adds.
type delta struct {
	kind     string // "text_delta", "input_json_delta", ...
	text     string // valid until the next event
	citation jsonedit.Mark
}

// delta reads the delta of a scanned event.
func (e *event) delta() (d delta) {
	in := e.read("delta")
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "type":
			d.kind, _ = in.Text()
		case "text", "partial_json", "thinking", "signature", "content":
			if s, ok := in.Text(); ok {
				d.text = s
			}
		case "citation":
			d.citation = in.Mark()
		}
	}
	return d
}

// deltaLen is delta for those who want to know only how many bytes of text it adds.
func (e *event) deltaLen() (kind string, n int) {
	in := e.read("delta")
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "type":
			kind, _ = in.Text()
		case "text", "partial_json", "thinking", "signature", "content":
			if m, ok := in.TextLen(); ok {
				n = m
			}
		}
	}
	return kind, n
}
