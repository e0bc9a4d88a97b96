package converse

import (
	"slices"
	"strings"

	"github.com/caddy-llm/llmgateway/internal/claude"
)

// family tells the makers of models apart as far as their rules differ.
type family uint8

// The families. Of an unknown one everything is believed: the id of an application inference profile does not tell what
// is behind it.
const (
	unknown family = iota
	anthropic
	nova
	mistral
	qwen
	gptOSS
	deepSeek
	older // makers whose models take neither structured output nor a tool choice
	other // the other open-weight models
)

// families pairs what ids hold with the family, first match first.
var families = []struct {
	part string
	is   family
}{
	{"claude", anthropic},
	{"anthropic.", anthropic},
	{"amazon.nova", nova},
	{"mistral.", mistral},
	{"qwen.", qwen},
	{"openai.gpt-oss", gptOSS},
	{"deepseek.", deepSeek},
	{"meta.", older},
	{"amazon.titan", older},
	{"cohere.", older},
	{"ai21.", older},
	{"google.", other},
	{"minimax.", other},
	{"moonshot", other},
	{"nvidia.", other},
	{"zai.", other},
	{"writer.", other},
}

// model is what an id tells about a model.
type model struct {
	id      string // in lower case
	family  family
	version claude.Version
}

// modelOf reads a model id, the id of a regional inference profile ("us.anthropic.claude-…") or the ARN of either.
func modelOf(id string) model {
	m := model{id: strings.ToLower(id)}
	if strings.Contains(m.id, "application-inference-profile/") {
		return m
	}
	for _, f := range families {
		if strings.Contains(m.id, f.part) {
			m.family = f.is
			break
		}
	}
	if m.family == anthropic {
		m.version = claude.VersionOf(m.id)
	}
	return m
}

// is reports whether the family is one of those, or not known.
func (m model) is(families ...family) bool {
	return m.family == unknown || slices.Contains(families, m.family)
}

// caches reports whether the model takes cache points; others refuse the request.
func (m model) caches() bool { return m.is(anthropic, nova) }

// formats reports whether the model can be held to a JSON schema with outputConfig. Nova, Claude before 4.5, the older
// models of Mistral and those of the older makers cannot.
func (m model) formats() bool {
	switch m.family {
	case anthropic:
		return m.version == 0 || m.version >= claude.WithFormat
	case mistral:
		return strings.Contains(m.id, "large-3") || strings.Contains(m.id, "ministral") ||
			strings.Contains(m.id, "magistral") || strings.Contains(m.id, "voxtral")
	case nova, older:
		return false
	}
	return true
}
