package wiretest

func (a *Ask) readMessages(doc node) {
	for _, p := range texts(doc.get("system")) {
		a.System = append(a.System, p.Text)
	}
	for _, m := range doc.list("messages") {
		a.say(m.str("role"), messagesParts(m.get("content"))...)
	}
	for _, t := range doc.list("tools") {
		if kind := t.str("type"); kind != "" && kind != "custom" {
			a.ServerTools++
			continue
		}
		a.Tools = append(a.Tools, functionTool(t))
	}
	a.ServerTools += len(doc.list("mcp_servers"))
	c := doc.get("tool_choice")
	a.Choice = Choice{Mode: c.str("type"), Name: c.str("name")}
	if f := doc.get("output_config", "format"); f.exists() {
		a.Format = schemaOf(f.get("schema"))
	} else if f := doc.get("output_format"); f.exists() {
		a.Format = schemaOf(f.get("schema"))
	}
	if kind := doc.str("thinking", "type"); kind != "" {
		a.Thinking = switchOf(kind != "disabled")
	}
	a.MaxTokens, a.Temperature, a.TopP = doc.number("max_tokens"), doc.number("temperature"), doc.number("top_p")
	a.Stop = stops(doc.get("stop_sequences"))
	a.Stream = a.Stream || doc.yes("stream")
	a.Caches = countMembers(node{[]any{doc.get("system").value, doc.get("messages").value, doc.get("tools").value}}, "cache_control")
}

func messagesParts(content node) []Part {
	if content.isString() {
		return []Part{{Kind: kindText, Text: content.str()}}
	}
	var out []Part
	for _, b := range content.list() {
		out = append(out, messagesPart(b))
	}
	return out
}

func messagesPart(b node) Part {
	switch kind := b.str("type"); kind {
	case "text":
		return Part{Kind: kindText, Text: b.str("text")}
	case "image", "document":
		m := messagesSource(b.get("source"))
		m.Name = b.str("title")
		return Part{Kind: kind, Media: m}
	case "tool_use":
		return Part{Kind: kindCall, ID: b.str("id"), Name: b.str("name"), Args: b.get("input").canonical()}
	case "tool_result":
		return Part{Kind: kindResult, ID: b.str("tool_use_id"), Inner: messagesParts(b.get("content")), IsError: b.yes("is_error")}
	case "thinking":
		return Part{Kind: kindThinking, Text: b.str("thinking")}
	case "compaction": // what was said so far, in short
		return Part{Kind: kindText, Text: b.str("content")}
	case "redacted_thinking":
		return Part{Kind: kindThinking}
	default:
		return Part{Kind: kindOther, Name: kind}
	}
}

func messagesSource(s node) Media {
	m := Media{MIME: s.str("media_type"), URL: s.str("url"), FileID: s.str("file_id")}
	switch s.str("type") {
	case "base64":
		m.Data = s.str("data")
	case "text":
		m.Text = s.str("data")
	case "content":
		p := Part{Inner: messagesParts(s.get("content"))}
		m.MIME, m.Text = "text/plain", p.text()
	}
	return m
}
