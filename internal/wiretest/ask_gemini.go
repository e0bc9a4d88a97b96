package wiretest

import (
	"slices"
	"strings"
)

// readGemini reads both spellings of every member: JSON of protocol buffers has snake_case beside camelCase.
func (a *Ask) readGemini(doc node) {
	a.Model = ""
	for _, p := range doc.either("systemInstruction", "system_instruction").list("parts") {
		a.System = append(a.System, p.str("text"))
	}
	for _, c := range doc.list("contents") {
		role := roleUser
		if c.str("role") == "model" {
			role = roleAssistant
		}
		for _, p := range c.list("parts") {
			a.say(role, geminiPart(p))
		}
	}
	for _, t := range geminiTools(doc) {
		declared := t.either("functionDeclarations", "function_declarations")
		for _, f := range declared.list() {
			schema := f.either("parametersJsonSchema", "parameters_json_schema", "parameters")
			a.Tools = append(a.Tools, Tool{Name: f.str("name"), Description: f.str("description"), Schema: schemaOf(schema)})
		}
		if a.ServerTools += len(t.keys()); declared.exists() {
			a.ServerTools--
		}
	}
	a.geminiChoice(doc.either("toolConfig", "tool_config").either("functionCallingConfig", "function_calling_config"))
	a.geminiConfig(doc.either("generationConfig", "generation_config"))
}

// geminiTools is the list of tools, which SDKs also send as one object.
func geminiTools(doc node) []node {
	if t := doc.get("tools"); t.isObject() {
		return []node{t}
	}
	return doc.list("tools")
}

func (a *Ask) geminiChoice(c node) {
	for _, name := range c.either("allowedFunctionNames", "allowed_function_names").list() {
		a.Choice.Allowed = append(a.Choice.Allowed, name.str())
	}
	switch c.str("mode") {
	case "AUTO", "VALIDATED":
		a.Choice.Mode = "auto"
	case "NONE":
		a.Choice.Mode = "none"
	case "ANY":
		a.Choice.Mode = "any"
		if len(a.Choice.Allowed) == 1 {
			a.Choice = Choice{Mode: "tool", Name: a.Choice.Allowed[0]}
		}
	}
}

func (a *Ask) geminiConfig(c node) {
	a.MaxTokens = c.either("maxOutputTokens", "max_output_tokens").number()
	a.Temperature, a.TopP = c.number("temperature"), c.either("topP", "top_p").number()
	a.Stop = stops(c.either("stopSequences", "stop_sequences"))
	if schema := c.either("responseJsonSchema", "response_json_schema", "responseSchema", "response_schema"); schema.exists() {
		a.Format = schemaOf(schema)
	} else if c.either("responseMimeType", "response_mime_type").str() == "application/json" {
		a.Format = "json"
	}
	t := c.either("thinkingConfig", "thinking_config")
	budget := t.either("thinkingBudget", "thinking_budget")
	switch {
	case budget.exists():
		a.Thinking = switchOf(budget.number() != "0")
	case t.either("thinkingLevel", "thinking_level").exists():
		a.Thinking = "on"
	}
}

func geminiPart(p node) Part {
	call, result := p.either("functionCall", "function_call"), p.either("functionResponse", "function_response")
	inline, file := p.either("inlineData", "inline_data"), p.either("fileData", "file_data")
	switch {
	case p.yes("thought"):
		return Part{Kind: kindThinking, Text: p.str("text")}
	case p.get("text").isString():
		return Part{Kind: kindText, Text: p.str("text")}
	case call.exists():
		return Part{Kind: kindCall, ID: call.str("id"), Name: call.str("name"), Args: orObject(call.get("args").canonical())}
	case result.exists():
		return geminiResult(result)
	case inline.exists():
		m := Media{MIME: inline.either("mimeType", "mime_type").str(), Data: inline.str("data")}
		return Part{Kind: kindOf(m.MIME), Media: m}
	case file.exists():
		m := Media{MIME: file.either("mimeType", "mime_type").str(), URL: file.either("fileUri", "file_uri").str()}
		return Part{Kind: kindOf(m.MIME), Media: m}
	}
	return Part{Kind: kindOther, Name: strings.Join(p.keys(), " ")}
}

func geminiResult(r node) Part {
	out := Part{Kind: kindResult, ID: r.str("id"), Name: r.str("name")}
	response := r.get("response")
	if e := response.get("error"); e.isString() && len(response.keys()) == 1 {
		out.IsError = true
	}
	out.Inner = []Part{{Kind: kindText, Text: plainResult(response.canonical())}}
	for _, p := range r.list("parts") {
		out.Inner = append(out.Inner, geminiPart(p))
	}
	return out
}

func orObject(s string) string {
	if s == "" {
		return "{}"
	}
	return s
}

// plainResult is what a tool answered. Gemini wants an object, so that SDKs and gateways wrap a text in one of a single
// member, whose name differs.
func plainResult(s string) string {
	n, err := parse([]byte(s))
	if err != nil || !n.isObject() && !n.isList() {
		return s
	}
	if keys := n.keys(); len(keys) == 1 && slices.Contains([]string{"output", "result", "return_value", "content", "error"}, keys[0]) {
		if inner := n.get(keys[0]); inner.isString() {
			return plainResult(inner.str())
		}
		return plainResult(n.get(keys[0]).canonical())
	}
	return n.canonical()
}
