package cohere

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// citation is one of Cohere's citations: a piece of the answer, and the sources that it is taken from.
type citation struct {
	start, end int
	content    int  // which content of the message it is in
	text       bool // it is in a text, and not in a plan or a thought
	sources    []conversation.Citation
}

// readCitation reads a citation into one for each of its sources. Nothing in it points into the document.
func readCitation(in *jsonedit.Reader) citation {
	c := citation{text: true}
	begin := in.Mark()
	raw := json.RawMessage(slices.Clone(in.Raw()))
	end := in.Mark()
	in.Seek(begin)
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "start":
			c.start = position(in)
		case "end":
			c.end = position(in)
		case "content_index":
			c.content = position(in)
		case "type":
			s, _ := in.Text()
			c.text = s == "TEXT_CONTENT" || s == ""
		case "sources":
			for ok := in.Array(); ok; ok = in.Next() {
				c.sources = append(c.sources, readSource(in))
			}
		}
	}
	in.Seek(end)
	if len(c.sources) == 0 {
		c.sources = make([]conversation.Citation, 1)
	}
	for i := range c.sources {
		s := &c.sources[i]
		s.Start, s.End, s.Raw, s.Origin = c.start, c.end, raw, origin
	}
	return c
}

// position reads an offset or index.
func position(in *jsonedit.Reader) int {
	n, _ := jsonedit.Count(jsonedit.View(in.Raw()))
	return int(min(n, 1<<30))
}

// readSource reads a document, or the output of a tool. Which members it has is up to who made it; these are the usual
// ones.
func readSource(in *jsonedit.Reader) (c conversation.Citation) {
	var id string
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "id":
			id = textOf(in)
		case "document", "tool_output":
			for ok := in.Object(); ok; ok = in.Next() {
				switch in.Key() {
				case "url", "link":
					c.URL = textOf(in)
				case "title":
					c.Title = textOf(in)
				case "text", "snippet", "content":
					c.Quote = textOf(in)
				}
			}
		}
	}
	if c.Title == "" {
		c.Title = id
	}
	return c
}

// textOf is a copy of the text that comes next.
func textOf(in *jsonedit.Reader) string {
	s, _ := in.Text()
	return strings.Clone(s)
}

// attach adds a citation to the text that it is in: the one at its place in the content, or else the last one. places
// tells which block a content became.
func attach(blocks []conversation.Block, places []int, c citation) {
	if !c.text {
		return
	}
	at := -1
	if c.content < len(places) {
		at = places[c.content]
	}
	if at < 0 || blocks[at].Kind != conversation.Text {
		at = -1
		for i := range blocks {
			if blocks[i].Kind == conversation.Text {
				at = i
			}
		}
	}
	if at >= 0 {
		blocks[at].Citations = append(blocks[at].Citations, c.sources...)
	}
}
