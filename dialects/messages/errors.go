package messages

import (
	"net/http"

	"github.com/tidwall/gjson"

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
	doc := gjson.ParseBytes(body)
	if !doc.IsObject() {
		return e
	}
	readError(&e, doc)
	return e
}

// readError fills e from an error document: {"error":{"type","message"}}, {"error":"..."} or {"message":"..."}.
func readError(e *conversation.Error, doc gjson.Result) {
	inner := doc.Get("error")
	if inner.Type == gjson.String {
		e.Message = inner.Str
		return
	}
	if !inner.IsObject() {
		inner = doc
	}
	inner.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "type":
			if v.Type == gjson.String && v.Str != "error" {
				e.Type = v.Str
			}
		case "message", "Message", "detail":
			if v.Type == gjson.String {
				e.Message = v.Str
			}
		case "code":
			e.Code = v.String()
		case "param":
			e.Param = v.String()
		}
		return true
	})
}

// streamError reads the error that stands where an answer was due.
func streamError(doc gjson.Result) *conversation.Error {
	e := &conversation.Error{}
	readError(e, doc)
	e.Status = errorStatus(e.Type)
	return e
}
