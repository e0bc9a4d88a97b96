package wiretest

import (
	"fmt"
	"slices"
	"strings"
)

// Reply is what a response says, whatever dialect it is written in, and in one piece even if it was streamed.
type Reply struct {
	Endpoint string
	Status   int
	Text     string
	Refusal  string
	// Thinking are the thoughts, piece by piece: white space between pieces is up to those who join them.
	Thinking []string
	Calls    []Call
	// Sources are what the answer refers to, each passage and address once.
	Sources []Source
	// Media are digests of what the model made besides words.
	Media []string
	// Stop is one of stop, length, tool, filter, refusal, pause and error, or empty; RawStop is the dialect's own word.
	Stop, RawStop string
	Usage         *Usage
	// Error is the message of an error, whether in place of an answer or at the end of a stream.
	Error string
	// Breaches say where the response breaks the rules of its dialect.
	Breaches []string

	thought string // which piece the last thought belongs to
}

// Source is an address that a passage of the answer rests on. Not every dialect says which passage.
type Source struct{ URL, Title, Passage string }

// Call is a call of a tool that the client runs. Args are canonical JSON, or the text as it is if it is none.
type Call struct{ ID, Name, Args string }

// Usage counts tokens. Input is all the model read, cached or not, and Output all it wrote, thoughts included.
type Usage struct{ Input, CacheRead, CacheWrite, Output, Reasoning int64 }

func (u Usage) String() string {
	return fmt.Sprintf("%d in (%d read, %d written), %d out (%d thinking)", u.Input, u.CacheRead, u.CacheWrite, u.Output, u.Reasoning)
}

// ReadReply reads a response.
func ReadReply(endpoint string, status int, contentType string, body []byte) *Reply {
	r := &Reply{Endpoint: endpoint, Status: status}
	if status >= 400 {
		r.failure(body)
		return r
	}
	switch whole, frames := r.reader(); {
	case whole == nil:
		r.breach("no reader for %s", endpoint)
	case isStream(contentType):
		list, breaches := split(contentType, body)
		r.Breaches = append(r.Breaches, breaches...)
		frames(list)
	default:
		doc, err := parse(body)
		if err != nil {
			r.breach("no JSON: %v", err)
			break
		}
		if doc.get("error").exists() && !slices.Contains([]string{Responses, Ollama}, endpoint) && !doc.get("choices").exists() {
			r.failure(body)
			break
		}
		whole(doc)
	}
	r.finish()
	return r
}

func (r *Reply) reader() (whole func(node), frames func([]frame)) {
	switch r.Endpoint {
	case Chat, Mistral:
		return r.chatWhole, r.chatFrames
	case Responses:
		return r.responsesWhole, r.responsesFrames
	case Messages:
		return r.messagesWhole, r.messagesFrames
	case Gemini:
		return r.geminiWhole, r.geminiFrames
	case Converse:
		return r.converseWhole, r.converseFrames
	case Cohere:
		return r.cohereWhole, r.cohereFrames
	case Ollama:
		return r.ollamaWhole, r.ollamaFrames
	}
	return nil, nil
}

// think adds a thought to the piece of a name, which begins with the first that belongs to it.
func (r *Reply) think(piece, text string) {
	switch n := len(r.Thinking); {
	case text == "":
	case n == 0 || r.thought != piece:
		r.Thinking = append(r.Thinking, text)
		r.thought = piece
	default:
		r.Thinking[n-1] += text
	}
}

func (r *Reply) breach(format string, args ...any) {
	r.Breaches = append(r.Breaches, fmt.Sprintf(format, args...))
}

// finish makes the answers of dialects comparable. Some have no word of their own for calls, or none for refusals.
func (r *Reply) finish() {
	ids := map[string]bool{}
	for i := range r.Calls {
		c := &r.Calls[i]
		c.Args = canonicalText(c.Args)
		if c.Name == "" {
			r.breach("call %d has no name", i)
		}
		if c.ID != "" && ids[c.ID] {
			r.breach("two calls have the id %q", c.ID)
		}
		ids[c.ID] = true
	}
	switch {
	case r.Error != "":
	case r.Stop == "stop" && len(r.Calls) > 0:
		r.Stop = "tool"
	case (r.Stop == "stop" || r.Stop == "filter") && r.Refusal != "":
		r.Stop = "refusal"
	}
}

// failure reads an error body.
func (r *Reply) failure(body []byte) {
	doc, err := parse(body)
	if err != nil {
		r.Error = strings.TrimSpace(string(body))
		r.breach("the error is no JSON")
		return
	}
	if doc.isList() && len(doc.list()) > 0 { // a Gemini stream that is no event stream
		doc = doc.list()[0]
	}
	r.Error = errorText(doc)
	e := doc.get("error")
	good := true
	switch r.Endpoint {
	case Chat, Responses:
		good = e.str("message") != "" && e.str("type") != "" && e.has("param") && e.has("code")
	case Messages:
		good = doc.str("type") == "error" && e.str("type") != "" && e.str("message") != ""
	case Gemini:
		good = e.count("code") >= 400 && e.str("status") != "" && e.str("message") != ""
	}
	if !good {
		r.breach("not an error of the dialect: %s", short(string(body)))
	}
}

// errorText is the message in an error body of any vendor's.
func errorText(doc node) string {
	for _, at := range [][]string{{"error", "message"}, {"message"}, {"Message"}, {"error"}, {"detail"}, {"errorMessage"}} {
		if s := doc.str(at...); s != "" {
			return s
		}
	}
	return doc.canonical()
}

// stopClasses say what each dialect's word for the end of an answer means.
var stopClasses = map[string]string{
	"stop":    "stop end_turn stop_sequence STOP COMPLETE STOP_SEQUENCE completed eos done",
	"length":  "length max_tokens MAX_TOKENS model_length max_output_tokens model_context_window_exceeded",
	"tool":    "tool_calls tool_use TOOL_CALL function_call",
	"filter":  "content_filter content_filtered guardrail_intervened SAFETY RECITATION BLOCKLIST PROHIBITED_CONTENT SPII MODEL_ARMOR IMAGE_SAFETY LANGUAGE",
	"refusal": "refusal",
	"pause":   "pause_turn",
	"error":   "error ERROR failed MALFORMED_FUNCTION_CALL UNEXPECTED_TOOL_CALL OTHER malformed_tool_use malformed_model_output",
}

func (r *Reply) stop(word string) {
	if word == "" {
		return
	}
	if r.RawStop != "" && r.RawStop != word {
		r.breach("it stops twice: %s and %s", r.RawStop, word)
	}
	r.RawStop = word
	for class, words := range stopClasses {
		if slices.Contains(strings.Fields(words), word) {
			r.Stop = class
			return
		}
	}
	r.breach("unknown reason to stop %q", word)
}

// each reads the JSON of frames. The text [DONE] is passed on as nothing.
func (r *Reply) each(frames []frame, read func(frame, node)) {
	for i, f := range frames {
		if f.data == "[DONE]" {
			read(f, node{})
			continue
		}
		n, err := parse([]byte(f.data))
		if err != nil {
			r.breach("event %d is no JSON: %v", i, err)
			continue
		}
		read(f, n)
	}
}

// source notes what a passage of the answer refers to.
func (r *Reply) source(url, title, passage string) {
	if s := (Source{url, title, passage}); url != "" && !slices.Contains(r.Sources, s) {
		r.Sources = append(r.Sources, s)
	}
}

// characters are those from start to end of a text.
func (r *Reply) characters(text string, start, end node) string {
	runes := []rune(text)
	from, to := start.count(), end.count()
	if !start.exists() || !end.exists() || from < 0 || from > to || to > int64(len(runes)) {
		r.breach("characters %s to %s of %d", start.number(), end.number(), len(runes))
		return ""
	}
	return string(runes[from:to])
}

// medium notes what the model made. The type is that of the client's picture of it, and not compared.
func (r *Reply) medium(m Media) {
	if m.Data != "" {
		r.Media = append(r.Media, m.identity())
	}
}
