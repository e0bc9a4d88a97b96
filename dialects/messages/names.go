package messages

import (
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/claude"
)

// toolID makes a call's ID that the API accepts of any other.
func toolID(id string) string { return conversation.Names{Also: "-"}.Clean(id) }

// toolName does the same for tool names, which also have a maximum length.
func toolName(name string, v claude.Version) string {
	limit := 64
	if v.Has(claude.WithLongNames) {
		limit = 128
	}
	return conversation.Names{Limit: limit, Also: "-"}.Clean(name)
}
