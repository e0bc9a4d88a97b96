// Package llmgateway is a Caddy plugin that turns a Caddy server into a gateway to large language models.
//
// Clients that speak OpenAI Chat Completions, OpenAI Responses, Anthropic Messages or Gemini generateContent reach any
// configured provider through one directive, with Caddy's own TLS, authentication, matchers, logs, metrics and reload:
//
//	llm.example.com {
//		llm_gateway {
//			provider openai    {env.OPENAI_API_KEY}
//			provider anthropic {env.ANTHROPIC_API_KEY}
//			provider gpu vllm  http://10.0.0.5:8000 http://10.0.0.6:8000
//
//			model fast  gpu/qwen3-32b openai/gpt-5.6-mini   # tried left to right
//			model smart anthropic/claude-opus-5-5 openai/gpt-5.6
//		}
//	}
//
// A request that the provider speaks as it stands is spliced: only the model name changes, every other byte passes
// through in both directions. Otherwise it is translated through the neutral form of package conversation.
//
// The files of this package follow a request: module.go (configuration and life cycle), caddyfile*.go, provider.go and
// target.go (where requests can go), route.go (which model name goes where), serve.go (recognise, read, plan, run,
// finish), exchange.go (the state of one request), attempt.go (one try), relay.go and stream.go (the way back), observe.go (what is
// reported).
package llmgateway
