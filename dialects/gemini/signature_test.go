package gemini

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// history is what a client sends of an answer that it got in the given documents: all parts of the first candidate.
func history(docs ...string) string {
	var parts []string
	for _, doc := range docs {
		for _, part := range gjson.Get(doc, "candidates.0.content.parts").Array() {
			parts = append(parts, part.Raw)
		}
	}
	return `{"contents":[{"role":"user","parts":[{"text":"hi"}]},{"role":"model","parts":[` + strings.Join(parts, ",") + `]},{"role":"user","parts":[{"text":"go on"}]}]}`
}

func TestTheLabelIsFoundWithoutDecoding(t *testing.T) {
	if len(label)%3 != 0 || base64.StdEncoding.EncodeToString([]byte(label)) != wireLabel || strings.ContainsAny(wireLabel, "+/=") {
		t.Error(base64.StdEncoding.EncodeToString([]byte(label)))
	}
}

func TestThoughtsOfOthersComeBackThroughGeminiClients(t *testing.T) {
	for name, body := range map[string]string{
		"whole":    history(string(Codec{}.EncodeResponse(nil, foreign(), "m"))),
		"streamed": history(documents(t, stream(foreign()))...),
		"URL-safe": strings.NewReplacer("+", "-", "/", "_").Replace(history(string(Codec{}.EncodeResponse(nil, foreign(), "m")))),
	} {
		if n := strings.Count(body, `"thoughtSignature":"skip`); n != 1 {
			t.Errorf("%s: %d calls are marked as another model's", name, n)
		}
		got := turns(mustDecode(t, body))
		if want := "user text hi\nmodel thinking Hm.\n signature=c2ln@messages\nmodel thinking signature=ZGF0YQ@messages\nmodel text Grüß"; !strings.HasPrefix(got, want) {
			t.Errorf("%s:\n%s", name, got)
		}
		blocks := mustDecode(t, body).Messages[1].Blocks
		if blocks[0].Redacted || !blocks[1].Redacted {
			t.Errorf("%s: which thought is redacted is lost", name)
		}
		for i := range blocks {
			if b := &blocks[i]; b.Kind != conversation.Thinking && b.Signature != "" {
				t.Errorf("%s: %s has a signature", name, describe(b))
			}
		}
	}
}

// TestASignatureGoesWithWordsOrACall holds answers of other vendors against Google's client for Go, which forgets parts
// that have neither.
func TestASignatureGoesWithWordsOrACall(t *testing.T) {
	proof := conversation.Block{Kind: conversation.Thinking, Signature: "c2ln", Origin: "messages"}
	thought := proof
	thought.Text = "Hm."
	carrier := `"thoughtSignature":"` + ofMessages + `"`
	worded := `"thoughtSignature":"` + labelled(&proof, wordedLabel) + `"`
	for name, c := range map[string]struct {
		blocks      []conversation.Block
		whole, last string // the parts of a whole answer, and the part of a stream that has the signature
		back        string
	}{
		"text": {[]conversation.Block{proof, words("so")}, `{"text":"so",` + carrier + `}`, `{"text":"so",` + carrier + `}`, "thinking signature=c2ln@messages\nmodel text so"},
		"text of a thought": {
			[]conversation.Block{thought, words("so")},
			`{"text":"Hm.","thought":true,` + carrier + `},{"text":"so"}`, `{"text":"so",` + worded + `}`, "thinking Hm. signature=c2ln@messages\nmodel text so",
		},
		"call": {
			[]conversation.Block{proof, callOf("x", "f", "{}")},
			`{"functionCall":{"id":"x","name":"f","args":{}},` + carrier + `}`, `{"functionCall":{"id":"x","name":"f","args":{}},` + carrier + `}`,
			"thinking signature=c2ln@messages\nmodel call f x {}",
		},
		"nothing": {[]conversation.Block{proof}, `{"text":"","thought":true,` + carrier + `}`, `{"text":"","thought":true,` + carrier + `}`, "thinking signature=c2ln@messages"},
		"each its own": {
			[]conversation.Block{proof, thought, words("so")},
			`{"text":"","thought":true,` + carrier + `},{"text":"Hm.","thought":true,` + carrier + `},{"text":"so"}`, `{"text":"so",` + worded + `}`,
			"thinking signature=c2ln@messages\nmodel thinking Hm. signature=c2ln@messages\nmodel text so",
		},
	} {
		r := &conversation.Response{Choices: []conversation.Choice{{Blocks: c.blocks, Stop: conversation.StopEnd}}}
		whole := string(Codec{}.EncodeResponse(nil, r, "m"))
		if !strings.Contains(whole, `"parts":[`+c.whole+`]`) {
			t.Errorf("%s: the whole answer is %s", name, whole)
		}
		streamed := stream(r)
		if !strings.Contains(streamed, `"parts":[`+c.last+`]`) {
			t.Errorf("%s: the stream is %s", name, streamed)
		}
		for _, body := range []string{history(whole), history(documents(t, streamed)...)} {
			if got := turns(mustDecode(t, body)); !strings.Contains(got, "model "+c.back) {
				t.Errorf("%s: what comes back is %s", name, got)
			}
		}
	}
}

func TestThoughtsOfOthersDoNotReachGoogle(t *testing.T) {
	sig := clientSignature(&conversation.Block{Kind: conversation.Thinking, Signature: "c2ln", Origin: "messages"})
	const before = `[{"role":"user", "parts":[{"text":"hi"}]},{"role":"model","parts":[`
	const after = `{"functionCall":{"name":"f"},"thoughtSignature":"skip/thought/signature/validator"}]},{"parts":[{"text":"on"}]}]`
	foreign := `{"text":"Hm.","thought":true,"thought_signature":"` + sig + `"},`
	alone := `{"role":"model","parts":[{"thoughtSignature":"` + sig + `","text":"","thought":true}]},`
	body := `{"contents":` + before + foreign + after + `}`
	for name, tt := range map[string]struct{ body, want string }{
		"in a turn":     {body, `{"contents":` + before + after + `}`},
		"as a turn":     {`{"contents":[` + alone + `{"parts":[{"text":"on"}]}],"x":1}`, `{"contents":[{"parts":[{"text":"on"}]}],"x":1}`},
		"in a question": {`{"generateContentRequest":` + body + `}`, `{"generateContentRequest":{"contents":` + before + after + `}}`},
		"with a text": {
			`{"contents":` + before + `{"text":"a","thoughtSignature":"` + sig + `"},` + after + `}`,
			`{"contents":` + before + `{"text":"a"},` + after + `}`,
		},
		"with a call": {
			`{"contents":` + before + `{"thoughtSignature":"` + sig + `","functionCall":{"name":"f"}}]}]}`,
			`{"contents":` + before + `{"functionCall":{"name":"f"},"thoughtSignature":"skip/thought/signature/validator"}]}]}`,
		},
		"own stay":        {`{"contents":[ {"parts":[{"text":"a","thought":true,"thoughtSignature":"c2ln"}]} ]}`, `{"contents":[ {"parts":[{"text":"a","thought":true,"thoughtSignature":"c2ln"}]} ]}`},
		"text that looks": {`{"contents":[{"parts":[{"text":"` + wireLabel + `"}]}]}`, `{"contents":[{"parts":[{"text":"` + wireLabel + `"}]}]}`},
	} {
		doc := []byte(tt.body)
		s := Codec{}.Splice(doc, dialecttest.Scan(t, Codec{}, tt.body), dialects.Head{}, dialects.SpliceOptions{Model: "gemini-3-pro"}, nil)
		if got := string(jsonedit.Apply(nil, doc, s.Edits)); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
}

func TestASignatureThatCameWithAThoughtIsTheNextCalls(t *testing.T) {
	thought := func(text, signature string) conversation.Block {
		return conversation.Block{Kind: conversation.Thinking, Text: text, Signature: signature, Origin: origin}
	}
	redacted := thought("", "c2ln")
	redacted.Redacted = true
	signed := callOf("", "f", "{}")
	signed.Signature, signed.Origin = "b3du", origin
	const call = `{"functionCall":{"name":"f","args":{}}`
	for _, c := range []struct {
		name   string
		blocks []conversation.Block
		want   string
	}{
		{"an empty thought is a carrier and nothing else", []conversation.Block{thought("", "c2ln"), callOf("", "f", "")}, call + `,"thoughtSignature":"c2ln"}`},
		{"so is a redacted one", []conversation.Block{redacted, callOf("", "f", "")}, call + `,"thoughtSignature":"c2ln"}`},
		{"a thought with words stays", []conversation.Block{thought("Hm.", "c2ln"), words("so"), callOf("", "f", "")}, `{"text":"Hm.","thought":true},{"text":"so"},` + call + `,"thoughtSignature":"c2ln"}`},
		{"each step has its own", []conversation.Block{thought("", "YQ=="), callOf("", "f", ""), thought("", "Yg=="), callOf("", "f", "")}, call + `,"thoughtSignature":"YQ=="},` + call + `,"thoughtSignature":"Yg=="}`},
		{"parallel calls have one", []conversation.Block{thought("", "YQ=="), callOf("", "f", ""), callOf("", "f", "")}, call + `,"thoughtSignature":"YQ=="},` + call + `}`},
		{"a call that has one keeps it", []conversation.Block{thought("Hm.", "c2ln"), signed}, `{"text":"Hm.","thought":true,"thoughtSignature":"c2ln"},` + call + `,"thoughtSignature":"b3du"}`},
		{"without a call it stays where it is", []conversation.Block{thought("Hm.", "c2ln"), words("so")}, `{"text":"Hm.","thought":true,"thoughtSignature":"c2ln"},{"text":"so"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := conversation.Request{Messages: []conversation.Message{say(user, words("hi")), say(assistant, c.blocks...)}}
			got, _, err := encode(t, &r, dialects.EncodeOptions{Model: "gemini-3-pro"})
			if want := `{"contents":[{"role":"user","parts":[{"text":"hi"}]},{"role":"model","parts":[` + c.want + `]}]}`; err != nil || got != want {
				t.Errorf("got  %s, %v\nwant %s", got, err, want)
			}
		})
	}
}
