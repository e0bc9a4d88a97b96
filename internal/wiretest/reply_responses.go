package wiretest

import (
	"fmt"
	"strings"
)

func (r *Reply) responsesWhole(doc node) {
	for i, item := range doc.list("output") {
		r.responsesItem(i, item)
	}
	r.responsesEnd(doc)
}

func (r *Reply) responsesEnd(doc node) {
	r.responsesHead(doc)
	r.responsesUsage(doc.get("usage"))
	r.responsesStatus(doc)
}

func (r *Reply) responsesHead(doc node) {
	if doc.str("object") != "response" || !strings.HasPrefix(doc.str("id"), "resp_") || doc.str("model") == "" || doc.count("created_at") == 0 || !doc.get("output").isList() {
		r.breach("object %q, id %q, model %q, created at %d", doc.str("object"), doc.str("id"), doc.str("model"), doc.count("created_at"))
	}
	for _, k := range []string{"parallel_tool_calls", "tool_choice", "tools"} { // SDKs need them
		if !doc.get(k).exists() {
			r.breach("no %s", k)
		}
	}
}

func (r *Reply) responsesStatus(doc node) {
	switch status := doc.str("status"); status {
	case "completed":
		r.stop(status)
	case "incomplete":
		if word := doc.str("incomplete_details", "reason"); word != "" {
			r.stop(word)
		} else {
			r.breach("incomplete without a reason")
		}
	case "failed":
		r.stop(status)
		r.Error = doc.str("error", "message")
		if r.Error == "" {
			r.breach("failed without an error")
		}
	default:
		r.breach("the status is %q", status)
	}
}

func (r *Reply) responsesUsage(u node) {
	if !u.exists() {
		return
	}
	n := Usage{
		Input:      u.count("input_tokens"),
		CacheRead:  u.count("input_tokens_details", "cached_tokens"),
		CacheWrite: u.count("input_tokens_details", "cache_write_tokens"),
		Output:     u.count("output_tokens"),
		Reasoning:  u.count("output_tokens_details", "reasoning_tokens"),
	}
	if total := u.count("total_tokens"); total != n.Input+n.Output {
		r.breach("the total of %v is %d", n, total)
	}
	if n.Reasoning > n.Output || n.CacheRead > n.Input {
		r.breach("the parts of %v are more than the whole", n)
	}
	r.Usage = &n
}

// responsesItem reads a finished item.
func (r *Reply) responsesItem(i int, item node) {
	kind := item.str("type")
	if item.str("id") == "" && !strings.HasSuffix(kind, "_output") {
		r.breach("item %d has no id", i)
	}
	switch kind {
	case "message":
		if item.str("role") != roleAssistant || !item.get("content").isList() {
			r.breach("message %d has the role %q", i, item.str("role"))
		}
		r.itemStatus(i, item)
		for _, p := range item.list("content") {
			r.Text += p.str("text")
			r.Refusal += p.str("refusal")
			for _, a := range p.list("annotations") {
				if a.str("type") == "url_citation" {
					r.source(a.str("url"), a.str("title"), r.characters(p.str("text"), a.get("start_index"), a.get("end_index")))
				}
			}
			if kind := p.str("type"); kind != "refusal" && (kind != "output_text" || !p.get("annotations").isList()) {
				r.breach("message %d: a part of the type %q, or without annotations", i, kind)
			}
		}
	case "reasoning":
		if !item.get("summary").isList() {
			r.breach("item %d: reasoning without a summary", i)
		}
		for j, p := range append(item.list("summary"), item.list("content")...) {
			r.think(fmt.Sprint("item ", i, " part ", j), p.str("text"))
			if kind := p.str("type"); kind != "summary_text" && kind != "reasoning_text" {
				r.breach("item %d: a part of the type %q", i, kind)
			}
		}
	case "function_call":
		if item.str("call_id") == "" || !item.get("arguments").isString() {
			r.breach("item %d: a call with the call_id %q", i, item.str("call_id"))
		}
		r.itemStatus(i, item)
		r.Calls = append(r.Calls, Call{item.str("call_id"), item.str("name"), item.str("arguments")})
	case "custom_tool_call":
		r.Calls = append(r.Calls, Call{item.str("call_id"), item.str("name"), string(quoted(item.str("input")))})
	case "image_generation_call":
		r.medium(Media{Data: item.str("result")})
	case "":
		r.breach("item %d has no type", i)
	}
}

// itemStatus checks the status of an item that is done.
func (r *Reply) itemStatus(i int, item node) {
	if s := item.str("status"); s != "completed" && s != "incomplete" {
		r.breach("item %d is done and %q", i, s)
	}
}
