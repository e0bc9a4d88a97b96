package compatible

import (
	"slices"

	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/providers"
)

// Adjust removes the members that the vendor refuses though it needs no asking: Mistral tells the usage of every
// stream and knows no stream_options. Nothing is lost, so nothing is reported as dropped.
func (p *Provider) Adjust(c *providers.Call, body []byte) ([]byte, []string, error) {
	if len(p.info.Needless) == 0 || c.Dialect != providers.Chat || c.Operation != providers.Generate {
		return body, nil, nil
	}
	var obj jsonedit.Object
	if err := jsonedit.Scan(body, nil, jsonedit.Limits{}, &obj); err != nil {
		return nil, nil, err
	}
	var edits []jsonedit.Edit
	for _, m := range obj.Members {
		if slices.Contains(p.info.Needless, m.Key) {
			edits = append(edits, jsonedit.RemoveMember(&obj, body, m))
		}
	}
	if len(edits) == 0 {
		return body, nil, nil
	}
	return jsonedit.Apply(make([]byte, 0, len(body)), body, edits), nil, nil
}

// Interface guard
var _ providers.Adjuster = (*Provider)(nil)
