package wiretest

func (a *Ask) readOllama(doc node) {
	a.Stream = doc.get("stream").value != false // streams unless told otherwise
	for _, m := range doc.list("messages") {
		var parts []Part
		if s := m.str("thinking"); s != "" {
			parts = append(parts, Part{Kind: kindThinking, Text: s})
		}
		said := chatParts(m.get("content"))
		for _, image := range m.list("images") {
			said = append(said, Part{Kind: kindImage, Media: Media{Data: image.str()}})
		}
		switch m.str("role") {
		case "system":
			a.say(roleSystem, said...)
		case "tool":
			a.say(roleUser, Part{Kind: kindResult, ID: m.str("tool_call_id"), Name: m.either("tool_name", "name").str(), Inner: said})
		case roleAssistant:
			parts = append(parts, said...)
			for _, c := range m.list("tool_calls") {
				parts = append(parts, chatCall(c))
			}
			a.say(roleAssistant, parts...)
		default:
			a.say(roleUser, said...)
		}
	}
	for _, t := range doc.list("tools") {
		a.Tools = append(a.Tools, functionTool(t.get("function")))
	}
	switch f := doc.get("format"); {
	case f.isObject():
		a.Format = schemaOf(f)
	case f.str() == "json":
		a.Format = "json"
	}
	if think := doc.get("think"); think.exists() {
		a.Thinking = switchOf(think.value != false)
	}
	o := doc.get("options")
	a.MaxTokens, a.Temperature, a.TopP = o.number("num_predict"), o.number("temperature"), o.number("top_p")
	a.Stop = stops(o.get("stop"))
}
