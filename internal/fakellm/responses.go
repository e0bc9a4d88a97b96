package fakellm

import "github.com/caddy-llm/llmgateway/internal/jsonedit"

func (a *answer) responsesStatus() string {
	if a.truncated {
		return "incomplete"
	}
	return "completed"
}

// appendResponse appends the response object; output is its list of items.
func (a *answer) appendResponse(dst []byte, status string, output func([]byte) []byte) []byte {
	dst = append(append(dst, `{"id":"resp_`...), a.id...)
	dst = appendInt(append(dst, `","object":"response","created_at":`...), created)
	dst = append(append(dst, `,"status":"`...), status...)
	dst = append(dst, `","background":false,"error":null,"incomplete_details":`...)
	if status == "incomplete" {
		dst = append(dst, `{"reason":"max_output_tokens"}`...)
	} else {
		dst = append(dst, "null"...)
	}
	dst = append(dst, `,"instructions":null,"max_output_tokens":null,"metadata":{},"model":`...)
	dst = append(jsonedit.AppendString(dst, a.model), `,"output":[`...)
	dst = output(dst)
	dst = append(dst, `],"parallel_tool_calls":true,"temperature":1.0,"tool_choice":"auto","tools":[],"top_p":1.0`...)
	if a.usage && status != "in_progress" {
		dst = appendInt(append(dst, `,"usage":{"input_tokens":`...), a.input)
		dst = appendInt(append(dst, `,"input_tokens_details":{"cached_tokens":0},"output_tokens":`...), a.output())
		dst = append(dst, `,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":`...)
		dst = append(appendInt(dst, a.input+a.output()), '}')
	} else {
		dst = append(dst, `,"usage":null`...)
	}
	return append(dst, '}')
}

// appendItem appends the only output item: a message or a function call.
func (a *answer) appendItem(dst []byte, status string, parts func([]byte) []byte, arguments string) []byte {
	if a.tool != "" {
		dst = append(append(dst, `{"id":"fc_`...), a.id...)
		dst = append(append(dst, `","type":"function_call","status":"`...), status...)
		dst = append(append(dst, `","call_id":"call_`...), a.id...)
		dst = jsonedit.AppendString(append(dst, `","name":`...), a.tool)
		return append(jsonedit.AppendString(append(dst, `,"arguments":`...), arguments), '}')
	}
	dst = append(append(dst, `{"id":"msg_`...), a.id...)
	dst = append(append(dst, `","type":"message","status":"`...), status...)
	return append(parts(append(dst, `","role":"assistant","content":[`...)), "]}"...)
}

func appendPart(dst []byte, text string) []byte {
	dst = append(dst, `{"type":"output_text","annotations":[],"logprobs":[],"text":`...)
	return append(jsonedit.AppendString(dst, text), '}')
}

func nothing(dst []byte) []byte { return dst }

func (a *answer) wholeItem(dst []byte) []byte {
	return a.appendItem(dst, a.responsesStatus(), func(dst []byte) []byte { return appendPart(dst, a.text()) }, a.text())
}

func renderResponses(a *answer) *rendered {
	if a.stream {
		return a.responsesStream()
	}
	return unary(200, a.appendResponse(nil, a.responsesStatus(), a.wholeItem), a.output())
}

func (a *answer) responsesStream() *rendered {
	r := newStream()
	event := func(name string, tokens int, data func(dst []byte) []byte) {
		r.buf = append(append(append(r.buf, "event: "...), name...), "\ndata: {\"type\":\""...)
		r.buf = append(append(r.buf, name...), `","sequence_number":`...)
		r.buf = append(data(appendInt(r.buf, len(r.ends))), "}\n\n"...)
		r.event(tokens)
	}
	response := func(status string, output func([]byte) []byte) func([]byte) []byte {
		return func(dst []byte) []byte {
			return a.appendResponse(append(dst, `,"response":`...), status, output)
		}
	}
	event("response.created", 0, response("in_progress", nothing))
	event("response.in_progress", 0, response("in_progress", nothing))
	event("response.output_item.added", 0, func(dst []byte) []byte {
		return a.appendItem(append(dst, `,"output_index":0,"item":`...), "in_progress", nothing, "")
	})
	if a.tool != "" {
		a.callEvents(event)
	} else {
		a.textEvents(event)
	}
	n := a.output()
	event("response.output_item.done", n, func(dst []byte) []byte {
		return a.wholeItem(append(dst, `,"output_index":0,"item":`...))
	})
	event("response."+a.responsesStatus(), n, response(a.responsesStatus(), a.wholeItem))
	return r
}

// emit appends one event of the given name after so many tokens.
type emit func(name string, tokens int, data func(dst []byte) []byte)

func (a *answer) textEvents(event emit) {
	place := `,"item_id":"msg_` + a.id + `","output_index":0,"content_index":0`
	n := a.output()
	event("response.content_part.added", 0, func(dst []byte) []byte {
		return appendPart(append(append(dst, place...), `,"part":`...), "")
	})
	for i, piece := range a.pieces {
		event("response.output_text.delta", i+1, func(dst []byte) []byte {
			dst = append(append(dst, place...), `,"delta":`...)
			return append(jsonedit.AppendString(dst, piece), `,"logprobs":[]`...)
		})
	}
	event("response.output_text.done", n, func(dst []byte) []byte {
		dst = append(append(dst, place...), `,"text":`...)
		return append(jsonedit.AppendString(dst, a.text()), `,"logprobs":[]`...)
	})
	event("response.content_part.done", n, func(dst []byte) []byte {
		return appendPart(append(append(dst, place...), `,"part":`...), a.text())
	})
}

func (a *answer) callEvents(event emit) {
	place := `,"item_id":"fc_` + a.id + `","output_index":0`
	for i, piece := range a.pieces {
		event("response.function_call_arguments.delta", i+1, func(dst []byte) []byte {
			return jsonedit.AppendString(append(append(dst, place...), `,"delta":`...), piece)
		})
	}
	event("response.function_call_arguments.done", a.output(), func(dst []byte) []byte {
		return jsonedit.AppendString(append(append(dst, place...), `,"arguments":`...), a.text())
	})
}
