package wiretest

import (
	"encoding/json"
	"strings"
)

// What a client of Messages says where the request that it writes anew said nothing: the dialect demands a limit, and
// thinking needs a budget below it.
const (
	defaultLimit = "4096"
	budget       = 1024
)

func (a *Ask) writeMessages() object {
	limit := a.MaxTokens
	if limit == "" {
		limit = defaultLimit
	}
	doc := object{"model": a.Model}
	switch {
	case a.Thinking == "off":
		doc["thinking"] = object{"type": "disabled"}
	case a.Thinking == "on":
		doc["thinking"] = object{"type": "enabled", "budget_tokens": budget}
		if !lessNumber("2048", limit) {
			limit = defaultLimit
		}
	}
	doc["max_tokens"] = json.Number(limit)
	if len(a.System) > 0 {
		doc["system"] = strings.Join(a.System, "\n\n")
	}
	var messages []any
	for _, t := range a.Turns {
		messages = append(messages, messageObject(t))
	}
	doc["messages"] = messages
	a.messageTools(doc)
	if a.Format != "" && a.Format != "json" {
		doc["output_config"] = object{"format": object{"type": "json_schema", "schema": jsonSchema(closed(a.Format, true))}}
	}
	if a.Thinking != "on" {
		if t := a.Temperature; t != "" && lessNumber("1", t) {
			doc["temperature"] = 1
		} else {
			setNumber(doc, "temperature", t)
		}
		setNumber(doc, "top_p", a.TopP)
	}
	var stop []string
	for _, s := range a.Stop {
		if !blank(s) {
			stop = append(stop, s)
		}
	}
	if stop != nil {
		doc["stop_sequences"] = stop
	}
	if a.Stream {
		doc["stream"] = true
	}
	mark(doc, a.Caches)
	return doc
}

func (a *Ask) messageTools(doc object) {
	if len(a.Tools) == 0 {
		return
	}
	var tools []any
	for _, t := range a.Tools {
		f := object{"name": t.Name, "input_schema": inputSchema(t.Schema)}
		if t.Description != "" {
			f["description"] = t.Description
		}
		if t.Strict {
			f["strict"] = true
		}
		tools = append(tools, f)
	}
	doc["tools"] = tools
	switch c := a.Choice; {
	case c.Mode == "":
	case a.Thinking == "on" && c.Mode != "none":
		doc["tool_choice"] = object{"type": "auto"} // all that thinking allows
	case c.Mode == "tool":
		doc["tool_choice"] = object{"type": "tool", "name": c.Name}
	default:
		doc["tool_choice"] = object{"type": c.Mode}
	}
}

// inputSchema is a schema that the API takes: one of an object.
func inputSchema(s string) any {
	schema := jsonSchema(s)
	if m, ok := schema.(map[string]any); ok && m["type"] == nil {
		m["type"] = "object"
	}
	return schema
}

// mark puts cache marks where clients put them: at the end of the tools, of the system prompt, and of the conversation.
func mark(doc object, n int) {
	ephemeral := object{"type": "ephemeral"}
	if tools, ok := doc["tools"].([]any); ok && n > 0 {
		last, _ := tools[len(tools)-1].(object)
		last["cache_control"] = ephemeral
		n--
	}
	if system, ok := doc["system"].(string); ok && n > 0 {
		doc["system"] = []any{object{"type": "text", "text": system, "cache_control": ephemeral}}
		n--
	}
	messages, _ := doc["messages"].([]any)
	for i := len(messages) - 1; i >= 0 && n > 0; i-- {
		m, _ := messages[i].(object)
		if text, ok := m["content"].(string); ok {
			m["content"] = []any{object{"type": "text", "text": text}}
		}
		if blocks, _ := m["content"].([]any); len(blocks) > 0 {
			last, _ := blocks[len(blocks)-1].(object)
			last["cache_control"] = ephemeral
			n--
		}
	}
}

func messageObject(t Turn) object {
	if s, ok := plain(t.Parts); ok {
		if t.Role == roleAssistant {
			s = strings.TrimRight(s, " \n\t") // for it may be the last
		}
		return object{"role": t.Role, "content": s}
	}
	return object{"role": t.Role, "content": messageBlocks(t.Parts)}
}

func messageBlocks(parts []Part) (out []any) {
	for _, p := range parts {
		switch p.Kind {
		case kindText:
			out = append(out, object{"type": "text", "text": p.Text})
		case kindImage, kindDocument:
			b := object{"type": p.Kind, "source": messageSource(p.Media)}
			if p.Kind == kindDocument && p.Media.Name != "" {
				b["title"] = p.Media.Name
			}
			out = append(out, b)
		case kindCall:
			out = append(out, object{"type": "tool_use", "id": p.ID, "name": p.Name, "input": raw(p.Args)})
		case kindResult:
			r := object{"type": "tool_result", "tool_use_id": p.ID, "content": p.text()}
			if _, ok := plain(p.Inner); !ok {
				r["content"] = messageBlocks(p.Inner)
			}
			if p.IsError {
				r["is_error"] = true
			}
			out = append(out, r)
		}
	}
	return out
}

func messageSource(m Media) object {
	switch {
	case m.Text != "":
		return object{"type": "text", "media_type": "text/plain", "data": m.Text}
	case m.URL != "":
		return object{"type": "url", "url": m.URL}
	}
	mime := m.MIME
	if mime == "" {
		mime = "image/png"
	}
	return object{"type": "base64", "media_type": mime, "data": m.Data}
}
