package gemini

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
)

func TestModelsBeforeGemini2AreGivenTheDialectsOwnSchemas(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		lossy          bool
	}{
		{
			"types are in upper case", `{"type":"object","$schema":"x","properties":{"a":{"type":"integer","minimum":0.50},"b":{"type":"array","items":{"type":"string"}}},"required":["a"]}`,
			`{"type":"OBJECT","properties":{"a":{"type":"INTEGER","minimum":0.50},"b":{"type":"ARRAY","items":{"type":"STRING"}}},"required":["a"]}`, false,
		},
		{"null is a flag", `{"type":["string","null"],"enum":["a",null]}`, `{"type":"STRING","enum":["a"],"nullable":true}`, false},
		{"null is no alternative", `{"anyOf":[{"type":"string"},{"type":"null"}],"description":"d"}`, `{"type":"STRING","description":"d","nullable":true}`, false},
		{"alternatives", `{"oneOf":[{"type":"string"},{"type":"number"}]}`, `{"anyOf":[{"type":"STRING"},{"type":"NUMBER"}]}`, false},
		{"several types", `{"type":["string","number"]}`, `{"anyOf":[{"type":"STRING"},{"type":"NUMBER"}]}`, false},
		{"a constant", `{"const":"x"}`, `{"enum":["x"]}`, false},
		{"references are followed", `{"$ref":"#/$defs/A~1b","$defs":{"A/b":{"type":"boolean"}}}`, `{"type":"BOOLEAN"}`, false},
		{"unless they come back", `{"$ref":"#/$defs/A","$defs":{"A":{"properties":{"n":{"$ref":"#/$defs/A"}}}}}`, `{"properties":{"n":{"type":"OBJECT"}}}`, true},
		{"or lead nowhere", `{"$ref":"#/$defs/B"}`, `{"type":"OBJECT"}`, true},
		{"a schema of one", `{"allOf":[{"type":"string"}]}`, `{"type":"STRING"}`, false},
		{"a schema of two cannot be said", `{"allOf":[{"type":"string"},{"minLength":1}]}`, `{}`, true},
		{"nor can other keywords", `{"type":"object","additionalProperties":false,"format":"uri","enum":[1],"const":2}`, `{"type":"OBJECT"}`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, whole := appendOpenAPI(nil, []byte(c.in))
			if string(got) != c.want || whole == c.lossy || !json.Valid(got) {
				t.Errorf("got  %s %v\nwant %s", got, whole, c.want)
			}
		})
	}
}

func TestTheKindOfSchemaDependsOnTheModel(t *testing.T) {
	schema := json.RawMessage(`{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}`)
	r := conversation.Request{
		Messages: []conversation.Message{say(user, words("hi"))},
		Tools:    []conversation.Tool{{Name: "f", Schema: schema}, {Name: "g", Schema: json.RawMessage(`{"type":"object","properties":{}}`)}},
		Format:   &conversation.Format{Schema: schema},
	}
	const old = `{"type":"OBJECT","properties":{"a":{"type":"STRING"}}}`
	for model, want := range map[string][]string{
		"gemini-1.5-pro": {`{"name":"f","parameters":` + old + `},{"name":"g"}`, "tools.parameters response_format"},
		"gemini-3-pro":   {`"parametersJsonSchema":` + string(schema) + `},{"name":"g","parametersJsonSchema":{"type":"object","properties":{}}}`, ""},
		"tuned-model":    {`"responseJsonSchema":` + string(schema), ""},
	} {
		got, notes, err := encode(t, &r, dialects.EncodeOptions{Model: model})
		if err != nil || !strings.Contains(got, want[0]) || notes != want[1] {
			t.Errorf("%s: got %s (%s) %v", model, got, notes, err)
		}
	}
	r.Tools = nil
	got, notes, err := encode(t, &r, dialects.EncodeOptions{Model: "gemini-1.5-flash"})
	if want := `"responseMimeType":"application/json","responseSchema":` + old; err != nil || !strings.Contains(got, want) || notes != "response_format.schema" {
		t.Errorf("got %s (%s) %v", got, notes, err)
	}
}

// Models before Gemini 3 refuse functions and structured output in one request.
func TestStructuredOutputBesideFunctionsIsAskedForInWordsBeforeGemini3(t *testing.T) {
	r := conversation.Request{
		Messages: []conversation.Message{say(conversation.System, words("Be brief.")), say(user, words("hi"))},
		Tools:    []conversation.Tool{{Name: "f"}},
		Format:   &conversation.Format{Schema: json.RawMessage(`{"type":"object"}`)},
	}
	for model, asked := range map[string]bool{"gemini-2.5-flash": false, "gemini-2.0-flash": false, "gemini-3-flash": true, "gemini-flash-latest": true, "my-tune": true} {
		got, notes, err := encode(t, &r, dialects.EncodeOptions{Model: model})
		hinted := strings.Contains(got, `{"parts":[{"text":"Be brief."},{"text":"`+jsonHint+` It must conform to this JSON Schema:\n{\"type\":\"object\"}"}]}`)
		if err != nil || strings.Contains(got, "responseJsonSchema") != asked || hinted == asked || (notes == "response_format") == asked {
			t.Errorf("%s: got %s (%s) %v", model, got, notes, err)
		}
	}
}

func TestDefinitionsThatDoubleDoNotGrowWithoutEnd(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"$ref":"#/$defs/d0","$defs":{`)
	for i := range 40 {
		fmt.Fprintf(&b, `"d%d":{"type":"object","properties":{"a":{"$ref":"#/$defs/d%d"},"b":{"$ref":"#/$defs/d%d"}}},`, i, i+1, i+1)
	}
	b.WriteString(`"d40":{"type":"string"}}}`)
	got, whole := appendOpenAPI(nil, []byte(b.String()))
	if whole || len(got) > 1<<20 || !json.Valid(got) {
		t.Errorf("%d bytes, whole %v", len(got), whole)
	}
}
