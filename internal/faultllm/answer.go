package faultllm

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Dialect is a wire format.
type Dialect string

// The dialects.
const (
	Chat      Dialect = "chat"
	Responses Dialect = "responses"
	Messages  Dialect = "messages"
	Gemini    Dialect = "gemini"
)

// dialectOf recognizes a dialect by the path that it is spoken at.
func dialectOf(path string) Dialect {
	switch {
	case strings.HasSuffix(path, "/responses"):
		return Responses
	case strings.Contains(path, "/messages"):
		return Messages
	case strings.Contains(path, "enerateContent"):
		return Gemini
	}
	return Chat
}

// Piece is the k-th piece of every answer, counted from 1: a client that has read them all knows if one is missing or
// came twice. A piece is one token. All pieces are of one length, so that estimates by length can be exact.
func Piece(k int) string { return fmt.Sprintf("w%05d ", k) }

// Text is the first n pieces.
func Text(n int) string {
	var b strings.Builder
	for k := 1; k <= n; k++ {
		b.WriteString(Piece(k))
	}
	return b.String()
}

// reply is what is said to one request.
type reply struct {
	dialect Dialect
	model   string
	pieces  int
	input   int
	usage   string // raw JSON in place of the usage; "none" leaves it out
}

const answerID = "f4u1t"

// tokens is the usage in the words of the dialect, or what a script says instead.
func (r *reply) tokens(output int) string {
	if r.usage != "" {
		return r.usage
	}
	switch r.dialect {
	case Messages:
		return fmt.Sprintf(`{"input_tokens":%d,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":%d}`, r.input, output)
	case Responses:
		return fmt.Sprintf(`{"input_tokens":%d,"input_tokens_details":{"cached_tokens":0},"output_tokens":%d,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":%d}`, r.input, output, r.input+output)
	case Gemini:
		return fmt.Sprintf(`{"promptTokenCount":%d,"candidatesTokenCount":%d,"totalTokenCount":%d}`, r.input, output, r.input+output)
	}
	return fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}`, r.input, output, r.input+output)
}

// member is the usage as a member of an object, with the comma before it.
func (r *reply) member(name string, output int) string {
	if r.usage == "none" {
		return ""
	}
	return `,"` + name + `":` + r.tokens(output)
}

// unary is the whole answer in one document.
func (r *reply) unary() string {
	text, model := quote(Text(r.pieces)), quote(r.model)
	switch r.dialect {
	case Messages:
		return `{"id":"msg_` + answerID + `","type":"message","role":"assistant","model":` + model + `,"content":[{"type":"text","text":` + text +
			`}],"stop_reason":"end_turn","stop_sequence":null` + r.member("usage", r.pieces) + `}`
	case Responses:
		return r.response("completed", `[`+r.item("completed", text)+`]`, r.member("usage", r.pieces))
	case Gemini:
		return `{"candidates":[{"content":{"parts":[{"text":` + text + `}],"role":"model"},"finishReason":"STOP","index":0}]` +
			r.member("usageMetadata", r.pieces) + `,"modelVersion":` + model + `,"responseId":"` + answerID + `"}`
	}
	return `{"id":"chatcmpl-` + answerID + `","object":"chat.completion","created":1767225600,"model":` + model +
		`,"choices":[{"index":0,"message":{"role":"assistant","content":` + text + `,"refusal":null},"logprobs":null,"finish_reason":"stop"}]` + r.member("usage", r.pieces) + `}`
}

func (r *reply) response(status, output, more string) string {
	return `{"id":"resp_` + answerID + `","object":"response","created_at":1767225600,"status":"` + status + `","model":` + quote(r.model) +
		`,"error":null,"incomplete_details":null,"output":` + output + more + `}`
}

func (r *reply) item(status, text string) string {
	return `{"type":"message","id":"msg_` + answerID + `","status":"` + status + `","role":"assistant","content":[{"type":"output_text","text":` + text + `,"annotations":[]}]}`
}

// stream is the answer in events: what comes before any content, one event for each piece, and the end.
func (r *reply) stream() (before []string, pieces []string, after []string) {
	switch r.dialect {
	case Messages:
		return r.streamMessages()
	case Responses:
		return r.streamResponses()
	case Gemini:
		return r.streamGemini()
	}
	chunk := func(delta, finish, more string) string {
		return `data: {"id":"chatcmpl-` + answerID + `","object":"chat.completion.chunk","created":1767225600,"model":` + quote(r.model) +
			`,"choices":[{"index":0,"delta":` + delta + `,"finish_reason":` + finish + `}]` + more + "}\n\n"
	}
	for k := 1; k <= r.pieces; k++ {
		pieces = append(pieces, chunk(`{"content":`+quote(Piece(k))+`}`, "null", ""))
	}
	after = []string{chunk(`{}`, `"stop"`, "")}
	if r.usage != "none" {
		after = append(after, `data: {"id":"chatcmpl-`+answerID+`","object":"chat.completion.chunk","created":1767225600,"model":`+quote(r.model)+`,"choices":[]`+r.member("usage", r.pieces)+"}\n\n")
	}
	return []string{chunk(`{"role":"assistant","content":""}`, "null", "")}, pieces, append(after, "data: [DONE]\n\n")
}

// Events is the stream of an ordinary answer: what comes before any content, an event for each piece, and the end.
func Events(d Dialect, model string, n int) (before, pieces, after []string) {
	return (&reply{dialect: d, model: model, pieces: n, input: 10}).stream()
}

func named(event, data string) string { return "event: " + event + "\ndata: " + data + "\n\n" }

func (r *reply) streamMessages() (before, pieces, after []string) {
	before = []string{
		named("message_start", `{"type":"message_start","message":{"id":"msg_`+answerID+`","type":"message","role":"assistant","model":`+quote(r.model)+
			`,"content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":`+fmt.Sprint(r.input)+`,"output_tokens":1}}}`),
		named("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`),
		named("ping", `{"type":"ping"}`),
	}
	for k := 1; k <= r.pieces; k++ {
		pieces = append(pieces, named("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":`+quote(Piece(k))+`}}`))
	}
	return before, pieces, []string{
		named("content_block_stop", `{"type":"content_block_stop","index":0}`),
		named("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null}`+r.member("usage", r.pieces)+`}`),
		named("message_stop", `{"type":"message_stop"}`),
	}
}

func (r *reply) streamResponses() (before, pieces, after []string) {
	seq := 0
	event := func(kind, more string) string {
		e := named(kind, `{"type":"`+kind+`","sequence_number":`+fmt.Sprint(seq)+more+`}`)
		seq++
		return e
	}
	const at = `,"item_id":"msg_` + answerID + `","output_index":0,"content_index":0`
	before = []string{
		event("response.created", `,"response":`+r.response("in_progress", "[]", "")),
		event("response.output_item.added", `,"output_index":0,"item":{"type":"message","id":"msg_`+answerID+`","status":"in_progress","role":"assistant","content":[]}`),
		event("response.content_part.added", at+`,"part":{"type":"output_text","text":"","annotations":[]}`),
	}
	for k := 1; k <= r.pieces; k++ {
		pieces = append(pieces, event("response.output_text.delta", at+`,"delta":`+quote(Piece(k))))
	}
	text := quote(Text(r.pieces))
	return before, pieces, []string{
		event("response.output_text.done", at+`,"text":`+text),
		event("response.content_part.done", at+`,"part":{"type":"output_text","text":`+text+`,"annotations":[]}`),
		event("response.output_item.done", `,"output_index":0,"item":`+r.item("completed", text)),
		event("response.completed", `,"response":`+r.response("completed", `[`+r.item("completed", text)+`]`, r.member("usage", r.pieces))),
	}
}

func (r *reply) streamGemini() (before, pieces, after []string) {
	chunk := func(text, finish string, made int) string {
		return `data: {"candidates":[{"content":{"parts":[{"text":` + quote(text) + `}],"role":"model"}` + finish + `,"index":0}]` +
			r.member("usageMetadata", made) + `,"modelVersion":` + quote(r.model) + `,"responseId":"` + answerID + `"}` + "\r\n\r\n"
	}
	for k := 1; k <= r.pieces; k++ {
		pieces = append(pieces, chunk(Piece(k), "", k))
	}
	return nil, pieces, []string{chunk("", `,"finishReason":"STOP"`, r.pieces)}
}

// words are what vendors call the error of a status.
func words(status int) (kind, code, anthropic, google string) {
	switch status {
	case 400:
		return "invalid_request_error", "null", "invalid_request_error", "INVALID_ARGUMENT"
	case 401:
		return "invalid_request_error", `"invalid_api_key"`, "authentication_error", "UNAUTHENTICATED"
	case 402:
		return "insufficient_quota", `"insufficient_quota"`, "billing_error", "FAILED_PRECONDITION"
	case 403:
		return "invalid_request_error", "null", "permission_error", "PERMISSION_DENIED"
	case 404:
		return "invalid_request_error", `"model_not_found"`, "not_found_error", "NOT_FOUND"
	case 408:
		return "timeout", "null", "timeout_error", "DEADLINE_EXCEEDED"
	case 409:
		return "invalid_request_error", "null", "conflict_error", "ABORTED"
	case 413, 415, 422:
		return "invalid_request_error", "null", "invalid_request_error", "INVALID_ARGUMENT"
	case 429:
		return "requests", `"rate_limit_exceeded"`, "rate_limit_error", "RESOURCE_EXHAUSTED"
	case 503, 529:
		return "server_error", `"server_is_overloaded"`, "overloaded_error", "UNAVAILABLE"
	}
	return "server_error", "null", "api_error", "INTERNAL"
}

// ErrorBody is the error that a vendor of the dialect answers with.
func ErrorBody(d Dialect, status int, message string) string {
	kind, code, anthropic, google := words(status)
	switch d {
	case Messages:
		return `{"type":"error","error":{"type":"` + anthropic + `","message":` + quote(message) + `}}`
	case Gemini:
		return fmt.Sprintf(`{"error":{"code":%d,"message":%s,"status":"%s"}}`, status, quote(message), google)
	}
	return `{"error":{"message":` + quote(message) + `,"type":"` + kind + `","param":null,"code":` + code + `}}`
}

// errorEvent is the error inside of a stream.
func (r *reply) errorEvent(status int, message string) string {
	switch r.dialect {
	case Messages:
		return named("error", ErrorBody(Messages, status, message))
	case Responses:
		return named("response.failed", `{"type":"response.failed","sequence_number":1000000,"response":{"id":"resp_`+answerID+
			`","object":"response","created_at":1767225600,"status":"failed","model":`+quote(r.model)+`,"output":[],"error":{"code":"server_error","message":`+quote(message)+`}}}`)
	case Gemini:
		return "data: " + ErrorBody(Gemini, status, message) + "\r\n\r\n"
	}
	return "data: " + ErrorBody(Chat, status, message) + "\n\n"
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always marshals
	}
	return string(b)
}
