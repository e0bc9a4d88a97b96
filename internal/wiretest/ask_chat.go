package wiretest

import (
	"slices"
	"strings"
)

// readChat reads Chat Completions and what grew out of it: Mistral's chat and Cohere's v2 chat. Their members differ by
// name only, and no name means two things.
func (a *Ask) readChat(doc node) {
	for _, m := range doc.list("messages") {
		a.chatMessage(m)
	}
	for _, t := range doc.list("tools") {
		switch {
		case t.get("custom").isObject():
			a.Tools = append(a.Tools, Tool{Name: t.str("custom", "name"), Description: t.str("custom", "description"), Custom: true})
		case t.get("function").isObject():
			a.Tools = append(a.Tools, functionTool(t.get("function")))
		default:
			a.ServerTools++
		}
	}
	for _, f := range doc.list("functions") {
		a.Tools = append(a.Tools, functionTool(f))
	}
	if doc.yes("strict_tools") {
		for i := range a.Tools {
			a.Tools[i].Strict = true
		}
	}
	if doc.get("web_search_options").exists() {
		a.ServerTools++
	}
	a.chatChoice(doc.either("tool_choice", "function_call"))
	a.Format = chatFormat(doc.get("response_format"))
	a.Thinking = chatThinking(doc)
	a.MaxTokens = doc.either("max_completion_tokens", "max_tokens").number()
	a.Temperature, a.TopP = doc.number("temperature"), doc.either("top_p", "p").number()
	a.Stop = stops(doc.either("stop", "stop_sequences"))
	a.Stream = a.Stream || doc.yes("stream")
	a.Caches = countMembers(node{[]any{doc.get("messages").value, doc.get("tools").value}}, "cache_control")
}

func functionTool(f node) Tool {
	return Tool{
		Name:        f.str("name"),
		Description: f.str("description"),
		Schema:      schemaOf(f.either("parameters", "input_schema")),
		Strict:      f.yes("strict"),
	}
}

func (a *Ask) chatMessage(m node) {
	switch m.str("role") {
	case "system", "developer":
		a.say(roleSystem, texts(m.get("content"))...)
	case "tool":
		a.say(roleUser, Part{Kind: kindResult, ID: m.str("tool_call_id"), Inner: chatParts(m.get("content"))})
	case "function": // before tools had ids
		a.say(roleUser, Part{Kind: kindResult, Name: m.str("name"), Inner: chatParts(m.get("content"))})
	case roleAssistant:
		var parts []Part
		if s := m.either("reasoning_content", "reasoning").str(); s != "" {
			parts = append(parts, Part{Kind: kindThinking, Text: s})
		}
		if s := m.str("tool_plan"); s != "" { // what Cohere's models say before calls
			parts = append(parts, Part{Kind: kindText, Text: s})
		}
		parts = append(parts, chatParts(m.get("content"))...)
		if s := m.str("refusal"); s != "" {
			parts = append(parts, Part{Kind: kindRefusal, Text: s})
		}
		for _, c := range m.list("tool_calls") {
			parts = append(parts, chatCall(c))
		}
		if f := m.get("function_call"); f.str("name") != "" {
			parts = append(parts, Part{Kind: kindCall, Name: f.str("name"), Args: canonicalText(f.str("arguments"))})
		}
		a.say(roleAssistant, parts...)
	default:
		a.say(roleUser, chatParts(m.get("content"))...)
	}
}

func chatCall(c node) Part {
	if f := c.get("custom"); f.str("name") != "" {
		return Part{Kind: kindCall, ID: c.str("id"), Name: f.str("name"), Args: f.str("input"), Custom: true}
	}
	f := c.get("function")
	args := f.get("arguments")
	if args.isObject() {
		return Part{Kind: kindCall, ID: c.str("id"), Name: f.str("name"), Args: args.canonical()}
	}
	return Part{Kind: kindCall, ID: c.str("id"), Name: f.str("name"), Args: canonicalText(args.str())}
}

// chatParts reads a content: a string, or parts of the kinds that any of these dialects has.
func chatParts(content node) []Part {
	if content.isString() {
		if content.str() == "" {
			return nil
		}
		return []Part{{Kind: kindText, Text: content.str()}}
	}
	var out []Part
	for _, p := range content.list() {
		out = append(out, chatPart(p))
	}
	return out
}

func chatPart(p node) Part {
	kind := p.str("type")
	switch kind {
	case "text", "input_text", "output_text":
		return Part{Kind: kindText, Text: p.str("text")}
	case "refusal":
		return Part{Kind: kindRefusal, Text: p.str("refusal")}
	case "thinking":
		var s strings.Builder
		s.WriteString(p.str("thinking"))
		for _, t := range p.list("thinking") {
			s.WriteString(t.str("text"))
		}
		return Part{Kind: kindThinking, Text: s.String()}
	case "image_url", "input_image":
		return Part{Kind: kindImage, Media: linked(p, "image_url")}
	case "video_url":
		return Part{Kind: kindVideo, Media: linked(p, "video_url")}
	case "document_url":
		return Part{Kind: kindDocument, Media: linked(p, "document_url")}
	case "input_audio":
		return Part{Kind: kindAudio, Media: Media{MIME: audioTypes[p.str("input_audio", "format")], Data: p.str("input_audio", "data")}}
	case "file", "input_file":
		return filePart(p)
	case "document": // Cohere's, in tool results
		data := p.get("document", "data")
		if s := data.get("content"); s.isString() && len(data.keys()) == 1 {
			return Part{Kind: kindText, Text: s.str()}
		}
		if data.isString() {
			return Part{Kind: kindText, Text: data.str()}
		}
		return Part{Kind: kindText, Text: data.canonical()}
	}
	return Part{Kind: kindOther, Name: kind}
}

var audioTypes = map[string]string{"wav": "audio/wav", "mp3": "audio/mpeg"}

// linked reads a medium whose address is a string or stands in an object.
func linked(p node, key string) Media {
	at := p.get(key)
	url := at.str()
	if at.isObject() {
		url = at.str("url")
	}
	m := mediaOf(url)
	if url == "" {
		m.FileID = p.str("file_id")
	}
	return m
}

func filePart(p node) Part {
	f := p
	if inner := p.get("file"); inner.isObject() {
		f = inner
	}
	m := mediaOf(f.either("file_data", "file_url").str())
	m.FileID, m.Name = f.str("file_id"), f.str("filename")
	return Part{Kind: kindOf(m.MIME), Media: m}
}

func (a *Ask) chatChoice(c node) {
	switch word := c.str(); {
	case word == "required", word == "REQUIRED", word == "any":
		a.Choice.Mode = "any"
	case c.isString():
		a.Choice.Mode = strings.ToLower(word)
	case c.str("type") == "allowed_tools":
		a.allowed(c.get("allowed_tools"))
	case c.isObject():
		a.Choice = Choice{Mode: "tool", Name: c.either("function", "custom").str("name")}
		if name := c.str("name"); name != "" {
			a.Choice.Name = name
		}
	}
}

// allowed reads OpenAI's choice among some of the tools.
func (a *Ask) allowed(c node) {
	a.Choice.Mode = strings.Replace(c.str("mode"), "required", "any", 1)
	for _, t := range c.list("tools") {
		name := t.str("name")
		if name == "" {
			name = t.str("function", "name")
		}
		a.Choice.Allowed = append(a.Choice.Allowed, name)
	}
}

func chatFormat(f node) string {
	if schema := f.get("json_schema", "schema"); schema.exists() {
		return schemaOf(schema)
	}
	if f.str("type") != "json_object" {
		return ""
	}
	if schema := f.either("schema", "json_schema"); schema.exists() { // Cohere's
		return schemaOf(schema)
	}
	return "json"
}

// chatThinking reads every vendor's way to turn thinking on or off.
func chatThinking(doc node) string {
	for _, effort := range []string{doc.str("reasoning_effort"), doc.str("reasoning", "effort")} {
		if effort != "" {
			return switchOf(effort != "none")
		}
	}
	if kind := doc.str("thinking", "type"); kind != "" {
		return switchOf(kind != "disabled")
	}
	if r := doc.get("reasoning"); r.get("max_tokens").exists() || r.get("enabled").exists() {
		return switchOf(r.yes("enabled") || r.count("max_tokens") > 0)
	}
	if doc.str("prompt_mode") == "reasoning" {
		return "on"
	}
	return ""
}

// countMembers counts the members of a name, but not in documents that are the client's own.
func countMembers(n node, name string) int {
	total := 0
	for _, item := range n.list() {
		total += countMembers(item, name)
	}
	for _, k := range n.keys() {
		switch {
		case k == name:
			total++
		case !slices.Contains([]string{"input", "input_schema", "parameters", "inputSchema", "arguments", "schema"}, k):
			total += countMembers(n.get(k), name)
		}
	}
	return total
}
