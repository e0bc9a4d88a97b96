package gemini

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
)

func TestAQuestionForACountIsReadInAllItsForms(t *testing.T) {
	const request = `"systemInstruction":{"parts":[{"text":"be brief"}]},"contents":[{"parts":[{"text":"hi"}]}],"tools":[{"functionDeclarations":[{"name":"f"}]}]`
	for name, body := range map[string]string{
		"Vertex":                       `{` + request + `,"generationConfig":{}}`,
		"a whole request inside":       `{"generateContentRequest":{"model":"models/x",` + request + `}}`,
		"the same in snake case":       `{"generate_content_request":{` + request + `}}`,
		"an empty one beside contents": `{` + request + `,"generateContentRequest":null}`,
	} {
		r, err := Codec{}.DecodeCountRequest([]byte(body), dialects.Head{Model: "m"})
		if err != nil || turns(r) != "system text be brief\nuser text hi" || len(r.Tools) != 1 || r.Model != "m" {
			t.Errorf("%s: %v %+v", name, err, r)
		}
	}
	r, err := Codec{}.DecodeCountRequest([]byte(`{"contents":[{"parts":[{"text":"hi"}]}]}`), dialects.Head{})
	if err != nil || turns(r) != "user text hi" {
		t.Errorf("%v %+v", err, r)
	}
	for _, body := range []string{`{}`, `{"generateContentRequest":{}}`} {
		if _, err := (Codec{}).DecodeCountRequest([]byte(body), dialects.Head{}); paramOf(err) != "contents" {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestTheQuestionForACountHoldsTheWholeRequest(t *testing.T) {
	r := &conversation.Request{
		Messages: []conversation.Message{say(conversation.System, words("be brief")), say(user, words("hi"))},
		Tools:    []conversation.Tool{{Name: "f"}}, Choice: conversation.ToolChoice{Mode: conversation.ChoiceAuto}, User: "u",
	}
	const inside = `"systemInstruction":{"parts":[{"text":"be brief"}]},"contents":[{"role":"user","parts":[{"text":"hi"}]}],"tools":[{"functionDeclarations":[{"name":"f"}]}]`
	const choice = `,"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}}`
	for _, c := range []struct{ vendor, model, want string }{
		{"gemini", "gemini-3-pro", `{"generateContentRequest":{"model":"models/gemini-3-pro",` + inside + choice + `}}`},
		{"", "tunedModels/x", `{"generateContentRequest":{"model":"tunedModels/x",` + inside + choice + `}}`},
		{"vertex", "gemini-3-pro", `{` + inside + `}`},
	} {
		out, notes, err := Codec{}.EncodeCount([]byte("prefix"), r, dialects.EncodeOptions{Model: c.model, Vendor: c.vendor})
		if got := strings.TrimPrefix(string(out), "prefix"); err != nil || got != c.want || !json.Valid([]byte(got)) || strings.Join(notes, " ") != "user" {
			t.Errorf("%s: got %s %v %v\nwant %s", c.vendor, got, notes, err, c.want)
		}
	}
	if out, _, err := (Codec{}).EncodeCount([]byte("prefix"), &conversation.Request{}, dialects.EncodeOptions{}); err == nil || string(out) != "prefix" {
		t.Errorf("got %s %v", out, err)
	}
}

func TestCountsAreRead(t *testing.T) {
	for body, want := range map[string]int64{
		`{"totalTokens":13,"totalBillableCharacters":47,"promptTokensDetails":[{"modality":"TEXT","tokenCount":13}]}`: 13,
		`{"promptTokensDetails":[],"totalTokens":"7"}`:                                                                7,
		string(Codec{}.AppendCount(nil, 5)):                                                                           5,
		`{"promptTokensDetails":[]}`:                                                                                  0,
		`{}`:                                                                                                          -1,
		`{"totalTokens":-1}`:                                                                                          -1,
		`{"totalTokens":"x"}`:                                                                                         -1,
		`{"totalTokens":13`:                                                                                           -1,
		`[]`:                                                                                                          -1,
	} {
		n, ok := Codec{}.DecodeCount([]byte(body))
		if !ok {
			n = -1
		}
		if n != want {
			t.Errorf("%s: %d", body, n)
		}
	}
}
