package wiretest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// Ask is what a request says, whatever dialect it is written in. What the client did not say is empty.
type Ask struct {
	Endpoint string
	Model    string
	// System is the prompt before the conversation, text by text.
	System []string
	Turns  []Turn
	Tools  []Tool
	// ServerTools counts the tools that the provider itself runs.
	ServerTools int
	Choice      Choice
	// Format is "json" for JSON of any shape, or else the schema of the answer.
	Format string
	// Thinking is "on" or "off".
	Thinking string
	// Numbers in their shortest form.
	MaxTokens, Temperature, TopP string
	Stop                         []string
	Stream                       bool
	// Caches counts the marks up to which the prompt is to be cached.
	Caches int
	// Breaches say where the body breaks the rules of its dialect.
	Breaches []string
}

// The sides of a conversation. A system prompt has a turn only in the middle of it.
const (
	roleUser      = "user"
	roleAssistant = "assistant"
	roleSystem    = "system"
)

// Turn is what one side says before the other speaks again.
type Turn struct {
	Role  string
	Parts []Part
}

// Kinds of parts.
const (
	kindText     = "text"
	kindRefusal  = "refusal"
	kindThinking = "thinking"
	kindImage    = "image"
	kindDocument = "document"
	kindAudio    = "audio"
	kindVideo    = "video"
	kindCall     = "call"
	kindResult   = "result"
	kindOther    = "other" // what only one vendor understands: Name says what
)

// Part is one piece of a turn. Which fields mean something depends on Kind.
type Part struct {
	Kind  string
	Text  string // of texts, refusals and thoughts
	Media Media
	// ID and Name are those of a call, or of the call that a result answers.
	ID, Name string
	// Args are the arguments of a call as canonical JSON, or as the text they are if that is what the tool takes.
	Args   string
	Custom bool
	// Answers is the number of the call that a result answers, counted from 0 over the whole conversation; -1 for none.
	Answers int
	IsError bool
	Inner   []Part // what a result holds
}

// Media is an image, document, audio or video: one of Data, URL, FileID and Text.
type Media struct {
	MIME   string
	Data   string // base64
	URL    string
	FileID string // at the vendor of the dialect
	Text   string
	Name   string
}

// Tool is a function that the client runs.
type Tool struct {
	Name, Description string
	Schema            string // canonical; "" without parameters
	Strict            bool
	Custom            bool // takes free text
}

// Choice says whether the model has to call a tool: Mode is "auto", "none", "any" or "tool", and Name the tool's. Allowed
// are the tools it may choose from; none means all of them.
type Choice struct {
	Mode, Name string
	Allowed    []string
}

// ReadAsk reads a request body. stream tells what the path says, in dialects where it does.
func ReadAsk(endpoint string, stream bool, body []byte) *Ask {
	a := &Ask{Endpoint: endpoint, Stream: stream}
	doc, err := parse(body)
	if err != nil || !doc.isObject() {
		a.breach("no JSON object: %v", err)
		return a
	}
	a.Model = doc.str("model")
	read, check := a.dialect()
	if read == nil {
		a.breach("no reader for %s", endpoint)
		return a
	}
	read(doc)
	a.pair()
	check(doc)
	return a
}

// dialect is how a body is read and checked.
func (a *Ask) dialect() (read, check func(node)) {
	switch a.Endpoint {
	case Chat:
		return a.readChat, a.checkChat
	case Mistral:
		return a.readChat, a.checkMistral
	case Cohere:
		return a.readChat, a.checkCohere
	case Responses:
		return a.readResponses, a.checkResponses
	case Messages:
		return a.readMessages, a.checkMessages
	case Gemini:
		return a.readGemini, a.checkGemini
	case Converse:
		return a.readConverse, a.checkConverse
	case Ollama:
		return a.readOllama, a.checkOllama
	}
	return nil, nil
}

func (a *Ask) breach(format string, args ...any) {
	a.Breaches = append(a.Breaches, fmt.Sprintf(format, args...))
}

// say adds to the conversation. What one side says in a row is one turn.
func (a *Ask) say(role string, parts ...Part) {
	if role == roleSystem && len(a.Turns) == 0 {
		for _, p := range parts {
			a.System = append(a.System, p.Text)
		}
		return
	}
	if n := len(a.Turns); n > 0 && a.Turns[n-1].Role == role {
		a.Turns[n-1].Parts = append(a.Turns[n-1].Parts, parts...)
		return
	}
	if len(parts) > 0 {
		a.Turns = append(a.Turns, Turn{role, parts})
	}
}

// pair finds the call that each result answers: by id, and without ids the first of that name that nothing answered yet.
func (a *Ask) pair() {
	type open struct {
		number   int
		id, name string
	}
	var calls []open
	count := 0
	for i := range a.Turns {
		for j := range a.Turns[i].Parts {
			p := &a.Turns[i].Parts[j]
			switch p.Kind {
			case kindCall:
				calls = append(calls, open{count, p.ID, p.Name})
				count++
			case kindResult:
				p.Answers = -1
				for k := len(calls) - 1; k >= 0 && p.ID != ""; k-- {
					if calls[k].id == p.ID {
						p.Answers, p.Name = calls[k].number, calls[k].name
						calls = append(calls[:k:k], calls[k+1:]...)
						break
					}
				}
				for k := 0; k < len(calls) && p.ID == ""; k++ {
					if calls[k].id == "" && (p.Name == "" || calls[k].name == p.Name) {
						p.Answers, p.Name = calls[k].number, calls[k].name
						calls = append(calls[:k:k], calls[k+1:]...)
						break
					}
				}
			}
		}
	}
}

// text is the text of a result: its texts, line by line.
func (p *Part) text() string {
	var texts []string
	for _, in := range p.Inner {
		if in.Kind == kindText || in.Kind == kindRefusal {
			texts = append(texts, in.Text)
		}
	}
	return strings.Join(texts, "\n")
}

func (p *Part) isMedia() bool {
	switch p.Kind {
	case kindImage, kindDocument, kindAudio, kindVideo:
		return true
	}
	return false
}

// identity tells media apart: by address, or by a digest of the content.
func (m *Media) identity() string {
	switch {
	case m.URL != "":
		return m.URL
	case m.FileID != "":
		return "file " + m.FileID
	case m.Text != "":
		return digest([]byte(m.Text))
	}
	raw, ok := decodeBase64(m.Data)
	if !ok {
		return "not base64: " + short(m.Data)
	}
	return digest(raw)
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// decodeBase64 takes every spelling: standard or for URLs, padded or not, in lines or not.
func decodeBase64(s string) ([]byte, bool) {
	s = strings.NewReplacer("-", "+", "_", "/", "=", "", "\n", "", "\r", "").Replace(s)
	raw, err := base64.RawStdEncoding.DecodeString(s)
	return raw, err == nil
}

// mediaOf reads an address that may be a data: URL.
func mediaOf(url string) Media {
	rest, ok := strings.CutPrefix(url, "data:")
	if !ok {
		return Media{URL: url}
	}
	head, data, _ := strings.Cut(rest, ",")
	mime, _, _ := strings.Cut(head, ";")
	return Media{MIME: mime, Data: data}
}

// kindOf is the kind of a medium by its type.
func kindOf(mime string) string {
	switch kind, _, _ := strings.Cut(mime, "/"); kind {
	case kindImage, kindAudio, kindVideo:
		return kind
	}
	return kindDocument
}

// texts reads a content that is a string or a list of texts.
func texts(n node) []Part {
	if n.isString() {
		return []Part{{Kind: kindText, Text: n.str()}}
	}
	var out []Part
	for _, p := range n.list() {
		if s := p.get("text"); s.isString() {
			out = append(out, Part{Kind: kindText, Text: s.str()})
		}
	}
	return out
}

// stops reads one stop sequence or a list of them.
func stops(n node) []string {
	if n.isString() {
		return []string{n.str()}
	}
	var out []string
	for _, s := range n.list() {
		out = append(out, s.str())
	}
	return out
}

// switchOf says whether thinking is on.
func switchOf(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
