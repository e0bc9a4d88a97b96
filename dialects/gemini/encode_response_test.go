package gemini

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// foreign is an answer of another vendor with everything in it that the dialect can hold, and what it cannot.
func foreign() *conversation.Response {
	return &conversation.Response{
		ID: "msg_1", Model: "claude-x", Origin: "messages", UsageKnown: true,
		Usage: conversation.Usage{Input: 10, CacheRead: 5, CacheWrite: 2, InputAudio: 3, Output: 20, Reasoning: 7, OutputAudio: 1},
		Choices: []conversation.Choice{
			{
				Stop: conversation.StopToolCalls,
				Blocks: []conversation.Block{
					{Kind: conversation.Thinking, Text: "Hm.\n", Signature: "c2ln", Origin: "messages"},
					{Kind: conversation.Thinking, Signature: "ZGF0YQ", Redacted: true, Origin: "messages"},
					{Kind: conversation.Opaque, Raw: json.RawMessage(`{"type":"server_tool_use"}`), Origin: "messages"},
					{Kind: conversation.Text, Text: "Grüß \"Gott\" 日本", Citations: []conversation.Citation{
						{URL: "https://x", Title: "X", Start: 0, End: 4}, {URL: "https://y", Title: "Y", Start: 12, End: 14}, {URL: "https://x", Title: "X"},
					}},
					{Kind: conversation.Refusal, Text: "No."},
					{Kind: conversation.Call, Call: &conversation.ToolCall{ID: "toolu_1", Name: "f", Arguments: "{\"n\":\n 1.50}"}},
					{Kind: conversation.Call, Call: &conversation.ToolCall{ID: "toolu_2", Name: "g"}},
					{Kind: conversation.Call, Call: &conversation.ToolCall{ID: "toolu_3", Name: "h", Arguments: `{"cut":`}},
					{Kind: conversation.Call, Call: &conversation.ToolCall{ID: "toolu_4", Name: "i", Arguments: `{}`, Custom: true}},
					{Kind: conversation.Image, Media: &conversation.Media{MIME: "image/png", Data: "iVBO"}},
				},
			},
			{Stop: conversation.StopLength, Blocks: []conversation.Block{{Text: "Second"}}},
		},
	}
}

// own is an answer of Gemini's.
func own() *conversation.Response {
	return &conversation.Response{
		ID: "r1", Model: "gemini-3-pro", Origin: origin,
		Choices: []conversation.Choice{{Stop: conversation.StopToolCalls, Blocks: []conversation.Block{
			{Kind: conversation.Thinking, Text: "Hm.", Signature: "dGg=", Origin: origin},
			{Text: "One", Signature: "dHg=", Origin: origin},
			{Kind: conversation.Opaque, Raw: json.RawMessage(`{"executableCode":{"code":"1"}}`), Origin: origin},
			{Kind: conversation.Call, Call: &conversation.ToolCall{ID: "x", Name: "f", Arguments: `{}`}, Signature: "Y2E=", Origin: origin},
			{Kind: conversation.Call, Call: &conversation.ToolCall{ID: "y", Name: "f", Arguments: `{}`}},
		}}},
	}
}

func stream(r *conversation.Response) string {
	var events []conversation.Event
	for ev := range r.Events() {
		events = append(events, ev)
	}
	return write(dialects.WriterOptions{Model: "public-name"}, events...)
}

func TestAnswersAreWritten(t *testing.T) {
	for name, r := range map[string]*conversation.Response{"foreign": foreign(), "own": own()} {
		body := string(Codec{}.EncodeResponse(nil, r, "public-name"))
		if !json.Valid([]byte(body)) {
			t.Fatal(body)
		}
		dialecttest.Golden(t, filepath.Join("testdata", name+".json"), []byte(body+"\n"))
		dialecttest.Golden(t, filepath.Join("testdata", name+".sse"), []byte(stream(r)))
	}
}

// joined is a response whose neighbouring texts are one, as a client that reads a stream makes them. Citations are
// compared where they are read from whole answers.
func joined(r *conversation.Response) *conversation.Response {
	for i := range r.Choices {
		c := &r.Choices[i]
		var blocks []conversation.Block
		for _, b := range c.Blocks {
			b.Citations = nil
			if n := len(blocks); b.Kind == conversation.Text && n > 0 && blocks[n-1].Kind == conversation.Text {
				blocks[n-1].Text += b.Text
				continue
			}
			if b.Call != nil {
				b.Call.Arguments = jsonedit.Compact([]byte(b.Call.Arguments))
			}
			blocks = append(blocks, b)
		}
		c.Blocks = blocks
	}
	return r
}

func TestAStreamSaysWhatTheWholeAnswerSays(t *testing.T) {
	for name, r := range map[string]*conversation.Response{"foreign": foreign(), "own": own()} {
		whole, err := Codec{}.DecodeResponse(Codec{}.EncodeResponse(nil, r, "public-name"))
		if err != nil {
			t.Fatal(err)
		}
		if whole.UsageKnown != r.UsageKnown || whole.Usage.TotalInput() != r.Usage.TotalInput() || whole.Usage.TotalOutput() != r.Usage.TotalOutput() {
			t.Errorf("%s: usage %+v", name, whole.Usage)
		}
		got, want := joined(fold(t, stream(r))), joined(whole)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s\ngot  %s\nwant %s", name, brief(t, got), brief(t, want))
		}
	}
}

func TestGeminisOwnAnswerIsReadAsItWas(t *testing.T) {
	want := own()
	got, err := Codec{}.DecodeResponse(Codec{}.EncodeResponse(nil, want, want.Model))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %s\nwant %s", brief(t, got), brief(t, want))
	}
}

func TestCitationsKeepTheirPlace(t *testing.T) {
	got, err := Codec{}.DecodeResponse(Codec{}.EncodeResponse(nil, foreign(), "m"))
	if err != nil {
		t.Fatal(err)
	}
	text := got.Choices[0].Blocks[1]
	text.Signature = "" // of the thought before it
	if s := describe(&text); s != `text Grüß "Gott" 日本 [0-4 https://x X ] [12-14 https://y Y ]` {
		t.Error(s)
	}
}

func TestEveryReasonToStopHasAWord(t *testing.T) {
	want := []string{"STOP", "STOP", "STOP", "MAX_TOKENS", "STOP", "SAFETY", "SAFETY", "STOP", "OTHER"}
	for stop, word := range want {
		if got := finishReason(conversation.StopReason(stop)); got != word {
			t.Errorf("%s: %s, want %s", dialecttest.StopName(conversation.StopReason(stop)), got, word)
		}
	}
}

func TestLogprobsGoBackAndForth(t *testing.T) {
	const chat = `{"content":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[{"token":"b","logprob":-1.25,"bytes":[98]}]}],"refusal":null}`
	r := &conversation.Response{Choices: []conversation.Choice{{Stop: conversation.StopEnd, Logprobs: json.RawMessage(chat)}}}
	got, err := Codec{}.DecodeResponse(Codec{}.EncodeResponse(nil, r, "m"))
	if err != nil || string(got.Choices[0].Logprobs) != chat {
		t.Errorf("%v %s", err, got.Choices[0].Logprobs)
	}
}

func TestAnAnswerWithoutIDGetsOne(t *testing.T) {
	r := &conversation.Response{Choices: []conversation.Choice{{}}}
	a, b := fold(t, stream(r)), fold(t, stream(r))
	whole, err := Codec{}.DecodeResponse(Codec{}.EncodeResponse(nil, r, "m"))
	if err != nil {
		t.Fatal(err)
	}
	if a.ID == "" || a.ID == b.ID || whole.ID == "" {
		t.Errorf("%q %q %q", a.ID, b.ID, whole.ID)
	}
}

// write writes events as a stream.
func write(o dialects.WriterOptions, events ...conversation.Event) string {
	return dialecttest.Write(Codec{}.NewEventWriter(o), events...)
}

// fold reads a stream to its end.
func fold(t testing.TB, src string) *conversation.Response {
	t.Helper()
	events, err := dialecttest.ReadEvents(sse.NewReader(strings.NewReader(src), 0), Codec{}.NewEventReader())
	if err != nil {
		t.Fatalf("%v in %s", err, src)
	}
	dialecttest.CheckGrammar(t, events)
	return dialecttest.Fold(origin, events)
}
