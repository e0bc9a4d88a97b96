package wiretest

import (
	"slices"
	"strings"
)

func (a *Ask) readResponses(doc node) {
	if s := doc.str("instructions"); s != "" {
		a.System = append(a.System, s)
	}
	if s := doc.str("input"); s != "" {
		a.say(roleUser, Part{Kind: kindText, Text: s})
	}
	for _, item := range doc.list("input") {
		a.responsesItem(item)
	}
	a.responsesTools(doc.list("tools"))
	switch c := doc.get("tool_choice"); {
	case c.isString():
		a.Choice.Mode = strings.Replace(c.str(), "required", "any", 1)
	case c.str("type") == "allowed_tools":
		a.allowed(c)
	case c.str("type") == "function", c.str("type") == "custom":
		a.Choice = Choice{Mode: "tool", Name: c.str("name")}
	}
	switch f := doc.get("text", "format"); f.str("type") {
	case "json_schema":
		a.Format = schemaOf(f.get("schema"))
	case "json_object":
		a.Format = "json"
	}
	if effort := doc.str("reasoning", "effort"); effort != "" {
		a.Thinking = switchOf(effort != "none")
	}
	a.MaxTokens, a.Temperature, a.TopP = doc.number("max_output_tokens"), doc.number("temperature"), doc.number("top_p")
	a.Stream = a.Stream || doc.yes("stream")
	a.Caches = countMembers(doc.get("input"), "prompt_cache_breakpoint")
}

// responsesTools reads tools. Those that are declared twice, at first to be searched for and then as what was found, are
// one; those of a namespace are like others.
func (a *Ask) responsesTools(tools []node) {
	for _, t := range tools {
		tool := functionTool(t)
		switch t.str("type") {
		case "function":
			tool.Strict = t.get("strict").value != false // what the API takes no word for
		case "custom":
			tool.Custom = true
		case "namespace":
			a.responsesTools(t.list("tools"))
			continue
		default:
			a.ServerTools++
			continue
		}
		if !slices.ContainsFunc(a.Tools, func(have Tool) bool { return have.Name == tool.Name }) {
			a.Tools = append(a.Tools, tool)
		}
	}
}

// toolSearch is the name of the tool by which a client finds tools for the model.
const toolSearch = "tool_search"

func (a *Ask) responsesItem(item node) {
	kind := item.str("type")
	if item.str("execution") == "client" {
		switch kind {
		case "tool_search_call":
			a.say(roleAssistant, Part{Kind: kindCall, ID: item.str("call_id"), Name: toolSearch, Args: orObject(item.get("arguments").canonical())})
			return
		case "tool_search_output":
			a.responsesTools(item.list("tools"))
			a.say(roleUser, Part{Kind: kindResult, ID: item.str("call_id"), Inner: []Part{{Kind: kindOther, Name: kind}}})
			return
		}
	}
	switch kind {
	case "additional_tools", "tool_search_output":
		a.responsesTools(item.list("tools"))
	case "", "message":
		parts := chatParts(item.get("content"))
		switch role := item.str("role"); role {
		case "system", "developer":
			a.say(roleSystem, parts...)
		case roleAssistant:
			a.say(roleAssistant, parts...)
		default:
			a.say(roleUser, parts...)
		}
	case "function_call":
		a.say(roleAssistant, Part{Kind: kindCall, ID: item.str("call_id"), Name: item.str("name"), Args: canonicalText(item.str("arguments"))})
	case "custom_tool_call":
		a.say(roleAssistant, Part{Kind: kindCall, ID: item.str("call_id"), Name: item.str("name"), Args: item.str("input"), Custom: true})
	case "function_call_output", "custom_tool_call_output":
		a.say(roleUser, Part{Kind: kindResult, ID: item.str("call_id"), Inner: chatParts(item.get("output"))})
	case "reasoning":
		var s strings.Builder
		for _, part := range append(item.list("summary"), item.list("content")...) {
			s.WriteString(part.str("text"))
		}
		a.say(roleAssistant, Part{Kind: kindThinking, Text: s.String()})
	default:
		role := roleAssistant
		if strings.HasSuffix(kind, "_output") || strings.HasSuffix(kind, "_response") {
			role = roleUser
		}
		a.say(role, Part{Kind: kindOther, Name: kind})
	}
}
