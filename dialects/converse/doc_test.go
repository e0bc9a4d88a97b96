package converse

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
)

// insideOf are members whose own members are somebody else's: of a tool's parameters, a call's arguments and the like.
var insideOf = []string{"json", "input", "additionalModelRequestFields", "schema"}

// keysOf adds the names of all members of a document.
func keysOf(keys map[string]bool, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			keys[k] = true
			if !slices.Contains(insideOf, k) {
				keysOf(keys, inner)
			}
		}
	case []any:
		for _, inner := range v {
			keysOf(keys, inner)
		}
	}
}

// TestThePageNamesWhatIsWrittenAndWhatIsDropped reads docs/dialects/converse.md.
func TestThePageNamesWhatIsWrittenAndWhatIsDropped(t *testing.T) {
	data, err := os.ReadFile("../../docs/dialects/converse.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	keys, notes := map[string]bool{}, map[string]bool{}
	for _, g := range slices.Concat(goldens, toolGoldens, formatGoldens, reasoningGoldens, cacheGoldens) {
		r := g.request
		if r.Messages == nil {
			r.Messages = hi
		}
		out, dropped := encode(t, &r, g.model)
		var doc any
		if err := json.Unmarshal([]byte(out), &doc); err != nil {
			t.Fatal(err)
		}
		keysOf(keys, doc)
		for _, n := range dropped {
			notes[n] = true
		}
	}
	for _, b := range []conversation.Block{
		media(conversation.Image, conversation.Media{Data: "AAEC"}), media(conversation.Video, conversation.Media{MIME: "video/mp4", Data: "AAEC"}),
	} {
		out, _ := encode(t, &conversation.Request{Messages: []conversation.Message{user(b)}}, novaPro)
		keysOf(keys, dialecttest.Value(t, out))
	}
	// Parts of a member that the page names as a whole.
	details := strings.Fields("role content name description inputSchema json type structure jsonSchema schema format bytes toolUseId input " +
		"reasoningText signature redactedContent auto any tool")
	for k := range keys {
		if !slices.Contains(details, k) && !named(page, k) {
			t.Errorf("the page does not name the member %s", k)
		}
	}
	if len(keys) < 30 || len(notes) < 15 {
		t.Errorf("only %d members and %d notes were seen", len(keys), len(notes))
	}
	for n := range notes {
		if n != "store" && !strings.HasPrefix(n, "tools.") && !named(page, n) {
			t.Errorf("the page does not say that %s is dropped", n)
		}
	}
}

// named reports whether a name stands in a piece of code of the page, alone or as part of a path.
func named(page, name string) bool {
	for i, piece := range strings.Split(page, "`") {
		if i%2 == 1 && slices.Contains(strings.FieldsFunc(piece, func(r rune) bool { return r == '.' || r == ' ' || r == ':' || r == '"' }), name) {
			return true
		}
	}
	return false
}
