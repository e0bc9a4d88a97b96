package wiretest

import "strings"

func (a *Ask) writeChat() object {
	var messages []any
	if len(a.System) > 0 {
		messages = append(messages, object{"role": "system", "content": strings.Join(a.System, "\n\n")})
	}
	for _, t := range a.Turns {
		messages = append(messages, chatMessages(t)...)
	}
	doc := object{"model": a.Model, "messages": messages}
	if len(a.Tools) > 0 {
		var tools []any
		for _, t := range a.Tools {
			if t.Custom {
				tools = append(tools, object{"type": "custom", "custom": object{"name": t.Name, "description": t.Description}})
				continue
			}
			tools = append(tools, object{"type": "function", "function": functionObject(t)})
		}
		doc["tools"] = tools
	}
	switch c := a.Choice; {
	case len(c.Allowed) > 0:
		var tools []any
		for _, name := range c.Allowed {
			tools = append(tools, object{"type": "function", "function": object{"name": name}})
		}
		doc["tool_choice"] = object{"type": "allowed_tools", "allowed_tools": object{"mode": openaiMode(c.Mode), "tools": tools}}
	case c.Mode == "tool":
		doc["tool_choice"] = object{"type": "function", "function": object{"name": c.Name}}
	case c.Mode != "":
		doc["tool_choice"] = openaiMode(c.Mode)
	}
	switch a.Format {
	case "":
	case "json":
		doc["response_format"] = object{"type": "json_object"}
	default:
		doc["response_format"] = object{"type": "json_schema", "json_schema": object{"name": "answer", "schema": jsonSchema(a.Format)}}
	}
	if a.Thinking != "" {
		doc["reasoning_effort"] = effort(a.Thinking)
	}
	setNumber(doc, "max_completion_tokens", a.MaxTokens)
	setNumber(doc, "temperature", a.Temperature)
	setNumber(doc, "top_p", a.TopP)
	if len(a.Stop) > 0 {
		doc["stop"] = a.Stop[:min(len(a.Stop), 4)]
	}
	if a.Stream {
		doc["stream"], doc["stream_options"] = true, object{"include_usage": true}
	}
	return doc
}

func functionObject(t Tool) object {
	f := object{"name": t.Name, "parameters": jsonSchema(t.Schema), "strict": t.Strict}
	if t.Description != "" {
		f["description"] = t.Description
	}
	return f
}

func openaiMode(mode string) string { return strings.Replace(mode, "any", "required", 1) }

func effort(thinking string) string {
	if thinking == "off" {
		return "none"
	}
	return "medium"
}

// chatMessages writes a turn. Each result is a message of its own, and what it cannot hold comes after all of them.
func chatMessages(t Turn) (out []any) {
	if t.Role == roleAssistant {
		return []any{chatAnswer(t.Parts)}
	}
	var rest []Part
	for _, p := range t.Parts {
		if p.Kind != kindResult {
			rest = append(rest, p)
			continue
		}
		out = append(out, object{"role": "tool", "tool_call_id": p.ID, "content": p.text()})
		for _, in := range p.Inner {
			if in.isMedia() {
				rest = append(rest, in)
			}
		}
	}
	if len(rest) == 0 {
		return out
	}
	if s, ok := plain(rest); ok {
		return append(out, object{"role": t.Role, "content": s})
	}
	var parts []any
	for _, p := range rest {
		m := p.Media
		switch p.Kind {
		case kindText, kindRefusal:
			parts = append(parts, object{"type": "text", "text": p.Text})
		case kindImage:
			parts = append(parts, object{"type": "image_url", "image_url": object{"url": m.dataURL()}})
		case kindAudio:
			format := "mp3"
			if m.MIME == "audio/wav" {
				format = "wav"
			}
			parts = append(parts, object{"type": "input_audio", "input_audio": object{"data": m.Data, "format": format}})
		case kindDocument:
			file := object{"file_id": m.FileID}
			if m.FileID == "" {
				file = object{"filename": m.filename(), "file_data": m.dataURL()}
			}
			parts = append(parts, object{"type": "file", "file": file})
		}
	}
	return append(out, object{"role": t.Role, "content": parts})
}

func chatAnswer(parts []Part) object {
	m := object{"role": roleAssistant, "content": nil}
	var said, refused strings.Builder
	var calls []any
	for _, p := range parts {
		switch p.Kind {
		case kindText:
			said.WriteString(p.Text)
		case kindRefusal:
			refused.WriteString(p.Text)
		case kindCall:
			c := object{"id": p.ID, "type": "function", "function": object{"name": p.Name, "arguments": p.Args}}
			if p.Custom {
				c = object{"id": p.ID, "type": "custom", "custom": object{"name": p.Name, "input": p.Args}}
			}
			calls = append(calls, c)
		}
	}
	if said.Len() > 0 || calls == nil && refused.Len() == 0 {
		m["content"] = said.String()
	}
	if refused.Len() > 0 {
		m["refusal"] = refused.String()
	}
	if calls != nil {
		m["tool_calls"] = calls
	}
	return m
}

func (a *Ask) writeResponses() object {
	var input []any
	for _, t := range a.Turns {
		input = append(input, responsesItems(t)...)
	}
	doc := object{"model": a.Model, "input": input, "store": false}
	if len(a.System) > 0 {
		doc["instructions"] = strings.Join(a.System, "\n\n")
	}
	if len(a.Tools) > 0 {
		var tools []any
		for _, t := range a.Tools {
			f := functionObject(t)
			f["type"] = "function"
			if t.Custom {
				f = object{"type": "custom", "name": t.Name, "description": t.Description}
			}
			tools = append(tools, f)
		}
		doc["tools"] = tools
	}
	switch c := a.Choice; {
	case len(c.Allowed) > 0:
		var tools []any
		for _, name := range c.Allowed {
			tools = append(tools, object{"type": "function", "name": name})
		}
		doc["tool_choice"] = object{"type": "allowed_tools", "mode": openaiMode(c.Mode), "tools": tools}
	case c.Mode == "tool":
		doc["tool_choice"] = object{"type": "function", "name": c.Name}
	case c.Mode != "":
		doc["tool_choice"] = openaiMode(c.Mode)
	}
	switch a.Format {
	case "":
	case "json":
		doc["text"] = object{"format": object{"type": "json_object"}}
	default:
		doc["text"] = object{"format": object{"type": "json_schema", "name": "answer", "schema": jsonSchema(a.Format), "strict": false}}
	}
	if a.Thinking != "" {
		doc["reasoning"] = object{"effort": effort(a.Thinking), "summary": "auto"}
	}
	limit := a.MaxTokens
	if limit != "" && lessNumber(limit, minOutput) {
		limit = minOutput
	}
	setNumber(doc, "max_output_tokens", limit)
	setNumber(doc, "temperature", a.Temperature)
	setNumber(doc, "top_p", a.TopP)
	if a.Stream {
		doc["stream"] = true
	}
	return doc
}

// responsesItems writes a turn: a message for texts and media in a row, and an item for every call and result.
func responsesItems(t Turn) (out []any) {
	var content []any
	flush := func() {
		if content != nil {
			out = append(out, object{"type": "message", "role": t.Role, "content": content})
		}
		content = nil
	}
	for _, p := range t.Parts {
		switch p.Kind {
		case kindCall:
			flush()
			item := object{"type": "function_call", "call_id": p.ID, "name": p.Name, "arguments": p.Args}
			if p.Custom {
				item = object{"type": "custom_tool_call", "call_id": p.ID, "name": p.Name, "input": p.Args}
			}
			out = append(out, item)
		case kindResult:
			flush()
			var output any
			if s, ok := plain(p.Inner); ok {
				output = s
			} else {
				output = responsesParts(roleUser, p.Inner)
			}
			kind := "function_call_output"
			if p.Custom {
				kind = "custom_tool_call_output"
			}
			out = append(out, object{"type": kind, "call_id": p.ID, "output": output})
		default:
			content = append(content, responsesParts(t.Role, []Part{p})...)
		}
	}
	flush()
	return out
}

func responsesParts(role string, parts []Part) (out []any) {
	for _, p := range parts {
		m := p.Media
		switch p.Kind {
		case kindText:
			kind := "input_text"
			if role == roleAssistant {
				kind = "output_text"
			}
			out = append(out, object{"type": kind, "text": p.Text})
		case kindRefusal:
			out = append(out, object{"type": "refusal", "refusal": p.Text})
		case kindImage:
			image := object{"type": "input_image", "detail": "auto"}
			if m.FileID != "" {
				image["file_id"] = m.FileID
			} else {
				image["image_url"] = m.dataURL()
			}
			out = append(out, image)
		case kindAudio:
			format := "mp3"
			if m.MIME == "audio/wav" {
				format = "wav"
			}
			out = append(out, object{"type": "input_audio", "input_audio": object{"data": m.Data, "format": format}})
		case kindDocument:
			switch file := (object{"type": "input_file"}); {
			case m.FileID != "":
				file["file_id"] = m.FileID
				out = append(out, file)
			case m.URL != "":
				file["file_url"] = m.URL
				out = append(out, file)
			default:
				file["filename"], file["file_data"] = m.filename(), m.dataURL()
				out = append(out, file)
			}
		}
	}
	return out
}
