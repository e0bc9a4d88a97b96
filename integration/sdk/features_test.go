package sdk

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// onePixel is the smallest PNG.
const onePixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

func TestAnImageArrivesAsItWasSent(t *testing.T) {
	onEveryLane(t, func(t *testing.T, l lane) {
		c, u := l.connect(t, says)
		got, err := c.ask(t.Context(), turn{model: u.model, image: onePixel})
		checkAnswer(t, l, got, err)
		checkAsked(t, u, false)
		if images := u.asked()[0].images; !slices.Equal(images, []string{"image/png;" + onePixel}) {
			t.Errorf("the upstream was shown %q", images)
		}
	})
}

func TestTheAnswerHasTheSchemaAskedFor(t *testing.T) {
	schema := object{
		"type": "object", "additionalProperties": false, "required": []string{"city", "degrees"},
		"properties": object{"city": object{"type": "string"}, "degrees": object{"type": "integer"}},
	}
	report := []string{`{"city":"Zürich",`, `"degrees":-3}`}
	onEveryLane(t, func(t *testing.T, l lane) {
		for _, stream := range []bool{false, true} {
			c, u := l.connect(t, func(question) reply { return reply{text: report} })
			got, err := c.ask(t.Context(), turn{model: u.model, stream: stream, schema: schema})
			if err != nil {
				t.Fatalf("stream %t: %v", stream, err)
			}
			if got.text != joined(report) || got.stop != atWill {
				t.Errorf("stream %t: got %+v", stream, got)
			}
			if asked := u.asked()[0].schema; !sameJSON(asked, marshal(schema)) {
				t.Errorf("stream %t: the upstream was given the schema %s", stream, asked)
			}
		}
	})
}

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

// What a model thinks before it calls a tool, and the vendor's seal on it.
const (
	thought   = "The user wants to know about “Zürich”."
	signature = "c2lnbmVkLWJ5LXRoZS12ZW5kb3I="
)

// TestThoughtsAreShownAndComeBackToTheirVendor has a model think, call a tool, and see its thought again with the result:
// vendors refuse or forget a thought whose signature is not theirs.
func TestThoughtsAreShownAndComeBackToTheirVendor(t *testing.T) {
	script := func(q question) reply {
		r := forecast(q)
		if r.calls != nil {
			r.thought, r.signature = thought, signature
		}
		return r
	}
	onEveryLane(t, func(t *testing.T, l lane) {
		for _, stream := range []bool{false, true} {
			c, u := l.connect(t, script)
			got, err := c.ask(t.Context(), turn{model: u.model, stream: stream, think: true, run: func(string) string { return "raining" }})
			if err != nil {
				t.Fatalf("stream %t: %v", stream, err)
			}
			if got.thoughts != thought || !strings.Contains(got.text, "raining") {
				t.Errorf("stream %t: got %+v", stream, got)
			}
			asked := u.asked()
			if len(asked) != 2 || !asked[0].thinks {
				t.Fatalf("stream %t: the upstream was asked %+v", stream, asked)
			}
			l.checkThoughts(t, fmt.Sprintf("stream %t", stream), asked[1])
		}
	})
}

// checkThoughts looks for what was thought in the first answer of a turn in the question after it.
func (l lane) checkThoughts(t *testing.T, name string, q question) {
	t.Helper()
	var thoughts, signatures []string
	switch {
	case l.client == "openai" || l.dialect == chatDialect:
		// Chat Completions holds no thoughts that OpenAI or its client would give back.
	case l.dialect == geminiDialect:
		signatures = []string{signature} // the thought itself is of no use to Gemini
	case l.dialect == cohereDialect || l.dialect == ollamaDialect:
		thoughts = []string{thought} // they sign nothing
	default:
		thoughts, signatures = []string{thought}, []string{signature}
	}
	if l.dialect == geminiDialect {
		q.thoughts = nil
	}
	if !slices.Equal(q.thoughts, thoughts) || !slices.Equal(q.signatures, signatures) {
		t.Errorf("%s: the upstream got back the thoughts %q with the signatures %q, want %q and %q", name, q.thoughts, q.signatures, thoughts, signatures)
	}
}

func TestTheClientLearnsWhyAnAnswerEnded(t *testing.T) {
	onEveryLane(t, func(t *testing.T, l lane) {
		for _, why := range []stop{atWill, atLimit, filtered} {
			if why == filtered && l.dialect == ollamaDialect {
				continue // it has no filters
			}
			for _, stream := range []bool{false, true} {
				c, u := l.connect(t, func(question) reply { return reply{text: pieces, stop: why} })
				got, err := c.ask(t.Context(), turn{model: u.model, stream: stream})
				if err != nil {
					t.Fatalf("%s, stream %t: %v", why, stream, err)
				}
				if got.stop != why || got.text != joined(pieces) {
					t.Errorf("%s, stream %t: the answer is %+v", why, stream, got)
				}
			}
		}
	})
}
