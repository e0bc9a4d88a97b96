package wiretest

import "strings"

func (a *Ask) writeGemini() object {
	doc := object{}
	if len(a.System) > 0 {
		doc["systemInstruction"] = object{"parts": []any{object{"text": strings.Join(a.System, "\n\n")}}}
	}
	var contents []any
	for _, t := range a.Turns {
		role := roleUser
		if t.Role == roleAssistant {
			role = "model"
		}
		var results, rest []any
		for _, p := range t.Parts {
			if p.Kind == kindResult {
				results = append(results, geminiResultObject(p))
			} else {
				rest = append(rest, geminiPartObject(p))
			}
		}
		for _, parts := range [][]any{results, rest} {
			if parts != nil {
				contents = append(contents, object{"role": role, "parts": parts})
			}
		}
	}
	doc["contents"] = contents
	if len(a.Tools) > 0 {
		var tools []any
		for _, t := range a.Tools {
			f := object{"name": t.Name, "description": t.Description}
			if schema, ok := openSchema(t.Schema); ok {
				f["parameters"] = schema
			} else if t.Schema != "" {
				f["parametersJsonSchema"] = jsonSchema(t.Schema)
			}
			tools = append(tools, f)
		}
		doc["tools"] = []any{object{"functionDeclarations": tools}}
	}
	if c := a.Choice; c.Mode != "" {
		doc["toolConfig"] = object{"functionCallingConfig": geminiChoiceObject(c)}
	}
	if config := a.geminiConfigObject(); len(config) > 0 {
		doc["generationConfig"] = config
	}
	return doc
}

func geminiChoiceObject(c Choice) object {
	out := object{"mode": strings.ToUpper(c.Mode)}
	switch {
	case c.Mode == "tool":
		out["mode"], out["allowedFunctionNames"] = "ANY", []string{c.Name}
	case len(c.Allowed) > 0:
		if c.Mode == "auto" {
			out["mode"] = "VALIDATED"
		}
		out["allowedFunctionNames"] = c.Allowed
	}
	return out
}

func (a *Ask) geminiConfigObject() object {
	config := object{}
	setNumber(config, "maxOutputTokens", a.MaxTokens)
	setNumber(config, "temperature", a.Temperature)
	setNumber(config, "topP", a.TopP)
	if len(a.Stop) > 0 {
		config["stopSequences"] = a.Stop[:min(len(a.Stop), 5)]
	}
	switch a.Thinking {
	case "on":
		config["thinkingConfig"] = object{"thinkingBudget": 2048, "includeThoughts": true}
	case "off":
		config["thinkingConfig"] = object{"thinkingBudget": 0}
	}
	if a.Format == "" {
		return config
	}
	config["responseMimeType"] = "application/json"
	if a.Format == "json" {
		return config
	}
	if schema, ok := openSchema(a.Format); ok {
		config["responseSchema"] = schema
	} else {
		config["responseJsonSchema"] = jsonSchema(a.Format)
	}
	return config
}

func geminiPartObject(p Part) object {
	switch p.Kind {
	case kindCall:
		return object{"functionCall": object{"id": p.ID, "name": p.Name, "args": raw(p.Args)}}
	case kindText:
		return object{"text": p.Text}
	}
	mime := p.Media.MIME
	if mime == "" { // of dialects that tell images from documents in another way
		mime = map[string]string{kindImage: "image/png", kindDocument: "application/pdf"}[p.Kind]
	}
	if p.Media.URL != "" {
		return object{"fileData": object{"mimeType": mime, "fileUri": p.Media.URL}}
	}
	return object{"inlineData": object{"mimeType": mime, "data": p.Media.Data}}
}

func geminiResultObject(p Part) object {
	said := plainResult(p.text())
	response := object{"output": said}
	if n, err := parse([]byte(said)); err == nil && n.isObject() {
		response, _ = n.value.(object)
	}
	if p.IsError {
		response = object{"error": said}
	}
	r := object{"id": p.ID, "name": p.Name, "response": response}
	var parts []any
	for _, in := range p.Inner {
		if in.isMedia() {
			parts = append(parts, geminiPartObject(in))
		}
	}
	if parts != nil {
		r["parts"] = parts
	}
	return object{"functionResponse": r}
}
