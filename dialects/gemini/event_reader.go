package gemini

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// maxChoice bounds the index of a candidate; Google allows eight of them.
const maxChoice = 127

// NewEventReader reads the stream of one response.
func (Codec) NewEventReader() dialects.EventReader { return new(eventReader) }

// eventReader turns chunks, each with whole parts, into blocks that open, grow and close. Text goes on in one block
// until a part of another kind comes.
type eventReader struct {
	started bool
	failed  bool // an error ended the stream
	ids     callIDs
	choices []*choice // in the order of appearance
	texts   []byte    // of the frame that was read last, without their escapes

	usage   dialects.Reported
	model   string
	queries int64

	blocked bool
	detail  string // why the prompt was blocked
}

// Read appends the events of one frame.
func (r *eventReader) Read(ev sse.Event, out []conversation.Event) ([]conversation.Event, error) {
	if r.failed || len(ev.Data) == 0 {
		return out, nil
	}
	r.texts = r.texts[:0]
	data := jsonedit.View(ev.Data)
	if data == "[DONE]" { // added by some proxies
		return out, nil
	}
	if !gjson.Valid(data) {
		if ev.Incomplete {
			return out, nil // half an event: whether the answer was complete before it, End finds out
		}
		return out, errNotJSON
	}
	doc := gjson.Parse(data)
	if !doc.IsArray() {
		return r.chunk(doc, out)
	}
	var err error
	doc.ForEach(func(_, chunk gjson.Result) bool {
		out, err = r.chunk(chunk, out)
		return err == nil && !r.failed
	})
	return out, err
}

func (r *eventReader) chunk(doc gjson.Result, out []conversation.Event) ([]conversation.Event, error) {
	if !doc.IsObject() {
		return out, errNotJSON
	}
	var candidates, usage, feedback, failure string
	jsonedit.EachMember(doc.Raw, func(key, raw string) bool {
		switch key {
		case "candidates":
			candidates = raw
		case "usageMetadata":
			usage = raw
		case "promptFeedback":
			feedback = raw
		case "error":
			failure = raw
		}
		return true
	})
	if isSet(failure) {
		r.failed = true
		return append(out, conversation.Event{Type: conversation.EventError, Error: asError(failure)}), nil
	}
	if !r.started {
		r.count(usage)
		usage = ""
		out = append(out, r.start(doc))
	}
	var err error
	gjson.Parse(candidates).ForEach(func(_, candidate gjson.Result) bool {
		out, err = r.candidate(candidate.Raw, out)
		return err == nil
	})
	if err != nil {
		return out, err
	}
	if _, detail, blocked := blockedPrompt(gjson.Parse(feedback)); blocked {
		r.blocked, r.detail = true, strings.Clone(detail)
	}
	changed := r.count(usage)
	if n := webSearches(r.model, r.queries); n != r.usage.Usage.WebSearches {
		r.usage.Usage.WebSearches, changed = n, r.usage.UsageKnown
	}
	if changed {
		out = append(out, conversation.Event{Type: conversation.EventUsage, Usage: r.usage.Usage, UsageKnown: true})
	}
	return out, nil
}

func (r *eventReader) start(doc gjson.Result) conversation.Event {
	r.started = true
	r.ids.response = strings.Clone(doc.Get("responseId").String())
	r.model = strings.Clone(doc.Get("modelVersion").String())
	return conversation.Event{
		Type:       conversation.EventStart,
		ID:         r.ids.response,
		Model:      r.model,
		Created:    unixTime(doc.Get("createTime").String()),
		Usage:      r.usage.Usage,
		UsageKnown: r.usage.UsageKnown,
	}
}

// count takes the usage of a chunk, which replaces that of the chunks before, and reports whether it is news. Until the
// last chunk, counts may start again: see the meter.
func (r *eventReader) count(raw string) bool {
	if raw == "" {
		return false
	}
	before := r.usage
	u := readUsage(raw)
	u.Usage.WebSearches = before.Usage.WebSearches
	if r.complete() {
		return r.usage.Update(u) && r.usage != before
	}
	return r.usage.Raise(u) && r.usage != before
}

// complete reports whether each of the candidates was finished, or the prompt blocked.
func (r *eventReader) complete() bool {
	for _, c := range r.choices {
		if !c.finished {
			return r.blocked
		}
	}
	return r.blocked || len(r.choices) > 0
}

func (r *eventReader) candidate(doc string, out []conversation.Event) ([]conversation.Event, error) {
	var index, content, finish, message, grounding, logprobs string
	jsonedit.EachMember(doc, func(key, raw string) bool {
		switch key {
		case "index":
			index = raw
		case "content":
			content = raw
		case "finishReason":
			finish = raw
		case "finishMessage":
			message = raw
		case "groundingMetadata":
			grounding = raw
		case "logprobsResult":
			logprobs = raw
		}
		return true
	})
	c := r.choice(choiceIndex(index))
	before := len(out)
	var err error
	gjson.Get(content, "parts").ForEach(func(_, part gjson.Result) bool {
		out, err = c.part(part, out)
		return err == nil
	})
	if err != nil {
		return out, err
	}
	if isSet(logprobs) {
		weigh(logprobs, out[before:])
	}
	if stop, done := stopReason(finish); done {
		c.finished, c.stop = true, stop
	}
	if isSet(grounding) {
		out = c.cite(gjson.Parse(grounding), out)
		r.queries = max(r.queries, gjson.Get(grounding, "webSearchQueries.#").Int())
	}
	if isSet(message) {
		c.detail = jsonedit.ScalarText(message)
	}
	return out, nil
}

// choiceIndex is which answer a candidate with this raw index belongs to. The first one may have none.
func choiceIndex(raw string) int {
	if raw == "" {
		return 0
	}
	n, _ := jsonedit.Count(raw)
	return int(min(max(n, 0), maxChoice))
}

func (r *eventReader) choice(index int) *choice {
	for _, c := range r.choices {
		if c.number == index {
			return c
		}
	}
	c := &choice{number: index, ids: &r.ids, texts: &r.texts}
	r.choices = append(r.choices, c)
	return c
}

// End closes what is open. A stream is complete when each of its candidates was finished, or when the prompt was
// blocked: the dialect has no other end.
func (r *eventReader) End(out []conversation.Event) ([]conversation.Event, error) {
	if r.failed {
		return out, nil
	}
	if !r.complete() {
		return out, dialects.ErrTruncated
	}
	if len(r.choices) == 0 {
		r.choice(0)
	}
	for _, c := range r.choices {
		out = c.close(out)
		stop, detail := c.stop, c.detail
		switch {
		case r.blocked:
			stop, detail = conversation.StopFiltered, r.detail
		case c.called && stop == conversation.StopEnd:
			stop = conversation.StopToolCalls
		}
		out = append(out, conversation.Event{
			Type: conversation.EventStop, Choice: c.number, Stop: stop, StopDetail: detail,
		})
	}
	return append(out, conversation.Event{Type: conversation.EventEnd}), nil
}

var _ dialects.EventReader = (*eventReader)(nil)
