package fakellm

import "github.com/caddy-llm/llmgateway/internal/jsonedit"

func (a *answer) stopReason() string {
	switch {
	case a.tool != "":
		return "tool_use"
	case a.truncated:
		return "max_tokens"
	}
	return "end_turn"
}

func (a *answer) appendMessagesUsage(dst []byte, output int) []byte {
	dst = appendInt(append(dst, `{"input_tokens":`...), a.input)
	dst = append(dst, `,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":`...)
	return append(appendInt(dst, output), '}')
}

func (a *answer) messagesHead(dst []byte) []byte {
	dst = append(append(dst, `{"id":"msg_`...), a.id...)
	return jsonedit.AppendString(append(dst, `","type":"message","role":"assistant","model":`...), a.model)
}

func renderMessages(a *answer) *rendered {
	if a.stream {
		return a.messagesStream()
	}
	dst := append(a.messagesHead(nil), `,"content":[`...)
	if a.tool != "" {
		dst = append(append(dst, `{"type":"tool_use","id":"toolu_`...), a.id...)
		dst = jsonedit.AppendString(append(dst, `","name":`...), a.tool)
		dst = append(append(append(dst, `,"input":`...), a.text()...), '}')
	} else {
		dst = append(jsonedit.AppendString(append(dst, `{"type":"text","text":`...), a.text()), '}')
	}
	dst = append(append(append(dst, `],"stop_reason":"`...), a.stopReason()...), `","stop_sequence":null`...)
	if a.usage {
		dst = a.appendMessagesUsage(append(dst, `,"usage":`...), a.output())
	}
	return unary(200, append(dst, '}'), a.output())
}

func (a *answer) messagesStream() *rendered {
	r := newStream()
	event := func(name string, tokens int, data func(dst []byte) []byte) {
		r.buf = append(append(append(r.buf, "event: "...), name...), "\ndata: {\"type\":\""...)
		r.buf = append(append(r.buf, name...), '"')
		r.buf = append(data(r.buf), "}\n\n"...)
		r.event(tokens)
	}
	literal := func(s string) func([]byte) []byte {
		return func(dst []byte) []byte { return append(dst, s...) }
	}
	event("message_start", 0, func(dst []byte) []byte {
		dst = a.messagesHead(append(dst, `,"message":`...))
		dst = append(dst, `,"content":[],"stop_reason":null,"stop_sequence":null`...)
		if a.usage {
			dst = a.appendMessagesUsage(append(dst, `,"usage":`...), min(1, a.output()))
		}
		return append(dst, '}')
	})
	event("content_block_start", 0, func(dst []byte) []byte {
		dst = append(dst, `,"index":0,"content_block":`...)
		if a.tool == "" {
			return append(dst, `{"type":"text","text":""}`...)
		}
		dst = append(append(dst, `{"type":"tool_use","id":"toolu_`...), a.id...)
		return append(jsonedit.AppendString(append(dst, `","name":`...), a.tool), `,"input":{}}`...)
	})
	event("ping", 0, literal(""))
	for i, piece := range a.pieces {
		event("content_block_delta", i+1, func(dst []byte) []byte {
			dst = append(dst, `,"index":0,"delta":`...)
			if a.tool == "" {
				dst = append(dst, `{"type":"text_delta","text":`...)
			} else {
				dst = append(dst, `{"type":"input_json_delta","partial_json":`...)
			}
			return append(jsonedit.AppendString(dst, piece), '}')
		})
	}
	n := a.output()
	event("content_block_stop", n, literal(`,"index":0`))
	event("message_delta", n, func(dst []byte) []byte {
		dst = append(append(dst, `,"delta":{"stop_reason":"`...), a.stopReason()...)
		dst = append(dst, `","stop_sequence":null}`...)
		if a.usage {
			dst = a.appendMessagesUsage(append(dst, `,"usage":`...), n)
		}
		return dst
	})
	event("message_stop", n, literal(""))
	return r
}
