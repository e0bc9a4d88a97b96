package llmgateway

import "github.com/caddy-llm/llmgateway/internal/nearest"

// didYouMean returns `; did you mean "x"?` for the nearest of names, or nothing when none is near.
func didYouMean(name string, names []string) string { return nearest.DidYouMean(name, names) }
