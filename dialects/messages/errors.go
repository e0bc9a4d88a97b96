package messages

import (
	"net/http"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// statusOverloaded is Anthropic's own status for a lack of capacity.
const statusOverloaded = 529

// errorTypes pairs the statuses with the types that Anthropic's SDKs turn into exceptions.
var errorTypes = []struct {
	status int
	name   string
}{
	{http.StatusBadRequest, "invalid_request_error"},
	{http.StatusUnauthorized, "authentication_error"},
	{http.StatusPaymentRequired, "billing_error"},
	{http.StatusForbidden, "permission_error"},
	{http.StatusNotFound, "not_found_error"},
	{http.StatusConflict, "conflict_error"},
	{http.StatusRequestEntityTooLarge, "request_too_large"},
	{http.StatusTooManyRequests, "rate_limit_error"},
	{http.StatusInternalServerError, "api_error"},
	{http.StatusGatewayTimeout, "timeout_error"},
	{statusOverloaded, "overloaded_error"},
}

// errorType is the type that belongs to a status.
func errorType(status int) string {
	for _, t := range errorTypes {
		if t.status == status {
			return t.name
		}
	}
	switch {
	case status == http.StatusRequestTimeout:
		return "timeout_error"
	case status == http.StatusServiceUnavailable:
		return "overloaded_error"
	case status >= 400 && status < 500:
		return "invalid_request_error"
	}
	return "api_error"
}

// errorStatus is the status that an error type would have had outside of a stream; 500 for a type that is not known.
func errorStatus(name string) int {
	for _, t := range errorTypes {
		if t.name == name {
			return t.status
		}
	}
	return http.StatusInternalServerError
}

// clientErrorType is the type of an error with that status. A type of Anthropic's own stands; one of another vendor's is
// replaced by the one that belongs to the status, and so is invalid_request_error, which others use for everything that
// is the client's fault: here a model that does not exist is a not_found_error.
func clientErrorType(status int, name string) string {
	if name == "invalid_request_error" && status >= 400 && status < 500 {
		return errorType(status)
	}
	for _, t := range errorTypes {
		if t.name == name {
			return name
		}
	}
	return errorType(status)
}

// AppendError appends {"type":"error",...}.
func (Codec) AppendError(dst []byte, e *conversation.Error, requestID string) []byte {
	dst = append(dst, `{"type":"error","error":{"type":"`...)
	dst = append(dst, clientErrorType(e.Status, e.Type)...)
	dst = append(dst, `","message":`...)
	dst = jsonedit.AppendString(dst, e.Message)
	dst = append(dst, '}')
	if requestID != "" {
		dst = append(dst, `,"request_id":`...)
		dst = jsonedit.AppendString(dst, requestID)
	}
	return append(dst, '}')
}

// AppendErrorEvent appends the event that ends a stream instead of message_stop.
func (c Codec) AppendErrorEvent(dst []byte, e *conversation.Error, _ dialects.Meter) []byte {
	dst = append(dst, "event: error\ndata: "...)
	dst = c.AppendError(dst, e, "")
	return append(dst, "\n\n"...)
}

// ParseError reads an error body. It also understands what proxies in front of the API send.
func (Codec) ParseError(status int, body []byte) conversation.Error {
	e := conversation.Error{Status: status}
	readError(&e, body)
	return e
}

// readError fills e from an error document, of which the end may be missing: {"error":{"type","message"}}, {"error":"..."} or {"message":"..."}.
func readError(e *conversation.Error, doc []byte) {
	in := jsonedit.NewReader(doc)
	start, inner := in.Mark(), in.Get("error")
	in.Seek(inner)
	if s, ok := in.Text(); ok {
		e.Message = s
		return
	}
	if in.Peek() != '{' {
		in.Seek(start)
	}
	for ok := in.Object(); ok; ok = in.Next() {
		switch in.Key() {
		case "type":
			if s, ok := in.Text(); ok && s != "error" {
				e.Type = s
			}
		case "message", "Message", "detail":
			if s, ok := in.Text(); ok {
				e.Message = s
			}
		case "code":
			e.Code = jsonedit.ScalarText(jsonedit.View(in.Raw()))
		case "param":
			e.Param = jsonedit.ScalarText(jsonedit.View(in.Raw()))
		}
	}
}

// streamError reads the error that stands where an answer was due.
func streamError(doc []byte) *conversation.Error {
	e := &conversation.Error{}
	readError(e, doc)
	e.Type, e.Message = strings.Clone(e.Type), strings.Clone(e.Message)
	e.Status = errorStatus(e.Type)
	return e
}
