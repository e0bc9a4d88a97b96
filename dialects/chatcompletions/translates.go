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
		if hasMember(doc, obj, mistralRefuses) || afterUnderscore(doc, isForeignToMistral) || bytes.Contains(doc, developerEnd) {
			return true
		}
	case "groq":
		if hasMember(doc, obj, groqRefuses) || afterUnderscore(doc, isReasoning) {
			return true
		}
	}
	if m, ok := obj.Get("response_format"); ok && rulesFor(vendor, h.Model).jsonOnly && bytes.Contains(m.Raw(doc), schemaType) {
		return true
	}
	return h.LegacyCalls || hasCustomTools(doc, obj)
}

// What is looked for, from a rare byte on.
var (
	developerEnd = []byte(`veloper"`) // the role
	contentEnd   = []byte(`content"`) // of reasoning_content
	callIDEnd    = []byte(`call_id"`) // of tool_call_id
	schemaType   = []byte(`"json_schema"`)
	customTool   = []byte(`"custom"`)
)

// hasMember reports whether a request has one of some members.
func hasMember(doc []byte, obj *jsonedit.Object, keys []string) bool {
	return slices.ContainsFunc(obj.Members, func(m jsonedit.Member) bool {
		return slices.Contains(keys, m.Key) && !m.IsNull(doc)
	})
}

func hasCustomTools(doc []byte, obj *jsonedit.Object) bool {
	tools, ok := obj.Get("tools")
	return ok && bytes.Contains(tools.Raw(doc), customTool) && gjson.GetBytes(tools.Raw(doc), `#(type=="custom")`).Exists()
}

func isReasoning(rest []byte) bool { return bytes.HasPrefix(rest, contentEnd) }

// isForeignToMistral finds reasoning_content, and results of calls with an ID that Mistral does not take.
func isForeignToMistral(rest []byte) bool {
	if isReasoning(rest) {
		return true
	}
	if !bytes.HasPrefix(rest, callIDEnd) {
		return false
	}
	in := jsonedit.NewReader(bytes.TrimLeft(rest[len(callIDEnd):], ": \t\r\n"))
	id, ok := in.Text()
	return ok && !isShortID(id)
}
