package wiretest

import (
	"regexp"
	"slices"
)

const converseKeys = `messages system inferenceConfig toolConfig additionalModelRequestFields additionalModelResponseFieldPaths
	guardrailConfig performanceConfig promptVariables requestMetadata serviceTier outputConfig modelId`

var documentName = regexp.MustCompile(`^[a-zA-Z0-9_()\[\]-]+( [a-zA-Z0-9_()\[\]-]+)*$`)

func (a *Ask) checkConverse(doc node) {
	a.checkKeys("request", doc, converseKeys)
	before, names := "", map[string]bool{}
	messages := doc.list("messages")
	if len(messages) == 0 {
		a.breach("no messages")
	}
	for i, m := range messages {
		role := m.str("role")
		switch {
		case role != roleUser && role != roleAssistant:
			a.breach("message %d has the role %q", i, role)
		case role == before:
			a.breach("messages %d and %d are both the %s's", i-1, i, role)
		case i == 0 && role != roleUser:
			a.breach("the first message is the %s's", role)
		}
		before = role
		a.checkConverseBlocks(i, m, names)
	}
	for _, t := range doc.list("toolConfig", "tools") {
		spec := t.get("toolSpec")
		if d := spec.get("description"); d.exists() && d.str() == "" {
			a.breach("the tool %s has an empty description", spec.str("name"))
		}
		if spec.exists() && spec.str("inputSchema", "json", "type") != "object" {
			a.breach("the parameters of %s are no object", spec.str("name"))
		}
	}
	if config := doc.get("toolConfig"); config.exists() && len(config.list("tools")) == 0 {
		a.breach("an empty list of tools")
	}
	if a.hasCalls() && !doc.get("toolConfig").exists() {
		a.breach("calls in the conversation, but no toolConfig")
	}
	if f := doc.get("outputConfig", "textFormat"); f.exists() && f.str("type") != "json_schema" {
		a.breach("answers of the format %q", f.str("type"))
	}
	a.checkTools(wordName)
	a.checkCalls(wordName, wordName)
	a.between("temperature", doc.get("inferenceConfig", "temperature"), "0", "1")
}

func (a *Ask) hasCalls() bool {
	for _, t := range a.Turns {
		for _, p := range t.Parts {
			if p.Kind == kindCall || p.Kind == kindResult {
				return true
			}
		}
	}
	return false
}

func (a *Ask) checkConverseBlocks(i int, m node, names map[string]bool) {
	blocks := m.list("content")
	if len(blocks) == 0 {
		a.breach("message %d is empty", i)
	}
	text, document := false, false
	for _, b := range blocks {
		if s := b.get("text"); s.isString() {
			text = true
			if blank(s.str()) {
				a.breach("message %d: an empty text", i)
			}
		}
		inner := append([]node{b}, b.list("toolResult", "content")...)
		for _, in := range inner {
			a.checkConverseMedia(in, names)
		}
		document = document || b.get("document").exists()
		if u := b.get("toolUse"); u.exists() && !u.get("input").isObject() {
			a.breach("message %d: the input is no object", i)
		}
	}
	if document && !text {
		a.breach("message %d: a document without a text", i)
	}
}

func (a *Ask) checkConverseMedia(b node, names map[string]bool) {
	p := conversePart(b)
	if !p.isMedia() {
		return
	}
	a.checkMedia(p)
	if p.Kind == kindDocument {
		name := p.Media.Name
		if !documentName.MatchString(name) {
			a.breach("the document name %q is not allowed", name)
		}
		if names[name] {
			a.breach("two documents are called %q", name)
		}
		names[name] = true
		if p.Media.MIME == "" {
			a.breach("a document of the format %q", b.str("document", "format"))
		}
	}
	if p.Kind == kindImage && !slices.Contains([]string{"png", "jpeg", "gif", "webp"}, b.str("image", "format")) {
		a.breach("an image of the format %q", b.str("image", "format"))
	}
}
