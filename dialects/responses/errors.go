package responses

import (
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// maxMessage bounds the error text taken from a provider, in bytes.
const maxMessage = 2048

// AppendError appends OpenAI's error body. The request ID travels in the x-request-id header there, not in the body.
func (Codec) AppendError(dst []byte, e *conversation.Error, _ string) []byte {
	dst = append(dst, `{"error":`...)
	dst = appendErrorObject(dst, e)
	return append(dst, '}')
}

// AppendErrorEvent appends an error event and the response.failed that follows it. The error is given both nested, as
// streams have it since 2026, and flat, as they had it before: clients read one or the other. Nothing is appended
// after a final event.
func (Codec) AppendErrorEvent(dst []byte, e *conversation.Error, seen dialects.Meter) []byte {
	m, ok := seen.(*meter)
	if !ok || m == nil {
		m = new(meter)
	}
	if m.ended {
		return dst
	}
	dst = appendErrorEvent(dst, e, m.next)
	dst = append(dst, "event: response.failed\ndata: {\"type\":\"response.failed\",\"sequence_number\":"...)
	dst = strconv.AppendInt(dst, m.next+1, 10)
	dst = append(dst, `,"response":{"id":`...)
	dst = jsonedit.AppendString(dst, m.obs.ID)
	dst = append(dst, `,"object":"response","created_at":`...)
	dst = strconv.AppendInt(dst, m.created, 10)
	dst = append(dst, `,"status":"failed","error":`...)
	dst = appendFailure(dst, e)
	dst = append(dst, `,"incomplete_details":null,"model":`...)
	dst = jsonedit.AppendString(dst, m.obs.Model)
	return append(dst, ",\"output\":[],\"usage\":null}}\n\n"...)
}

func appendErrorEvent(dst []byte, e *conversation.Error, sequence int64) []byte {
	_, code := words(e)
	dst = append(dst, "event: error\ndata: {\"type\":\"error\",\"sequence_number\":"...)
	dst = strconv.AppendInt(dst, sequence, 10)
	dst = append(dst, `,"error":`...)
	dst = appendErrorObject(dst, e)
	dst = append(dst, `,"code":`...)
	dst = appendOrNull(dst, code)
	dst = append(dst, `,"message":`...)
	dst = jsonedit.AppendString(dst, e.Message)
	dst = append(dst, `,"param":`...)
	dst = appendOrNull(dst, e.Param)
	return append(dst, "}\n\n"...)
}

// appendFailure appends the error of a response object, which always has a code.
func appendFailure(dst []byte, e *conversation.Error) []byte {
	kind, code := words(e)
	dst = jsonedit.AppendString(append(dst, `{"code":`...), orElse(code, kind))
	dst = jsonedit.AppendString(append(dst, `,"message":`...), e.Message)
	return append(dst, '}')
}

func appendErrorObject(dst []byte, e *conversation.Error) []byte {
	kind, code := words(e)
	dst = append(dst, `{"message":`...)
	dst = jsonedit.AppendString(dst, e.Message)
	dst = append(dst, `,"type":`...)
	dst = jsonedit.AppendString(dst, kind)
	dst = append(dst, `,"param":`...)
	dst = appendOrNull(dst, e.Param)
	dst = append(dst, `,"code":`...)
	dst = appendOrNull(dst, code)
	return append(dst, '}')
}

func appendOrNull(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return jsonedit.AppendString(dst, s)
}

// words chooses the type and code of an error. A type in capitals is another vendor's status word: OpenAI's word for
// the HTTP status takes its place and it becomes the code, unless there is a better one.
func words(e *conversation.Error) (kind, code string) {
	kind, code = e.Type, e.Code
	if strings.ContainsFunc(kind, unicode.IsUpper) {
		if code == "" {
			code = kind
		}
		kind = ""
	}
	if kind == "" {
		kind = typeForStatus(e.Status)
	}
	if code == "" && e.Status == http.StatusTooManyRequests {
		code = "rate_limit_exceeded" // what clients look for before they wait and retry
	}
	return kind, code
}

func typeForStatus(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "authentication_error"
	case http.StatusPaymentRequired:
		return "insufficient_quota"
	case http.StatusForbidden:
		return "permission_error"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	}
	if status >= 400 && status < 500 {
		return "invalid_request_error"
	}
	return "server_error"
}

// ParseError reads the error bodies of OpenAI and of everything that calls itself compatible: an error object or
// string, a bare message, FastAPI's detail, any of these in an array, or no JSON at all.
func (Codec) ParseError(status int, body []byte) conversation.Error {
	e := conversation.Error{Status: status}
	r := gjson.Parse(strings.TrimSpace(jsonedit.View(body)))
	if r.IsArray() {
		r = r.Get("0")
	}
	switch {
	case !gjson.Valid(r.Raw) || !r.IsObject():
		e.Message = plainText(jsonedit.View(body))
	case isSet(r.Get("error").Raw):
		readError(r.Get("error").Raw, &e)
	default:
		readError(r.Raw, &e)
	}
	e.Status = status
	e.Message = clip(e.Message)
	return e
}

// readError reads an error value: a string, or an object.
func readError(raw string, e *conversation.Error) {
	r := gjson.Parse(raw)
	if !r.IsObject() {
		e.Message = clip(jsonedit.ScalarText(raw))
		return
	}
	var metadata gjson.Result
	r.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "message", "Message", "errorMessage":
			e.Message = jsonedit.ScalarText(v.Raw)
		case "detail":
			if e.Message == "" {
				e.Message = detail(v)
			}
		case "type":
			e.Type = jsonedit.ScalarText(v.Raw)
		case "code":
			e.Code = jsonedit.ScalarText(v.Raw)
		case "param":
			e.Param = jsonedit.ScalarText(v.Raw)
		case "metadata":
			metadata = v
		}
		return true
	})
	// OpenRouter says only "Provider returned error" and puts what the provider said into the metadata.
	if inner := metadata.Get("raw"); inner.Type == gjson.String && inner.Str != "" {
		e.Message = strings.TrimPrefix(e.Message+": "+inner.Str, ": ")
	}
	e.Message = clip(e.Message)
}

// detail reads FastAPI's validation errors.
func detail(v gjson.Result) string {
	if v.Type == gjson.String {
		return strings.Clone(v.Str)
	}
	return strings.Clone(v.Get("0.msg").Str)
}

// complete gives an error without a status the one it would have had outside of a stream.
func complete(e *conversation.Error, fallback int) {
	if e.Status != 0 {
		return
	}
	if n, err := strconv.Atoi(e.Code); err == nil && n >= 400 && n < 600 {
		e.Status = n
		return
	}
	for _, word := range []string{e.Code, e.Type} {
		if status, ok := statusOf[word]; ok {
			e.Status = status
			return
		}
	}
	e.Status = fallback
}

var statusOf = map[string]int{
	"invalid_request_error":   400,
	"invalid_prompt":          400,
	"context_length_exceeded": 400,
	"content_filter":          400,
	"invalid_api_key":         401,
	"authentication_error":    401,
	"permission_error":        403,
	"model_not_found":         404,
	"rate_limit_exceeded":     429,
	"rate_limit_error":        429,
	"insufficient_quota":      429,
	"server_error":            500,
	"overloaded":              503,
	"overloaded_error":        503,
	"server_overloaded":       503,
	"engine_overloaded":       503,
}

// plainText is a body that is not JSON. A web page says nothing that a caller could use.
func plainText(body string) string {
	body = strings.TrimSpace(body)
	if strings.HasPrefix(body, "<") {
		return ""
	}
	return strings.Clone(clip(body))
}

// clip cuts a message to a sane length, at a character's edge, and makes it valid UTF-8.
func clip(s string) string {
	if len(s) > maxMessage {
		cut := maxMessage
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
