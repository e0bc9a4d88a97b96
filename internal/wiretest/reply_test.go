package wiretest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestTheSameResponseIsReadAlikeInEveryDialect(t *testing.T) {
	for _, endpoint := range Endpoints() {
		for _, stream := range []bool{false, true} {
			want := fixtureReply(t, endpoint, stream)
			if len(want.Breaches) > 0 {
				t.Errorf("%s, stream %v: %q", endpoint, stream, want.Breaches)
			}
			for _, client := range Clients() {
				got := fixtureReply(t, client, !stream)
				counted := *got.Usage // as far as the endpoint counts
				switch endpoint {
				case Ollama:
					counted.CacheRead, counted.Reasoning = 0, 0
				case Converse, Cohere:
					counted.Reasoning = 0
				}
				got.Usage = &counted
				if list := CompareReplies(want, got, client); len(list) > 0 {
					t.Errorf("%s for %s, stream %v: %s", endpoint, client, stream, strings.Join(list, "\n\t"))
				}
			}
		}
	}
}

// freeInReplies are the places of a response that comparisons do not look at, and need not.
var freeInReplies = map[string][]string{
	Chat: {"choices.*.message.refusal left out", "created changed", "id changed", "model changed"},
	Responses: {
		"created_at changed", "error", "id changed", "incomplete_details", "model changed", "output.*.id changed", "parallel_tool_calls changed",
		"tool_choice changed",
	},
	Messages: {
		"content.*.citations.*.cited_text", "content.*.citations.*.encrypted_index",
		"content.*.signature", "id changed", "model changed", "usage.cache_creation_input_tokens left out",
	},
	Gemini: {
		"candidates.*.content.parts.*.functionCall.args left out", "candidates.*.content.parts.*.thoughtSignature", "candidates.*.index left out",
		"modelVersion changed", "responseId changed",
	},
}

func TestEveryChangeOfAResponseIsFound(t *testing.T) {
	for _, client := range Clients() {
		t.Run(client, func(t *testing.T) {
			want := fixtureReply(t, Responses, false)
			check := missing(freeInReplies[client])
			for _, m := range mutations(t, fixture(t, "replies/"+client+".json")) {
				check.note(m.where, CompareReplies(want, ReadReply(client, 200, "application/json", m.doc), client))
			}
			check.report(t)
		})
	}
}

// freeInStreams are the places of events that comparisons do not look at, and need not. A place begins with the name of
// the event, where it has one.
var freeInStreams = map[string][]string{
	Chat: {
		"choices.*.delta.content left out", // of the first, which has none
		"event  late", "event  repeated",   // thoughts and words are not held against each other; the first chunk says nothing
	},
	Responses: {
		"response.completed response.error left out", "response.completed response.incomplete_details left out",
		"response.completed response.parallel_tool_calls changed", "response.completed response.tool_choice changed",
		"response.content_part.added part.annotations left out",
		"response.created response.error left out", "response.created response.incomplete_details left out",
		"response.created response.parallel_tool_calls changed", "response.created response.tool_choice changed", "response.created response.usage left out",
		"response.in_progress response.error left out", "response.in_progress response.incomplete_details left out",
		"response.in_progress response.parallel_tool_calls changed", "response.in_progress response.tool_choice changed", "response.in_progress response.usage left out",
	},
	Messages: {
		"content_block_delta delta.citation.cited_text", "content_block_delta delta.citation.encrypted_index",
		"content_block_delta delta.signature", "content_block_start content_block.signature changed",
		"event content_block_delta late", "event content_block_delta left out", "event content_block_delta repeated", // signatures
		"event content_block_stop late", "event ping late", "event ping left out", "event ping repeated",
		"message_start message.id changed", "message_start message.model changed",
		"message_start message.usage.cache_creation_input_tokens left out", "message_start message.usage.output_tokens changed", // counted anew at the end
	},
	Gemini: {
		// Calls in pieces: their ends may be missing.
		"candidates.*.content.parts.* left out", "candidates.*.content.parts.*.functionCall left out",
		"candidates.*.content.parts.*.functionCall.partialArgs.*.willContinue", "candidates.*.content.parts.*.functionCall.willContinue",
		"candidates.*.index left out", "modelVersion changed", "event  late",
	},
}

func TestEveryChangeOfAStreamIsFound(t *testing.T) {
	for _, client := range Clients() {
		t.Run(client, func(t *testing.T) {
			want := fixtureReply(t, Responses, false)
			check := missing(freeInStreams[client])
			frames, contentType := fixtureFrames(t, client)
			try := func(where string, changed ...string) {
				got := ReadReply(client, 200, contentType, []byte(strings.Join(changed, "")))
				check.note(where, CompareReplies(want, got, client))
			}
			for i, f := range frames {
				head, data, ok := strings.Cut(f, "data: ")
				if !ok {
					continue // a comment
				}
				name := strings.TrimSpace(strings.TrimPrefix(head, "event:"))
				try("event "+name+" left out", slices.Delete(slices.Clone(frames), i, i+1)...)
				try("event "+name+" repeated", slices.Insert(slices.Clone(frames), i, f)...)
				if i+1 < len(frames) {
					swapped := slices.Clone(frames)
					swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
					try("event "+name+" late", swapped...)
				}
				if head != "" {
					changed := slices.Clone(frames)
					changed[i] = "data: " + data
					try("event "+name+" without its name", changed...)
				}
				if !json.Valid([]byte(data)) {
					continue
				}
				for _, m := range mutations(t, []byte(data)) {
					changed := slices.Clone(frames)
					changed[i] = fmt.Sprintf("%sdata: %s\n\n", head, m.doc)
					try(strings.TrimSpace(name+" "+m.where), changed...)
				}
			}
			check.report(t)
		})
	}
}

// missed collects changes that nobody noticed, and holds them against those that nobody has to notice.
type missed struct {
	free map[string]bool
	list map[string]int
}

func missing(free []string) *missed {
	m := &missed{map[string]bool{}, map[string]int{}}
	for _, where := range free {
		m.free[where] = false
	}
	return m
}

// note takes what was found about a change. A place is free with all that happens to it, or for one kind of change.
func (m *missed) note(where string, found []string) {
	if len(found) > 0 {
		return
	}
	place := strings.TrimSuffix(strings.TrimSuffix(where, " left out"), " changed")
	for _, w := range []string{where, place} {
		if _, ok := m.free[w]; ok {
			m.free[w] = true
			return
		}
	}
	m.list[where]++
}

func (m *missed) report(t *testing.T) {
	t.Helper()
	for _, where := range slices.Sorted(maps.Keys(m.list)) {
		t.Errorf("nobody notices: %s", where)
	}
	for where, used := range m.free {
		if !used {
			t.Errorf("every change of %s is noticed", where)
		}
	}
}
