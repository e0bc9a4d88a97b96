package chatcompletions

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
)

// throughAStream is what a client makes of the stream that stands for a whole answer.
func throughAStream(t *testing.T, r *conversation.Response) *conversation.Response {
	t.Helper()
	var events []conversation.Event
	for ev := range r.Events() {
		events = append(events, ev)
	}
	read, err := readEvents(bytes.NewReader(rewrite(events, true)))
	if err != nil {
		t.Fatal(err)
	}
	if err := dialecttest.GrammarError(read); err != nil {
		t.Error(err)
	}
	return fold(read)
}

func TestAWholeAnswerSurvivesTheWayThroughAStream(t *testing.T) {
	blocks := append(signedAnswer(),
		conversation.Block{Kind: conversation.Image, Media: &conversation.Media{MIME: "image/png", Data: "iVBORw0="}},
		conversation.Block{Kind: conversation.Audio, Media: &conversation.Media{Data: "SUQz"}, Text: "so"},
	)
	blocks[3].Citations = []conversation.Citation{{URL: "https://example.com", Title: "T", Quote: "q", Start: 0, End: 2}}
	want := &conversation.Response{UsageKnown: true, Usage: conversation.Usage{Input: 3, CacheRead: 1, Output: 2, Reasoning: 1}, Choices: []conversation.Choice{
		{Blocks: blocks, Stop: conversation.StopToolCalls, Logprobs: json.RawMessage(`{"content":[{"token":"so","logprob":-0.50}]}`)},
		{Blocks: []conversation.Block{txt("other")}, Stop: conversation.StopSequence, StopSequence: "END"},
	}}
	if got := throughAStream(t, want); !reflect.DeepEqual(flat(got), flat(want)) {
		t.Errorf("got  %v\nwant %v", flat(got), flat(want))
	}
}

func TestRecordedAnswersSurviveBeingWritten(t *testing.T) {
	for _, endpoint := range [...]string{"openai.chat", "mistral.chat"} {
		for _, rec := range dialecttest.Recorded(t, endpoint) {
			if rec.Streaming || rec.Status >= 300 {
				continue
			}
			want, err := Codec{}.DecodeResponse([]byte(rec.Body))
			if err != nil {
				t.Errorf("%s: %v", rec.Name, err)
				continue
			}
			for i := range want.Choices {
				for _, b := range want.Choices[i].Blocks {
					if b.Call != nil && b.Call.Arguments == "" {
						b.Call.Arguments = "{}" // which clients parse
					}
				}
			}
			whole, err := Codec{}.DecodeResponse(Codec{}.EncodeResponse(nil, want, "m"))
			if err != nil || !reflect.DeepEqual(flat(whole), flat(want)) {
				t.Errorf("%s written: %v\ngot  %v\nwant %v", rec.Name, err, flat(whole), flat(want))
			}
			if got := throughAStream(t, want); !reflect.DeepEqual(flat(got), flat(want)) {
				t.Errorf("%s streamed:\ngot  %v\nwant %v", rec.Name, flat(got), flat(want))
			}
		}
	}
}
