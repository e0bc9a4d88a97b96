package wiretest

import "strconv"

// The answers of endpoints that are only ever a provider's.

func (r *Reply) converseWhole(doc node) {
	for i, b := range doc.list("output", "message", "content") {
		p := conversePart(b)
		switch p.Kind {
		case kindText:
			if b.get("citationsContent").exists() {
				p.Text = ""
				for _, t := range texts(b.get("citationsContent", "content")) {
					p.Text += t.Text
				}
			}
			r.Text += p.Text
			for _, c := range b.list("citationsContent", "citations") {
				r.source(c.str("location", "web", "url"), c.str("title"), p.Text)
			}
		case kindThinking:
			r.think("block "+strconv.Itoa(i), p.Text)
		case kindCall:
			r.Calls = append(r.Calls, Call{p.ID, p.Name, p.Args})
		case kindImage:
			r.medium(p.Media)
		}
	}
	r.stop(doc.str("stopReason"))
	r.converseUsage(doc.get("usage"))
}

func (r *Reply) converseUsage(u node) {
	if !u.exists() {
		return
	}
	n := Usage{
		CacheRead:  u.either("cacheReadInputTokens", "cacheReadInputTokenCount").count(),
		CacheWrite: u.either("cacheWriteInputTokens", "cacheWriteInputTokenCount").count(),
		Output:     u.count("outputTokens"),
	}
	n.Input = u.count("inputTokens") + n.CacheRead + n.CacheWrite
	r.Usage = &n
}

func (r *Reply) converseFrames(frames []frame) {
	calls := map[int64]int{}
	server := map[int64]bool{}
	r.each(frames, func(f frame, n node) {
		index := n.count("contentBlockIndex")
		switch f.name {
		case "messageStart", "contentBlockStop":
		case "contentBlockStart":
			if u := n.get("start", "toolUse"); u.exists() {
				if server[index] = u.str("type") == "server_tool_use"; !server[index] {
					calls[index] = len(r.Calls)
					r.Calls = append(r.Calls, Call{ID: u.str("toolUseId"), Name: u.str("name")})
				}
			}
		case "contentBlockDelta":
			delta := n.get("delta")
			r.Text += delta.str("text")
			r.think("block "+strconv.FormatInt(index, 10), delta.str("reasoningContent", "text"))
			input := delta.str("toolUse", "input")
			at, ok := calls[index]
			switch {
			case ok:
				r.Calls[at].Args += input
			case input != "" && !server[index]:
				r.breach("arguments in block %d, which is no call", index)
			}
		case "messageStop":
			r.stop(n.str("stopReason"))
		case "metadata":
			r.converseUsage(n.get("usage"))
		default: // an exception
			r.Error = errorText(n)
		}
	})
	if r.RawStop == "" && r.Error == "" {
		r.breach("no messageStop")
	}
}

func (r *Reply) cohereWhole(doc node) {
	m := doc.get("message")
	r.think("plan", m.str("tool_plan"))
	for _, p := range m.list("content") {
		r.Text += p.str("text")
		r.think("", p.str("thinking"))
	}
	for _, c := range m.list("tool_calls") {
		p := chatCall(c)
		r.Calls = append(r.Calls, Call{p.ID, p.Name, p.Args})
	}
	r.stop(doc.str("finish_reason"))
	r.cohereUsage(doc.get("usage"))
}

func (r *Reply) cohereUsage(u node) {
	if !u.exists() {
		return
	}
	counts := u.get("tokens")
	if !counts.exists() {
		counts = u.get("billed_units")
	}
	r.Usage = &Usage{Input: counts.count("input_tokens"), Output: counts.count("output_tokens"), CacheRead: u.count("cached_tokens")}
}

func (r *Reply) cohereFrames(frames []frame) {
	r.each(frames, func(_ frame, n node) {
		m := n.get("delta", "message")
		call := m.get("tool_calls") // an object, in spite of its name
		switch n.str("type") {
		case "content-start", "content-delta":
			r.Text += m.str("content", "text")
			r.think("", m.str("content", "thinking"))
		case "tool-plan-delta":
			r.think("plan", m.str("tool_plan"))
		case "tool-call-start":
			r.Calls = append(r.Calls, Call{call.str("id"), call.str("function", "name"), call.str("function", "arguments")})
		case "tool-call-delta":
			if len(r.Calls) == 0 {
				r.breach("tool-call-delta before tool-call-start")
				return
			}
			r.Calls[len(r.Calls)-1].Args += call.str("function", "arguments")
		case "message-end":
			r.stop(n.str("delta", "finish_reason"))
			r.Error = n.str("delta", "error")
			r.cohereUsage(n.get("delta", "usage"))
		}
	})
	if r.RawStop == "" && r.Error == "" {
		r.breach("no message-end")
	}
}

func (r *Reply) ollamaWhole(doc node) {
	if s := doc.str("error"); s != "" {
		r.Error = s
		return
	}
	m := doc.get("message")
	r.Text += m.str("content")
	r.think("", m.str("thinking"))
	for _, c := range m.list("tool_calls") {
		p := chatCall(c)
		r.Calls = append(r.Calls, Call{p.ID, p.Name, p.Args})
	}
	if !doc.yes("done") {
		return
	}
	word := doc.str("done_reason")
	if word == "" { // older versions
		word = "stop"
	}
	r.stop(word)
	r.Usage = &Usage{Input: doc.count("prompt_eval_count"), Output: doc.count("eval_count")}
}

func (r *Reply) ollamaFrames(frames []frame) {
	r.each(frames, func(_ frame, n node) { r.ollamaWhole(n) })
	if r.RawStop == "" && r.Error == "" {
		r.breach("no line that is done")
	}
}
