package faultllm

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Heard is what a client of a dialect makes of an answer.
type Heard struct {
	Text     string
	Complete bool   // the answer ended as the dialect says, not in the middle and not with an error
	Error    string // message of the error, in place of the answer or inside of it
	Failed   bool   // there was an error
	Events   int    // of a stream, comments not counted
	Comments int
	Broken   []string // rules of the dialect that the answer breaks
}

// Pieces is how many pieces of [Piece] came.
func (h *Heard) Pieces() int { return len(h.Text) / len(Piece(1)) }

func (h *Heard) broke(format string, args ...any) {
	h.Broken = append(h.Broken, fmt.Sprintf(format, args...))
}

// object is a decoded JSON object; what is missing is nil.
type object map[string]any

func (o object) object(name string) object {
	m, _ := o[name].(map[string]any)
	return m
}

func (o object) string(name string) string {
	s, _ := o[name].(string)
	return s
}

func (o object) first(name string) object {
	list, _ := o[name].([]any)
	if len(list) == 0 {
		return nil
	}
	m, _ := list[0].(map[string]any)
	return m
}

func (o object) has(name string) bool {
	_, ok := o[name]
	return ok
}

// Read reads an answer to its end. stream is what the client asked for.
func Read(d Dialect, stream bool, status int, contentType string, body []byte) Heard {
	var h Heard
	switch isStream := strings.HasPrefix(contentType, "text/event-stream"); {
	case status < 200 || status > 599 || status >= 300 && status < 400:
		h.broke("status %d", status)
	case status >= 400 || !stream || !isStream:
		if isStream || stream && status < 400 {
			h.broke("status %d with content type %q", status, contentType)
		}
		if !strings.HasPrefix(contentType, "application/json") {
			h.broke("content type %q", contentType)
		}
		h.readDocument(d, status, body)
	default:
		h.readStream(d, string(body))
	}
	if want := Text(h.Pieces()); h.Text != want {
		h.broke("pieces are missing, came twice or in another order: %q", clip(h.Text))
	}
	return h
}

func clip(s string) string { return s[:min(len(s), 200)] }

func (h *Heard) readDocument(d Dialect, status int, body []byte) {
	var o object
	if err := json.Unmarshal(body, &o); err != nil {
		h.broke("the body is no JSON object: %v: %q", err, clip(string(body)))
		return
	}
	if status >= 400 {
		h.readError(d, o)
		return
	}
	switch d {
	case Messages:
		h.Text = o.first("content").string("text")
		h.Complete = o.string("type") == "message" && o.string("stop_reason") != ""
	case Responses:
		h.Text = o.first("output").first("content").string("text")
		h.Complete = o.string("object") == "response" && o.string("status") == "completed"
	case Gemini:
		c := o.first("candidates")
		h.Text = c.object("content").first("parts").string("text")
		h.Complete = c.string("finishReason") != ""
	case Chat:
		c := o.first("choices")
		h.Text = c.object("message").string("content")
		h.Complete = o.string("object") == "chat.completion" && c.string("finish_reason") != ""
	}
	if !h.Complete {
		h.broke("not an answer of %s: %q", d, clip(string(body)))
	}
}

// readError reads the error object of a dialect.
func (h *Heard) readError(d Dialect, o object) {
	h.Failed = true
	e := o.object("error")
	h.Error = e.string("message")
	good := h.Error != ""
	switch d {
	case Messages:
		good = good && o.string("type") == "error" && e.string("type") != ""
	case Gemini:
		code, _ := e["code"].(float64)
		word := e.string("status")
		good = good && code >= 400 && word != "" && word == strings.ToUpper(word)
	case Chat, Responses:
		good = good && e.string("type") != "" && e.has("param") && e.has("code") && !o.has("type")
	}
	if !good {
		h.broke("not an error of %s: %v", d, o)
	}
	if len(h.Error) > 4<<10 {
		h.broke("an error of %d bytes", len(h.Error))
	}
}

// frame is one event.
type frame struct{ event, data string }

func (h *Heard) frames(body string) []frame {
	// Streams may begin with a byte order mark, and their lines may end in any of three ways.
	body = strings.TrimPrefix(body, "\ufeff")
	body = strings.ReplaceAll(strings.ReplaceAll(body, "\r\n", "\n"), "\r", "\n")
	if !strings.HasSuffix(body, "\n\n") && body != "" {
		h.broke("the stream ends inside of an event: %q", body[max(0, len(body)-200):])
	}
	var out []frame
	var f frame
	begun := false
	for line := range strings.SplitSeq(body, "\n") {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			if begun {
				out = append(out, f)
			}
			f, begun = frame{}, false
		case name == "":
			h.Comments++
		case name == "event":
			f.event = value
		case name == "data":
			if begun {
				f.data += "\n"
			}
			f.data, begun = f.data+value, true
		}
	}
	return out
}

func (h *Heard) readStream(d Dialect, body string) {
	var over bool
	rules := grammar{h: h, seq: -1}
	for _, f := range h.frames(body) {
		h.Events++
		if over {
			h.broke("an event after the end: %q", clip(f.data))
		}
		if d == Chat && f.data == "[DONE]" {
			h.Complete, over = !h.Failed, true
			if h.Failed {
				h.broke("an end marker after an error")
			}
			continue
		}
		var o object
		if err := json.Unmarshal([]byte(f.data), &o); err != nil {
			h.broke("an event is no JSON: %q", clip(f.data))
			continue
		}
		switch d {
		case Messages:
			over = rules.messages(f.event, o)
		case Responses:
			over = rules.responses(f.event, o)
		case Gemini:
			rules.gemini(o)
		case Chat:
			rules.chat(o)
		}
	}
	h.Text = rules.text.String()
	if h.Complete && h.Failed {
		h.broke("the stream is complete and failed")
	}
	if h.Comments > 0 && d == Gemini {
		h.broke("a comment, which clients of this dialect choke on")
	}
}

// grammar is where a stream stands in the rules of its dialect.
type grammar struct {
	h       *Heard
	started bool
	open    bool // a content block
	delta   bool // message_delta came
	text    strings.Builder
	seq     float64
}

func (g *grammar) chat(o object) {
	if o.has("error") {
		g.h.readError(Chat, o)
		return
	}
	if g.h.Failed {
		g.h.broke("a chunk after an error")
	}
	if o.string("object") != "chat.completion.chunk" || !o.has("choices") {
		g.h.broke("not a chunk: %v", o)
	}
	g.text.WriteString(o.first("choices").object("delta").string("content"))
}

func (g *grammar) gemini(o object) {
	if o.has("error") {
		g.h.readError(Gemini, o)
		return
	}
	if g.h.Failed || g.h.Complete {
		g.h.broke("a chunk after the end")
	}
	c := o.first("candidates")
	g.text.WriteString(c.object("content").first("parts").string("text"))
	g.h.Complete = c.string("finishReason") != ""
}

func (g *grammar) messages(event string, o object) (over bool) {
	kind := o.string("type")
	if event != kind {
		g.h.broke("an event %q of type %q", event, kind)
	}
	if !g.started && kind != "message_start" && kind != "error" && kind != "ping" {
		g.h.broke("%s before message_start", kind)
	}
	switch kind {
	case "message_start":
		if g.started {
			g.h.broke("a second message_start")
		}
		g.started = true
	case "content_block_start":
		if g.open {
			g.h.broke("a block inside of a block")
		}
		g.open = true
	case "content_block_delta":
		if !g.open {
			g.h.broke("a delta outside of a block")
		}
		g.text.WriteString(o.object("delta").string("text"))
	case "content_block_stop":
		if !g.open {
			g.h.broke("the end of no block")
		}
		g.open = false
	case "message_delta":
		g.delta = true
	case "message_stop":
		if g.open || !g.delta {
			g.h.broke("message_stop in the middle")
		}
		g.h.Complete = true
		return true
	case "error":
		g.h.readError(Messages, o)
		return true
	case "ping":
	default:
		g.h.broke("an event of type %q", kind)
	}
	return false
}

func (g *grammar) responses(event string, o object) (over bool) {
	kind := o.string("type")
	if event != kind {
		g.h.broke("an event %q of type %q", event, kind)
	}
	if n, ok := o["sequence_number"].(float64); !ok || n <= g.seq {
		g.h.broke("sequence number %v after %v", o["sequence_number"], g.seq)
	} else {
		g.seq = n
	}
	if !g.started && kind != "response.created" && kind != "error" && kind != "response.failed" {
		g.h.broke("%s before response.created", kind)
	}
	g.started = true
	switch kind {
	case "response.output_text.delta":
		g.text.WriteString(o.string("delta"))
	case "response.completed", "response.incomplete":
		g.h.Complete = true
		return true
	case "response.failed":
		g.h.Failed, g.h.Error = true, o.object("response").object("error").string("message")
		return true
	case "error": // response.failed may follow
		g.h.Failed, g.h.Error = true, o.string("message")
		if g.h.Error == "" {
			g.h.Error = o.object("error").string("message")
		}
		return false
	}
	if g.h.Failed {
		g.h.broke("%s after an error", kind)
	}
	return false
}
