package wiretest

import "slices"

const geminiKeys = `contents systemInstruction system_instruction tools toolConfig tool_config generationConfig generation_config
	safetySettings safety_settings cachedContent cached_content labels modelArmorConfig model_armor_config model serviceTier`

func (a *Ask) checkGemini(doc node) {
	a.checkKeys("request", doc, geminiKeys)
	contents := doc.list("contents")
	if len(contents) == 0 {
		a.breach("no contents")
	}
	for i, c := range contents {
		if role := c.str("role"); role != roleUser && role != "model" && !(role == "" && len(contents) == 1) {
			a.breach("content %d has the role %q", i, role)
		}
		if len(c.list("parts")) == 0 {
			a.breach("content %d is empty", i)
		}
		calls := 0
		if i > 0 {
			calls = countParts(contents[i-1], "functionCall", "function_call")
		}
		if results := countParts(c, "functionResponse", "function_response"); results != 0 && results != calls {
			a.breach("content %d: %d results of %d calls", i, results, calls)
		}
		for _, p := range c.list("parts") {
			a.checkGeminiPart(i, p)
		}
	}
	for _, t := range geminiTools(doc) {
		for _, f := range t.either("functionDeclarations", "function_declarations").list() {
			if f.get("parameters").exists() && f.either("parametersJsonSchema", "parameters_json_schema").exists() {
				a.breach("%s has two kinds of parameters", f.str("name"))
			}
		}
	}
	a.checkTools(dottedName)
	a.checkCalls(nil, dottedName)
	if len(a.Stop) > 5 {
		a.breach("%d stop sequences, but 5 are allowed", len(a.Stop))
	}
	c := doc.either("generationConfig", "generation_config")
	a.between("temperature", c.get("temperature"), "0", "2")
	if mime := c.either("responseMimeType", "response_mime_type").str(); a.Format != "" && mime != "application/json" && mime != "text/x.enum" {
		a.breach("a schema for answers of the type %q", mime)
	}
}

func countParts(content node, keys ...string) (n int) {
	for _, p := range content.list("parts") {
		if p.either(keys...).exists() {
			n++
		}
	}
	return n
}

func (a *Ask) checkGeminiPart(i int, p node) {
	data := slices.DeleteFunc(p.keys(), func(k string) bool {
		return slices.Contains([]string{"thought", "thoughtSignature", "thought_signature", "videoMetadata", "video_metadata", "mediaResolution"}, k)
	})
	signature := p.either("thoughtSignature", "thought_signature")
	if len(data) != 1 {
		a.breach("content %d: a part with %q", i, data)
	}
	if s := p.get("text"); s.isString() && s.str() == "" && !signature.exists() {
		a.breach("content %d: an empty text", i)
	}
	if r := p.either("functionResponse", "function_response"); r.exists() {
		if r.str("name") == "" {
			a.breach("content %d: a result without a name", i)
		}
		if !r.get("response").isObject() {
			a.breach("content %d: the result is no object", i)
		}
	}
	part := geminiPart(p)
	if part.isMedia() {
		a.checkMedia(part)
		if part.Media.Data != "" && part.Media.MIME == "" {
			a.breach("content %d: data without a type", i)
		}
	}
}
