package converse

import (
	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/providers"
)

// origin marks signatures that came through this dialect. anthropicOrigin marks those of Anthropic's own API, which
// hold for the same models here.
const (
	origin          = string(providers.Converse)
	anthropicOrigin = string(providers.Messages)
)

// Codec implements the dialect. It has no state.
type Codec struct{}

func init() { dialects.Register(Codec{}) }

// Name is "converse".
func (Codec) Name() providers.Dialect { return providers.Converse }

// Interface guards.
var (
	_ dialects.Codec        = Codec{}
	_ dialects.Encoder      = Codec{}
	_ dialects.Framer       = Codec{}
	_ dialects.TokenCounter = Codec{}
)
