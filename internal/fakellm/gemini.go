package fakellm

import "github.com/caddy-llm/llmgateway/internal/jsonedit"

// appendGemini appends one response with one part; finish is empty until the last. Gemini omits counts of zero.
func (a *answer) appendGemini(dst []byte, part func([]byte) []byte, finish string, output int) []byte {
	dst = append(dst, `{"candidates":[{"content":{"parts":[`...)
	dst = append(part(dst), `],"role":"model"}`...)
	if finish != "" {
		dst = append(append(append(dst, `,"finishReason":"`...), finish...), '"')
	}
	dst = append(dst, `,"index":0}]`...)
	if a.usage {
		dst = appendInt(append(dst, `,"usageMetadata":{"promptTokenCount":`...), a.input)
		if output > 0 {
			dst = appendInt(append(dst, `,"candidatesTokenCount":`...), output)
		}
		dst = append(appendInt(append(dst, `,"totalTokenCount":`...), a.input+output), '}')
	}
	dst = jsonedit.AppendString(append(dst, `,"modelVersion":`...), a.model)
	return append(append(append(dst, `,"responseId":"`...), a.id...), `"}`...)
}

func (a *answer) geminiFinish() string {
	if a.truncated {
		return "MAX_TOKENS"
	}
	return "STOP" // for tool calls too
}

// appendCall appends the function call, which always comes whole.
func (a *answer) appendCall(dst []byte) []byte {
	dst = jsonedit.AppendString(append(dst, `{"functionCall":{"name":`...), a.tool)
	return append(append(append(dst, `,"args":`...), a.text()...), "}}"...)
}

func appendTextPart(dst []byte, text string) []byte {
	return append(jsonedit.AppendString(append(dst, `{"text":`...), text), '}')
}

func renderGemini(a *answer) *rendered {
	n := a.output()
	part := func(dst []byte) []byte { return appendTextPart(dst, a.text()) }
	if a.tool != "" {
		part = a.appendCall
	}
	if !a.stream {
		return unary(200, a.appendGemini(nil, part, a.geminiFinish(), n), n)
	}
	r := newStream()
	event := func(tokens int, part func([]byte) []byte, finish string) {
		r.buf = a.appendGemini(append(r.buf, "data: "...), part, finish, tokens)
		r.buf = append(r.buf, "\r\n\r\n"...)
		r.event(tokens)
	}
	if a.tool != "" || n == 0 {
		event(n, part, a.geminiFinish())
		return r
	}
	for i, piece := range a.pieces {
		finish := ""
		if i == n-1 {
			finish = a.geminiFinish()
		}
		event(i+1, func(dst []byte) []byte { return appendTextPart(dst, piece) }, finish)
	}
	return r
}
