package chatcompletions

import (
	"cmp"
	"strings"
	"unicode"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// AppendError implements [dialects.Codec]. The request ID has no place in OpenAI's error body: clients read it from
// the response header.
func (Codec) AppendError(dst []byte, e *conversation.Error, _ string) []byte {
	dst = append(dst, `{"error":{`...)
	dst = jsonedit.AppendStringMember(dst, "message", e.Message)
	kind, code := words(e)
	dst = jsonedit.AppendStringMember(dst, "type", kind)
	dst = appendNullable(dst, "param", e.Param)
	dst = appendNullable(dst, "code", code)
	return append(dst, '}', '}')
}

// words chooses the type and code of an error. A type with capitals is another vendor's name for it: OpenAI's word for
// the HTTP status takes its place and it becomes the code, unless there is a better one.
func words(e *conversation.Error) (kind, code string) {
	kind, code = e.Type, e.Code
	if strings.ContainsFunc(kind, unicode.IsUpper) {
		kind, code = "", cmp.Or(code, kind)
	}
	return cmp.Or(kind, errorType(e.Status)), code
}

// AppendErrorEvent implements [dialects.Codec]. No [DONE] follows an error: SDKs would take the stream for complete.
func (c Codec) AppendErrorEvent(dst []byte, e *conversation.Error, _ dialects.Meter) []byte {
	dst = append(dst, "data: "...)
	dst = c.AppendError(dst, e, "")
	return append(dst, '\n', '\n')
}

func appendNullable(dst []byte, key, value string) []byte {
	if value == "" {
		return append(jsonedit.AppendKey(dst, key), "null"...)
	}
	return jsonedit.AppendString(jsonedit.AppendKey(dst, key), value)
}

// errorType is the type that errors of a status have at OpenAI.
func errorType(status int) string {
	switch {
	case status == 401:
		return "authentication_error"
	case status == 402:
		return "billing_error"
	case status == 403:
		return "permission_error"
	case status == 404:
		return "not_found_error"
	case status == 408, status == 504:
		return "timeout_error"
	case status == 429:
		return "rate_limit_error"
	case status >= 400 && status < 500:
		return "invalid_request_error"
	}
	return "server_error"
}

// ParseError implements [dialects.Codec]. It knows the shapes of every vendor that claims compatibility, and of the
// frameworks and proxies in front of them; of anything else it returns the status alone.
func (Codec) ParseError(status int, body []byte) conversation.Error {
	e := conversation.Error{Status: status}
	if !gjson.ValidBytes(body) {
		return e
	}
	v := gjson.ParseBytes(body)
	if v.IsArray() {
		v = v.Get("0")
	}
	readError(&e, v)
	return e
}

// readError fills e from a whole error body.
func readError(e *conversation.Error, v gjson.Result) {
	if !v.IsObject() {
		return
	}
	switch inner := v.Get("error"); {
	case inner.IsObject():
		readErrorObject(e, inner)
	case inner.Type == gjson.String:
		e.Message = inner.Str
	}
	if e.Message == "" {
		readErrorObject(e, v)
	}
	e.Type, e.Code = strings.Clone(e.Type), strings.Clone(e.Code)
	e.Message, e.Param = strings.Clone(e.Message), strings.Clone(e.Param)
}

// readErrorObject reads the members that vendors describe an error with, whether they nest them under "error" or not.
func readErrorObject(e *conversation.Error, v gjson.Result) {
	var raw string
	v.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "message", "Message", "errorMessage":
			e.Message = text(v)
		case "detail":
			if e.Message == "" {
				e.Message = detailText(v)
			}
		case "type":
			e.Type = text(v)
		case "status": // Google's name of the error, or a number
			if e.Type == "" {
				e.Type = text(v)
			}
		case "code":
			readErrorCode(e, v)
		case "status_code": // Groq, inside of streams
			readErrorCode(e, v)
		case "param":
			e.Param = text(v)
		case "metadata":
			raw = text(v.Get("raw"))
		}
		return true
	})
	// OpenRouter wraps what the provider behind it said.
	if raw != "" && raw != e.Message {
		e.Message = strings.TrimPrefix(e.Message+": "+raw, ": ")
	}
}

// readErrorCode reads a code, which is a word at OpenAI and the HTTP status as a number elsewhere.
func readErrorCode(e *conversation.Error, v gjson.Result) {
	if v.Type == gjson.String {
		e.Code = v.Str
		return
	}
	if n, ok := parseWhole(v.Raw); ok && n >= 400 && n < 600 && (e.Status == 0 || e.Status == 200) {
		e.Status = int(n)
	}
}

// detailText reads FastAPI's detail: a sentence, or a list of what is wrong with which member.
func detailText(v gjson.Result) string {
	if !v.IsArray() {
		return text(v)
	}
	var b strings.Builder
	v.ForEach(func(_, item gjson.Result) bool {
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		sep := ""
		item.Get("loc").ForEach(func(_, part gjson.Result) bool {
			b.WriteString(sep)
			b.WriteString(part.String())
			sep = "."
			return true
		})
		if sep != "" {
			b.WriteString(": ")
		}
		b.WriteString(text(item.Get("msg")))
		return b.Len() < 1024
	})
	return b.String()
}

// inStream completes an error that was found in the body of a 200: its status is what it says, or a bad gateway's.
func inStream(body []byte) *conversation.Error {
	e := &conversation.Error{Status: 200}
	v := gjson.Parse(jsonedit.View(body))
	if inner := v.Get("choices.0.error"); inner.IsObject() && !v.Get("error").IsObject() {
		v = v.Get("choices.0") // OpenRouter, when the provider behind it failed while it answered
	}
	readError(e, v)
	if e.Status == 200 {
		e.Status = 502
	}
	if e.Message == "" {
		e.Message = "the provider reported an error"
	}
	return e
}
