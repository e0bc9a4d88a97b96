package providers

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// ErrUnsupported is returned by Prepare for an operation that the provider has no endpoint for.
var ErrUnsupported = errors.New("the provider does not offer this operation")

// ErrNoModel is returned by Prepare when the model's name belongs into the path and there is none.
var ErrNoModel = errors.New("no model to put into the path")

var errNoBaseURL = errors.New("no base URL")

// JoinPath returns a copy of base whose path is followed by elems, each of them exactly one path segment: whatever
// an element holds, slashes, dots, question marks and percent signs included, it cannot leave its segment. The query
// of base is kept; its fragment and user info are not.
func JoinPath(base *url.URL, elems ...string) *url.URL {
	u := &url.URL{Scheme: base.Scheme, Host: base.Host, RawQuery: base.RawQuery}
	prefix, raw := basePath(base)
	plain := raw == ""
	size := len(prefix)
	for _, e := range elems {
		plain = plain && isPlainSegment(e)
		size += 1 + len(e)
	}
	path := append(make([]byte, 0, size), prefix...)
	for _, e := range elems {
		path = append(append(path, '/'), e...)
	}
	u.Path = string(path)
	if !plain {
		u.RawPath = rawPath(cmp.Or(raw, (&url.URL{Path: prefix}).EscapedPath()), elems)
	}
	return u
}

// basePath returns the path of a base URL as it is meant and, where a parser cannot tell that from it, as it is written, both
// without slashes at the end. An escaped slash belongs to a segment, and stays.
func basePath(base *url.URL) (path, raw string) {
	if base.RawPath == "" {
		return strings.TrimRight(base.Path, "/"), ""
	}
	raw = strings.TrimRight(base.EscapedPath(), "/")
	path, _ = url.PathUnescape(raw) // it is the beginning of a path that was read
	return path, raw
}

func rawPath(base string, elems []string) string {
	raw := []byte(base)
	for _, e := range elems {
		raw = appendSegment(append(raw, '/'), e)
	}
	return string(raw)
}

// isPlainSegment reports whether a segment is the same escaped and unescaped.
func isPlainSegment(s string) bool {
	for i := range len(s) {
		if !isPlainByte(s[i]) {
			return false
		}
	}
	return s != "" && !dotsOnly(s)
}

// isPlainByte reports whether c is unreserved in RFC 3986. Everything else is escaped, colons too: what follows a colon
// is a verb in Google's and AWS's paths.
func isPlainByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~'
}

func dotsOnly(s string) bool { return strings.Trim(s, ".") == "" }

func appendSegment(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	dots := dotsOnly(s)
	for i := range len(s) {
		if c := s[i]; !isPlainByte(c) || dots {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

// AppendVerb appends ":verb" to the last segment of a path made by [JoinPath]. The verb is never the client's.
func AppendVerb(u *url.URL, verb string) {
	u.Path += ":" + verb
	if u.RawPath != "" {
		u.RawPath += ":" + verb
	}
}

// PathEndsIn reports whether the last segment of base is one of segments. An empty base path ends in none.
func PathEndsIn(base *url.URL, segments ...string) bool {
	path := strings.TrimRight(base.Path, "/")
	last := path[strings.LastIndexByte(path, '/')+1:]
	if slices.Contains(segments, last) {
		return last != ""
	}
	return false
}

// Address returns the URL of a call by the custom of its dialect, which is what the vendors' own SDKs do with a base
// URL: OpenAI's holds the version, which is added only where there is no path at all; Anthropic's and Gemini's hold
// none, so it is appended unless it is there. Cohere's and Ollama's hold none either, and may be those that their
// endpoints for OpenAI's clients have.
func Address(c *Call) (*url.URL, error) {
	if c.BaseURL == nil {
		return nil, errNoBaseURL
	}
	switch c.Dialect {
	case Messages:
		return messagesAddress(c)
	case Gemini:
		return geminiAddress(c)
	case Chat, Responses:
		return openAIAddress(c)
	case Cohere:
		return nativeAddress(c, "v2")
	case Ollama:
		return nativeAddress(c, "api")
	}
	return nil, fmt.Errorf("%w: dialect %q", ErrUnsupported, c.Dialect)
}

// nativeAddress is the address of a conversation in the API of a vendor whose base URL is often that of its endpoint for
// OpenAI's clients.
func nativeAddress(c *Call, version string) (*url.URL, error) {
	if c.Operation != Generate {
		return nil, ErrUnsupported
	}
	return JoinPath(Root(c.BaseURL), version, "chat"), nil
}

// versions are the ends of base URLs that lead to one of several APIs of Cohere or Ollama. Longer ones stand first.
var versions = []string{"/compatibility/v1", "/v1", "/v2", "/api"}

// Root is the base URL without the part of the path that leads to one of several APIs of a vendor: Cohere's are at /v1,
// /v2 and /compatibility/v1, Ollama's at /v1 and /api. It returns base itself when there is none.
func Root(base *url.URL) *url.URL {
	path := strings.TrimRight(base.Path, "/")
	for _, v := range versions {
		short, ok := strings.CutSuffix(path, v)
		if !ok {
			continue
		}
		root := *base
		root.Path = short
		root.RawPath = strings.TrimSuffix(strings.TrimRight(base.RawPath, "/"), v)
		return &root
	}
	return base
}

// openAIPaths are the endpoints below the version, and with it: most base URLs have no other path than "/v1", and
// their requests then share these strings.
var openAIPaths = map[Operation]struct{ path, versioned string }{
	Embeddings:  {"embeddings", "/v1/embeddings"},
	Completions: {"completions", "/v1/completions"},
	Images:      {"images", "/v1/images"},
	Audio:       {"audio", "/v1/audio"},
	Moderations: {"moderations", "/v1/moderations"},
	Rerank:      {"rerank", "/v1/rerank"},
}

func openAIAddress(c *Call) (*url.URL, error) {
	var first, second, whole string // whole is the path with version, if it is one of those above
	switch p, known := openAIPaths[c.Operation]; {
	case c.Operation == Generate && c.Dialect == Chat:
		first, second, whole = "chat", "completions", "/v1/chat/completions"
	case c.Operation == Generate:
		first, second, whole = "responses", c.Subpath, "/v1/responses"
	case c.Dialect == Responses && c.Operation == CountTokens:
		first, second = "responses", "input_tokens"
	case c.Dialect == Responses && c.Operation == Compact:
		first, second = "responses", "compact"
	case known:
		first, second, whole = p.path, c.Subpath, p.versioned
	default:
		return nil, ErrUnsupported
	}
	if c.Subpath != "" {
		whole = ""
	}
	base, bare := c.BaseURL, c.BaseURL.Path == "" || c.BaseURL.Path == "/"
	switch {
	case whole != "" && (bare || base.Path == "/v1"):
		return &url.URL{Scheme: base.Scheme, Host: base.Host, Path: whole, RawQuery: base.RawQuery}, nil
	case bare && second == "":
		return JoinPath(base, "v1", first), nil
	case bare:
		return JoinPath(base, "v1", first, second), nil
	case second == "":
		return JoinPath(base, first), nil
	}
	return JoinPath(base, first, second), nil
}

func messagesAddress(c *Call) (*url.URL, error) {
	elems := make([]string, 0, 3)
	if !PathEndsIn(c.BaseURL, "v1") {
		elems = append(elems, "v1")
	}
	switch c.Operation {
	case Generate:
		elems = append(elems, "messages")
	case CountTokens:
		elems = append(elems, "messages", "count_tokens")
	default:
		return nil, ErrUnsupported
	}
	return JoinPath(c.BaseURL, elems...), nil
}

var geminiVerbs = map[Operation]string{
	Generate:    "generateContent",
	CountTokens: "countTokens",
	Embeddings:  "embedContent",
	BatchEmbed:  "batchEmbedContents",
}

func geminiAddress(c *Call) (*url.URL, error) {
	verb, ok := geminiVerbs[c.Operation]
	if !ok {
		return nil, ErrUnsupported
	}
	collection, model := "models", c.Model
	for _, known := range [...]string{"models", "tunedModels"} {
		if rest, found := strings.CutPrefix(c.Model, known+"/"); found {
			collection, model = known, rest
		}
	}
	if model == "" {
		return nil, ErrNoModel
	}
	elems := make([]string, 0, 3)
	if !PathEndsIn(c.BaseURL, "v1beta", "v1") {
		elems = append(elems, "v1beta")
	}
	u := JoinPath(c.BaseURL, append(elems, collection, model)...)
	if c.Operation != Generate || !c.Stream {
		AppendVerb(u, verb)
		return u, nil
	}
	AppendVerb(u, "streamGenerateContent")
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += "alt=sse" // without it the stream is one JSON array
	return u, nil
}
