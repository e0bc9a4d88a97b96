package messages

import (
	"strings"

	"github.com/caddy-llm/llmgateway/internal/claude"
)

// defaultOutput is max_tokens where neither the client nor the configuration says.
const defaultOutput = 4096

// versionOf reads the version from a model's name.
func versionOf(model string) claude.Version {
	v := claude.VersionOf(model)
	if v == 0 && strings.Contains(strings.ToLower(model), "claude-mythos") {
		return claude.WithoutTunings // its first models have no number
	}
	return v
}

// alwaysThinks tells the models that refuse to have thinking turned off.
func alwaysThinks(model string) bool {
	return strings.Contains(strings.ToLower(model), "claude-mythos")
}
