package providers

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// errorFields is what error bodies say, whatever their shape.
type errorFields struct {
	message, kind, code, param string
	// rpcStatus is Gemini's enumeration ("RESOURCE_EXHAUSTED").
	rpcStatus string
	// reasons are further words: Google's ErrorInfo, Azure's inner error, markers made from structured details.
	reasons []string
	// status is the HTTP status that the error names itself; 0 when it names none.
	status int
	// retryDelay is Google's RetryInfo ("31s").
	retryDelay string
	// upstream is what OpenRouter quotes of the provider behind it.
	upstream string
}

// words are all words that may name a class, the most specific first, in lower case.
func (f *errorFields) words() []string {
	words := make([]string, 0, 3+len(f.reasons))
	for _, r := range f.reasons {
		words = append(words, strings.ToLower(r))
	}
	for _, w := range [...]string{f.code, f.kind, f.rpcStatus} {
		if w != "" {
			words = append(words, strings.ToLower(w))
		}
	}
	return words
}

// parseError reads an error body. It accepts anything; what is cut off or is no JSON gives what can be found.
func parseError(body []byte) errorFields {
	body = bytes.TrimSpace(body[:min(len(body), maxErrorBody)])
	var f errorFields
	if len(body) == 0 {
		return f
	}
	switch body[0] {
	case '{':
		f.readTop(gjson.ParseBytes(body), 0)
	case '[': // Gemini's streams without SSE
		f.readTop(gjson.ParseBytes(body).Get("0"), 0)
	case '"':
		f.message = gjson.ParseBytes(body).String()
	case '<': // an HTML page of some proxy in between
	default:
		if utf8.Valid(body) {
			f.message = string(body[:min(len(body), maxErrorMessage)])
		}
	}
	if f.upstream != "" {
		f.message = strings.TrimPrefix(f.message+": "+f.upstream, ": ")
	}
	return f
}

// readTop reads the outermost object. Depth bounds errors that hold the JSON of another error.
func (f *errorFields) readTop(top gjson.Result, depth int) {
	if !top.IsObject() {
		return
	}
	var nested, ending gjson.Result
	top.ForEach(func(key, value gjson.Result) bool {
		switch key.String() {
		case "error":
			nested = value
		case "response": // OpenAI Responses' response.failed event
			if e := value.Get("error"); e.IsObject() {
				nested = e
			}
		case "delta": // Cohere's message-end event
			ending = value
		case "detail":
			f.readDetail(value)
		default:
			f.readMember(key.String(), value, depth)
		}
		return true
	})
	switch {
	case ending.Get("error").Type == gjson.String:
		f.kind, f.message = scalar(ending.Get("error_type")), ending.Get("error").String()
	case nested.IsObject():
		if f.kind == "error" {
			f.kind = "" // Anthropic's envelope
		}
		nested.ForEach(func(key, value gjson.Result) bool {
			f.readMember(key.String(), value, depth)
			return true
		})
	case nested.Type == gjson.String: // Ollama, Hugging Face
		f.message = nested.String()
	}
}

func (f *errorFields) readMember(key string, value gjson.Result, depth int) {
	switch key {
	case "message", "Message":
		if s := scalar(value); s != "" {
			f.message = s
		}
	case "type", "__type":
		if s := scalar(value); s != "" {
			f.kind = s[strings.LastIndexByte(s, '#')+1:] // AWS: "namespace#Type"
		}
	case "code":
		f.code = scalar(value)
		if n, err := strconv.Atoi(f.code); err == nil && 400 <= n && n < 600 {
			f.status = n
		}
	case "status_code":
		f.status = int(value.Int())
	case "param":
		f.param = scalar(value)
	case "status":
		if value.Type == gjson.String {
			f.rpcStatus = value.String()
		}
	case "details":
		f.readDetails(value)
	case "metadata":
		f.readMetadata(value, depth)
	case "innererror":
		f.addReason(value.Get("code"))
	}
}

// scalar is the text of a string or number; anything else is empty.
func scalar(v gjson.Result) string {
	switch v.Type {
	case gjson.String:
		return v.String()
	case gjson.Number:
		return v.Raw
	}
	return ""
}

func (f *errorFields) addReason(v gjson.Result) {
	if v.Type == gjson.String && v.String() != "" && len(f.reasons) < 8 {
		f.reasons = append(f.reasons, v.String())
	}
}

// readDetail reads FastAPI's errors: a text, or a list of {loc, msg, type}.
func (f *errorFields) readDetail(v gjson.Result) {
	if v.Type == gjson.String {
		f.message = v.String()
		return
	}
	first := v
	if v.IsArray() {
		first = v.Get("0")
	}
	f.message = scalar(first.Get("msg"))
	var path []string
	for _, p := range first.Get("loc").Array() {
		if s := scalar(p); s != "body" {
			path = append(path, s)
		}
	}
	f.param = strings.Join(path, ".")
}

// readDetails reads Google's list of typed details. A violated quota "per day" is money gone, not a rate to wait for.
func (f *errorFields) readDetails(list gjson.Result) {
	list.ForEach(func(_, d gjson.Result) bool {
		kind := d.Get("@type").String()
		switch {
		case strings.HasSuffix(kind, "google.rpc.ErrorInfo"):
			f.addReason(d.Get("reason"))
		case strings.HasSuffix(kind, "google.rpc.RetryInfo"):
			f.retryDelay = d.Get("retryDelay").String()
		case strings.HasSuffix(kind, "google.rpc.QuotaFailure"):
			d.Get("violations").ForEach(func(_, v gjson.Result) bool {
				if strings.Contains(v.Get("quotaId").String(), "PerDay") {
					f.reasons = append(f.reasons, "daily_quota")
					return false
				}
				return true
			})
		}
		return len(f.reasons) < 8
	})
}

// readMetadata reads OpenRouter's account of what the provider behind it said. Its own message is only "Provider
// returned error" then.
func (f *errorFields) readMetadata(v gjson.Result, depth int) {
	if r := v.Get("reasons"); r.IsArray() && v.Get("flagged_input").Exists() {
		f.reasons = append(f.reasons, "flagged_input")
	}
	raw := strings.TrimSpace(v.Get("raw").String())
	if raw == "" || depth > 0 {
		return
	}
	if raw[0] != '{' && raw[0] != '[' {
		f.upstream = raw
		return
	}
	var inner errorFields
	inner.readTop(gjson.Parse(raw), depth+1)
	f.upstream = inner.message
	f.reasons = append(f.reasons, inner.words()...)
}
