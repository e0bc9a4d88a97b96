package gemini

import (
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
)

// segment is the stretch of an answer that a source supports. Its offsets count bytes of UTF-8.
type segment struct {
	part, start, end int
	text             string
}

// support is a segment with the sources it rests on.
type support struct {
	segment
	sources []conversation.Citation // without offsets
}

// readSources reads the sources of groundingMetadata, by index.
func readSources(grounding gjson.Result) (sources []conversation.Citation) {
	grounding.Get("groundingChunks").ForEach(func(_, chunk gjson.Result) bool {
		sources = append(sources, readSource(chunk))
		return true
	})
	return sources
}

// unplaced is what groundingMetadata without supports comes to: all sources, for no segment in particular.
func unplaced(grounding gjson.Result) []support {
	if sources := readSources(grounding); len(sources) > 0 {
		return []support{{sources: sources}}
	}
	return nil
}

// readSupports reads the supports of groundingMetadata from the given one on, and returns how many there are.
func readSupports(grounding gjson.Result, from int) (list []support, total int) {
	supports := grounding.Get("groundingSupports").Array()
	if len(supports) == 0 {
		return nil, from
	}
	sources := readSources(grounding)
	for _, s := range supports[min(from, len(supports)):] {
		seg := s.Get("segment")
		one := support{segment: segment{
			part:  int(seg.Get("partIndex").Int()),
			start: int(seg.Get("startIndex").Int()),
			end:   int(seg.Get("endIndex").Int()),
			text:  strings.Clone(seg.Get("text").String()),
		}}
		s.Get("groundingChunkIndices").ForEach(func(_, i gjson.Result) bool {
			if n := i.Int(); n >= 0 && n < int64(len(sources)) {
				one.sources = append(one.sources, sources[n])
			}
			return true
		})
		list = append(list, one)
	}
	return list, max(from, len(supports))
}

// readSource reads a web page, a document of the user's own store, or a place on the map.
func readSource(chunk gjson.Result) (c conversation.Citation) {
	c.Origin = origin
	chunk.ForEach(func(_, source gjson.Result) bool {
		c.URL = strings.Clone(source.Get("uri").String())
		c.Title = strings.Clone(source.Get("title").String())
		c.Quote = strings.Clone(source.Get("text").String())
		if c.Title == "" {
			c.Title = strings.Clone(source.Get("fileSearchStore").String())
		}
		return false
	})
	return c
}

// cite attaches the citations of a grounded answer to the text blocks they are about. places tells which block a part
// became.
func cite(blocks []conversation.Block, places []int, grounding gjson.Result) {
	var texts []string
	var owners []int // which block each text is
	for i := range blocks {
		if blocks[i].Kind == conversation.Text {
			texts, owners = append(texts, blocks[i].Text), append(owners, i)
		}
	}
	if len(texts) == 0 {
		return
	}
	supports, _ := readSupports(grounding, 0)
	if len(supports) == 0 {
		supports = unplaced(grounding)
	}
	for _, s := range supports {
		first := 0
		if s.part >= 0 && s.part < len(places) {
			for k, owner := range owners {
				if owner == places[s.part] {
					first = k
				}
			}
		}
		k, start, end := locate(texts, first, s.segment)
		b := &blocks[owners[k]]
		for _, c := range s.sources {
			c.Start, c.End = start, end
			b.Citations = append(b.Citations, c)
		}
	}
}

// locate finds a segment and returns its text's index and its offsets in characters. Offsets should count from the
// part that the segment names, but the name is mostly left out, and other parts may have come before; so the texts are
// tried one by one, the named one first, then all of them as one, then by what the segment says. A segment that is
// nowhere is placed in the last text, with no offsets.
func locate(texts []string, first int, s segment) (index, start, end int) {
	for k := range texts {
		k = (k + first) % len(texts)
		if start, end, ok := charRange(texts[k], s.start, s.end, s.text); ok {
			return k, start, end
		}
	}
	base := 0
	for k, t := range texts {
		if start, end, ok := charRange(t, s.start-base, s.end-base, s.text); ok {
			return k, start, end
		}
		base += len(t)
	}
	if s.text != "" {
		for k, t := range texts {
			if i := strings.Index(t, s.text); i >= 0 {
				start := utf8.RuneCountInString(t[:i])
				return k, start, start + utf8.RuneCountInString(s.text)
			}
		}
	}
	return len(texts) - 1, 0, 0
}

// charRange turns byte offsets into character offsets, if they are offsets of text and said stands there.
func charRange(text string, from, to int, said string) (start, end int, ok bool) {
	if from < 0 || to <= from || to > len(text) || said != "" && text[from:to] != said {
		return 0, 0, false
	}
	start = utf8.RuneCountInString(text[:from])
	return start, start + utf8.RuneCountInString(text[from:to]), true
}
