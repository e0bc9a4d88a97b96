package chatcompletions

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// rewrite is the client's stream for a provider's: what the reader says, written again.
func rewrite(events []conversation.Event, usage bool) []byte {
	w := Codec{}.NewEventWriter(dialects.WriterOptions{Model: "alias", IncludeUsage: usage, RequestID: "req", Created: 9})
	var out []byte
	for i := range events {
		out = w.Append(out, &events[i])
	}
	return out
}

// TestStreamsAreRepaired reads testdata/streams/*/in.sse, which are streams as vendors write them, and compares the
// events (events.txt) and the stream that a client gets of them (out.sse).
func TestStreamsAreRepaired(t *testing.T) {
	for _, dir := range cases(t, "streams") {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			events, err := readEvents(bytes.NewReader(mustRead(t, dir, "in.sse")))
			if err != nil {
				t.Fatal(err)
			}
			if err := dialecttest.GrammarError(events); err != nil {
				t.Error(err)
			}
			dialecttest.Golden(t, filepath.Join(dir, "events.txt"), []byte(dump(events)))
			dialecttest.Golden(t, filepath.Join(dir, "out.sse"), rewrite(events, true))
		})
	}
}

func TestWhereAStreamIsCutIntoReadsMakesNoDifference(t *testing.T) {
	for _, dir := range cases(t, "streams") {
		in := mustRead(t, dir, "in.sse")
		whole, err := readEvents(bytes.NewReader(in))
		if err != nil {
			t.Fatal(err)
		}
		want := dump(whole)
		for split, r := range dialecttest.Splits(string(in), len(in)) {
			got, err := readEvents(r)
			if err != nil || dump(got) != want {
				t.Fatalf("%s %s: %v\n%s", dir, split, err, dump(got))
			}
		}
	}
}

// TestWhatIsWrittenReadsBackAsTheSame holds because the writer's stream is an ordinary one of this dialect.
func TestWhatIsWrittenReadsBackAsTheSame(t *testing.T) {
	for _, dir := range cases(t, "streams") {
		first, err := readEvents(bytes.NewReader(mustRead(t, dir, "in.sse")))
		if err != nil {
			t.Fatal(err)
		}
		second, err := readEvents(bytes.NewReader(rewrite(first, true)))
		if err != nil {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		want, got := fold(first), fold(second)
		want.ID, want.Model, want.Created = got.ID, got.Model, got.Created
		for i := range want.Choices {
			for j, b := range want.Choices[i].Blocks {
				if b.Call != nil && b.Call.Arguments == "" {
					want.Choices[i].Blocks[j].Call.Arguments = "{}"
				}
			}
		}
		if !reflect.DeepEqual(flat(got), flat(want)) {
			t.Errorf("%s: got  %v\nwant %v", dir, flat(got), flat(want))
		}
	}
}

// flat lists what a response says in a form that compares and prints well.
func flat(r *conversation.Response) (out []string) {
	for i, c := range r.Choices {
		for _, b := range c.Blocks {
			s := fmt.Sprintf("%d %s %q %v", i, dialecttest.KindName(b.Kind), b.Text, b.Citations)
			if b.Signature != "" {
				s += fmt.Sprintf(" %s %s %v", b.Origin, b.Signature, b.Redacted)
			}
			if b.Media != nil {
				s += fmt.Sprintf(" %+v", *b.Media)
			}
			if b.Call != nil {
				s += fmt.Sprintf(" %+v", *b.Call)
			}
			out = append(out, s)
		}
		out = append(out, fmt.Sprintf("%d stop %s", i, finishReason(c.Stop)))
	}
	return append(out, fmt.Sprintf("usage %v %+v", r.UsageKnown, r.Usage))
}

func TestAUnaryResponseIsTheFoldOfItsStream(t *testing.T) {
	for _, tt := range []struct{ name, unary, stream string }{
		{
			"text", `{"id":"c","model":"m","created":7,"choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}`,
			`{"id":"c","model":"m","created":7,"choices":[{"index":0,"delta":{"content":"Hel"}}]}
{"id":"c","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}`,
		},
		{
			"thoughts, text and calls without IDs", `{"id":"c","model":"m","created":7,"choices":[{"index":0,"message":{"content":"a","reasoning_content":"hm","tool_calls":[{"function":{"name":"f","arguments":"{}"}},{"function":{"name":"g","arguments":"{\"x\":1}"}}]},"finish_reason":"tool_calls"}]}`,
			`{"id":"c","model":"m","created":7,"choices":[{"index":0,"delta":{"reasoning_content":"h"}}]}
{"id":"c","choices":[{"index":0,"delta":{"reasoning_content":"m"}}]}
{"id":"c","choices":[{"index":0,"delta":{"content":"a"}}]}
{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{}"}}]}}]}
{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"name":"g","arguments":"{\"x\""}}]}}]}
{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":":1}"}}]},"finish_reason":"tool_calls"}]}`,
		},
		{
			"Mistral", `{"id":"c","model":"m","created":7,"choices":[{"index":0,"message":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"a"},{"type":"text","text":"b"}],"tool_calls":null},"finish_reason":"stop"}]}`,
			`{"id":"c","model":"m","created":7,"choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}}]}
{"id":"c","choices":[{"index":0,"delta":{"content":"ab"},"finish_reason":"stop"}]}`,
		},
		{
			"refusal", `{"id":"c","model":"m","created":7,"choices":[{"index":0,"message":{"content":null,"refusal":"no"},"finish_reason":"stop"}]}`,
			`{"id":"c","model":"m","created":7,"choices":[{"index":0,"delta":{"refusal":"no"},"finish_reason":"stop"}]}`,
		},
		{
			"citations", `{"id":"c","model":"m","created":7,"choices":[{"index":0,"message":{"content":"a","annotations":[{"type":"url_citation","url_citation":{"url":"u","title":"t","start_index":0,"end_index":1}}]},"finish_reason":"stop"}]}`,
			`{"id":"c","model":"m","created":7,"choices":[{"index":0,"delta":{"content":"a"}}]}
{"id":"c","choices":[{"index":0,"delta":{"annotations":[{"type":"url_citation","url_citation":{"url":"u","title":"t","start_index":0,"end_index":1}}]},"finish_reason":"stop"}]}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			unary, err := Codec{}.DecodeResponse([]byte(tt.unary))
			if err != nil {
				t.Fatal(err)
			}
			stream := "data: " + strings.ReplaceAll(tt.stream, "\n", "\n\ndata: ") + "\n\ndata: [DONE]\n\n"
			events, err := readEvents(strings.NewReader(stream))
			if err != nil {
				t.Fatal(err)
			}
			if got := fold(events); !reflect.DeepEqual(got, unary) {
				t.Errorf("stream %v\nunary  %v", flat(got), flat(unary))
			}
		})
	}
}

func TestAStreamThatEndsEarlyIsTruncated(t *testing.T) {
	for _, stream := range []string{
		"",
		": hello\n\n",
		"data: " + chunk(`"delta":{"content":"a"},"finish_reason":null`) + "\n\n",
		"data: " + chunk(`"delta":{"content":"a"},"finish_reason":""`) + "\n\n",
		"data: " + chunk(`"delta":{"content":"a"},"finish_reason":null`) + "\n\ndata: {\"id\":\"chatcm",
		"data: " + chunk(`"delta":{"content":"a"},"finish_reason":"stop"`) + "\n\ndata: " + strings.Replace(chunk(`"delta":{"content":"b"}`), `"index":0`, `"index":1`, 1) + "\n\n",
	} {
		events, err := readEvents(strings.NewReader(stream))
		if !errors.Is(err, dialects.ErrTruncated) {
			t.Errorf("%q: %v", stream, err)
		}
		if err := dialecttest.GrammarError(events); err != nil {
			t.Errorf("%q: %v", stream, err)
		}
	}
}

func TestAnEventThatIsNoJSONIsAnError(t *testing.T) {
	for _, data := range []string{"<html>", `{"choices":[`, "oops"} {
		if _, err := newEventReader().Read(sse.Event{Data: []byte(data), Raw: []byte("data: " + data + "\n\n")}, nil); err == nil {
			t.Errorf("%s was accepted", data)
		}
	}
}

func TestNothingFollowsTheEnd(t *testing.T) {
	for _, end := range []string{"[DONE]", `{"error":{"message":"x"}}`} {
		r := newEventReader()
		if _, err := r.Read(sse.Event{Data: []byte(end)}, nil); err != nil {
			t.Fatal(err)
		}
		more, err := r.Read(sse.Event{Data: []byte(chunk(`"delta":{"content":"a"}`))}, nil)
		if len(more) > 0 || err != nil {
			t.Errorf("after %s: %v, %v", end, more, err)
		}
		if more, err = r.End(nil); len(more) > 0 || err != nil {
			t.Errorf("End after %s: %v, %v", end, more, err)
		}
	}
}

func TestUsageHasAChunkOfItsOwnOnlyWhenAskedFor(t *testing.T) {
	events := []conversation.Event{
		{Type: conversation.EventStart, ID: "msg_1", Usage: conversation.Usage{Input: 3, CacheRead: 4}, UsageKnown: true},
		{Type: conversation.EventStop, Stop: conversation.StopEnd},
		{Type: conversation.EventUsage, Usage: conversation.Usage{Input: 3, CacheRead: 4, Output: 5}, UsageKnown: true},
		{Type: conversation.EventEnd},
	}
	const usage = `"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}}`
	const last = `"delta":{},"logprobs":null,"finish_reason":"stop"}],` + usage
	if out := rewrite(events, false); bytes.Contains(out, []byte(`"choices":[]`)) || strings.Count(string(out), "usage") != 1 || !bytes.Contains(out, []byte(last)) {
		t.Errorf("want the usage in the last chunk of the answer:\n%s", out)
	}
	const want = `"choices":[],` + usage
	if out := rewrite(events, true); strings.Count(string(out), want) != 1 || strings.Count(string(out), `"usage":null`) != 2 {
		t.Errorf("want the usage once and null in the other chunks:\n%s", out)
	}
}

func TestBlocksThatComeWholeAreWritten(t *testing.T) {
	events := []conversation.Event{
		{Type: conversation.EventStart},
		{Type: conversation.EventBlockStart, Index: 0, Block: &conversation.Block{Kind: conversation.Thinking, Signature: "s", Redacted: true}},
		{Type: conversation.EventBlockStop, Index: 0},
		{Type: conversation.EventBlockStart, Index: 1, Block: &conversation.Block{Kind: conversation.Text, Text: "héllo", Citations: []conversation.Citation{{Title: "a document"}}}},
		{Type: conversation.EventBlockStop, Index: 1},
		{Type: conversation.EventBlockStart, Index: 2, Block: &conversation.Block{Kind: conversation.Text}},
		{Type: conversation.EventDelta, Index: 2, Text: "you"},
		{Type: conversation.EventDelta, Index: 2, Delta: conversation.DeltaCitation, Citation: &conversation.Citation{URL: "u", End: 3}},
		{Type: conversation.EventBlockStop, Index: 2},
		{Type: conversation.EventBlockStart, Index: 3, Block: &conversation.Block{Kind: conversation.Image, Media: &conversation.Media{MIME: "image/png", Data: "iVBORw0="}}},
		{Type: conversation.EventBlockStop, Index: 3},
		{Type: conversation.EventBlockStart, Index: 4, Block: &conversation.Block{Kind: conversation.Call, Call: &conversation.ToolCall{ID: "c", Name: "f", Arguments: `{"x":1}`}}},
		{Type: conversation.EventBlockStop, Index: 4},
		{Type: conversation.EventStop, Stop: conversation.StopRefusal, StopDetail: "not that"},
		{Type: conversation.EventEnd},
	}
	var got []string
	err := frames(bytes.NewReader(rewrite(events, false)), func(ev sse.Event) error {
		if string(ev.Data) == "[DONE]" {
			return nil
		}
		v := dialecttest.ValidJSON(t, ev.Data)
		if v.Get("object").Str != "chat.completion.chunk" || v.Get("id").Str != "chatcmpl-req" || v.Get("created").Int() != 9 || v.Get("model").Str != "alias" {
			t.Errorf("chunk %s", ev.Data)
		}
		got = append(got, v.Get("choices.0.delta").Raw)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"role":"assistant","content":""}`, `{"content":"héllo"}`,
		`{"content":"you"}`,
		`{"annotations":[{"type":"url_citation","url_citation":{"start_index":5,"end_index":8,"url":"u","title":""}}]}`,
		`{"images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0="}}]}`,
		`{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]}`,
		`{"refusal":"not that"}`, `{}`,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
