package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
)

const (
	// sameModel and translatedModel are what clients ask for. They are names with a price, so that a gateway computes one.
	sameModel       = "openai/gpt-5-mini"
	translatedModel = "anthropic/claude-sonnet-4-5"

	smallBytes = 200
	largeBytes = 100 << 10
)

type message struct {
	Role       string     `json:"role"`
	Content    string     `json:"content,omitempty"`
	ToolCalls  []toolCall `json:"tool_calls,omitempty"`
	ToolCallID string     `json:"tool_call_id,omitempty"`
}

type toolCall struct {
	ID       string   `json:"id"`
	Type     string   `json:"type"`
	Function function `json:"function"`
}

type function struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Arguments   string          `json:"arguments,omitempty"`
	Parameters  json.RawMessage `json:"parameters,omitempty"`
}

type tool struct {
	Type     string   `json:"type"`
	Function function `json:"function"`
}

type chatRequest struct {
	Model     string    `json:"model"`
	Messages  []message `json:"messages"`
	Tools     []tool    `json:"tools,omitempty"`
	MaxTokens int       `json:"max_completion_tokens,omitempty"`
	Stream    bool      `json:"stream,omitempty"`
}

// requestBody renders the chat request of a scenario: about 200 bytes, or about 100 KB of a conversation with tools.
// It is the same in every run.
func requestBody(s scenario) []byte {
	model := sameModel
	if s.translated {
		model = translatedModel
	}
	r := chatRequest{Model: model, Stream: s.kind != unary}
	if !s.large {
		r.Messages = []message{
			{Role: "system", Content: "Answer in one short sentence."},
			{Role: "user", Content: ""},
		}
		padding := smallBytes - len(encode(r)) - len(`"content":"",`)
		question := strings.Repeat("Does a gateway have to change the bytes it forwards? ", 4)
		r.Messages[1].Content = question[:padding]
		return encode(r)
	}
	r.MaxTokens = 1024
	r.Tools = tools()
	r.Messages = conversationHistory(rand.New(rand.NewPCG(1, 2)), largeBytes-len(encode(r)))
	return encode(r)
}

// conversationHistory makes about size bytes of messages of 1 to 3 KB each: prose, code and logs in several scripts,
// with a few tool calls and their results among them.
func conversationHistory(rng *rand.Rand, size int) []message {
	msgs := []message{{Role: "system", Content: prose(rng, 1200)}}
	used := len(encode(msgs))
	for turn := 0; used < size-4000; turn++ {
		next := []message{{Role: "user", Content: prose(rng, 1000+rng.IntN(2000))}}
		if turn%5 == 4 {
			id := fmt.Sprintf("call_%08x", turn)
			next = append(next,
				message{Role: "assistant", ToolCalls: []toolCall{{ID: id, Type: "function", Function: function{
					Name: "search_code", Arguments: string(encode(map[string]any{"query": prose(rng, 60), "limit": 20})),
				}}}},
				message{Role: "tool", ToolCallID: id, Content: string(encode(map[string]any{"results": []string{prose(rng, 700), prose(rng, 500)}}))})
		}
		next = append(next, message{Role: "assistant", Content: prose(rng, 1000+rng.IntN(2000))})
		msgs = append(msgs, next...)
		used = len(encode(msgs))
	}
	return append(msgs, message{Role: "user", Content: prose(rng, max(size-used-150, 100))})
}

// fragments are what prose is made of. About one byte in thirty has to be escaped in JSON, as in the chats of coding
// assistants, and a few characters are not ASCII.
var fragments = []string{
	"The handler reads the body once and keeps the offsets of the members it may have to edit. ",
	"When the upstream closes early, the client has to learn it: a stream without its end marker is an error. ",
	"```go\nif err := enc.Encode(v); err != nil {\n\treturn fmt.Errorf(\"encoding %q: %w\", name, err)\n}\n```\n",
	"Could you explain why \"least_conn\" behaves differently after a reload?\n\n",
	"2026-01-14T09:31:07Z\tINFO\tupstream\t{\"status\": 200, \"path\": \"C:\\\\srv\\\\data\"}\n",
	"- first, measure; then change one thing; then measure again\n- keep what helps\n",
	"Die Größe des Puffers beträgt 32 KiB, im Café misst man naïvement — ça va. ",
	"要約すると、使用量は最後のイベントで届きます。",
	"Queue depth stays flat until the second core saturates, then p99 grows with the square of the load. ",
	"See <https://example.com/a?b=1&c=2> for the numbers; they are averages over ten runs. ✅ ",
}

// prose is at least one and at most size bytes of text.
func prose(rng *rand.Rand, size int) string {
	var b strings.Builder
	for b.Len() < size {
		b.WriteString(fragments[rng.IntN(len(fragments))])
	}
	return strings.ToValidUTF8(b.String()[:size], "")
}

func tools() []tool {
	names := []string{"search_code", "read_file", "apply_patch", "run_tests", "query_database"}
	list := make([]tool, len(names))
	for i, name := range names {
		list[i] = tool{Type: "function", Function: function{
			Name:        name,
			Description: "Runs " + name + " in the workspace of the user and returns what it printed, cut to the limit.",
			Parameters: json.RawMessage(`{"type":"object","properties":{"query":{"type":"string","description":"What to look for; a path or an expression."},` +
				`"limit":{"type":"integer","minimum":1,"maximum":100},"mode":{"type":"string","enum":["exact","regexp","fuzzy"]},` +
				`"paths":{"type":"array","items":{"type":"string"}}},"required":["query"],"additionalProperties":false}`),
		}}
	}
	return list
}

// encode is json.Marshal as JavaScript and Python clients do it: without escaping <, > and &.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // the values are this file's own
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func quote(s string) string { return string(encode(s)) }
