package llmgateway

import (
	"net/http"
	"strings"

	"github.com/caddy-llm/llmgateway/providers"
)

// endpoint is what a path stands for.
type endpoint struct {
	dialect   providers.Dialect
	operation providers.Operation
	kind      endpointKind
	model     string // from the path, in the Gemini dialect and for /models/{id}
	subpath   string
	stream    bool // the Gemini method streamGenerateContent
}

type endpointKind uint8

const (
	endpointCall   endpointKind = iota // goes to a provider
	endpointModels                     // lists the public models
	endpointModel                      // describes one of them
	endpointProbe                      // a client's start-up probe
	endpointSocket                     // a WebSocket upgrade that is not offered
)

// recognise finds the endpoint of a request by the end of its path, so that any prefix may stand before it. Only
// canonical paths are known: an escaped slash, a doubled slash, dot segments or another case belong to somebody else.
func recognise(r *http.Request) (endpoint, bool) {
	path := r.URL.Path
	if i := strings.LastIndex(path, "/models/"); i >= 0 && plainUpTo(r, path, "/models/") {
		if ep, ok := geminiMethod(r, path, i); ok {
			return ep, true
		}
		if r.Method == http.MethodGet && versioned(path[:i]) && len(path) > i+len("/models/") {
			ep := endpoint{dialect: providers.Chat, kind: endpointModel, model: path[i+len("/models/"):]}
			if strings.HasSuffix(path[:i], "/v1beta") {
				ep.dialect = providers.Gemini
			}
			return ep, true
		}
	}
	if r.URL.RawPath != "" {
		return endpoint{}, false
	}
	switch r.Method {
	case http.MethodPost:
		return recognisePost(path)
	case http.MethodGet:
		if prefix, ok := strings.CutSuffix(path, "/models"); ok && canonical(prefix) {
			ep := endpoint{dialect: providers.Chat, kind: endpointModels}
			if strings.HasSuffix(prefix, "/v1beta") {
				ep.dialect = providers.Gemini
			}
			return ep, true
		}
		if prefix, ok := strings.CutSuffix(path, "/responses"); ok && canonical(prefix) && isWebSocket(r) {
			return endpoint{dialect: providers.Responses, kind: endpointSocket}, true
		}
	case http.MethodHead:
		// "HEAD /" is probed, too. It belongs to whatever else the site serves; Caddy answers it with 200 where that is
		// nothing.
		if path == "/api/hello" {
			return endpoint{kind: endpointProbe}, true
		}
	}
	return endpoint{}, false
}

// plainUpTo reports whether a path is written without escapes up to and including the first occurrence of mark.
func plainUpTo(r *http.Request, path, mark string) bool {
	end := strings.Index(path, mark) + len(mark)
	return r.URL.RawPath == "" || strings.HasPrefix(r.URL.RawPath, path[:end])
}

// posts are the paths of calls, by their end.
var posts = []struct {
	suffix    string
	dialect   providers.Dialect
	operation providers.Operation
	subpath   string
}{
	{"/chat/completions", providers.Chat, providers.Generate, ""},
	{"/messages", providers.Messages, providers.Generate, ""},
	{"/responses", providers.Responses, providers.Generate, ""},
	{"/messages/count_tokens", providers.Messages, providers.CountTokens, ""},
	{"/responses/input_tokens", providers.Responses, providers.CountTokens, "input_tokens"},
	{"/responses/compact", providers.Responses, providers.Compact, "compact"},
	{"/embeddings", providers.Chat, providers.Embeddings, ""},
	{"/completions", providers.Chat, providers.Completions, ""},
	{"/moderations", providers.Chat, providers.Moderations, ""},
	{"/rerank", providers.Chat, providers.Rerank, ""},
	{"/images/generations", providers.Chat, providers.Images, "generations"},
	{"/audio/speech", providers.Chat, providers.Audio, "speech"},
}

func recognisePost(path string) (endpoint, bool) {
	for i := range posts {
		p := &posts[i]
		if prefix, ok := strings.CutSuffix(path, p.suffix); ok && versioned(prefix) && !(p.operation == providers.Completions && endsInChat(prefix)) {
			return endpoint{dialect: p.dialect, operation: p.operation, subpath: p.subpath}, true
		}
	}
	return endpoint{}, false
}

// endsInChat tells a misspelled path of chat completions from one of legacy completions.
func endsInChat(prefix string) bool {
	return strings.EqualFold(prefix[strings.LastIndexByte(prefix, '/')+1:], "chat")
}

// versioned accepts what may stand before an operation: nothing, or canonical segments. The last one usually is "v1".
func versioned(prefix string) bool {
	return prefix == "" || prefix == "/v1" || canonical(prefix)
}

// canonical reports whether a path prefix consists of plain segments.
func canonical(prefix string) bool {
	if prefix == "" {
		return true
	}
	if prefix[0] != '/' {
		return false
	}
	for seg := range strings.SplitSeq(prefix[1:], "/") {
		if seg == "" || seg == "." || seg == ".." {
			return false
		}
		// A version in another case would be another resource.
		if low := strings.ToLower(seg); low != seg && (low == "v1" || low == "v1beta") {
			return false
		}
		for i := 0; i < len(seg); i++ {
			c := seg[i]
			if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~') {
				return false
			}
		}
	}
	return true
}

// geminiMethods are the verbs of the Gemini dialect.
var geminiMethods = map[string]endpoint{
	"generateContent":       {dialect: providers.Gemini, operation: providers.Generate},
	"streamGenerateContent": {dialect: providers.Gemini, operation: providers.Generate, stream: true},
	"countTokens":           {dialect: providers.Gemini, operation: providers.CountTokens},
	"embedContent":          {dialect: providers.Gemini, operation: providers.Embeddings},
	"batchEmbedContents":    {dialect: providers.Gemini, operation: providers.BatchEmbed},
}

// geminiMethod recognises /v1beta/models/{model}:{method}. The model may hold slashes, escaped or not.
func geminiMethod(r *http.Request, path string, at int) (endpoint, bool) {
	colon := strings.LastIndexByte(path, ':')
	if r.Method != http.MethodPost || colon < at || !versioned(path[:at]) {
		return endpoint{}, false
	}
	if first := strings.Index(path, "/models/"); first != at && versioned(path[:first]) {
		at = first // the model's own name holds "/models/"
	}
	ep, ok := geminiMethods[path[colon+1:]]
	if !ok {
		return endpoint{}, false
	}
	ep.model = path[at+len("/models/") : colon]
	if strings.Contains(ep.model, "..") {
		return endpoint{}, false
	}
	return ep, true
}

func isWebSocket(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}
