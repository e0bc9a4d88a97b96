package responses

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// EncodeResponse implements [dialects.Decoder]. It writes the first answer; the dialect has no others. The output is put
// together by the writer of streams, so that a client gets the same items either way.
func (Codec) EncodeResponse(dst []byte, r *conversation.Response, requestModel string) []byte {
	created := r.Created
	if created == 0 {
		created = time.Now().Unix()
	}
	id := r.ID
	if id == "" {
		id = strconv.FormatUint(rand.Uint64()|1<<63, 36)
	}
	w := eventWriter{o: dialects.WriterOptions{Model: requestModel, Created: created}, unary: true, tier: r.ServiceTier}
	for ev := range r.Events() {
		if ev.Type == conversation.EventStart {
			ev.ID = id
		}
		dst = w.Append(dst, &ev)
	}
	return w.response(dst, w.status())
}

// status is the status of a response that has ended.
func (w *eventWriter) status() string {
	switch w.stop {
	case conversation.StopLength, conversation.StopFiltered:
		return "incomplete"
	case conversation.StopError:
		return "failed"
	}
	return "completed"
}

// response appends the response object as far as it has come. Members that no provider but OpenAI has are there as well,
// with what they mean when nobody asked for anything: SDKs demand most of them.
func (w *eventWriter) response(dst []byte, status string) []byte {
	dst = append(append(dst, `{"id":"resp_`...), w.tail...)
	dst = strconv.AppendInt(append(dst, `","object":"response","created_at":`...), w.created, 10)
	dst = append(append(dst, `,"status":"`...), status...)
	dst = append(dst, `","background":false,"error":`...)
	switch {
	case status != "failed":
		dst = append(dst, "null"...)
	case w.failure != nil:
		dst = appendFailure(dst, w.failure)
	default:
		dst = appendFailure(dst, &conversation.Error{Code: "server_error", Message: orElse(w.detail, "The model failed to answer.")})
	}
	switch {
	case status != "incomplete":
		dst = append(dst, `,"incomplete_details":null`...)
	case w.stop == conversation.StopFiltered:
		dst = append(dst, `,"incomplete_details":{"reason":"content_filter"}`...)
	default:
		dst = append(dst, `,"incomplete_details":{"reason":"max_output_tokens"}`...)
	}
	dst = append(dst, `,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":`...)
	dst = jsonedit.AppendString(dst, w.o.Model)
	dst = append(append(dst, `,"output":[`...), w.output...)
	dst = append(dst, `],"parallel_tool_calls":true,"previous_response_id":null,"reasoning":{"effort":null,"summary":null}`...)
	dst = append(dst, `,"service_tier":`...)
	dst = appendOrNull(dst, w.tier)
	dst = append(dst, `,"store":false,"temperature":null,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_p":null,"truncation":"disabled","usage":`...)
	if w.usageKnown && status != "in_progress" {
		dst = appendUsage(dst, w.usage)
	} else {
		dst = append(dst, "null"...)
	}
	return append(dst, `,"user":null,"metadata":{}}`...)
}

// appendUsage appends a usage object, in which wholes contain their parts.
func appendUsage(dst []byte, u conversation.Usage) []byte {
	in, out := u.TotalInput(), u.TotalOutput()
	dst = strconv.AppendInt(append(dst, `{"input_tokens":`...), in, 10)
	dst = strconv.AppendInt(append(dst, `,"input_tokens_details":{"cached_tokens":`...), u.TotalCacheRead(), 10)
	if written := u.CacheWrite + u.CacheWrite1h; written > 0 {
		dst = strconv.AppendInt(append(dst, `,"cache_write_tokens":`...), written, 10)
	}
	dst = strconv.AppendInt(append(dst, `},"output_tokens":`...), out, 10)
	dst = strconv.AppendInt(append(dst, `,"output_tokens_details":{"reasoning_tokens":`...), u.Reasoning, 10)
	dst = strconv.AppendInt(append(dst, `},"total_tokens":`...), in+out, 10)
	return append(dst, '}')
}

// maxTail is how much of another vendor's id is kept, in bytes: OpenAI takes no ids of more than 64.
const maxTail = 44

// idTail is what the ids of a response and of its items have in common: the id that the provider gave, without a prefix
// and without characters that would need to be escaped.
func idTail(id string) []byte {
	for _, prefix := range [...]string{"resp_", "chatcmpl-", "msg_", "gen-"} {
		id = strings.TrimPrefix(id, prefix)
	}
	tail := make([]byte, 0, maxTail)
	for i := 0; i < len(id) && len(tail) < maxTail; i++ {
		switch c := id[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '-', c == '_':
			tail = append(tail, c)
		}
	}
	return tail
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
