package main

import "fmt"

// answers are what the fake provider says in one dialect.
type answers struct {
	unary  []byte
	head   [][]byte // events before the first content
	deltas [][]byte // content events, used in a circle
	// tail returns the events after the last content. usage is whether a chat client asked for it.
	tail func(deltas int, usage bool) [][]byte
}

// words become one content event each. They hold what a JSON string has to escape and what it need not.
var words = []string{
	" The", " answer", " is", " simple", ":", " keep", " the", " bytes", " that", " need", " no", " change", ",", " and",
	" count", " them", ".", "\n\n", "A", " *short*", " list", ":\n", "-", " \"caf\u00e9\"", " \u2192", " done", "\n", "`go test`", "!",
	" \u4f60\u597d", " Next", " one", " please", "?",
}

const (
	chatChunk = `data: {"id":"chatcmpl-C5x1Qm7TtZ0aVb","object":"chat.completion.chunk","created":1767225600,` +
		`"model":"gpt-5-mini-2025-08-07","service_tier":"default","system_fingerprint":null,`
	answerText = "Yes. The gateway forwards the bytes as they are and reads the usage on the way."
)

var chatAnswers = answers{
	unary: []byte(`{"id":"chatcmpl-C5x1Qm7TtZ0aVb","object":"chat.completion","created":1767225600,` +
		`"model":"gpt-5-mini-2025-08-07","choices":[{"index":0,"message":{"role":"assistant","content":` + quote(answerText) +
		`},"finish_reason":"stop"}],"usage":{"prompt_tokens":42,"completion_tokens":17,"total_tokens":59}}`),
	head: [][]byte{[]byte(chatChunk + `"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}` + "\n\n")},
	deltas: render(func(word string) string {
		return chatChunk + `"choices":[{"index":0,"delta":{"content":` + quote(word) + `},"finish_reason":null}]}` + "\n\n"
	}),
	tail: func(deltas int, usage bool) [][]byte {
		events := [][]byte{[]byte(chatChunk + `"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n")}
		if usage {
			events = append(events, fmt.Appendf(nil, "%s"+`"choices":[],"usage":{"prompt_tokens":42,"completion_tokens":%d,"total_tokens":%d}}`+"\n\n",
				chatChunk, deltas, 42+deltas))
		}
		return append(events, []byte("data: [DONE]\n\n"))
	},
}

var messagesAnswers = answers{
	unary: []byte(`{"id":"msg_01RtV8sWcYq3","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929",` +
		`"content":[{"type":"text","text":` + quote(answerText) + `}],"stop_reason":"end_turn","stop_sequence":null,` +
		`"usage":{"input_tokens":42,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":17,"service_tier":"standard"}}`),
	head: [][]byte{
		named("message_start", `{"type":"message_start","message":{"id":"msg_01RtV8sWcYq3","type":"message","role":"assistant",`+
			`"model":"claude-sonnet-4-5-20250929","content":[],"stop_reason":null,"stop_sequence":null,`+
			`"usage":{"input_tokens":42,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1,"service_tier":"standard"}}}`),
		named("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`),
		named("ping", `{"type":"ping"}`),
	},
	deltas: render(func(word string) string {
		return string(named("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":`+quote(word)+`}}`))
	}),
	tail: func(deltas int, _ bool) [][]byte {
		return [][]byte{
			named("content_block_stop", `{"type":"content_block_stop","index":0}`),
			named("message_delta", fmt.Sprintf(`{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":%d}}`, deltas)),
			named("message_stop", `{"type":"message_stop"}`),
		}
	},
}

// named frames an event of the Messages dialect.
func named(event, data string) []byte { return []byte("event: " + event + "\ndata: " + data + "\n\n") }

func render(event func(word string) string) [][]byte {
	events := make([][]byte, len(words))
	for i, word := range words {
		events[i] = []byte(event(word))
	}
	return events
}
