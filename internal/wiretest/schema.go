package wiretest

import (
	"encoding/json"
	"slices"
	"strings"
)

// schemaOf is a JSON Schema in a form in which schemas that mean the same are the same text. Gemini's own kind of schema
// is told in JSON Schema's words: lower-case types, and null among the types in place of nullable. A schema of an object
// without members is none.
func schemaOf(n node) string {
	if !n.exists() {
		return ""
	}
	out := node{plainSchema(n)}
	if m, ok := out.value.(map[string]any); ok && onlyObject(m) {
		return ""
	}
	return out.canonical()
}

// onlyObject reports whether a schema says no more than that there is an object.
func onlyObject(m map[string]any) bool {
	for k, v := range m {
		empty := node{v}
		switch {
		case k == "type" && v == "object", k == "additionalProperties" && v == false:
		case k == "properties" && len(empty.keys()) == 0, k == "required" && len(empty.list()) == 0:
		default:
			return false
		}
	}
	return true
}

// plainSchema rewrites a schema and those in it.
func plainSchema(n node) any {
	if !n.isObject() {
		return n.value
	}
	out := map[string]any{}
	nullable := n.yes("nullable")
	for k, v := range n.value.(map[string]any) { //nolint:forcetypeassert // isObject
		key := schemaKey(k)
		member := node{v}
		switch key {
		case "nullable", "propertyOrdering":
			continue
		case "type":
			plain, null := plainType(member)
			v, nullable = plain, nullable || null
		case "format":
			if v == "enum" {
				continue
			}
		case "enum":
			v = without(member, nil)
			nullable = nullable || len(member.list()) > len(v.([]any)) //nolint:forcetypeassert // of without
		case "anyOf", "oneOf", "allOf", "prefixItems":
			var list []any
			for _, s := range member.list() {
				if s.str("type") == "null" && len(s.keys()) == 1 {
					nullable = true
					continue
				}
				list = append(list, plainSchema(s))
			}
			v = list
		case "properties", "$defs", "definitions", "patternProperties":
			v = plainMembers(member)
		case "items", "additionalProperties", "not":
			v = plainSchema(member)
		case "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties":
			if s := member.str(); s != "" { // 64-bit integers are strings in JSON of protocol buffers
				v = json.Number(s)
			}
		}
		if v != nil {
			out[key] = v
		}
	}
	if nullable {
		out["nullable"] = true
	}
	return out
}

func plainMembers(n node) any {
	out := map[string]any{}
	for _, k := range n.keys() {
		out[k] = plainSchema(n.get(k))
	}
	return out
}

// plainType lowers a type and takes null out of a list of them.
func plainType(n node) (plain any, null bool) {
	if n.isString() {
		return strings.ToLower(n.str()), false
	}
	var list []any
	for _, t := range n.list() {
		if name := strings.ToLower(t.str()); name == "null" {
			null = true
		} else {
			list = append(list, name)
		}
	}
	if len(list) == 1 {
		return list[0], null
	}
	return list, null
}

func without(n node, value any) []any {
	out := []any{}
	for _, v := range n.list() {
		if v.value != value {
			out = append(out, v.value)
		}
	}
	return out
}

// schemaKey is a keyword in JSON Schema's spelling.
func schemaKey(k string) string {
	switch k {
	case "ref", "defs":
		return "$" + k
	}
	words := strings.Split(k, "_")
	for i := 1; i < len(words); i++ {
		if words[i] != "" {
			words[i] = strings.ToUpper(words[i][:1]) + words[i][1:]
		}
	}
	if camel := strings.Join(words, ""); slices.Contains(schemaKeys, camel) {
		return camel
	}
	return k
}

var schemaKeys = []string{
	"anyOf", "oneOf", "allOf", "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties",
	"propertyOrdering", "additionalProperties", "patternProperties", "prefixItems",
}

// jsonSchema writes a schema of [schemaOf] in JSON Schema's words.
func jsonSchema(s string) any {
	if s == "" {
		return object{"type": "object", "properties": object{}}
	}
	n, err := parse([]byte(s))
	if err != nil {
		return nil // not of schemaOf
	}
	return rewrite(n, func(out map[string]any) {
		if out["nullable"] != true {
			return
		}
		delete(out, "nullable")
		if t, ok := out["type"].(string); ok {
			out["type"] = []any{t, "null"}
		}
		if list, ok := out["enum"].([]any); ok {
			out["enum"] = append(list, nil)
		}
		if list, ok := out["anyOf"].([]any); ok {
			out["anyOf"] = append(list, object{"type": "null"})
		}
	})
}

// openSchema writes a schema in Gemini's own words, if they are enough: upper-case types, and no JSON Schema beyond them.
func openSchema(s string) (any, bool) {
	n, err := parse([]byte(s))
	if err != nil {
		return nil, false
	}
	enough := true
	out := rewrite(n, func(out map[string]any) {
		for k, v := range out {
			switch k {
			case "type":
				t, ok := v.(string)
				enough = enough && ok && slices.Contains([]string{"string", "number", "integer", "boolean", "array", "object"}, t)
				out[k] = strings.ToUpper(t)
			case "properties", "items", "required", "description", "enum", "nullable", "anyOf", "title", "minItems", "maxItems", "minimum", "maximum":
			default:
				enough = false
			}
		}
	})
	return out, enough
}

// closed closes the objects of a schema that do not say whether they are open, or all of them.
func closed(s string, all bool) string {
	if s == "" || s == "json" {
		return s
	}
	n, err := parse([]byte(s))
	if err != nil {
		return s
	}
	return node{rewrite(n, func(out map[string]any) {
		if _, said := out["additionalProperties"]; (all || !said) && out["type"] == "object" {
			out["additionalProperties"] = false
		}
	})}.canonical()
}

// held is a schema as Anthropic's models are held to it: its objects are closed, and one of several is any of them.
func held(s string) string {
	n, err := parse([]byte(closed(s, false)))
	if err != nil {
		return s
	}
	return node{rewrite(n, func(out map[string]any) {
		if list, ok := out["oneOf"]; ok && out["anyOf"] == nil {
			out["anyOf"] = list
			delete(out, "oneOf")
		}
	})}.canonical()
}

// rewrite copies a schema and changes every schema in it.
func rewrite(n node, change func(map[string]any)) any {
	if !n.isObject() {
		return n.value
	}
	out := map[string]any{}
	for _, k := range n.keys() {
		v := n.get(k)
		switch k {
		case "properties", "$defs", "definitions", "patternProperties":
			members := map[string]any{}
			for _, name := range v.keys() {
				members[name] = rewrite(v.get(name), change)
			}
			out[k] = members
		case "items", "additionalProperties", "not":
			out[k] = rewrite(v, change)
		case "anyOf", "oneOf", "allOf", "prefixItems":
			var list []any
			for _, s := range v.list() {
				list = append(list, rewrite(s, change))
			}
			out[k] = list
		default:
			out[k] = v.value
		}
	}
	change(out)
	return out
}
