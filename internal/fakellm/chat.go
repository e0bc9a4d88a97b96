package fakellm

import (
	"strconv"

	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

func (a *answer) chatFinish() string {
	switch {
	case a.tool != "":
		return "tool_calls"
	case a.truncated:
		return "length"
	}
	return "stop"
}

func (a *answer) appendChatUsage(dst []byte) []byte {
	dst = appendInt(append(dst, `{"prompt_tokens":`...), a.input)
	dst = appendInt(append(dst, `,"completion_tokens":`...), a.output())
	dst = appendInt(append(dst, `,"total_tokens":`...), a.input+a.output())
	return append(dst, `,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}`...)
}

func appendInt(dst []byte, n int) []byte { return strconv.AppendInt(dst, int64(n), 10) }

func (a *answer) chatHead(dst []byte, object string) []byte {
	dst = append(append(dst, `{"id":"chatcmpl-`...), a.id...)
	dst = append(append(dst, `","object":"`...), object...)
	dst = appendInt(append(dst, `","created":`...), created)
	return jsonedit.AppendString(append(dst, `,"model":`...), a.model)
}

func renderChat(a *answer) *rendered {
	if a.stream {
		return a.chatStream()
	}
	dst := a.chatHead(nil, "chat.completion")
	dst = append(dst, `,"choices":[{"index":0,"message":{"role":"assistant","content":`...)
	if a.tool != "" {
		dst = append(append(dst, `null,"refusal":null,"tool_calls":[{"id":"call_`...), a.id...)
		dst = jsonedit.AppendString(append(dst, `","type":"function","function":{"name":`...), a.tool)
		dst = jsonedit.AppendString(append(dst, `,"arguments":`...), a.text())
		dst = append(dst, `}}]`...)
	} else {
		dst = append(jsonedit.AppendString(dst, a.text()), `,"refusal":null`...)
	}
	dst = append(append(dst, `},"logprobs":null,"finish_reason":"`...), a.chatFinish()...)
	dst = append(dst, `"}]`...)
	if a.usage {
		dst = a.appendChatUsage(append(dst, `,"usage":`...))
	}
	return unary(200, append(dst, '}'), a.output())
}

func (a *answer) chatStream() *rendered {
	r := newStream()
	head := append([]byte("data: "), a.chatHead(nil, "chat.completion.chunk")...)
	tail := "}\n\n"
	if a.includeUsage && a.usage {
		tail = ",\"usage\":null}\n\n"
	}
	chunk := func(tokens int, delta func(dst []byte) []byte, finish string) {
		r.buf = append(append(r.buf, head...), `,"choices":[{"index":0,"delta":{`...)
		r.buf = delta(r.buf)
		r.buf = append(r.buf, `},"logprobs":null,"finish_reason":`...)
		r.buf = append(append(append(r.buf, finish...), "}]"...), tail...)
		r.event(tokens)
	}
	chunk(0, func(dst []byte) []byte {
		if a.tool == "" {
			return append(dst, `"role":"assistant","content":""`...)
		}
		dst = append(dst, `"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"call_`...)
		dst = jsonedit.AppendString(append(append(dst, a.id...), `","type":"function","function":{"name":`...), a.tool)
		return append(dst, `,"arguments":""}}]`...)
	}, "null")
	for i, piece := range a.pieces {
		chunk(i+1, func(dst []byte) []byte {
			if a.tool == "" {
				return jsonedit.AppendString(append(dst, `"content":`...), piece)
			}
			dst = append(dst, `"tool_calls":[{"index":0,"function":{"arguments":`...)
			return append(jsonedit.AppendString(dst, piece), `}}]`...)
		}, "null")
	}
	n := a.output()
	chunk(n, func(dst []byte) []byte { return dst }, `"`+a.chatFinish()+`"`)
	if a.includeUsage && a.usage {
		r.buf = append(append(r.buf, head...), `,"choices":[],"usage":`...)
		r.buf = append(a.appendChatUsage(r.buf), "}\n\n"...)
		r.event(n)
	}
	r.buf = append(r.buf, "data: [DONE]\n\n"...)
	r.event(n)
	return r
}
