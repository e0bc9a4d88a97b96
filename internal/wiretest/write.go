package wiretest

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

type object = map[string]any

// WriteAsk writes a request as a client of a dialect would, with the vendor's own SDK and by its documentation. What
// the dialect has no word for is left out: read the result again for what it says. Whether a stream is wanted stands in
// the path in Gemini's dialect, and so does the model.
func WriteAsk(dialect string, a *Ask) []byte {
	var doc object
	switch a = a.sayable(dialect); dialect {
	case Chat:
		doc = a.writeChat()
	case Responses:
		doc = a.writeResponses()
	case Messages:
		doc = a.writeMessages()
	case Gemini:
		doc = a.writeGemini()
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if doc == nil || e.Encode(doc) != nil {
		return nil
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// placeholder is asked where nothing of a conversation can be said.
const placeholder = "Go on."

// sayable is a copy of what a dialect has words for: calls have ids, every call is answered, and results come first.
func (a *Ask) sayable(dialect string) *Ask {
	out := *a
	out.Turns, out.Tools = nil, nil
	out.System = slices.DeleteFunc(slices.Clone(a.System), blank)
	custom := dialect == Chat || dialect == Responses
	for _, t := range a.Tools {
		if !t.Custom || custom {
			out.Tools = append(out.Tools, t)
		}
	}
	if len(out.Tools) == 0 {
		out.Choice = Choice{}
	}
	answered := a.answered(custom)
	number := 0
	for _, t := range a.Turns {
		if t.Role == roleSystem && dialect != Chat && dialect != Responses {
			for _, p := range t.Parts {
				out.System = append(out.System, p.Text)
			}
			continue
		}
		var results, rest []Part
		for _, p := range t.Parts {
			switch p.Kind {
			case kindCall:
				if p.ID = callID(dialect, p.ID, number); answered[number] {
					rest = append(rest, p)
				}
				number++
			case kindResult:
				if answered[p.Answers] {
					p.ID = callID(dialect, a.callOf(p.Answers).ID, p.Answers)
					p.Inner = carriedParts(dialect, a.Endpoint, p.Inner)
					results = append(results, p)
				}
			default:
				rest = append(rest, carriedParts(dialect, a.Endpoint, []Part{p})...)
			}
		}
		out.say(t.Role, append(results, rest...)...)
	}
	if len(out.Turns) == 0 {
		out.say(roleUser, Part{Kind: kindText, Text: placeholder})
	}
	return &out
}

// callID is the id of a call, made up where the dialect had none or the client's takes no such.
func callID(dialect, id string, number int) string {
	if id == "" || dialect == Messages && !wordID.MatchString(id) {
		return "call_" + strconv.Itoa(number)
	}
	return id
}

// callOf is the call of a number.
func (a *Ask) callOf(number int) Part {
	n := 0
	for _, t := range a.Turns {
		for _, p := range t.Parts {
			if p.Kind != kindCall {
				continue
			}
			if n == number {
				return p
			}
			n++
		}
	}
	return Part{}
}

// answered are the calls that the next turn answers; every API refuses others. Calls of free-text tools count if they
// can be said.
func (a *Ask) answered(custom bool) map[int]bool {
	out := map[int]bool{}
	number := 0
	for i, t := range a.Turns {
		next := a.after(i)
		for _, p := range t.Parts {
			if p.Kind != kindCall {
				continue
			}
			if next != nil && (!p.Custom || custom) {
				out[number] = slices.ContainsFunc(next.Parts, func(q Part) bool { return q.Kind == kindResult && q.Answers == number })
			}
			number++
		}
	}
	return out
}

// carriedParts are the texts and media that a dialect has words for.
func carriedParts(dialect, from string, parts []Part) []Part {
	var out []Part
	for _, p := range parts {
		switch {
		case p.Kind == kindText:
			if !blank(p.Text) {
				out = append(out, p)
			}
		case p.Kind == kindRefusal:
			if dialect == Messages || dialect == Gemini {
				p.Kind = kindText
			}
			out = append(out, p)
		case p.isMedia() && p.Media.Text != "":
			if dialect != Messages { // the only one with documents of text
				p = Part{Kind: kindText, Text: p.Media.Text}
			}
			out = append(out, p)
		case p.isMedia() && carriedMedia(dialect, from, p):
			out = append(out, p)
		}
	}
	return out
}

func carriedMedia(dialect, from string, p Part) bool {
	m := p.Media
	openai := dialect == Chat || dialect == Responses
	switch {
	case m.FileID != "": // both of OpenAI's dialects share one store of files
		return openai && (from == Chat || from == Responses) && (p.Kind == kindDocument || dialect == Responses)
	case m.URL != "" && !strings.HasPrefix(m.URL, "http"):
		return dialect == Gemini && strings.HasPrefix(m.URL, "gs://")
	}
	switch p.Kind {
	case kindImage:
		return true
	case kindDocument:
		switch dialect {
		case Chat:
			return m.URL == ""
		case Messages:
			return m.URL != "" || m.MIME == "application/pdf"
		}
		return true
	case kindAudio:
		return dialect == Gemini || openai && m.URL == "" && (m.MIME == "audio/wav" || m.MIME == "audio/mpeg")
	}
	return dialect == Gemini
}

// dataURL is the address of a medium, its content included if need be.
func (m *Media) dataURL() string {
	if m.URL != "" {
		return m.URL
	}
	mime := m.MIME
	if mime == "" {
		mime = "image/png" // of dialects without types
	}
	return "data:" + mime + ";base64," + m.Data
}

func (m *Media) filename() string {
	switch {
	case m.Name != "":
		return m.Name
	case m.MIME == "application/pdf":
		return "file.pdf"
	}
	return "file"
}

// plain is the text of parts that are texts only.
func plain(parts []Part) (string, bool) {
	var texts []string
	for _, p := range parts {
		if p.Kind != kindText {
			return "", false
		}
		texts = append(texts, p.Text)
	}
	return strings.Join(texts, "\n"), len(parts) <= 1
}

func setNumber(doc object, key, number string) {
	if number != "" {
		doc[key] = json.Number(number)
	}
}

// raw is the value of canonical JSON.
func raw(doc string) any {
	n, err := parse([]byte(doc))
	if err != nil || !n.isObject() {
		return object{} // a call that was cut off
	}
	return n.value
}
