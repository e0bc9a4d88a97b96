package gemini

import (
	"cmp"
	"slices"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// conversation appends systemInstruction and contents.
//
// System and developer messages are hoisted wherever they stand, in their order. A request of nothing else becomes
// one user content, for Google wants at least one. Consecutive messages of one speaker are merged, as the dialect
// demands.
func (e *encoder) conversation() error {
	var system []conversation.Block
	var turns []conversation.Message
	for _, m := range e.r.Messages {
		if m.Name != "" {
			e.note("name")
		}
		if m.Role == conversation.System || m.Role == conversation.Developer {
			system = append(system, m.Blocks...)
			continue
		}
		if silent(m.Blocks) {
			continue
		}
		if n := len(turns); n > 0 && turns[n-1].Role == m.Role {
			turns[n-1].Blocks = append(turns[n-1].Blocks, m.Blocks...)
			continue
		}
		turns = append(turns, conversation.Message{Role: m.Role, Blocks: slices.Clip(m.Blocks)})
	}
	if hint := e.hint(); hint != "" {
		system = append(system, conversation.Block{Text: hint})
	}
	if len(turns) == 0 {
		turns = []conversation.Message{{Role: conversation.User, Blocks: system}}
		system = nil
	}
	if err := e.system(system); err != nil {
		return err
	}
	e.dst = append(jsonedit.AppendKey(e.dst, "contents"), '[')
	empty := len(e.dst)
	for _, m := range turns {
		var err error
		if m.Role == conversation.Assistant {
			err = e.content("model", func() error { return e.modelParts(m.Blocks) })
		} else {
			err = e.userTurn(m.Blocks)
		}
		if err != nil {
			return err
		}
	}
	if len(e.dst) == empty {
		return dialects.BadRequest("messages", "the conversation has no content")
	}
	e.dst = append(e.dst, ']')
	return nil
}

// silent reports whether there is nothing in a message that could be sent.
func silent(blocks []conversation.Block) bool {
	return !slices.ContainsFunc(blocks, func(b conversation.Block) bool {
		return b.Kind != conversation.Text || b.Text != "" || b.Signature != ""
	})
}

func (e *encoder) system(blocks []conversation.Block) error {
	before := len(e.dst)
	e.dst = append(jsonedit.AppendKey(e.dst, "systemInstruction"), `{"parts":[`...)
	empty := len(e.dst)
	for i := range blocks {
		if b := &blocks[i]; b.Kind == conversation.Opaque {
			// Such as the block in which a client tells its own vendor whom to bill: of no use to another.
			e.note("system")
			continue
		}
		if blocks[i].Kind != conversation.Text {
			return dialects.BadRequest("messages", "a system message can hold text only with Gemini models")
		}
		e.text(&blocks[i])
		e.noteBlock(&blocks[i])
	}
	if len(e.dst) == empty {
		e.dst = e.dst[:before]
		return nil
	}
	e.dst = append(e.dst, "]}"...)
	return nil
}

// content appends one content with the parts that body appends, or nothing when there are none.
func (e *encoder) content(role string, body func() error) error {
	before := len(e.dst)
	e.dst = append(jsonedit.AppendComma(e.dst), `{"role":"`...)
	e.dst = append(e.dst, role...)
	e.dst = append(e.dst, `","parts":[`...)
	empty := len(e.dst)
	if err := body(); err != nil {
		return err
	}
	if len(e.dst) == empty {
		e.dst = e.dst[:before]
		return nil
	}
	e.dst = append(e.dst, "]}"...)
	return nil
}

// userTurn appends the results of a turn as one content, in the order of the calls they answer, and what else the
// user says as another: a content with results must hold exactly as many as there were calls. Media in results follow
// there too, where the model does not take them inside a result.
func (e *encoder) userTurn(blocks []conversation.Block) error {
	var results, rest, media []conversation.Block
	for i := range blocks {
		b := &blocks[i]
		if b.Kind != conversation.Result || b.Result == nil {
			rest = append(rest, *b)
			continue
		}
		results = append(results, *b)
		e.noteBlock(b)
		_, beside := e.mediaOf(b.Result)
		media = append(media, beside...)
	}
	slices.SortStableFunc(results, func(a, b conversation.Block) int {
		return cmp.Compare(e.calls[a.Result.CallID].order, e.calls[b.Result.CallID].order)
	})
	err := e.content("user", func() error {
		for i := range results {
			if err := e.result(results[i].Result); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return e.content("user", func() error {
		for _, list := range [][]conversation.Block{media, rest} {
			for i := range list {
				if err := e.userPart(&list[i]); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (e *encoder) userPart(b *conversation.Block) error {
	e.noteBlock(b)
	switch b.Kind {
	case conversation.Text, conversation.Refusal:
		e.text(b)
	case conversation.Image, conversation.Document, conversation.Audio, conversation.Video:
		return e.media(b)
	case conversation.Opaque:
		e.opaque(b)
	}
	return nil
}

// modelParts appends the model's own turn. One turn is one step: its first call needs a signature on Gemini 3.
func (e *encoder) modelParts(blocks []conversation.Block) error {
	first, carried := true, ""
	for i := range blocks {
		b := &blocks[i]
		e.noteBlock(b)
		switch b.Kind {
		case conversation.Text, conversation.Refusal:
			e.text(b)
		case conversation.Thinking:
			signature := ownSignature(b)
			if signature != "" && unsignedCall(blocks[i+1:]) {
				signature, carried = "", signature
			}
			e.thought(b, signature)
		case conversation.Call:
			e.functionCall(b, carried, first)
			first, carried = false, ""
		case conversation.Image, conversation.Document, conversation.Audio, conversation.Video:
			if err := e.media(b); err != nil {
				return err
			}
		case conversation.Opaque:
			e.opaque(b)
		}
	}
	return nil
}

func (e *encoder) noteBlock(b *conversation.Block) {
	if b.Cache != nil {
		e.note("cache_control")
	}
}

// text appends a text part. Empty ones are refused by Google, unless they carry a signature.
func (e *encoder) text(b *conversation.Block) {
	signature := ownSignature(b)
	if b.Text == "" && signature == "" {
		return
	}
	e.dst = append(jsonedit.AppendComma(e.dst), '{')
	e.dst = jsonedit.AppendStringMember(e.dst, "text", b.Text)
	e.endPart(signature)
}

func (e *encoder) endPart(signature string) {
	if signature != "" {
		e.dst = jsonedit.AppendStringMember(e.dst, "thoughtSignature", signature)
	}
	e.dst = append(e.dst, '}')
}

// unsignedCall reports whether the next call has no signature. Then that of the thought before it is the call's: clients
// of other dialects have no place for it beside a call, and so it went to them with a thought, which may be empty.
func unsignedCall(blocks []conversation.Block) bool {
	for i := range blocks {
		switch b := &blocks[i]; {
		case b.Kind == conversation.Call:
			return ownSignature(b) == ""
		case b.Kind == conversation.Thinking && ownSignature(b) != "":
			return false
		}
	}
	return false
}

// thought appends a thought of Gemini's. Those of other vendors are theirs alone and are dropped.
func (e *encoder) thought(b *conversation.Block, signature string) {
	if b.Origin != origin {
		e.note("thinking")
		return
	}
	if b.Text == "" && signature == "" {
		return
	}
	e.dst = append(jsonedit.AppendComma(e.dst), '{')
	e.dst = jsonedit.AppendStringMember(e.dst, "text", b.Text)
	e.dst = append(e.dst, `,"thought":true`...)
	e.endPart(signature)
}

// opaque appends a part of the dialect's own as it stood.
func (e *encoder) opaque(b *conversation.Block) {
	if b.Origin != origin || !isObject(string(b.Raw)) {
		e.note("server_tools")
		return
	}
	e.dst = append(jsonedit.AppendComma(e.dst), b.Raw...)
}

// functionCall appends a call. Arguments have to be an object: none become {}, and text that is no JSON object, as of
// a call that was cut off or of a free-text tool, becomes {"input": text}. carried is a signature that is the call's unless
// it has one of its own.
func (e *encoder) functionCall(b *conversation.Block, carried string, first bool) {
	c := b.Call
	if c == nil {
		return
	}
	name := e.toolName(c.Name)
	if c.ID != "" {
		e.calls[c.ID] = call{name: name, order: len(e.calls)}
	}
	e.dst = append(jsonedit.AppendComma(e.dst), `{"functionCall":{`...)
	e.dst = jsonedit.AppendStringMember(e.dst, "name", name)
	e.dst = appendArguments(jsonedit.AppendKey(e.dst, "args"), c)
	if c.ID != "" {
		e.dst = jsonedit.AppendStringMember(e.dst, "id", c.ID)
	}
	e.dst = append(e.dst, '}')
	signature := cmp.Or(ownSignature(b), carried)
	if signature == "" && first && e.model.thinksByLevel() {
		signature = skipSignature
	}
	e.endPart(signature)
}

func appendArguments(dst []byte, c *conversation.ToolCall) []byte {
	switch {
	case strings.TrimSpace(c.Arguments) == "" && !c.Custom:
		return append(dst, "{}"...)
	case isObject(c.Arguments) && !c.Custom:
		return append(dst, c.Arguments...)
	}
	dst = append(dst, `{"input":`...)
	return append(jsonedit.AppendString(dst, c.Arguments), '}')
}
