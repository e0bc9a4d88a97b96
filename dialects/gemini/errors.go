package gemini

import (
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// maxMessage bounds the error text taken from a provider, in bytes.
const maxMessage = 2048

// AppendError appends Google's error body. The request ID, when there is one, stands in a RequestInfo detail, which is
// Google's own place for it.
func (Codec) AppendError(dst []byte, e *conversation.Error, requestID string) []byte {
	status := e.Status
	if status == 0 {
		status = http.StatusInternalServerError
	}
	dst = append(dst, `{"error":{"code":`...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, `,"message":`...)
	dst = jsonedit.AppendString(dst, e.Message)
	dst = append(dst, `,"status":`...)
	dst = jsonedit.AppendString(dst, statusWord(e.Type, status))
	if requestID != "" {
		dst = append(dst, `,"details":[{"@type":"type.googleapis.com/google.rpc.RequestInfo","requestId":`...)
		dst = jsonedit.AppendString(dst, requestID)
		dst = append(dst, `}]`...)
	}
	return append(dst, "}}"...)
}

// AppendErrorEvent appends the error object as an event, as Google does inside of a stream. There is nothing to
// continue: events of the dialect are not numbered.
func (c Codec) AppendErrorEvent(dst []byte, e *conversation.Error, _ dialects.Meter) []byte {
	dst = append(dst, "data: "...)
	dst = c.AppendError(dst, e, "")
	return append(dst, "\r\n\r\n"...)
}

// statusWord is the canonical status: Google's own word where the error has one, else that of the HTTP status.
func statusWord(kind string, status int) string {
	if _, ok := httpStatus[kind]; ok {
		return kind
	}
	switch status {
	case http.StatusUnauthorized:
		return "UNAUTHENTICATED"
	case http.StatusPaymentRequired, http.StatusForbidden:
		return "PERMISSION_DENIED"
	case http.StatusNotFound:
		return "NOT_FOUND"
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return "DEADLINE_EXCEEDED"
	case http.StatusConflict:
		return "ABORTED"
	case http.StatusTooManyRequests:
		return "RESOURCE_EXHAUSTED"
	case 499:
		return "CANCELLED"
	case http.StatusNotImplemented:
		return "UNIMPLEMENTED"
	case http.StatusBadGateway, http.StatusServiceUnavailable, 529:
		return "UNAVAILABLE"
	}
	if status >= 400 && status < 500 {
		return "INVALID_ARGUMENT"
	}
	return "INTERNAL"
}

// httpStatus maps google.rpc.Code to HTTP (https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto).
var httpStatus = map[string]int{
	"CANCELLED":           499,
	"UNKNOWN":             500,
	"INVALID_ARGUMENT":    400,
	"DEADLINE_EXCEEDED":   504,
	"NOT_FOUND":           404,
	"ALREADY_EXISTS":      409,
	"PERMISSION_DENIED":   403,
	"UNAUTHENTICATED":     401,
	"RESOURCE_EXHAUSTED":  429,
	"FAILED_PRECONDITION": 400,
	"ABORTED":             409,
	"OUT_OF_RANGE":        400,
	"UNIMPLEMENTED":       501,
	"INTERNAL":            500,
	"UNAVAILABLE":         503,
	"DATA_LOSS":           500,
}

// ParseError reads Google's error body, alone or in the array that a stream without alt=sse answers with, and the
// plainer bodies of proxies in front of it.
func (Codec) ParseError(status int, body []byte) conversation.Error {
	e := conversation.Error{Status: status}
	doc := jsonedit.View(body)
	r := gjson.Parse(strings.TrimSpace(doc))
	if r.IsArray() {
		r = r.Get("0")
	}
	switch {
	case !gjson.Valid(r.Raw) || !r.IsObject():
		e.Message = plainText(doc)
	case isSet(r.Get("error").Raw):
		readError(r.Get("error").Raw, &e)
	default:
		readError(r.Raw, &e)
	}
	e.Status = status
	return e
}

// readError reads an error value. The canonical status becomes the type; the reason of an ErrorInfo detail, such as
// API_KEY_INVALID, is more precise and becomes the code.
func readError(raw string, e *conversation.Error) {
	r := gjson.Parse(raw)
	if !r.IsObject() {
		e.Message = clip(jsonedit.ScalarText(raw))
		return
	}
	r.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "code":
			if n, ok := jsonedit.Count(v.Raw); ok && n >= 400 && n < 600 {
				e.Status = int(n)
			}
		case "message", "detail":
			if e.Message == "" {
				e.Message = clip(jsonedit.ScalarText(v.Raw))
			}
		case "status":
			e.Type = jsonedit.ScalarText(v.Raw)
		case "details":
			v.ForEach(func(_, detail gjson.Result) bool {
				if e.Code == "" {
					e.Code = strings.Clone(detail.Get("reason").Str)
				}
				if e.Param == "" {
					e.Param = strings.Clone(detail.Get("fieldViolations.0.field").Str)
				}
				return true
			})
		}
		return true
	})
	if e.Status == 0 {
		e.Status = httpStatus[e.Type]
	}
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
