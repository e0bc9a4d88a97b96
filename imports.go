package llmgateway

// The built-in guests: one `--with` gives a complete gateway.
import (
	_ "github.com/caddy-llm/llmgateway/accounting/logledger"
	_ "github.com/caddy-llm/llmgateway/accounting/postgresledger"
	_ "github.com/caddy-llm/llmgateway/accounting/sqliteledger"
	_ "github.com/caddy-llm/llmgateway/balancing"
	_ "github.com/caddy-llm/llmgateway/dialects/chatcompletions"
	_ "github.com/caddy-llm/llmgateway/dialects/cohere"
	_ "github.com/caddy-llm/llmgateway/dialects/converse"
	_ "github.com/caddy-llm/llmgateway/dialects/gemini"
	_ "github.com/caddy-llm/llmgateway/dialects/messages"
	_ "github.com/caddy-llm/llmgateway/dialects/ollama"
	_ "github.com/caddy-llm/llmgateway/dialects/responses"
	_ "github.com/caddy-llm/llmgateway/providers/anthropic"
	_ "github.com/caddy-llm/llmgateway/providers/bedrock"
	_ "github.com/caddy-llm/llmgateway/providers/compatible"
	_ "github.com/caddy-llm/llmgateway/providers/gemini"
	_ "github.com/caddy-llm/llmgateway/providers/openai"
	_ "github.com/caddy-llm/llmgateway/providers/simulated"
	_ "github.com/caddy-llm/llmgateway/usertimeout"
)
