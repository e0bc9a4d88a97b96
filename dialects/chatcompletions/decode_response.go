package chatcompletions

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// errNotJSON is returned for bodies and events that are no JSON, such as the error page of a proxy with status 200.
var errNotJSON = errors.New("the provider's response is not valid JSON")

// valid reports whether a body or event is JSON. Validate is the faster test, but it wants UTF-8 and an object, too.
func valid(data []byte) bool {
	return jsonedit.Validate(data, jsonedit.Limits{}) == nil || gjson.ValidBytes(data)
}

// DecodeResponse implements [dialects.Encoder]. An error inside of a 200 is returned as *conversation.Error.
func (Codec) DecodeResponse(body []byte) (*conversation.Response, error) {
	if !valid(body) {
		return nil, errNotJSON
	}
	var (
		in      = jsonedit.NewReader(body)
		r       = &conversation.Response{Origin: origin}
		choices jsonedit.Mark
		sources sourceList
		failed  bool
		usage   dialects.Reported
		groq    dialects.Reported
	)
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "id":
			r.ID, _ = in.Text()
		case "model":
			r.Model, _ = in.Text()
		case "created":
			r.Created, _ = wholeNumber(&in)
		case "choices":
			choices = in.Mark()
		case "service_tier":
			r.ServiceTier, _ = in.Text()
		case "usage":
			usage.Update(readUsage(&in))
		case "x_groq":
			groq = readGroq(&in)
		case "search_results", "citations":
			sources.prefer(&in)
		case "error":
			failed = failed || in.Peek() != 'n'
		case "object":
			s, _ := in.Text()
			failed = failed || s == "error"
		}
	}
	if failed {
		return nil, inStream(body)
	}
	if usage == (dialects.Reported{}) {
		usage = groq
	}
	r.Usage, r.UsageKnown = usage.Usage, usage.UsageKnown
	if in.Seek(choices); in.Peek() != '[' {
		return nil, errors.New("the provider's response has no choices")
	}
	for ok := in.Array(); ok; ok = in.Next() {
		d := choiceDecoder{in: &in, id: r.ID, n: len(r.Choices)}
		r.Choices = append(r.Choices, d.choice())
		failed = failed || d.failed
	}
	if failed {
		return nil, inStream(body)
	}
	if len(r.Choices) > 0 {
		in.Seek(sources.at)
		forEachSource(&in, func(c conversation.Citation) { addCitation(r.Choices[0].Blocks, c) })
	}
	return r, nil
}

var contentMember = []byte(`"content"`)

// choiceDecoder reads one choice of a response.
type choiceDecoder struct {
	in     *jsonedit.Reader
	id     string // of the response
	n      int
	blocks []conversation.Block
	made   int
	calls  bool
	refuse bool
	failed bool
}

func (d *choiceDecoder) choice() conversation.Choice {
	var c conversation.Choice
	var finish, native, sequence string
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		switch d.in.Key() {
		case "message":
			d.message()
		case "finish_reason":
			finish, _ = d.in.Text()
		case "native_finish_reason":
			native, _ = d.in.Text()
		case "stop_reason":
			sequence, _ = d.in.Text()
		case "logprobs":
			if raw := d.in.Raw(); bytes.Contains(raw, contentMember) { // Together's have another shape
				c.Logprobs = raw
			}
		case "error":
			d.failed = d.in.Peek() != 'n'
		}
	}
	c.Blocks = d.blocks
	c.Stop = settleStop(finishedBy(finish, native), d.calls, d.refuse)
	c.Stop, c.StopSequence = matched(c.Stop, sequence)
	return c
}

// message reads the members of a message into blocks: thoughts, what was said, calls.
func (d *choiceDecoder) message() {
	m := readDelta(d.in)
	end := d.in.Mark()
	d.thoughts(&m)
	m.forEachText(d.in, d.add)
	d.add(conversation.Refusal, m.refusal)
	d.refuse = m.refusal != ""
	d.in.Seek(m.audio)
	d.audio()
	d.in.Seek(m.images)
	d.images()
	m.forEachCall(d.in, func(f *callFragment) {
		if f.name == "" && f.arguments == "" {
			return // Snowflake fills in empty calls
		}
		if f.id == "" {
			f.id = madeCallID(d.id, d.n, d.made)
			d.made++
		}
		d.calls = true
		call := &conversation.ToolCall{ID: f.id, Name: f.name, Arguments: f.arguments, Custom: f.custom}
		d.blocks = append(d.blocks, signedCall(call, f.signature))
	})
	d.in.Seek(m.annotations)
	for ok := d.in.Array(); ok; ok = d.in.Next() {
		if c := readCitation(d.in); isCited(&c) {
			addCitation(d.blocks, c)
		}
	}
	d.in.Seek(end)
}

// thoughts reads the reasoning: OpenRouter's details, which have its text, too, or the text alone.
func (d *choiceDecoder) thoughts(m *deltaFacts) {
	var blocks []conversation.Block
	texts := false
	d.in.Seek(m.details)
	details(d.in, func(b conversation.Block) {
		texts = texts || b.Text != ""
		blocks = append(blocks, b)
	})
	if !texts {
		d.add(conversation.Thinking, m.reasoning)
	}
	d.blocks = append(d.blocks, blocks...)
}

// add appends text to the last block, or a new one when that is of another kind.
func (d *choiceDecoder) add(kind conversation.Kind, s string) {
	if s == "" {
		return
	}
	if n := len(d.blocks); n > 0 && d.blocks[n-1].Kind == kind && d.blocks[n-1].Signature == "" {
		d.blocks[n-1].Text += s
		return
	}
	b := conversation.Block{Kind: kind, Text: s}
	if kind == conversation.Thinking {
		b.Origin = origin
	}
	d.blocks = append(d.blocks, b)
}

// audio reads an answer in sound; its transcript is the block's text.
func (d *choiceDecoder) audio() {
	var data, transcript string
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		switch d.in.Key() {
		case "data":
			data, _ = d.in.Text()
		case "transcript":
			transcript, _ = d.in.Text()
		}
	}
	if data != "" {
		media := &conversation.Media{Data: data}
		d.blocks = append(d.blocks, conversation.Block{Kind: conversation.Audio, Media: media, Text: transcript})
	}
}

// images reads generated images.
func (d *choiceDecoder) images() {
	forEachImage(d.in, func(b conversation.Block) { d.blocks = append(d.blocks, b) })
}

// forEachImage reads a list of generated images.
func forEachImage(in *jsonedit.Reader, f func(conversation.Block)) {
	for ok := in.Array(); ok; ok = in.Next() {
		for ok := in.Object(); ok; ok = in.Next() {
			if in.Key() != "image_url" {
				continue
			}
			if media := mediaFromURL(textIn(in, "url")); media != nil {
				f(conversation.Block{Kind: conversation.Image, Media: media})
			}
		}
	}
}

// madeCallID makes an ID for a call that came without one. Response IDs are unique, so these are; the same response
// gives the same IDs whether it is streamed or not.
func madeCallID(response string, choice, call int) string {
	if response == "" {
		response = rand.Text()
	}
	return "call_" + conversation.HashID(response+" "+strconv.Itoa(choice)+" "+strconv.Itoa(call), 16)
}

// readCitation reads an annotation. One that says nothing is no citation.
func readCitation(in *jsonedit.Reader) (c conversation.Citation) {
	for ok := in.Object(); ok; ok = in.Next() {
		if key := in.Key(); key != "url_citation" && key != "file_citation" {
			continue
		}
		for ok := in.Object(); ok; ok = in.Next() {
			switch in.Key() {
			case "url":
				c.URL, _ = in.Text()
			case "title", "filename":
				c.Title, _ = in.Text()
			case "content", "quote":
				c.Quote, _ = in.Text()
			case "start_index":
				c.Start = offset(in)
			case "end_index":
				c.End = offset(in)
			}
		}
	}
	return c
}

// sourceList is where the sources of an answer are listed. Perplexity has two lists, of which only search_results has
// titles.
type sourceList struct {
	at     jsonedit.Mark
	titled bool
}

// prefer takes the list that comes next, unless the one that is known is better.
func (l *sourceList) prefer(in *jsonedit.Reader) {
	if in.Peek() != '[' || l.titled {
		return
	}
	l.at = in.Mark()
	l.titled = in.Array() && in.Peek() == '{'
	in.Seek(l.at)
}

// forEachSource reads Perplexity's and xAI's sources, which belong to the answer as a whole.
func forEachSource(in *jsonedit.Reader, f func(conversation.Citation)) {
	for ok := in.Array(); ok; ok = in.Next() {
		var c conversation.Citation
		c.URL, _ = in.Text()
		for ok := in.Object(); ok; ok = in.Next() {
			switch in.Key() {
			case "url":
				c.URL, _ = in.Text()
			case "title":
				c.Title, _ = in.Text()
			}
		}
		if c.URL != "" {
			f(c)
		}
	}
}

// addCitation adds a citation to the answer's last text.
func addCitation(blocks []conversation.Block, c conversation.Citation) {
	for i := len(blocks) - 1; i >= 0; i-- {
		if blocks[i].Kind == conversation.Text {
			blocks[i].Citations = append(blocks[i].Citations, c)
			return
		}
	}
}
