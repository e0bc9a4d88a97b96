package converse

import (
	"net/http"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// exceptions are the statuses of the errors that a stream ends with, by their names in lower case.
var exceptions = map[string]int{
	"accessdeniedexception":         http.StatusForbidden,
	"internalserverexception":       http.StatusInternalServerError,
	"modelerrorexception":           http.StatusFailedDependency,
	"modelnotreadyexception":        http.StatusTooManyRequests,
	"modelstreamerrorexception":     http.StatusFailedDependency,
	"modeltimeoutexception":         http.StatusRequestTimeout,
	"resourcenotfoundexception":     http.StatusNotFound,
	"servicequotaexceededexception": http.StatusBadRequest,
	"serviceunavailableexception":   http.StatusServiceUnavailable,
	"throttlingexception":           http.StatusTooManyRequests,
	"validationexception":           http.StatusBadRequest,
}

// errorFrame is the name that the frame reader gives an error that has no name of an exception.
const errorFrame = "error"

const exceptionSuffix = "Exception"

// isError reports whether a frame of that name is an error.
func isError(name []byte) bool {
	n := jsonedit.View(name)
	return n == errorFrame || strings.HasSuffix(n, exceptionSuffix)
}

// ParseError reads an error body: {"message":"..."}, in some services {"Message":"..."}, with or without a __type. The
// type otherwise stands in a header, which the provider reads.
func (Codec) ParseError(status int, body []byte) conversation.Error {
	e := conversation.Error{Status: status}
	readError(&e, body)
	return e
}

// readError fills e from an error document.
func readError(e *conversation.Error, body []byte) {
	jsonedit.EachMember(jsonedit.View(body), func(key, raw string) bool {
		switch key {
		case "message", "Message":
			if s := jsonedit.ScalarText(raw); s != "" {
				e.Message = s
			}
		case "__type":
			s := jsonedit.ScalarText(raw)
			e.Type = s[strings.LastIndexByte(s, '#')+1:] // "namespace#Type"
		}
		return true
	})
}

// frameError is the error that a frame is.
func frameError(name, data []byte) *conversation.Error {
	e := &conversation.Error{Status: http.StatusInternalServerError}
	readError(e, data)
	if string(name) != errorFrame {
		e.Type = string(name)
	}
	if status, ok := exceptions[strings.ToLower(e.Type)]; ok {
		e.Status = status
	}
	if e.Message == "" {
		e.Message = "the provider ended the stream with an error"
	}
	return e
}
