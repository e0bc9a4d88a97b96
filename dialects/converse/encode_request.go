package converse

import (
	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// EncodeRequest appends a request. Model and stream flag are no part of it: both stand in the path. Options that the
// model does not have are dropped and named in the notes; what cannot be left out without changing the question is
// refused: media by URL, files kept elsewhere, several answers, conversations stored elsewhere.
func (Codec) EncodeRequest(dst []byte, r *conversation.Request, o dialects.EncodeOptions) ([]byte, []string, error) {
	e := newEncoder(dst, r, o)
	if !e.plan() {
		return dst, nil, e.err
	}
	e.dst = append(e.dst, '{')
	e.writeConversation()
	e.writeInference()
	e.writeFields()
	e.writeFormat()
	e.writeTier()
	return append(e.dst, '}'), e.notes, nil
}

// EncodeCount appends the question how many tokens a request has. Only what the model reads is part of it.
func (Codec) EncodeCount(dst []byte, r *conversation.Request, o dialects.EncodeOptions) ([]byte, []string, error) {
	e := newEncoder(dst, r, o)
	if !e.plan() {
		return dst, nil, e.err
	}
	e.dst = append(e.dst, `{"input":{"converse":{`...)
	e.writeConversation()
	return append(e.dst, "}}}"...), e.notes, nil
}

// requestEncoder first plans what is sent and then writes it, in the order in which the prompt is built: tools, system,
// messages.
type requestEncoder struct {
	dst   []byte
	r     *conversation.Request
	o     dialects.EncodeOptions
	model model
	notes []string
	err   error

	system  []*conversation.Block
	turns   []turn
	blocks  []*conversation.Block // of all turns, one turn after the other
	called  []string              // names of the tools in the history, as the client has them
	ids     dialects.CallIDs
	scratch jsonedit.Object

	tools     []*conversation.Tool
	choice    conversation.ToolChoice
	serial    bool // no two calls at once, said in a field of the model's own
	documents map[string]int
	skipMarks int // cache marks still to be left out, first ones first

	format                    format
	thinking, effort, display string
	budget, maxTokens         int64 // maxTokens 0: the model's own limit
}

func newEncoder(dst []byte, r *conversation.Request, o dialects.EncodeOptions) requestEncoder {
	return requestEncoder{dst: dst, r: r, o: o, model: modelOf(o.Model), ids: dialects.CallIDs{Prefix: "tooluse_"}}
}

// plan decides on everything. It reports false when the request is refused.
func (e *requestEncoder) plan() bool {
	e.check()
	e.planTurns()
	e.planTools()
	e.planReasoning()
	e.planFormat()
	e.planChoice()
	e.spareMarks()
	return e.err == nil
}

func (e *requestEncoder) note(name string) {
	e.notes = dialects.Note(e.notes, name)
}

func (e *requestEncoder) refuse(param, reason string) {
	if e.err == nil {
		e.err = dialects.BadRequest(param, "%s", reason)
	}
}

func (e *requestEncoder) key(name string) { e.dst = jsonedit.AppendKey(e.dst, name) }
func (e *requestEncoder) comma()          { e.dst = jsonedit.AppendComma(e.dst) }
func (e *requestEncoder) raw(s string)    { e.dst = append(e.dst, s...) }
func (e *requestEncoder) text(name, value string) {
	e.dst = jsonedit.AppendStringMember(e.dst, name, value)
}

func (e *requestEncoder) number(name string, n conversation.Number) {
	e.dst = jsonedit.AppendRawMember(e.dst, name, string(n))
}

// stateful are the members of other dialects that point to a conversation kept by another vendor. Without them the
// question is another one.
var stateful = map[string]bool{"previous_response_id": true, "conversation": true, "prompt": true, "cachedContent": true}

// check refuses what cannot be translated and notes the options that have no counterpart.
func (e *requestEncoder) check() {
	r := e.r
	if r.N != nil && *r.N > 1 {
		e.refuse("n", "this model gives one answer per request")
	}
	for _, f := range r.Extra {
		if stateful[f.Name] {
			e.refuse(f.Name, f.Name+" is not supported by this model")
		}
		e.note(f.Name)
	}
	for _, drop := range []struct {
		name string
		set  bool
	}{
		{"logprobs", r.Logprobs != nil && *r.Logprobs || r.TopLogprobs != nil && *r.TopLogprobs > 0},
		{"seed", r.Seed != nil},
		{"frequency_penalty", r.FrequencyPenalty.Float() != 0},
		{"presence_penalty", r.PresencePenalty.Float() != 0},
		{"metadata", len(r.Metadata) > 0},
		{"user", r.User != ""},
	} {
		if drop.set {
			e.note(drop.name)
		}
	}
}

// writeConversation writes what the model reads.
func (e *requestEncoder) writeConversation() {
	e.writeTools()
	e.writeSystem()
	e.key("messages")
	e.raw("[")
	for _, t := range e.turns {
		e.comma()
		if t.role == conversation.Assistant {
			e.raw(`{"role":"assistant","content":[`)
		} else {
			e.raw(`{"role":"user","content":[`)
		}
		e.writeTurn(t)
		e.raw("]}")
	}
	e.raw("]")
}

// writeTurn writes the blocks of a turn and the cache points after them. The API takes none after a document or a video:
// that of a row of these goes before the row.
func (e *requestEncoder) writeTurn(t turn) {
	texts, documents := false, false
	for i, b := range t.blocks {
		if heavy(b) && (i == 0 || !heavy(t.blocks[i-1])) {
			e.markRow(t.blocks[i:], i > 0)
		}
		e.comma()
		e.block(b)
		texts, documents = texts || b.Kind == conversation.Text, documents || b.Kind == conversation.Document
		if !heavy(b) {
			e.mark(markOf(b))
		}
	}
	if documents && !texts {
		e.raw(`,{"text":"See the document."}`)
	}
}

// writeSystem writes the system prompt.
func (e *requestEncoder) writeSystem() {
	if len(e.system) == 0 && e.format.hint == "" {
		return
	}
	e.key("system")
	e.raw("[")
	for _, b := range e.system {
		e.comma()
		e.raw("{")
		e.text("text", b.Text)
		e.raw("}")
		e.mark(b.Cache)
	}
	if e.format.hint != "" {
		e.comma()
		e.raw("{")
		e.text("text", e.format.hint)
		e.raw("}")
	}
	e.raw("]")
}

// writeTier writes the service tier. The default needs no word, and "auto" leaves it to the account.
func (e *requestEncoder) writeTier() {
	switch tier := e.r.ServiceTier; tier {
	case "", "auto", "default":
	case "flex", "priority", "reserved":
		e.key("serviceTier")
		e.raw("{")
		e.text("type", tier)
		e.raw("}")
	default:
		e.note("service_tier")
	}
}
