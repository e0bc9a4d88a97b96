package gemini

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/providers"
)

func init() { dialects.Register(Codec{}) }

// origin marks signatures and opaque blocks that only this dialect understands.
const origin = string(providers.Gemini)

// Codec is the Gemini dialect: the bodies of generateContent, streamGenerateContent, countTokens, embedContent and
// batchEmbedContents.
type Codec struct{}

// Name is the dialect.
func (Codec) Name() providers.Dialect { return providers.Gemini }

// KnownKeys are the members that say where a request goes, what it costs, or what the model is told, in both
// spellings.
func (Codec) KnownKeys() []string { return knownKeys }

var knownKeys = []string{
	"model", "contents", "content", "requests", "tools",
	"generationConfig", "generation_config",
	"systemInstruction", "system_instruction",
	"toolConfig", "tool_config",
	"cachedContent", "cached_content",
	"serviceTier", "service_tier",
	"generateContentRequest", "generate_content_request",
}

// Head reads what the body says. Model and Stream stand in the path and are left to the caller.
func (Codec) Head(doc []byte, obj *jsonedit.Object) (dialects.Head, error) {
	h := dialects.Head{N: 1}
	if err := refuseBoth(obj); err != nil {
		return h, err
	}
	if m, ok := either(obj, "tools", "tools"); ok {
		tools := gjson.Parse(jsonedit.View(doc[m.Start:m.End]))
		// A single tool may stand without its list: protobuf's parser makes one of it.
		h.HasTools = tools.IsObject() || tools.Get("0").Exists()
	}
	m, ok := either(obj, "generationConfig", "generation_config")
	if !ok || isNull(doc, m) {
		return h, nil
	}
	if doc[m.Start] != '{' {
		return h, dialects.BadRequest("generationConfig", "generationConfig must be an object")
	}
	var config jsonedit.Object
	if err := jsonedit.ScanObject(doc, m.Start, m.End, &config); err != nil {
		return h, dialects.BadRequest("generationConfig", "generationConfig is invalid: %s", err)
	}
	limit, err := configInt(doc, &config, "maxOutputTokens", "max_output_tokens")
	if err != nil {
		return h, err
	}
	h.MaxTokens = limit
	n, err := configInt(doc, &config, "candidateCount", "candidate_count")
	if err != nil {
		return h, err
	}
	h.N = max(1, n)
	return h, nil
}

// refuseBoth refuses a body that has a member in both spellings: which one counts would be the provider's guess, and
// limits must not depend on a guess.
func refuseBoth(obj *jsonedit.Object) error {
	for _, m := range obj.Members {
		if i := strings.IndexByte(m.Key, '_'); i < 0 {
			continue
		}
		if _, ok := obj.Get(camel(m.Key)); ok {
			return dialects.BadRequest(camel(m.Key), "%s and %s are the same member", camel(m.Key), m.Key)
		}
	}
	return nil
}

// camel is the camelCase spelling of a snake_case name.
func camel(snake string) string {
	var b strings.Builder
	up := false
	for _, c := range []byte(snake) {
		switch {
		case c == '_':
			up = true
			continue
		case up && c >= 'a' && c <= 'z':
			c -= 'a' - 'A'
		}
		up = false
		b.WriteByte(c)
	}
	return b.String()
}

// configInt reads a positive integer of generationConfig; 0 when it is not there.
func configInt(doc []byte, config *jsonedit.Object, name, snake string) (int64, error) {
	found := 0
	var value jsonedit.Member
	for _, m := range config.Members {
		if m.Key == name || m.Key == snake {
			found++
			value = m
		}
	}
	param := "generationConfig." + name
	switch {
	case found > 1:
		return 0, dialects.BadRequest(param, "%s stands there twice", param)
	case found == 0 || isNull(doc, value):
		return 0, nil
	}
	n, ok := jsonedit.Count(jsonedit.View(doc[value.Start:value.End]))
	if !ok || n == 0 {
		return 0, dialects.BadRequest(param, "%s must be a positive integer", param)
	}
	return n, nil
}

// Splice readdresses the bodies that name the model themselves: embedContent, every entry of batchEmbedContents, and
// countTokens with a whole request inside. They must name the model of the path, or the provider refuses them. Thoughts
// of other vendors are taken out of conversations.
func (Codec) Splice(doc []byte, obj *jsonedit.Object, _ dialects.Head, o dialects.SpliceOptions, edits []jsonedit.Edit) dialects.Splice {
	edits = spliceModel(doc, obj, o.Model, edits)
	edits = spliceSignatures(doc, obj, edits)
	if m, ok := either(obj, "generateContentRequest", "generate_content_request"); ok {
		edits = spliceWithin(doc, m.Start, m.End, o.Model, edits)
	}
	if m, ok := obj.Get("requests"); ok && doc[m.Start] == '[' {
		gjson.Parse(jsonedit.View(doc[m.Start:m.End])).ForEach(func(_, request gjson.Result) bool {
			start := m.Start + request.Index
			edits = spliceWithin(doc, start, start+len(request.Raw), o.Model, edits)
			return true
		})
	}
	return dialects.Splice{Edits: edits}
}

func spliceWithin(doc []byte, start, end int, model string, edits []jsonedit.Edit) []jsonedit.Edit {
	var obj jsonedit.Object
	if doc[start] != '{' || jsonedit.ScanObject(doc, start, end, &obj) != nil {
		return edits // not an object: for the provider to refuse
	}
	return spliceSignatures(doc, &obj, spliceModel(doc, &obj, model, edits))
}

func spliceModel(doc []byte, obj *jsonedit.Object, model string, edits []jsonedit.Edit) []jsonedit.Edit {
	if !strings.Contains(model, "/") {
		model = "models/" + model
	}
	for _, m := range obj.Members {
		if old, ok := m.String(doc); m.Key == "model" && (!ok || old != model) {
			edits = append(edits, jsonedit.ReplaceValue(m, jsonedit.AppendString(nil, model)))
		}
	}
	return edits
}

// AppendKeepAlive appends nothing: Google's clients take a comment for an incomplete piece of JSON and give up, and hand
// an empty response to their callers as a chunk.
func (Codec) AppendKeepAlive(dst []byte) []byte { return dst }

func either(obj *jsonedit.Object, name, snake string) (jsonedit.Member, bool) {
	if m, ok := obj.Get(name); ok {
		return m, true
	}
	return obj.Get(snake)
}

func isNull(doc []byte, m jsonedit.Member) bool { return string(doc[m.Start:m.End]) == "null" }

var (
	_ dialects.Codec   = Codec{}
	_ dialects.Decoder = Codec{}
	_ dialects.Encoder = Codec{}
)
