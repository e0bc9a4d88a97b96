package gemini

import (
	"slices"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// system reads systemInstruction: a content, a list of parts, or a mere string. Its role means nothing.
func (d *requestDecoder) system(p *dialects.Place) {
	m := conversation.Message{Role: conversation.System}
	if s, ok := d.in.Text(); ok {
		m.Blocks = d.text(nil, s, "")
	} else {
		m.Blocks, _ = d.content(p)
	}
	for i := range m.Blocks {
		if m.Blocks[i].Kind != conversation.Text {
			d.fail(p, "systemInstruction can hold text only")
			return
		}
	}
	if len(m.Blocks) > 0 {
		d.req.Messages = append(d.req.Messages, m)
	}
}

func (d *requestDecoder) contents(p *dialects.Place) {
	before := len(d.req.Messages)
	e := p.At(0)
	ok, single := d.list(p)
	for ; ok; ok = !single && d.in.Next() {
		d.turn(&e)
		e.Index++
	}
	if d.err == nil && len(d.req.Messages) == before {
		d.fail(p, "contents must hold at least one content that is not empty")
	}
}

// turn reads one content. The old role "function" is the user's; a content without a role is the user's too.
func (d *requestDecoder) turn(p *dialects.Place) {
	if d.in.Peek() != '{' {
		d.fail(p, "a content must be an object")
		return
	}
	here := d.in.Mark()
	var m conversation.Message
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		if d.key() != "role" || d.in.Peek() == 'n' {
			continue
		}
		switch role := d.scalar(); role {
		case "model":
			m.Role = conversation.Assistant
		case "user", "function", "tool", "":
		default:
			in := p.In("role")
			d.fail(&in, "please use a valid role: user, model")
			return
		}
	}
	if m.Role == conversation.Assistant {
		d.modelTurn()
	} else {
		d.userTurn()
	}
	d.in.Seek(here)
	blocks, results := d.content(p)
	switch {
	case results && m.Role == conversation.Assistant:
		in := p.In("parts")
		d.fail(&in, "a functionResponse must stand in a content of the user")
	case results:
		// The neutral form has results first.
		slices.SortStableFunc(blocks, func(a, b conversation.Block) int { return rank(&a) - rank(&b) })
	case m.Role == conversation.User && hasCall(blocks):
		in := p.In("parts")
		d.fail(&in, "a functionCall must stand in a content of the model")
	}
	if m.Blocks = blocks; len(blocks) > 0 {
		d.req.Messages = append(d.req.Messages, m)
	}
}

// proven appends a thought of another vendor. Streams brought its words in pieces, which clients replay as they came, as
// parts or as contents of their own; they become one thought again. Some clients keep what the proof came with and forget
// the thought: where it is worth nothing alone, it goes, too.
func (d *requestDecoder) proven(blocks []conversation.Block, w *wirePart) []conversation.Block {
	b := conversation.Block{Kind: conversation.Thinking, Signature: w.signature, Origin: w.from, Redacted: w.kinship == redactedLabel}
	if w.thought {
		b.Text = w.text
	}
	if w.kinship == wordedLabel || w.thought && !b.Redacted {
		var head string
		if blocks, head = cutUnsigned(blocks); len(blocks) == 0 {
			head = d.cutUnsigned() + head
		}
		b.Text = head + b.Text
	}
	if b.Text == "" && w.kinship == wordedLabel {
		return blocks
	}
	return d.add(blocks, b)
}

// cutUnsigned removes the thoughts without a signature from the end of the conversation and returns their text.
func (d *requestDecoder) cutUnsigned() (text string) {
	for n := len(d.req.Messages); n > 0 && d.req.Messages[n-1].Role == conversation.Assistant; n-- {
		var cut string
		last := &d.req.Messages[n-1]
		last.Blocks, cut = cutUnsigned(last.Blocks)
		text = cut + text
		if len(last.Blocks) > 0 {
			break
		}
		d.req.Messages = d.req.Messages[:n-1]
	}
	return text
}

func cutUnsigned(blocks []conversation.Block) (rest []conversation.Block, text string) {
	n := len(blocks)
	for ; n > 0 && blocks[n-1].Kind == conversation.Thinking && blocks[n-1].Signature == "" && !blocks[n-1].Redacted; n-- {
		text = blocks[n-1].Text + text
	}
	return blocks[:n], text
}

func rank(b *conversation.Block) int {
	if b.Kind == conversation.Result {
		return 0
	}
	return 1
}

func hasCall(blocks []conversation.Block) bool {
	return slices.ContainsFunc(blocks, func(b conversation.Block) bool { return b.Kind == conversation.Call })
}

// content reads the parts of a content. results reports whether answers of tools are among them.
func (d *requestDecoder) content(p *dialects.Place) (blocks []conversation.Block, results bool) {
	if d.in.Peek() == '[' {
		return d.parts(p)
	}
	var parts, text jsonedit.Mark
	for ok := d.object(p); ok; ok = d.in.Next() {
		switch d.key() {
		case "parts":
			parts = d.in.Mark()
		case "text":
			text = d.in.Mark()
		}
	}
	end := d.in.Mark()
	if text != 0 && parts == 0 { // a part that stands for its content
		d.in.Seek(text)
		s, _ := d.in.Text()
		blocks = d.text(nil, s, "")
	} else if parts != 0 {
		d.in.Seek(parts)
		in := p.In("parts")
		blocks, results = d.parts(&in)
	}
	if d.err == nil {
		d.in.Seek(end)
	}
	return blocks, results
}

func (d *requestDecoder) parts(p *dialects.Place) (blocks []conversation.Block, results bool) {
	e := p.At(0)
	ok, single := d.list(p)
	for ; ok; ok = !single && d.in.Next() {
		if d.in.Peek() != '{' {
			d.fail(&e, "a part must be an object")
			break
		}
		n := len(blocks)
		blocks = d.part(blocks, &e)
		results = results || len(blocks) > n && blocks[n].Kind == conversation.Result
		e.Index++
	}
	return blocks, results
}

// wirePart is a part as it stands, its members found in one pass.
type wirePart struct {
	text, signature string
	from            string // whose signature
	kinship         string // of another vendor's signature to its thought: redactedLabel, wordedLabel or none
	thought         bool
	// kind is the name of what else is in it, payload where it stands.
	kind    string
	payload jsonedit.Mark
}

func (d *requestDecoder) wirePart(p *dialects.Place) (w wirePart) {
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		key := d.key()
		if d.in.Peek() == 'n' {
			continue
		}
		switch key {
		case "text":
			in := p.In(key)
			w.text = d.str(&in)
		case "thought":
			w.thought = d.in.Peek() == 't'
		case "thoughtSignature":
			in := p.In(key)
			w.signature, w.from, w.kinship = replayed(d.str(&in))
		case "videoMetadata", "partMetadata", "mediaResolution":
			d.lost("parts." + key)
		default:
			w.kind, w.payload = key, d.in.Mark()
		}
	}
	return w
}

// part appends the block of one part; none when the part says nothing.
func (d *requestDecoder) part(blocks []conversation.Block, p *dialects.Place) []conversation.Block {
	start := d.in.Mark()
	w := d.wirePart(p)
	end := d.in.Mark()
	if d.err != nil {
		return blocks
	}
	foreign := w.signature != "" && w.from != origin
	if foreign && (w.kind != "" || !w.thought) { // the proof of a thought before it
		w.thought = false
		blocks = d.proven(blocks, &w)
		w.signature = ""
	}
	switch in := p.In(w.kind); {
	case w.kind == "" && w.thought && foreign:
		blocks = d.proven(blocks, &w)
	case w.kind == "" && w.thought:
		// Streams bring the signature of a thought in a part of its own.
		if n := len(blocks); n > 0 && w.text == "" && blocks[n-1].Kind == conversation.Thinking && blocks[n-1].Signature == "" {
			blocks[n-1].Signature = w.signature
		} else if w.text != "" || w.signature != "" {
			blocks = d.add(blocks, conversation.Block{Kind: conversation.Thinking, Text: w.text, Signature: w.signature, Origin: origin})
		}
	case w.kind == "":
		blocks = d.text(blocks, w.text, w.signature)
	default:
		d.in.Seek(w.payload)
		b, known := d.payload(&in, w.kind)
		if !known {
			d.in.Seek(start)
			b = conversation.Block{Kind: conversation.Opaque, Raw: d.in.Raw(), Origin: origin}
		} else if w.signature != "" {
			b.Signature, b.Origin = w.signature, origin
		}
		blocks = d.add(blocks, b)
	}
	if d.err == nil {
		d.in.Seek(end)
	}
	return blocks
}

// payload reads what a part holds besides text. Code that Google ran, calls of its server-side tools and what is yet
// unknown mean something to this dialect alone.
func (d *requestDecoder) payload(p *dialects.Place, kind string) (b conversation.Block, known bool) {
	switch kind {
	case "inlineData":
		return d.inlineData(p), true
	case "fileData":
		return d.fileData(p), true
	case "functionCall":
		return conversation.Block{Kind: conversation.Call, Call: d.functionCall(p)}, true
	case "functionResponse":
		return conversation.Block{Kind: conversation.Result, Result: d.functionResponse(p)}, true
	}
	return b, false
}

// text appends a text. One that is empty but for a signature, as streams end with, is the signature of the text before
// it; alone it says nothing.
func (d *requestDecoder) text(blocks []conversation.Block, s, signature string) []conversation.Block {
	b := conversation.Block{Text: s}
	if signature != "" {
		b.Signature, b.Origin = signature, origin
	}
	n := len(blocks)
	switch {
	case s != "":
		return d.add(blocks, b)
	case signature == "":
	case n > 0 && blocks[n-1].Kind == conversation.Text && blocks[n-1].Signature == "":
		blocks[n-1].Signature, blocks[n-1].Origin = signature, origin
	default:
		return d.add(blocks, b)
	}
	return blocks
}

// add appends a block to those of a message. Most messages have a single one, for which there is room that many
// messages share.
func (d *requestDecoder) add(blocks []conversation.Block, b conversation.Block) []conversation.Block {
	if len(blocks) > 0 {
		return append(blocks, b)
	}
	n := len(d.blocks)
	if n == cap(d.blocks) {
		d.blocks, n = make([]conversation.Block, 0, min(max(2*n, 2), 32)), 0
	}
	d.blocks = append(d.blocks, b)
	return d.blocks[n : n+1 : n+1]
}
