package converse

import (
	"slices"
	"strings"
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
	version version
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
		m.version = versionOf(m.id)
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
		return m.version == 0 || m.version >= withFormat
	case mistral:
		return strings.Contains(m.id, "large-3") || strings.Contains(m.id, "ministral") ||
			strings.Contains(m.id, "magistral") || strings.Contains(m.id, "voxtral")
	case nova, older:
		return false
	}
	return true
}

// version is the generation of a Claude model times ten (4.6 is 46), 0 when the id does not tell.
type version int

// The generations at which the rules change.
const (
	withThinking   version = 37 // thinking, with a budget of tokens
	withFormat     version = 45 // outputConfig and strict tools
	withAdaptive   version = 46 // adaptive thinking, steered by an effort
	withoutTunings version = 47 // a budget is refused, and so are temperature, topP and top_k; effort xhigh
)

// versionOf reads the version from an id: "anthropic.claude-3-7-sonnet-20250219-v1:0", "us.anthropic.claude-opus-4-6",
// "anthropic.claude-v2".
func versionOf(id string) version {
	_, rest, ok := strings.Cut(id, "claude-")
	if !ok {
		return 0
	}
	major := -1
	for part := range strings.FieldsFuncSeq(rest, func(r rune) bool { return r == '-' || r == '.' || r == '@' || r == ':' }) {
		if major < 0 {
			part = strings.TrimPrefix(part, "v") // claude-v2
		}
		n, short := smallNumber(part)
		switch {
		case short && major < 0:
			major = n
		case short:
			return version(major*10 + min(n, 9))
		case major >= 0:
			return version(major * 10)
		}
	}
	return version(max(major, 0) * 10)
}

// smallNumber reads one or two digits: more are a date.
func smallNumber(s string) (n int, ok bool) {
	if len(s) == 0 || len(s) > 2 {
		return 0, false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}
