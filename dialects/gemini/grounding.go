package gemini

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// grounding collects the citations of an answer for its groundingMetadata.
type grounding struct {
	chunks, supports []byte
	sources          []string // the URLs and titles of chunks
}

// add appends the citations of a text, which is the given part of the answer.
func (g *grounding) add(part int, text string, citations []conversation.Citation) {
	for i := range citations {
		c := &citations[i]
		if c.URL == "" && c.Title == "" {
			continue // a place in a document of the request, for which the dialect has no word
		}
		source := g.source(c)
		start, end := byteRange(text, c.Start, c.End)
		if end == 0 {
			continue
		}
		g.supports = append(appendElement(g.supports), `{"segment":{`...)
		if part > 0 {
			g.supports = jsonedit.AppendIntMember(g.supports, "partIndex", int64(part))
		}
		if start > 0 {
			g.supports = jsonedit.AppendIntMember(g.supports, "startIndex", int64(start))
		}
		g.supports = jsonedit.AppendIntMember(g.supports, "endIndex", int64(end))
		g.supports = jsonedit.AppendStringMember(g.supports, "text", text[start:end])
		g.supports = append(g.supports, `},"groundingChunkIndices":[`...)
		g.supports = append(strconv.AppendInt(g.supports, int64(source), 10), "]}"...)
	}
}

// source is the index of a citation's source.
func (g *grounding) source(c *conversation.Citation) int {
	name := c.URL + "\x00" + c.Title
	for i, s := range g.sources {
		if s == name {
			return i
		}
	}
	g.sources = append(g.sources, strings.Clone(name))
	g.chunks = append(appendElement(g.chunks), `{"web":{`...)
	g.chunks = jsonedit.AppendStringMember(g.chunks, "uri", c.URL)
	g.chunks = append(jsonedit.AppendStringMember(g.chunks, "title", c.Title), "}}"...)
	return len(g.sources) - 1
}

func appendElement(list []byte) []byte {
	if len(list) > 0 {
		list = append(list, ',')
	}
	return list
}

// append appends groundingMetadata, or nothing when nothing was cited.
func (g *grounding) append(dst []byte) []byte {
	if len(g.sources) == 0 {
		return dst
	}
	dst = append(jsonedit.AppendKey(dst, "groundingMetadata"), `{"groundingChunks":[`...)
	dst = append(append(dst, g.chunks...), ']')
	if len(g.supports) > 0 {
		dst = append(jsonedit.AppendKey(dst, "groundingSupports"), '[')
		dst = append(append(dst, g.supports...), ']')
	}
	return append(dst, '}')
}

// byteRange turns character offsets into the dialect's byte offsets; 0, 0 when they are none of this text.
func byteRange(text string, from, to int) (start, end int) {
	if from < 0 || to <= from {
		return 0, 0
	}
	chars := 0
	start = -1
	for i := range text {
		if chars == from {
			start = i
		}
		if chars == to {
			return start, i
		}
		chars++
	}
	if chars == to && start >= 0 {
		return start, len(text)
	}
	return 0, 0
}

// appendLogprobs appends logprobsResult from the tokens of chat completions' list.
func appendLogprobs(dst []byte, tokens gjson.Result) []byte {
	if !tokens.Get("0").Exists() {
		return dst
	}
	dst = append(jsonedit.AppendKey(dst, "logprobsResult"), `{"chosenCandidates":[`...)
	tokens.ForEach(func(_, token gjson.Result) bool {
		dst = appendCandidateToken(dst, token)
		return true
	})
	dst = append(dst, `],"topCandidates":[`...)
	tokens.ForEach(func(_, token gjson.Result) bool {
		dst = append(jsonedit.AppendComma(dst), `{"candidates":[`...)
		token.Get("top_logprobs").ForEach(func(_, alternative gjson.Result) bool {
			dst = appendCandidateToken(dst, alternative)
			return true
		})
		dst = append(dst, "]}"...)
		return true
	})
	return append(dst, "]}"...)
}

func appendCandidateToken(dst []byte, token gjson.Result) []byte {
	dst = append(jsonedit.AppendComma(dst), '{')
	dst = jsonedit.AppendStringMember(dst, "token", strings.ToValidUTF8(token.Get("token").String(), string(utf8.RuneError)))
	if p := token.Get("logprob"); p.Type == gjson.Number {
		dst = append(jsonedit.AppendKey(dst, "logProbability"), p.Raw...)
	}
	return append(dst, '}')
}

// shifted returns citations with offsets into all that was said, of which the cited text begins after past bytes:
// clients join the texts of a stream and count from the beginning.
func shifted(citations []conversation.Citation, said []byte, past int) []conversation.Citation {
	chars := utf8.RuneCount(said[:past])
	for i := range citations {
		if citations[i].End > 0 {
			citations[i].Start += chars
			citations[i].End += chars
		}
	}
	return citations
}
