package claude

import (
	"strconv"
	"testing"
)

func TestAStrictSchemaHasNothingThatIsAnsweredWithAnError(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"objects are closed":              {`{"type":"object","properties":{"a":{"type":["object","null"]}}}`, `{"type":"object","properties":{"a":{"type":["object","null"],"additionalProperties":false}},"additionalProperties":false}`},
		"bounds are told":                 {`{"type":"string","minLength":1,"pattern":"^a"}`, `{"type":"string","pattern":"^a","description":"{minLength: 1}"}`},
		"one of several is any of them":   {`{"oneOf":[{"type":"object"},{"type":"null"}]}`, `{"anyOf":[{"type":"object","additionalProperties":false},{"type":"null"}]}`},
		"all of one is that one":          {`{"description":"d","allOf":[{"$ref":"#/$defs/x"}]}`, `{"description":"d","anyOf":[{"$ref":"#/$defs/x"}]}`},
		"there is one list of choices":    {`{"oneOf":[{"type":"null"}],"anyOf":[{"minimum":1}]}`, `{"anyOf":[{"description":"{minimum: 1}"}],"description":"{oneOf: [{\"type\":\"null\"}]}"}`},
		"tuples are told":                 {`{"type":"array","prefixItems":[{"type":"string"}],"items":false}`, `{"type":"array","description":"{prefixItems: [{\"type\":\"string\"}], items: false}"}`},
		"conditions are told":             {`{"description":"d","if":{},"then":{},"else":{},"not":{}}`, `{"description":"d\n\n{if: {}, then: {}, else: {}, not: {}}"}`},
		"names of members are not a rule": {`{"type":"object","properties":{"not":{"type":"string"},"minimum":{"type":"integer"}}}`, `{"type":"object","properties":{"not":{"type":"string"},"minimum":{"type":"integer"}},"additionalProperties":false}`},
		"what nobody knows stays":         {`{"type":"integer","x-order":1,"default":2,"examples":[3]}`, `{"type":"integer","x-order":1,"default":2,"examples":[3]}`},
	} {
		if got := string(AppendClosed(nil, []byte(c.in))); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.want)
		}
	}
	const in, want = `{"properties":{"a":{"minLength":1,"maxLength":2}}}`, `{"properties":{"a":{"minLength":1,"description":"{maxLength: 2}"}}}`
	if got := string(AppendClosed(nil, []byte(in), "minLength")); got != want {
		t.Errorf("a bound that is taken: got %s, want %s", got, want)
	}
}

func TestSchemasWithoutAStrictFormAreKnown(t *testing.T) {
	for schema, want := range map[string]bool{
		`{"type":"object","additionalProperties":true}`:                               true,
		`{"type":"object","additionalProperties":{}}`:                                 true,
		`{"type":"object","additionalProperties":{"type":"string"}}`:                  false,
		`{"type":"object","patternProperties":{"^a":{}}}`:                             false,
		`{"allOf":[{"$ref":"#/$defs/a"}],"$defs":{"a":{}}}`:                           true,
		`{"allOf":[{"type":"object"},{"type":"object"}]}`:                             false,
		`{"properties":{"a":{"$ref":"https://example.com/schema.json"}}}`:             false,
		`{"$defs":{"a":{"items":{"$ref":"#/$defs/a"}}},"items":{"$ref":"#/$defs/a"}}`: false,
		`{"oneOf":[{"type":"object","additionalProperties":{"type":"string"}}]}`:      false,
	} {
		if got := Closable([]byte(schema)); got != want {
			t.Errorf("%s: got %v", schema, got)
		}
	}
}

func TestManyReferencesAreLookedThroughOnce(t *testing.T) {
	schema := `{"type":"object","$ref":"#/$defs/d0","$defs":{`
	for i := range 60 {
		next := `{"$ref":"#/$defs/d` + strconv.Itoa(i+1) + `"}`
		schema += `"d` + strconv.Itoa(i) + `":{"anyOf":[` + next + `,` + next + `]},`
	}
	if !Closable([]byte(schema + `"d60":{"type":"null"}}}`)) {
		t.Error("a schema that goes nowhere twice was taken for one that refers to itself")
	}
	if Closable([]byte(schema + `"d60":{"$ref":"#/$defs/d30"}}}`)) {
		t.Error("a schema that refers to itself was not seen")
	}
}
