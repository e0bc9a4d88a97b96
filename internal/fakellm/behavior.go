package fakellm

import (
	"net/http"
	"strconv"
	"time"

	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// Behavior is what happens to a request. The zero value is an ordinary answer.
type Behavior struct {
	// Status answers with an error of this HTTP status in the dialect of the request; 0 is no error.
	Status int
	// Code and Message are those of the error; empty means what vendors say with the status.
	Code, Message string
	// Body is the error of Status as it is sent, instead of one made of Code and Message.
	Body []byte
	// Header is added to the response.
	Header http.Header
	// Err fails the exchange before there is a response.
	Err error
	// Hang never answers: the exchange ends with its context.
	Hang bool
	// Latency is the time to the first token instead of the server's; 0 is the server's.
	Latency time.Duration
	// Break interrupts a successful answer; nil is never.
	Break *Break
	// Text is said instead of the generated text.
	Text string
	// Echo answers with the text of the last message.
	Echo bool
	// OmitUsage leaves the usage out.
	OmitUsage bool
	// CutAfter ends a stream after so many events, without its end marker; 0 is never.
	CutAfter int
	// Abort breaks the connection where CutAfter says, instead of closing it properly; with CutAfter 0 before the
	// response.
	Abort bool
	// ErrorAfter ends a stream after so many events with the error of Code and Message; 0 is never.
	ErrorAfter int
}

// errorWords are what vendors say with a status.
var errorWords = map[int]struct{ openaiType, openaiCode, anthropic, google, message string }{
	400: {"invalid_request_error", "", "invalid_request_error", "INVALID_ARGUMENT", "The request is invalid."},
	401: {"invalid_request_error", "invalid_api_key", "authentication_error", "UNAUTHENTICATED", "The API key is invalid."},
	402: {"invalid_request_error", "insufficient_quota", "billing_error", "FAILED_PRECONDITION", "There is no money left."},
	403: {"invalid_request_error", "", "permission_error", "PERMISSION_DENIED", "This is not permitted."},
	404: {"invalid_request_error", "model_not_found", "not_found_error", "NOT_FOUND", "The model does not exist."},
	408: {"timeout", "", "timeout_error", "DEADLINE_EXCEEDED", "The request took too long."},
	409: {"invalid_request_error", "", "conflict_error", "ABORTED", "There is a conflict."},
	413: {"invalid_request_error", "", "request_too_large", "INVALID_ARGUMENT", "The request is too large."},
	429: {"requests", "rate_limit_exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED", "The rate limit is reached."},
	500: {"server_error", "", "api_error", "INTERNAL", "The server had an error."},
	503: {"server_error", "server_is_overloaded", "overloaded_error", "UNAVAILABLE", "The server is overloaded."},
	529: {"server_error", "server_is_overloaded", "overloaded_error", "UNAVAILABLE", "The server is overloaded."},
}

func renderError(q *Request, status int, b *Behavior) *rendered {
	if b.Body != nil {
		return unary(status, b.Body, 0)
	}
	return unary(status, appendError(nil, q, status, b), 0)
}

func appendError(dst []byte, q *Request, status int, b *Behavior) []byte {
	words, ok := errorWords[status]
	if !ok {
		words = errorWords[400]
		if status >= 500 {
			words = errorWords[500]
		}
	}
	message := b.Message
	if message == "" {
		message = words.message
	}
	pick := func(vendor string) string {
		if b.Code != "" {
			return b.Code
		}
		return vendor
	}
	switch q.Dialect {
	case Messages:
		dst = append(dst, `{"type":"error","error":{"type":`...)
		dst = jsonedit.AppendString(dst, pick(words.anthropic))
		dst = append(dst, `,"message":`...)
		dst = jsonedit.AppendString(dst, message)
		dst = append(dst, `},"request_id":`...)
		dst = jsonedit.AppendString(dst, q.ID)
		return append(dst, '}')
	case Gemini:
		dst = append(dst, `{"error":{"code":`...)
		dst = strconv.AppendInt(dst, int64(status), 10)
		dst = append(dst, `,"message":`...)
		dst = jsonedit.AppendString(dst, message)
		dst = append(dst, `,"status":`...)
		dst = jsonedit.AppendString(dst, pick(words.google))
		return append(dst, "}}"...)
	}
	dst = append(dst, `{"error":{"message":`...)
	dst = jsonedit.AppendString(dst, message)
	dst = append(dst, `,"type":`...)
	dst = jsonedit.AppendString(dst, words.openaiType)
	dst = append(dst, `,"param":null,"code":`...)
	if code := pick(words.openaiCode); code != "" {
		dst = jsonedit.AppendString(dst, code)
	} else {
		dst = append(dst, "null"...)
	}
	return append(dst, "}}"...)
}

// failAfter replaces what follows the first events of a stream by an error event.
func (r *rendered) failAfter(q *Request, b *Behavior) {
	n := min(b.ErrorAfter, len(r.ends)-1)
	r.ends, r.made = r.ends[:n], r.made[:n]
	tokens := r.made[n-1]
	r.buf = r.buf[:r.ends[n-1]]
	r.buf = appendErrorEvent(r.buf, q.Dialect, n, appendError(nil, q, http.StatusInternalServerError, b))
	r.event(tokens)
}

// appendErrorEvent appends the event number n of a stream, which is an error with a body as it has outside of streams.
func appendErrorEvent(dst []byte, dialect string, n int, body []byte) []byte {
	switch dialect {
	case Messages:
		dst = append(append(dst, "event: error\ndata: "...), body...)
	case Responses:
		dst = append(dst, "event: error\ndata: {\"type\":\"error\",\"sequence_number\":"...)
		dst = append(appendInt(dst, n), ',')
		dst = append(dst, body[1:]...)
	case Gemini:
		return append(append(append(dst, "data: "...), body...), "\r\n\r\n"...)
	default:
		dst = append(append(dst, "data: "...), body...)
	}
	return append(dst, "\n\n"...)
}
