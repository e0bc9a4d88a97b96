package fakellm

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// The dialects, named as package providers names them.
const (
	Chat      = "chat"
	Responses = "responses"
	Messages  = "messages"
	Gemini    = "gemini"
)

type kind uint8

const (
	kindUnknown kind = iota
	kindGenerate
	kindCount
	kindEmbed
	kindBatchEmbed
	kindModels
)

// Request is what the server understood of a request.
type Request struct {
	Seq    int    // 1 for the first
	ID     string // also the response header x-request-id
	Method string
	Path   string // escaped
	Header http.Header
	Body   []byte

	Dialect string
	Model   string
	Stream  bool
	// Prompt is the text of the last message.
	Prompt string
	// InputTokens is what the request is billed for.
	InputTokens int

	kind         kind
	problem      string // what is wrong with it; empty for nothing
	includeUsage bool
	maxTokens    int
	textBytes    int
	tools        []tool
	forceTool    bool
	forcedName   string
	toolResult   bool // the last message answers a tool call
}

type tool struct{ name, schema string }

// route finds the endpoint by the end of the path, so that any base URL works.
func (q *Request) route(r *http.Request) {
	path := strings.TrimSuffix(q.Path, "/")
	q.Dialect = Chat
	if slash := strings.LastIndexByte(path, '/'); slash >= 0 {
		if model, verb, ok := strings.Cut(path[slash+1:], ":"); ok && r.Method == http.MethodPost {
			q.routeGemini(model, verb)
			return
		}
	}
	switch {
	case r.Method == http.MethodGet && strings.HasSuffix(path, "/models"):
		q.kind = kindModels
		if r.Header.Get("Anthropic-Version") != "" {
			q.Dialect = Messages
		} else if strings.HasSuffix(path, "/v1beta/models") {
			q.Dialect = Gemini
		}
	case r.Method != http.MethodPost:
	case strings.HasSuffix(path, "/chat/completions"):
		q.kind = kindGenerate
	case strings.HasSuffix(path, "/responses"):
		q.kind, q.Dialect = kindGenerate, Responses
	case strings.HasSuffix(path, "/messages"):
		q.kind, q.Dialect = kindGenerate, Messages
	case strings.HasSuffix(path, "/messages/count_tokens"):
		q.kind, q.Dialect = kindCount, Messages
	case strings.HasSuffix(path, "/embeddings"):
		q.kind = kindEmbed
	}
}

func (q *Request) routeGemini(model, verb string) {
	q.Dialect = Gemini
	q.Model = model
	if m, err := url.PathUnescape(model); err == nil {
		q.Model = m
	}
	switch verb {
	case "generateContent":
		q.kind = kindGenerate
	case "streamGenerateContent":
		q.kind, q.Stream = kindGenerate, true
	case "countTokens":
		q.kind = kindCount
	case "embedContent":
		q.kind = kindEmbed
	case "batchEmbedContents":
		q.kind = kindBatchEmbed
	}
}

// parse reads what the endpoint needs of the body.
func (q *Request) parse() {
	if q.kind == kindUnknown || q.kind == kindModels {
		return
	}
	if !gjson.ValidBytes(q.Body) || !bytes.HasPrefix(bytes.TrimSpace(q.Body), []byte("{")) {
		q.problem = "the body is not a JSON object"
		return
	}
	doc := gjson.ParseBytes(q.Body)
	if q.Dialect != Gemini {
		q.Model = doc.Get("model").String()
		if q.Model == "" {
			q.problem = "you must provide a model parameter"
			return
		}
		q.Stream = doc.Get("stream").Bool() && q.kind == kindGenerate
	}
	switch {
	case q.kind == kindEmbed || q.kind == kindBatchEmbed:
		q.embedInputs(doc)
	case q.Dialect == Chat:
		q.parseChat(doc)
	case q.Dialect == Responses:
		q.parseResponses(doc)
	case q.Dialect == Messages:
		q.parseMessages(doc)
	default:
		q.parseGemini(doc)
	}
	q.InputTokens = max(1, (q.textBytes+3)/4)
}

// text adds the text of a content, which is a string or a list of parts, to the count and returns it.
func (q *Request) text(content gjson.Result) string {
	if content.Type == gjson.String {
		q.textBytes += len(content.String())
		return content.String()
	}
	var all []string
	content.ForEach(func(_, part gjson.Result) bool {
		if t := part.Get("text"); t.Type == gjson.String {
			q.textBytes += len(t.String())
			all = append(all, t.String())
		}
		return true
	})
	return strings.Join(all, "\n")
}

func (q *Request) addTool(name string, schema gjson.Result) {
	if name != "" {
		q.tools = append(q.tools, tool{name, schema.Raw})
		q.textBytes += len(name) + len(schema.Raw)
	}
}

// force reads a tool choice that leaves the model no choice: a word, or an object that names a tool.
func (q *Request) force(choice, name gjson.Result) {
	switch choice.String() {
	case "required", "any", "ANY":
		q.forceTool = true
	case "none", "NONE":
		q.tools = nil
	}
	if name.String() != "" {
		q.forceTool, q.forcedName = true, name.String()
	}
}

func (q *Request) parseChat(doc gjson.Result) {
	q.includeUsage = doc.Get("stream_options.include_usage").Bool()
	q.maxTokens = int(max(doc.Get("max_completion_tokens").Int(), doc.Get("max_tokens").Int()))
	doc.Get("messages").ForEach(func(_, m gjson.Result) bool {
		q.Prompt = q.text(m.Get("content"))
		role := m.Get("role").String()
		q.toolResult = role == "tool" || role == "function"
		return true
	})
	doc.Get("tools").ForEach(func(_, t gjson.Result) bool {
		q.addTool(t.Get("function.name").String(), t.Get("function.parameters"))
		return true
	})
	q.force(doc.Get("tool_choice"), doc.Get("tool_choice.function.name"))
}

func (q *Request) parseResponses(doc gjson.Result) {
	q.maxTokens = int(doc.Get("max_output_tokens").Int())
	q.text(doc.Get("instructions"))
	if in := doc.Get("input"); in.Type == gjson.String {
		q.Prompt = q.text(in)
	} else {
		in.ForEach(func(_, item gjson.Result) bool {
			q.toolResult = item.Get("type").String() == "function_call_output"
			if q.toolResult {
				q.Prompt = q.text(item.Get("output"))
			} else if c := item.Get("content"); c.Exists() {
				q.Prompt = q.text(c)
			}
			return true
		})
	}
	doc.Get("tools").ForEach(func(_, t gjson.Result) bool {
		q.addTool(t.Get("name").String(), t.Get("parameters"))
		return true
	})
	q.force(doc.Get("tool_choice"), doc.Get("tool_choice.name"))
}

func (q *Request) parseMessages(doc gjson.Result) {
	q.maxTokens = int(doc.Get("max_tokens").Int())
	if q.maxTokens <= 0 && q.kind == kindGenerate {
		q.problem = "max_tokens: Field required"
	}
	q.text(doc.Get("system"))
	doc.Get("messages").ForEach(func(_, m gjson.Result) bool {
		q.Prompt = q.text(m.Get("content"))
		q.toolResult = false
		m.Get("content").ForEach(func(_, block gjson.Result) bool {
			if block.Get("type").String() == "tool_result" {
				q.toolResult = true
				q.text(block.Get("content"))
			}
			return true
		})
		return true
	})
	doc.Get("tools").ForEach(func(_, t gjson.Result) bool {
		q.addTool(t.Get("name").String(), t.Get("input_schema"))
		return true
	})
	q.force(doc.Get("tool_choice.type"), doc.Get("tool_choice.name"))
}

func (q *Request) parseGemini(doc gjson.Result) {
	q.maxTokens = int(doc.Get("generationConfig.maxOutputTokens").Int())
	q.text(doc.Get("systemInstruction.parts"))
	doc.Get("contents").ForEach(func(_, c gjson.Result) bool {
		parts := c.Get("parts")
		q.Prompt = q.text(parts)
		q.toolResult = parts.Get("#(functionResponse)").Exists()
		return true
	})
	doc.Get("tools").ForEach(func(_, group gjson.Result) bool {
		group.Get("functionDeclarations").ForEach(func(_, t gjson.Result) bool {
			schema := t.Get("parametersJsonSchema")
			if !schema.Exists() {
				schema = t.Get("parameters")
			}
			q.addTool(t.Get("name").String(), schema)
			return true
		})
		return true
	})
	config := doc.Get("toolConfig.functionCallingConfig")
	q.force(config.Get("mode"), config.Get("allowedFunctionNames.0"))
}

// callTool returns the tool that the answer calls: the forced one, else one that the last message asks for in so many
// words: "please call <tool>". A mere mention is not enough, because agents describe their tools in their prompts and
// would be sent round in circles.
func (q *Request) callTool() *tool {
	if q.toolResult {
		return nil
	}
	for i := range q.tools {
		t := &q.tools[i]
		if q.forceTool && (q.forcedName == "" || q.forcedName == t.name) || asksFor(q.Prompt, t.name) {
			return t
		}
	}
	return nil
}

// callPhrase comes before the name of a tool that is to be called.
const callPhrase = "please call "

// asksFor reports whether text holds callPhrase and then the name as a whole word.
func asksFor(text, name string) bool {
	for {
		_, rest, ok := strings.Cut(text, callPhrase)
		if !ok {
			return false
		}
		if after, found := strings.CutPrefix(rest, name); found {
			if r, _ := utf8.DecodeRuneInString(after); !isWordRune(r) {
				return true
			}
		}
		text = rest
	}
}

func isWordRune(r rune) bool {
	return r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}
