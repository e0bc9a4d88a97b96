package chatcompletions

import (
	"bytes"
	"slices"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// Translates implements [dialects.Translator]. OpenAI's clients send what some vendors of the same dialect answer with an
// error, or do not notice at all: tools from before there were tools, tools for free text, and to those who check what
// they are given, members and IDs that are OpenAI's own.
func (Codec) Translates(doc []byte, obj *jsonedit.Object, h dialects.Head, vendor string) bool {
	switch vendor {
	case "openai", "azure":
		return false
	case "mistral":
		if hasMember(doc, obj, mistralRefuses) || bytes.Contains(doc, developerRole) || hasLongIDs(doc) || bytes.Contains(doc, reasoningMember) {
			return true
		}
	case "groq":
		if hasMember(doc, obj, groqRefuses) || bytes.Contains(doc, reasoningMember) {
			return true
		}
	}
	if m, ok := obj.Get("response_format"); ok && rulesFor(vendor, h.Model).jsonOnly && bytes.Contains(m.Raw(doc), schemaType) {
		return true
	}
	return h.LegacyCalls || h.HasTools && hasCustomTools(doc)
}

var (
	developerRole   = []byte(`"developer"`)
	reasoningMember = []byte(`"reasoning_content"`)
	schemaType      = []byte(`"json_schema"`)
	customTool      = []byte(`"custom"`)
	callIDMember    = []byte(`"tool_call_id"`)
)

// hasMember reports whether a request has one of some members.
func hasMember(doc []byte, obj *jsonedit.Object, keys []string) bool {
	return slices.ContainsFunc(obj.Members, func(m jsonedit.Member) bool {
		return slices.Contains(keys, m.Key) && !m.IsNull(doc)
	})
}

func hasCustomTools(doc []byte) bool {
	return bytes.Contains(doc, customTool) && gjson.GetBytes(doc, `tools.#(type=="custom")`).Exists()
}

// hasLongIDs reports whether a tool result refers to a call by an ID that Mistral does not take.
func hasLongIDs(doc []byte) bool {
	for {
		i := bytes.Index(doc, callIDMember)
		if i < 0 {
			return false
		}
		doc = doc[i+len(callIDMember):]
		in := jsonedit.NewReader(bytes.TrimLeft(doc, ": \t\r\n"))
		if id, ok := in.Text(); ok && !isShortID(id) {
			return true
		}
	}
}
