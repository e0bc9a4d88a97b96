package chatcompletions

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
)

// errNotJSON is returned for bodies and events that are no JSON, such as the error page of a proxy with status 200.
var errNotJSON = errors.New("the provider's response is not valid JSON")

// DecodeResponse implements [dialects.Encoder]. An error inside of a 200 is returned as *conversation.Error.
func (Codec) DecodeResponse(body []byte) (*conversation.Response, error) {
	if !gjson.ValidBytes(body) {
		return nil, errNotJSON
	}
	root := gjson.ParseBytes(body)
	r := &conversation.Response{Origin: origin}
	var choices, sources gjson.Result
	failed := false
	root.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "id":
			r.ID = text(v)
		case "model":
			r.Model = text(v)
		case "created":
			r.Created, _ = wholeNumber(v)
		case "choices":
			choices = v
		case "service_tier":
			r.ServiceTier = text(v)
		case "usage":
			if u, ok := parseUsage(v); ok {
				r.Usage, r.UsageKnown = u, true
			}
		case "x_groq":
			if u, ok := parseUsage(v.Get("usage")); ok && !r.UsageKnown {
				r.Usage, r.UsageKnown = u, true
			}
		case "search_results", "citations":
			sources = preferredSources(sources, v)
		case "error":
			failed = failed || !isNull(v)
		case "object":
			failed = failed || v.Str == "error"
		}
		return true
	})
	if failed {
		return nil, inStream(root)
	}
	if !choices.IsArray() {
		return nil, errors.New("the provider's response has no choices")
	}
	choices.ForEach(func(_, v gjson.Result) bool {
		d := choiceDecoder{id: r.ID, n: len(r.Choices)}
		r.Choices = append(r.Choices, d.choice(v))
		return true
	})
	if len(r.Choices) > 0 {
		addSources(r.Choices[0].Blocks, sources)
	}
	return r, nil
}

// choiceDecoder reads one choice of a response.
type choiceDecoder struct {
	id     string // of the response
	n      int
	blocks []conversation.Block
	made   int
	calls  bool
	refuse bool
}

func (d *choiceDecoder) choice(v gjson.Result) conversation.Choice {
	var c conversation.Choice
	var finish string
	v.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "message":
			d.message(v)
		case "finish_reason":
			finish = text(v)
		case "logprobs":
			if v.IsObject() {
				c.Logprobs = json.RawMessage(v.Raw)
			}
		}
		return true
	})
	c.Blocks = d.blocks
	c.Stop = settleStop(stopReason(finish), d.calls, d.refuse)
	return c
}

// message reads the members of a message into blocks: thoughts, what was said, calls.
func (d *choiceDecoder) message(v gjson.Result) {
	m := readDelta(v)
	d.add(conversation.Thinking, m.reasoning)
	if m.content.Type == gjson.String {
		d.add(conversation.Text, m.content.Str)
	} else {
		forEachChunk(m.content, d.add)
	}
	d.add(conversation.Refusal, m.refusal)
	d.refuse = m.refusal != ""
	d.audio(m.audio)
	m.images.ForEach(func(_, image gjson.Result) bool {
		if media := mediaFromURL(text(image.Get("image_url.url"))); media != nil {
			d.blocks = append(d.blocks, conversation.Block{Kind: conversation.Image, Media: media})
		}
		return true
	})
	m.forEachCall(func(_ int, f callFragment) {
		if f.name == "" && f.arguments == "" {
			return // Snowflake fills in empty calls
		}
		if f.id == "" {
			f.id = madeCallID(d.id, d.n, d.made)
			d.made++
		}
		d.calls = true
		call := &conversation.ToolCall{ID: f.id, Name: f.name, Arguments: f.arguments, Custom: f.custom}
		d.blocks = append(d.blocks, conversation.Block{Kind: conversation.Call, Call: call})
	})
	m.annotations.ForEach(func(_, v gjson.Result) bool {
		if c, ok := readCitation(v); ok {
			addCitation(d.blocks, c)
		}
		return true
	})
}

// add appends text to the last block, or a new one when that is of another kind.
func (d *choiceDecoder) add(kind conversation.Kind, s string) {
	if s == "" {
		return
	}
	if n := len(d.blocks); n > 0 && d.blocks[n-1].Kind == kind {
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
func (d *choiceDecoder) audio(v gjson.Result) {
	data := text(v.Get("data"))
	if data == "" {
		return
	}
	media := &conversation.Media{Data: data}
	d.blocks = append(d.blocks, conversation.Block{Kind: conversation.Audio, Media: media, Text: text(v.Get("transcript"))})
}

// madeCallID makes an ID for a call that came without one. Response IDs are unique, so these are; the same response
// gives the same IDs whether it is streamed or not.
func madeCallID(response string, choice, call int) string {
	if response == "" {
		response = rand.Text()
	}
	return "call_" + hashID(response+" "+strconv.Itoa(choice)+" "+strconv.Itoa(call), 16)
}

// readCitation reads a url_citation annotation.
func readCitation(v gjson.Result) (conversation.Citation, bool) {
	u := v.Get("url_citation")
	if !u.IsObject() {
		return conversation.Citation{}, false
	}
	c := conversation.Citation{URL: text(u.Get("url")), Title: text(u.Get("title")), Quote: text(u.Get("content"))}
	c.Start, c.End = int(detail(u.Get("start_index"))), int(detail(u.Get("end_index")))
	return c, c.URL != ""
}

// preferredSources picks between Perplexity's two lists of sources: only search_results has titles.
func preferredSources(a, b gjson.Result) gjson.Result {
	if !b.IsArray() || a.IsArray() && a.Get("0").IsObject() {
		return a
	}
	return b
}

// forEachSource reads Perplexity's and xAI's sources, which belong to the answer as a whole.
func forEachSource(sources gjson.Result, f func(conversation.Citation)) {
	if !sources.IsArray() {
		return
	}
	sources.ForEach(func(_, v gjson.Result) bool {
		c := conversation.Citation{URL: text(v)}
		if v.IsObject() {
			c.URL, c.Title = text(v.Get("url")), text(v.Get("title"))
		}
		if c.URL != "" {
			f(c)
		}
		return true
	})
}

func addSources(blocks []conversation.Block, sources gjson.Result) {
	forEachSource(sources, func(c conversation.Citation) { addCitation(blocks, c) })
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
