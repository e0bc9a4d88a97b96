package wiretest

func (a *Ask) readConverse(doc node) {
	a.Model = ""
	for _, b := range doc.list("system") {
		if p := conversePart(b); p.Kind == kindText {
			a.System = append(a.System, p.Text)
		}
	}
	for _, m := range doc.list("messages") {
		for _, b := range m.list("content") {
			if !b.get("cachePoint").exists() {
				a.say(m.str("role"), conversePart(b))
			}
		}
	}
	config := doc.get("toolConfig")
	for _, t := range config.list("tools") {
		switch spec := t.get("toolSpec"); {
		case spec.exists():
			a.Tools = append(a.Tools, Tool{
				Name: spec.str("name"), Description: spec.str("description"), Schema: schemaOf(spec.get("inputSchema", "json")), Strict: spec.yes("strict"),
			})
		case !t.get("cachePoint").exists():
			a.ServerTools++
		}
	}
	for _, mode := range config.get("toolChoice").keys() {
		a.Choice = Choice{Mode: mode, Name: config.str("toolChoice", "tool", "name")}
	}
	if s := doc.str("outputConfig", "textFormat", "structure", "jsonSchema", "schema"); s != "" { // a JSON text
		if schema, err := parse([]byte(s)); err == nil {
			a.Format = schemaOf(schema)
		}
	}
	more := doc.get("additionalModelRequestFields")
	for _, kind := range []string{more.str("thinking", "type"), more.str("reasoning_config", "type"), more.str("reasoningConfig", "type")} {
		if kind != "" {
			a.Thinking = switchOf(kind != "disabled")
		}
	}
	if effort := more.either("reasoning_effort", "reasoning_config"); effort.isString() {
		a.Thinking = switchOf(effort.str() != "none")
	}
	c := doc.get("inferenceConfig")
	a.MaxTokens, a.Temperature, a.TopP = c.number("maxTokens"), c.number("temperature"), c.number("topP")
	a.Stop = stops(c.get("stopSequences"))
	a.Caches = countMembers(node{[]any{doc.get("system").value, doc.get("messages").value, config.value}}, "cachePoint")
}

func conversePart(b node) Part {
	switch {
	case b.get("text").isString():
		return Part{Kind: kindText, Text: b.str("text")}
	case b.get("json").exists():
		return Part{Kind: kindText, Text: b.get("json").canonical()}
	case b.get("guardContent").exists():
		return Part{Kind: kindText, Text: b.str("guardContent", "text", "text")}
	case b.get("citationsContent").exists():
		p := Part{Inner: texts(b.get("citationsContent", "content"))}
		return Part{Kind: kindText, Text: p.text()}
	case b.get("toolUse").exists():
		c := b.get("toolUse")
		if c.str("type") == "server_tool_use" {
			return Part{Kind: kindOther, Name: "server_tool_use"}
		}
		return Part{Kind: kindCall, ID: c.str("toolUseId"), Name: c.str("name"), Args: orObject(c.get("input").canonical())}
	case b.get("toolResult").exists():
		r := b.get("toolResult")
		out := Part{Kind: kindResult, ID: r.str("toolUseId"), IsError: r.str("status") == "error"}
		for _, in := range r.list("content") {
			out.Inner = append(out.Inner, conversePart(in))
		}
		return out
	case b.get("reasoningContent").exists():
		return Part{Kind: kindThinking, Text: b.str("reasoningContent", "reasoningText", "text")}
	}
	for _, kind := range []string{kindImage, kindDocument, kindVideo, kindAudio} {
		if m := b.get(kind); m.exists() {
			return Part{Kind: kind, Media: converseMedia(kind, m)}
		}
	}
	return Part{Kind: kindOther}
}

// converseTypes are the media types of documents by format. Other media are called by their format.
var converseTypes = map[string]string{
	"pdf": "application/pdf", "txt": "text/plain", "md": "text/markdown", "csv": "text/csv", "html": "text/html",
	"doc":  "application/msword",
	"docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"xls":  "application/vnd.ms-excel",
	"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

func converseMedia(kind string, m node) Media {
	out := Media{Name: m.str("name"), MIME: kind + "/" + m.str("format")}
	if kind == kindDocument {
		out.MIME = converseTypes[m.str("format")]
	}
	source := m.get("source")
	out.Data, out.URL, out.Text = source.str("bytes"), source.str("s3Location", "uri"), source.str("text")
	if list := source.get("content"); list.exists() {
		p := Part{Inner: texts(list)}
		out.Text = p.text()
	}
	return out
}
