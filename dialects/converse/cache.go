package converse

import "github.com/caddy-llm/llmgateway/dialects/conversation"

// maxMarks is the number of cache points that a request may have.
const maxMarks = 4

// markOf is the cache mark after a block. A tool result has it on itself or on something in it.
func markOf(b *conversation.Block) *conversation.CacheMark {
	if b.Cache != nil || b.Kind != conversation.Result {
		if b.Kind == conversation.Thinking {
			return nil // the models refuse it there
		}
		return b.Cache
	}
	var mark *conversation.CacheMark
	for i := range b.Result.Content {
		if m := b.Result.Content[i].Cache; m != nil {
			mark = m
		}
	}
	return mark
}

// heavy reports whether a block is one that no cache point may follow.
func heavy(b *conversation.Block) bool {
	return b.Kind == conversation.Document || b.Kind == conversation.Video
}

// markRow writes the cache point of a row of documents before them, if there is anything to cache.
func (e *requestEncoder) markRow(blocks []*conversation.Block, before bool) {
	for _, b := range blocks {
		switch {
		case !heavy(b):
			return
		case b.Cache == nil:
		case before:
			e.mark(b.Cache)
			return
		default:
			e.note("cache_control")
		}
	}
}

// mark writes a cache point.
func (e *requestEncoder) mark(m *conversation.CacheMark) {
	switch {
	case m == nil || !e.model.caches():
		return
	case e.skipMarks > 0:
		e.skipMarks--
		return
	}
	e.comma()
	e.raw(`{"cachePoint":{"type":"default"`)
	if m.TTL == "1h" && e.model.is(anthropic) || m.TTL == "5m" { // other vendors have other lifetimes
		e.text("ttl", m.TTL)
	}
	e.raw("}}")
}

// spareMarks finds out how many cache marks are too many. The last ones are kept, since they cover the longest prefix.
func (e *requestEncoder) spareMarks() {
	n := 0
	count := func(m *conversation.CacheMark) {
		if m != nil {
			n++
		}
	}
	for _, t := range e.tools {
		count(t.Cache)
	}
	for _, b := range e.system {
		count(b.Cache)
	}
	for _, t := range e.turns {
		for _, b := range t.blocks {
			count(markOf(b))
		}
	}
	e.skipMarks = max(n-maxMarks, 0)
	if e.skipMarks > 0 || n > 0 && !e.model.caches() {
		e.note("cache_control")
	}
}
