package messages

import (
	"strconv"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/claude"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// EncodeRequest appends a request for an Anthropic model. Server tools, samplers and hints that the dialect or the
// model does not have are dropped and named in the notes; what cannot be left out without changing the question is
// refused: media and files that only other vendors take, several answers, and conversations stored elsewhere.
func (Codec) EncodeRequest(dst []byte, r *conversation.Request, o dialects.EncodeOptions) ([]byte, []string, error) {
	e := newEncoder(dst, r, o)
	e.check()
	if err := e.plan(); err != nil {
		return dst, nil, err
	}
	e.dst = append(e.dst, `{"model":`...)
	e.string(o.Model)
	e.key("max_tokens")
	e.dst = strconv.AppendInt(e.dst, e.maxTokens, 10)
	if r.Stream {
		e.key("stream")
		e.dst = append(e.dst, "true"...)
	}
	e.writeTools()
	e.writeSystem()
	e.writeMessages()
	e.writeSampling()
	e.writeReasoning()
	e.writeExtra()
	return append(e.dst, '}'), e.notes, nil
}

// plan decides what is sent.
func (e *requestEncoder) plan() error {
	e.planTurns()
	e.planTools()
	e.planReasoning()
	e.planFormat()
	e.spareMarks()
	return e.err
}

// requestEncoder first plans what is sent and then writes it, in the order in which Anthropic builds the prompt: tools,
// system, messages.
type requestEncoder struct {
	dst     []byte
	r       *conversation.Request
	o       dialects.EncodeOptions
	version claude.Version
	notes   []string
	err     error

	system  []*conversation.Block
	turns   []turn
	blocks  []*conversation.Block // of all turns, one turn after the other
	tools   []*conversation.Tool
	ids     dialects.CallIDs
	scratch jsonedit.Object

	maxTokens                 int64
	thinking, effort, display string
	budget                    int64
	format                    formatWay

	skipMarks int // cache marks still to be left out, first ones first
}

func newEncoder(dst []byte, r *conversation.Request, o dialects.EncodeOptions) requestEncoder {
	return requestEncoder{dst: dst, r: r, o: o, version: versionOf(o.Model), ids: dialects.CallIDs{Prefix: "toolu_"}}
}

func (e *requestEncoder) note(name string) {
	e.notes = dialects.Note(e.notes, name)
}

func (e *requestEncoder) refuse(param, reason string) {
	if e.err == nil {
		e.err = dialects.BadRequest(param, "%s", reason)
	}
}

func (e *requestEncoder) key(name string) {
	e.dst = append(append(append(e.dst, `,"`...), name...), `":`...)
}

func (e *requestEncoder) string(s string) { e.dst = jsonedit.AppendString(e.dst, s) }

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
		switch {
		case r.Origin == origin && !strings.HasPrefix(f.Name, "tools."):
		case stateful[f.Name]:
			e.refuse(f.Name, f.Name+" is not supported by this model")
		default:
			e.note(f.Name)
		}
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
	} {
		if drop.set {
			e.note(drop.name)
		}
	}
}

func (e *requestEncoder) writeSystem() {
	prompt := e.formatPrompt()
	if len(e.system) == 0 && prompt == "" {
		return
	}
	e.key("system")
	switch {
	case len(e.system) == 0:
		e.string(prompt)
		return
	case len(e.system) == 1 && prompt == "" && plain(e.system[0]):
		e.string(e.system[0].Text)
		return
	}
	e.dst = append(e.dst, '[')
	for i, b := range e.system {
		e.comma(i)
		e.block(b)
	}
	if prompt != "" {
		e.comma(len(e.system))
		e.block(&conversation.Block{Text: prompt})
	}
	e.dst = append(e.dst, ']')
}

func (e *requestEncoder) writeMessages() {
	e.key("messages")
	e.dst = append(e.dst, '[')
	for i, t := range e.turns {
		e.comma(i)
		switch t.role {
		case conversation.Assistant:
			e.dst = append(e.dst, `{"role":"assistant","content":`...)
		case conversation.System:
			e.dst = append(e.dst, `{"role":"system","content":`...)
		default:
			e.dst = append(e.dst, `{"role":"user","content":`...)
		}
		if len(t.blocks) == 1 && plain(t.blocks[0]) {
			e.string(t.blocks[0].Text)
		} else {
			e.dst = append(e.dst, '[')
			for i, b := range t.blocks {
				e.comma(i)
				e.block(b)
			}
			e.dst = append(e.dst, ']')
		}
		e.dst = append(e.dst, '}')
	}
	e.dst = append(e.dst, ']')
}

func (e *requestEncoder) comma(i int) {
	if i > 0 {
		e.dst = append(e.dst, ',')
	}
}

// plain reports whether a block is a text and nothing else, so that a string can stand for it.
func plain(b *conversation.Block) bool {
	return (b.Kind == conversation.Text || b.Kind == conversation.Refusal) && b.Cache == nil && len(b.Citations) == 0 && len(b.Raw) == 0
}

// writeExtra writes the members that only this dialect has, unless others are meant.
func (e *requestEncoder) writeExtra() {
	if e.r.User != "" {
		e.key("metadata")
		e.dst = append(e.dst, `{"user_id":`...)
		e.string(e.r.User)
		e.dst = append(e.dst, '}')
	}
	switch tier := e.r.ServiceTier; tier {
	case "":
	case "auto":
		e.key("service_tier")
		e.string(tier)
	case "default":
		e.key("service_tier")
		e.string("standard_only")
	default:
		e.note("service_tier")
	}
	if e.r.Origin != origin {
		return
	}
	for _, f := range e.r.Extra {
		if !strings.Contains(f.Name, ".") {
			e.dst = jsonedit.AppendString(append(e.dst, ','), f.Name)
			e.dst = append(append(e.dst, ':'), f.Value...)
		}
	}
}
