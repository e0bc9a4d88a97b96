package wiretest

import (
	"slices"
	"strings"
)

const responsesKeys = `model input instructions stream stream_options tools tool_choice parallel_tool_calls max_output_tokens
	max_tool_calls temperature top_p top_logprobs text reasoning include store previous_response_id conversation background
	truncation context_management metadata user safety_identifier service_tier prompt_cache_key prompt_cache_retention
	prompt_cache_options prompt moderation provider`

// minOutput is the smallest limit that the API accepts.
const minOutput = "16"

func (a *Ask) checkResponses(doc node) {
	a.checkKeys("request", doc, responsesKeys)
	input := doc.get("input")
	if input.str() == "" && len(input.list()) == 0 && !doc.get("prompt").exists() && !doc.get("previous_response_id").exists() {
		a.breach("no input")
	}
	items := input.list()
	for i, item := range items {
		a.checkItem(i, item, items[i+1:])
	}
	a.checkTools(wordName)
	// What came before is at the provider, or was compacted.
	stored := doc.get("previous_response_id").exists() || doc.get("conversation").exists() ||
		slices.ContainsFunc(items, func(n node) bool { return n.str("type") == "compaction" || n.str("type") == "item_reference" })
	if !stored {
		a.checkCalls(nil, wordName)
	}
	if s := a.MaxTokens; s != "" && lessNumber(s, minOutput) {
		a.breach("max_output_tokens is %s", s)
	}
	a.between("temperature", doc.get("temperature"), "0", "2")
	if tools := doc.get("tools"); tools.isList() && len(tools.list()) == 0 && doc.get("tool_choice").exists() {
		a.breach("a tool choice without tools")
	}
	if f := doc.get("text", "format"); f.str("type") == "json_schema" && !wordName.MatchString(f.str("name")) {
		a.breach("the schema name %q is not allowed", f.str("name"))
	}
}

func (a *Ask) checkItem(i int, item node, rest []node) {
	switch kind := item.str("type"); kind {
	case "", "message":
		a.checkResponsesMessage(i, item)
	case "reasoning":
		if !slices.ContainsFunc(rest, func(n node) bool { return n.str("type") != "reasoning" }) {
			a.breach("item %d: reasoning that nothing follows", i)
		}
	case "function_call":
		if !item.get("arguments").isString() {
			a.breach("item %d: arguments are no string", i)
		}
		if id := item.str("id"); id != "" && !strings.HasPrefix(id, "fc") {
			a.breach("item %d: the id %q is not that of a call", i, id)
		}
		if item.str("call_id") == "" || len(item.str("call_id")) > 64 {
			a.breach("item %d: the call id %q", i, item.str("call_id"))
		}
	case "function_call_output", "custom_tool_call_output":
		if out := item.get("output"); !out.isString() && !out.isList() {
			a.breach("item %d: the output is neither text nor parts", i)
		}
		for _, p := range item.list("output") {
			a.checkResponsesPart(i, roleUser, p)
		}
	}
}

func (a *Ask) checkResponsesMessage(i int, m node) {
	role, content := m.str("role"), m.get("content")
	if !slices.Contains([]string{"system", "developer", "user", "assistant"}, role) {
		a.breach("item %d has the role %q", i, role)
	}
	if !content.isString() && len(content.list()) == 0 {
		a.breach("item %d is empty", i)
	}
	if id := m.str("id"); id != "" && !strings.HasPrefix(id, "msg") {
		a.breach("item %d: the id %q is not that of a message", i, id)
	}
	for _, p := range content.list() {
		a.checkResponsesPart(i, role, p)
	}
}

func (a *Ask) checkResponsesPart(i int, role string, p node) {
	known := []string{"input_text", "input_image", "input_file", "input_audio"}
	if role == roleAssistant {
		known = []string{"output_text", "refusal"}
	}
	kind := p.str("type")
	if !slices.Contains(known, kind) {
		a.breach("item %d: a part of type %q in a message of the role %s", i, kind, role)
	}
	if kind == "input_image" && p.get("image_url").isObject() {
		a.breach("item %d: image_url is an object", i)
	}
	if part := chatPart(p); part.isMedia() {
		a.checkMedia(part)
	}
}
