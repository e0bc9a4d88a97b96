package messages

import (
	"maps"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// splice runs a request through Splice as the gateway does, and returns the body that the provider gets.
func splice(t testing.TB, body string) (out, notes string) {
	t.Helper()
	doc := []byte(body)
	var obj jsonedit.Object
	if err := jsonedit.Scan(doc, knownKeys, jsonedit.Limits{}, &obj); err != nil {
		t.Fatal(err)
	}
	h, err := Codec{}.Head(doc, &obj)
	if err != nil {
		t.Fatal(err)
	}
	s := Codec{}.Splice(doc, &obj, h, dialects.SpliceOptions{Model: h.Model}, nil)
	return string(jsonedit.Apply(nil, doc, s.Edits)), strings.Join(s.Notes, " ")
}

func TestSpliceTakesOutWhatAnotherVendorSigned(t *testing.T) {
	const (
		ours     = `{"type":"thinking","thinking":"t","signature":"c2ln"}`
		theirs   = `{"type":"thinking","thinking":"x","signature":"~gemini:c2ln"}`
		hidden   = `{"type":"redacted_thinking","data":"~responses:ZGF0YQ"}`
		unknown  = `{"type":"thinking","thinking":"x","signature":"~chat:"}`
		say      = `{"type":"text","text":"~gemini: hi ~"}`
		cited    = `{"type":"text","citations":[{"type":"web_search_result_location","url":"u","encrypted_index":"abc"}],"text":"c"}`
		searched = `{"type":"text", "citations" : [{"encrypted_index":"abc"},{"type":"web_search_result_location","url":"u", "encrypted_index":"~chat:"}],"text":"c"}`
	)
	turn := func(blocks string) string {
		return ask(`"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[` + blocks + `]},{"role":"user","content":"b"}]`)
	}
	for name, tt := range map[string]struct{ in, want, notes string }{
		"nobody else had a part":        {turn(ours + ", " + say), turn(ours + ", " + say), ""},
		"the first block":               {turn(theirs + " , " + say), turn(say), "thinking"},
		"the last block":                {turn(say + "," + theirs), turn(say), "thinking"},
		"one in between":                {turn(ours + ", " + hidden + " , " + say), turn(ours + " , " + say), "thinking"},
		"several":                       {turn(theirs + "," + hidden + "," + ours + "," + unknown + "," + say), turn(ours + "," + say), "thinking"},
		"its own citations":             {turn(cited + "," + theirs), turn(cited), "thinking"},
		"citations of others":           {turn(cited + "," + searched), turn(cited + `,{"type":"text","text":"c"}`), "citations"},
		"a message of nothing else":     {turn(theirs + "," + hidden), ask(`"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]`), "thinking"},
		"a label that is the user's":    {ask(`"system":"~gemini:x","messages":[{"role":"user","content":"~/chat: ~chat:x"}]`), ask(`"system":"~gemini:x","messages":[{"role":"user","content":"~/chat: ~chat:x"}]`), ""},
		"a conversation without blocks": {ask(`"metadata":{"user_id":"~chat:x"},"messages":7`), ask(`"metadata":{"user_id":"~chat:x"},"messages":7`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got, notes := splice(t, tt.in); got != tt.want || notes != tt.notes {
				t.Errorf("got  %s\nwant %s\nnotes %q", got, tt.want, notes)
			}
		})
	}
}

func TestSpliceDoesNotThinkOnWhereAnotherVendorBeganTheTurn(t *testing.T) {
	const (
		budget = `"thinking":{"type":"enabled","budget_tokens":1024}`
		off    = `"thinking":{"type":"disabled"}`
		ours   = `{"type":"thinking","thinking":"t","signature":"c2ln"},`
		theirs = `{"type":"thinking","thinking":"t","signature":"~chat:"},`
		call   = `{"type":"tool_use","id":"1","name":"f","input":{}}`
		result = `{"type":"tool_result","tool_use_id":"1","content":"r"}`
		more   = `{"role":"assistant","content":[` + call + `]},{"role":"user","content":[` + result + `]}`
		text   = `{"role":"user","content":"q"}`
	)
	newer := func(thinking, before, after string) string {
		return ask(thinking + `,"messages":[` + text + `,{"role":"assistant","content":[` + before + call + `]},{"role":"user","content":[` + result + `]}` + after + `]`)
	}
	loop := func(thinking, before, after string) string {
		return strings.Replace(newer(thinking, before, after), "claude-opus-4-6", "claude-sonnet-4-5", 1)
	}
	earlier := func(thinking, before string) string { // the turn before this one began with thinking
		return strings.Replace(loop(thinking, before, ""), `"messages":[`, `"messages":[`+text+`,{"role":"assistant","content":[`+ours+`{"type":"text","text":"a"}]},`, 1)
	}
	for name, tt := range map[string]struct{ in, want string }{
		"it began with thinking":               {loop(budget, ours, ""), loop(budget, ours, "")},
		"it went on without":                   {loop(budget, ours, ","+more), loop(budget, ours, ","+more)},
		"it began without thinking":            {loop(budget, "", ""), loop(off, "", "")},
		"it began with another's thinking":     {loop(budget, theirs, ""), loop(off, "", "")},
		"text comes along with the results":    {loop(budget, "", ","+text), loop(off, "", ","+text)},
		"it began with thinking before":        {earlier(budget, ""), earlier(off, "")},
		"it began with thinking once more":     {earlier(budget, ours), earlier(budget, ours)},
		"the turn is over":                     {loop(budget, "", `,{"role":"assistant","content":"a"},`+text), loop(budget, "", `,{"role":"assistant","content":"a"},`+text)},
		"the model decides whether to think":   {loop(`"thinking":{"type":"adaptive"}`, "", ""), loop(`"thinking":{"type":"adaptive"}`, "", "")},
		"a model that can decide by itself":    {newer(`"thinking":{"budget_tokens":1024, "type":"enabled","display":"omitted"}`, "", ""), newer(`"thinking":{"type":"adaptive","display":"omitted"}`, "", "")},
		"thoughts are to be cleared from time": {loop(budget+`,"context_management":{"edits":[{"type":"clear_thinking_20251015"},{"type":"x"}]}`, "", ""), loop(off+`,"context_management":{"edits":[{"type":"x"}]}`, "", "")},
	} {
		t.Run(name, func(t *testing.T) {
			got, notes := splice(t, tt.in)
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if off := strings.Contains(got, off); off != strings.Contains(notes, "reasoning") {
				t.Errorf("notes %q", notes)
			}
		})
	}
}

func BenchmarkSplice(b *testing.B) {
	bodies := maps.Clone(requests)
	bodies["100KB thinking"] = strings.Replace(requests["100KB"], `"stream":true`, `"stream":true,"thinking":{"type":"enabled","budget_tokens":1024}`, 1)
	for name, body := range bodies {
		b.Run(name, func(b *testing.B) {
			doc := []byte(body)
			var obj jsonedit.Object
			if err := jsonedit.Scan(doc, knownKeys, jsonedit.Limits{}, &obj); err != nil {
				b.Fatal(err)
			}
			h, err := Codec{}.Head(doc, &obj)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				Codec{}.Splice(doc, &obj, h, dialects.SpliceOptions{Model: h.Model}, nil)
			}
		})
	}
}
