package wiretest

import (
	"slices"
	"strings"
	"unicode"
)

const messagesKeys = `model messages system max_tokens stream tools tool_choice temperature top_p top_k stop_sequences thinking
	output_config output_format metadata service_tier container mcp_servers context_management cache_control inference_geo speed`

// Limits of Anthropic's API.
const (
	maxCacheMarks = 4
	minBudget     = "1024"
	minTopP       = "0.95" // while thinking
)

func (a *Ask) checkMessages(doc node) {
	a.checkKeys("request", doc, messagesKeys)
	if a.MaxTokens == "" || lessNumber(a.MaxTokens, "1") {
		a.breach("max_tokens is %q", a.MaxTokens)
	}
	for _, p := range texts(doc.get("system")) {
		if blank(p.Text) {
			a.breach("an empty system prompt")
		}
	}
	messages := doc.list("messages")
	if len(messages) == 0 {
		a.breach("no messages")
	}
	for i, m := range messages {
		a.checkMessage(i, m, i == len(messages)-1)
	}
	a.checkTools(longWordName)
	a.checkCalls(wordID, longWordName)
	for _, t := range doc.list("tools") {
		if kind := t.str("type"); (kind == "" || kind == "custom") && t.str("input_schema", "type") != "object" {
			a.breach("the parameters of %s are no object", t.str("name"))
		}
	}
	a.between("temperature", doc.get("temperature"), "0", "1")
	if a.Caches > maxCacheMarks {
		a.breach("%d cache marks, but %d are allowed", a.Caches, maxCacheMarks)
	}
	for _, s := range a.Stop {
		if blank(s) {
			a.breach("a stop sequence of white space")
		}
	}
	for _, b := range append(doc.list("system"), doc.get("output_config", "format")) {
		if kind := b.str("type"); b.exists() && kind != "text" && kind != "json_schema" {
			a.breach("a member of the type %q", kind)
		}
	}
	a.checkThinking(doc)
	a.checkClosed(doc.get("output_config", "format", "schema"))
}

func (a *Ask) checkMessage(i int, m node, last bool) {
	role, content := m.str("role"), m.get("content")
	if !slices.Contains([]string{roleUser, roleAssistant, roleSystem}, role) {
		a.breach("message %d has the role %q", i, role)
	}
	blocks := content.list()
	if content.isString() && blank(content.str()) || !content.isString() && len(blocks) == 0 && !(last && role == roleAssistant) {
		a.breach("message %d is empty", i)
	}
	other := false
	for j, b := range blocks {
		kind := b.str("type")
		switch kind {
		case "text":
			if blank(b.str("text")) {
				a.breach("message %d: an empty text", i)
			}
		case "tool_result":
			if other {
				a.breach("message %d: a tool result after something else", i)
			}
			for _, in := range b.list("content") {
				a.checkMessagesMedia(in)
			}
		case "tool_use":
			if !b.get("input").isObject() {
				a.breach("message %d: the input is no object", i)
			}
		case "thinking":
			if b.str("signature") == "" {
				a.breach("message %d: a thought without a signature", i)
			}
		default:
			a.checkMessagesMedia(b)
		}
		other = other || kind != "tool_result"
		if s := b.str("text"); last && j == len(blocks)-1 && role == roleAssistant && strings.TrimRightFunc(s, unicode.IsSpace) != s {
			a.breach("the answer to go on with ends in white space")
		}
	}
}

func (a *Ask) checkMessagesMedia(b node) {
	p := messagesPart(b)
	if !p.isMedia() {
		return
	}
	a.checkMedia(p)
	kind, mime := b.str("source", "type"), p.Media.MIME
	if kind != "base64" {
		return
	}
	if p.Kind == kindDocument && mime != "application/pdf" {
		a.breach("a document of the type %q", mime)
	}
	if p.Kind == kindImage && !slices.Contains([]string{"image/jpeg", "image/png", "image/gif", "image/webp"}, mime) {
		a.breach("an image of the type %q", mime)
	}
}

// checkThinking finds what thinking rules out.
func (a *Ask) checkThinking(doc node) {
	t := doc.get("thinking")
	if kind := t.str("type"); kind != "enabled" && kind != "adaptive" {
		return
	}
	if b := t.number("budget_tokens"); b != "" && (lessNumber(b, minBudget) || !lessNumber(b, a.MaxTokens)) {
		a.breach("a budget of %s with max_tokens %s", b, a.MaxTokens)
	}
	if a.Choice.Mode == "any" || a.Choice.Mode == "tool" {
		a.breach("a forced tool call while thinking")
	}
	if a.Temperature != "" && a.Temperature != "1" {
		a.breach("temperature %s while thinking", a.Temperature)
	}
	if a.TopP != "" && lessNumber(a.TopP, minTopP) {
		a.breach("top_p %s while thinking", a.TopP)
	}
	if doc.get("top_k").exists() {
		a.breach("top_k while thinking")
	}
}

// checkClosed finds objects in a schema for structured output that are open.
func (a *Ask) checkClosed(schema node) {
	if schema.str("type") == "object" && schema.get("additionalProperties").value != false {
		a.breach("an object of the answer's schema is open")
	}
	for _, k := range []string{"properties", "$defs", "definitions"} {
		for _, name := range schema.get(k).keys() {
			a.checkClosed(schema.get(k, name))
		}
	}
	for _, k := range []string{"anyOf", "oneOf", "allOf"} {
		for _, s := range schema.list(k) {
			a.checkClosed(s)
		}
	}
	if items := schema.get("items"); items.isObject() {
		a.checkClosed(items)
	}
}
