package gemini

import (
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// configPrefix marks members of generationConfig that the neutral form has no field for.
const configPrefix = "generationConfig."

// outputs is the structured output that a generationConfig asks for.
type outputs struct {
	mime   string
	schema []byte
	json   bool // the schema is JSON Schema, which counts more than the dialect's own kind
}

func (d *requestDecoder) config(p *dialects.Place) {
	var o outputs
	for ok := d.object(p); ok; ok = d.in.Next() {
		in := p.In(d.key())
		if d.in.Peek() != 'n' {
			d.setting(&in, &o)
		}
	}
	switch {
	case o.mime == "" || o.mime == "text/plain" || strings.EqualFold(o.mime, "application/json"):
		if o.schema != nil || strings.EqualFold(o.mime, "application/json") {
			d.req.Format = &conversation.Format{Schema: o.schema}
		}
	default:
		d.req.Extra = append(d.req.Extra, conversation.Field{
			Name: configPrefix + "responseMimeType", Value: jsonedit.AppendString(nil, o.mime),
		})
	}
}

func (d *requestDecoder) setting(p *dialects.Place, o *outputs) {
	r := d.req
	switch p.Key {
	case "temperature":
		r.Temperature = d.number(p)
	case "topP":
		r.TopP = d.number(p)
	case "topK":
		r.TopK = d.number(p)
	case "maxOutputTokens":
		r.MaxTokens = d.positive(p)
	case "stopSequences":
		r.Stop = d.texts(p)
	case "candidateCount":
		r.N = d.positive(p)
	case "seed":
		r.Seed = d.integer(p)
	case "presencePenalty":
		r.PresencePenalty = d.number(p)
	case "frequencyPenalty":
		r.FrequencyPenalty = d.number(p)
	case "responseLogprobs":
		r.Logprobs = d.boolean(p)
	case "logprobs":
		r.TopLogprobs = d.integer(p)
	case "responseMimeType":
		o.mime = d.str(p)
	case "responseSchema":
		if s := d.schema(p); !o.json {
			o.schema = s
		}
	case "responseJsonSchema":
		o.schema, o.json = d.in.Raw(), true
	case "thinkingConfig":
		d.thinking(p)
	case "responseModalities":
		if !d.textOnly() {
			d.extra(configPrefix + p.Key)
		}
	default:
		d.extra(configPrefix + p.Key)
	}
}

// textOnly reports whether the modalities that come next are text alone, which is what every model answers with. If so
// they are read.
func (d *requestDecoder) textOnly() bool {
	here, others := d.in.Mark(), false
	for ok := d.in.Array(); ok; ok = d.in.Next() {
		s := d.scalar()
		others = others || !strings.EqualFold(s, "TEXT") && s != "1"
	}
	if others {
		d.in.Seek(here)
	}
	return !others
}

// positive reads a limit. 0 is protobuf's way to say nothing, which Google refuses here all the same.
func (d *requestDecoder) positive(p *dialects.Place) *int64 {
	n := d.integer(p)
	if n != nil && *n < 1 {
		d.fail(p, "%s must be positive", p.Path())
	}
	return n
}

// thinkingLevels are the values of thinkingLevel, at the place of their numbers.
var thinkingLevels = []string{"THINKING_LEVEL_UNSPECIFIED", "LOW", "MEDIUM", "HIGH", "MINIMAL"}

// thinking reads thinkingConfig: a budget in tokens, where 0 is no thinking and -1 as much as the model sees fit, or a
// level. With both, which Google refuses, the level counts.
func (d *requestDecoder) thinking(p *dialects.Place) {
	r := new(conversation.Reasoning)
	for ok := d.object(p); ok; ok = d.in.Next() {
		in := p.In(d.key())
		if d.in.Peek() == 'n' {
			continue
		}
		switch in.Key {
		case "thinkingBudget":
			d.budget(&in, r)
		case "thinkingLevel":
			if level := d.enum(&in, thinkingLevels); level != "" && level != thinkingLevels[0] {
				r.Effort = strings.ToLower(level)
			}
		case "includeThoughts":
			r.Summary = "none"
			if b := d.boolean(&in); b != nil && *b {
				r.Summary = "auto"
			}
		}
	}
	if r.Effort != "" {
		r.Off, r.Adaptive, r.Budget = false, false, nil
	}
	d.req.Reasoning = r
}

func (d *requestDecoder) budget(p *dialects.Place, r *conversation.Reasoning) {
	switch n := d.integer(p); {
	case n == nil:
	case *n == 0:
		r.Off = true
	case *n == -1:
		r.Adaptive = true
	case *n < 0:
		d.fail(p, "%s must be -1 or more", p.Path())
	default:
		r.Budget = n
	}
}
