package responses

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// whole is an answer with every kind of item, and wholeStream the stream that it comes in.
var (
	reasoningDone = `{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"Hm.\n"},{"type":"summary_text","text":"So."}],"encrypted_content":"c2ln"}`
	messageDone   = `{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[{"type":"url_citation","start_index":0,"end_index":4,"url":"https://x","title":"T"}],"logprobs":[{"token":"Grüß ","logprob":-0.10,"bytes":null,"top_logprobs":[]},{"token":"😀","logprob":0,"bytes":null,"top_logprobs":[]}],"text":"Grüß 😀"},{"type":"refusal","refusal":"No."}]}`
	searchDone    = `{"id":"ws_1","type":"web_search_call","status":"completed","action":{"type":"search","query":"q"}}`
	callDone      = `{"id":"fc_1","type":"function_call","status":"completed","arguments":"{\"n\": 1.50}","call_id":"call_1","name":"f"}`
	customDone    = `{"id":"ctc_1","type":"custom_tool_call","status":"completed","input":"a\nb","call_id":"call_2","name":"patch"}`
	wholeUsage    = `{"input_tokens":20,"input_tokens_details":{"cached_tokens":5},"output_tokens":40,"output_tokens_details":{"reasoning_tokens":15},"total_tokens":60}`
	whole         = `{"id":"resp_1","object":"response","created_at":7,"status":"completed","error":null,"model":"m","output":[` +
		strings.Join([]string{reasoningDone, messageDone, searchDone, callDone, customDone}, ",") + `],"usage":` + wholeUsage + `}`
	wholeStream = named(
		`{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","created_at":7,"model":"m","output":[]}}`,
		`{"type":"response.output_item.added","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}}`,
		`{"type":"response.reasoning_summary_part.added","output_index":0,"summary_index":0}`,
		`{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"Hm.\n"}`,
		`{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":1,"delta":"So."}`,
		`{"type":"response.output_item.done","output_index":0,"item":`+reasoningDone+`}`,
		`{"type":"response.output_item.added","output_index":1,"item":{"id":"msg_1","type":"message","content":[]}}`,
		`{"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"Gr\u00fc\u00df ","logprobs":[{"token":"Grüß ","logprob":-0.10,"bytes":null,"top_logprobs":[]}]}`,
		`{"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"\ud83d\ude00","logprobs":[{"token":"😀","logprob":0,"bytes":null,"top_logprobs":[]}]}`,
		`{"type":"response.output_text.annotation.added","output_index":1,"content_index":0,"annotation":{"type":"url_citation","start_index":0,"end_index":4,"url":"https://x","title":"T"}}`,
		`{"type":"response.content_part.done","output_index":1,"content_index":0}`,
		`{"type":"response.refusal.delta","output_index":1,"content_index":1,"delta":"No."}`,
		`{"type":"response.output_item.done","output_index":1,"item":`+messageDone+`}`,
		`{"type":"response.output_item.added","output_index":2,"item":{"id":"ws_1","type":"web_search_call"}}`,
		`{"type":"response.output_item.done","output_index":2,"item":`+searchDone+`}`,
		`{"type":"response.output_item.added","output_index":3,"item":{"type":"function_call","arguments":"","call_id":"call_1","name":"f"}}`,
		`{"type":"response.function_call_arguments.delta","output_index":3,"delta":"{\"n\":"}`,
		`{"type":"response.function_call_arguments.delta","output_index":3,"delta":" 1.50}"}`,
		`{"type":"response.output_item.done","output_index":3,"item":`+callDone+`}`,
		`{"type":"response.output_item.added","output_index":4,"item":{"type":"custom_tool_call","input":"","call_id":"call_2","name":"patch"}}`,
		`{"type":"response.output_item.done","output_index":4,"item":`+customDone+`}`,
		`{"type":"response.completed","response":`+whole+`}`,
	)
)

func mustDecodeResponse(t testing.TB, body string) *conversation.Response {
	t.Helper()
	r, err := Codec{}.DecodeResponse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAStreamFoldsToTheUnaryAnswer(t *testing.T) {
	events, err := readStream(strings.NewReader(wholeStream))
	if err != nil {
		t.Fatal(err)
	}
	dialecttest.CheckGrammar(t, events)
	want := mustDecodeResponse(t, whole)
	if got := fold(events); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %s\nwant %s", dialecttest.JSONText(got), dialecttest.JSONText(want))
	}
	if want.Usage != (conversation.Usage{Input: 15, CacheRead: 5, Output: 25, Reasoning: 15, WebSearches: 1}) || want.Choices[0].Stop != conversation.StopToolCalls {
		t.Errorf("usage %+v, stop %v", want.Usage, want.Choices[0].Stop)
	}
	if len(want.Choices[0].Blocks) != 6 {
		t.Errorf("blocks %s", dialecttest.JSONText(want.Choices[0].Blocks))
	}
}

func TestWhereTheNetworkCutsAStreamMakesNoDifference(t *testing.T) {
	want, err := readStream(strings.NewReader(wholeStream))
	if err != nil {
		t.Fatal(err)
	}
	for split, r := range dialecttest.Splits(wholeStream, len(wholeStream)) {
		got, err := readStream(r)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: %v\n%s", split, err, dialecttest.JSONText(got))
		}
	}
}

func TestWhatIsWrittenReadsTheSame(t *testing.T) {
	want := mustDecodeResponse(t, whole)
	body := Codec{}.EncodeResponse(nil, want, "m")
	if got := mustDecodeResponse(t, string(body)); !reflect.DeepEqual(got, want) {
		t.Errorf("unary: got  %s\nwant %s", dialecttest.JSONText(got), dialecttest.JSONText(want))
	}
	events, _ := readStream(strings.NewReader(wholeStream))
	out := write(dialects.WriterOptions{Model: "m"}, events...)
	again, err := readStream(strings.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	if got := fold(again); !reflect.DeepEqual(got, want) {
		t.Errorf("stream: got  %s\nwant %s", dialecttest.JSONText(got), dialecttest.JSONText(want))
	}
	checkStream(t, out, string(body))
}

// checkStream holds a written stream against the rules of the dialect: numbers rise by one from zero, what is done says
// what the deltas said, and the final event repeats all items.
func checkStream(t *testing.T, out, unary string) {
	t.Helper()
	deltas, dones := map[string]string{}, map[string]string{}
	var items []string
	var last gjson.Result
	n := int64(0)
	dialecttest.EachFrame(t, strings.NewReader(out), func(ev sse.Event) {
		e := gjson.ParseBytes(ev.Data)
		if e.Get("type").String() != string(ev.Name) || e.Get("sequence_number").Int() != n {
			t.Errorf("event %d: %s", n, ev.Data)
		}
		n++
		kind := e.Get("type").String()
		base := kind[:strings.LastIndexByte(kind, '.')]
		key := base + e.Get("item_id").String() + e.Get("content_index").String() + e.Get("summary_index").String()
		switch {
		case strings.HasSuffix(kind, ".delta"):
			deltas[key] += e.Get("delta").String()
		case kind == "response.output_item.done":
			items = append(items, e.Get("item").Raw)
		case strings.HasSuffix(kind, ".done") && !strings.HasSuffix(base, "_part"):
			for _, text := range []string{"text", "refusal", "arguments", "input"} {
				dones[key] += e.Get(text).String()
			}
		}
		last = e
	})
	if !reflect.DeepEqual(deltas, dones) || len(deltas) == 0 {
		t.Errorf("deltas %v\ndone   %v", deltas, dones)
	}
	var final []string
	for _, item := range last.Get("response.output").Array() {
		final = append(final, item.Raw)
	}
	if !slices.Equal(final, items) {
		t.Errorf("the final event has %q, streamed were %q", final, items)
	}
	if got := last.Get("response").Raw; got != unary {
		t.Errorf("final %s\nunary %s", got, unary)
	}
}

func TestTheOrderOfEvents(t *testing.T) {
	text := &conversation.Block{Kind: conversation.Text}
	call := &conversation.Block{Kind: conversation.Call, Call: &conversation.ToolCall{ID: "c", Name: "f"}}
	out := write(
		dialects.WriterOptions{Model: "m", RequestID: "r", Created: 5},
		conversation.Event{Type: conversation.EventStart},
		conversation.Event{Type: conversation.EventBlockStart, Block: text},
		conversation.Event{Type: conversation.EventDelta, Text: "hi"},
		conversation.Event{Type: conversation.EventBlockStop},
		conversation.Event{Type: conversation.EventBlockStart, Index: 1, Block: call},
		conversation.Event{Type: conversation.EventBlockStop, Index: 1},
		conversation.Event{Type: conversation.EventStop, Stop: conversation.StopLength},
		conversation.Event{Type: conversation.EventUsage, Usage: conversation.Usage{Input: 1, Output: 2}, UsageKnown: true},
		conversation.Event{Type: conversation.EventEnd},
	)
	var got []string
	var last gjson.Result
	dialecttest.EachFrame(t, strings.NewReader(out), func(ev sse.Event) {
		got = append(got, strings.TrimPrefix(string(ev.Name), "response."))
		last = gjson.ParseBytes(bytesOf(ev))
	})
	want := []string{
		"created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "output_text.done",
		"content_part.done", "output_item.done", "output_item.added", "function_call_arguments.delta",
		"function_call_arguments.done", "output_item.done", "incomplete",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for path, want := range map[string]string{
		"response.id": "resp_r", "response.created_at": "5", "response.status": "incomplete", "response.model": "m",
		"response.incomplete_details.reason": "max_output_tokens", "response.usage.total_tokens": "3",
		"response.output.0.id": "msg_r_0", "response.output.1.id": "fc_r_1", "response.output.1.arguments": "{}",
	} {
		if got := last.Get(path).String(); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
}

func bytesOf(ev sse.Event) []byte { return slices.Clone(ev.Data) }

func TestForeignReasoningComesBack(t *testing.T) {
	for _, want := range []conversation.Block{
		{Kind: conversation.Thinking, Text: "Hm.", Signature: "c2ln", Origin: "messages"},
		{Kind: conversation.Thinking, Signature: "ZGF0YQ", Origin: "messages", Redacted: true},
		{Kind: conversation.Thinking, Signature: "sig", Origin: "gemini"},
		{Kind: conversation.Thinking, Text: "Hm.", Signature: "own", Origin: "responses"},
	} {
		r := &conversation.Response{ID: "x", Choices: []conversation.Choice{{Blocks: []conversation.Block{want}}}}
		item := gjson.GetBytes(Codec{}.EncodeResponse(nil, r, "m"), "output.0").Raw
		got := dialecttest.MustDecode(t, Codec{}, `{"model":"m","input":[`+item+`]}`).Messages[0].Blocks[0]
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s came back as %+v, want %+v", item, got, want)
		}
	}
}

func TestHowAnswersEnd(t *testing.T) {
	for _, c := range []struct {
		name   string
		choice conversation.Choice
		want   map[string]string
	}{
		{
			"a refusal without a word is put into words",
			conversation.Choice{Stop: conversation.StopRefusal, StopDetail: "Not this."},
			map[string]string{"status": "completed", "output.0.content.0.refusal": "Not this."},
		},
		{"a filter", conversation.Choice{Stop: conversation.StopFiltered}, map[string]string{"status": "incomplete", "incomplete_details.reason": "content_filter"}},
		{"an error", conversation.Choice{Stop: conversation.StopError, StopDetail: "Broken."}, map[string]string{"status": "failed", "error.message": "Broken."}},
		{"thoughts that say nothing are left out", conversation.Choice{Blocks: []conversation.Block{{Kind: conversation.Thinking}}}, map[string]string{"status": "completed", "output.#": "0"}},
		{
			"an image",
			conversation.Choice{Blocks: []conversation.Block{{Kind: conversation.Image, Media: &conversation.Media{Data: "aW1n"}}}},
			map[string]string{"output.0.type": "image_generation_call", "output.0.result": "aW1n"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := gjson.ParseBytes(Codec{}.EncodeResponse(nil, &conversation.Response{ID: "x", Choices: []conversation.Choice{c.choice}}, "m"))
			for path, want := range c.want {
				if v := got.Get(path).String(); v != want {
					t.Errorf("%s is %q, want %q in %s", path, v, want, got.Raw)
				}
			}
		})
	}
}

func TestAnErrorContinuesTheNumbering(t *testing.T) {
	out := write(
		dialects.WriterOptions{Model: "m"},
		conversation.Event{Type: conversation.EventStart, ID: "chatcmpl-1"},
		conversation.Event{Type: conversation.EventError, Error: &conversation.Error{Status: 529, Message: "busy"}},
		conversation.Event{Type: conversation.EventEnd},
	)
	n := int64(0)
	var last gjson.Result
	dialecttest.EachFrame(t, strings.NewReader(out), func(ev sse.Event) {
		if last = gjson.ParseBytes(bytesOf(ev)); last.Get("sequence_number").Int() != n {
			t.Errorf("event %d: %s", n, ev.Data)
		}
		n++
	})
	if n != 4 || last.Get("type").String() != "response.failed" || last.Get("response.id").String() != "resp_1" {
		t.Errorf("%d events, the last is %s", n, last.Raw)
	}
}

func TestAFailedAnswerHasWhatCameBefore(t *testing.T) {
	start := func(i int, b conversation.Block) conversation.Event {
		return conversation.Event{Type: conversation.EventBlockStart, Index: i, Block: &b}
	}
	failed := conversation.Event{Type: conversation.EventError, Error: &conversation.Error{Status: 500, Message: "broken"}}
	call := start(1, conversation.Block{Kind: conversation.Call, Call: &conversation.ToolCall{ID: "c", Name: "f", Arguments: `{"a"`}})
	text := []conversation.Event{{Type: conversation.EventStart}, start(0, conversation.Block{Kind: conversation.Text}), {Type: conversation.EventDelta, Text: "par"}}
	for name, c := range map[string]struct {
		events []conversation.Event
		want   []string // type, status and text of each item
	}{
		"a text that is cut off": {append(slices.Clone(text), failed), []string{"message incomplete par"}},
		"a call that is cut off": {append(slices.Clone(text), conversation.Event{Type: conversation.EventBlockStop}, call, failed), []string{"message completed par"}},
		"nothing has come":       {[]conversation.Event{{Type: conversation.EventStart}, failed}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var last gjson.Result
			dialecttest.EachFrame(t, strings.NewReader(write(dialects.WriterOptions{Model: "m"}, c.events...)), func(ev sse.Event) {
				last = gjson.ParseBytes(bytesOf(ev))
			})
			var got []string
			for _, item := range last.Get("response.output").Array() {
				got = append(got, item.Get("type").String()+" "+item.Get("status").String()+" "+item.Get("content.0.text").String())
			}
			if !slices.Equal(got, c.want) || last.Get("response.error.message").String() != "broken" {
				t.Errorf("got %q, want %q: %s", got, c.want, last.Raw)
			}
		})
	}
}

func TestTheReaderRepairsWhatServersGetWrong(t *testing.T) {
	done := func(i, item string) string {
		return `{"type":"response.output_item.done","output_index":` + i + `,"item":` + item + `}`
	}
	completed := func(items ...string) string {
		return `{"type":"response.completed","response":{"id":"r","model":"m","status":"completed","output":[` + strings.Join(items, ",") + `]}}`
	}
	hello := `{"type":"message","content":[{"type":"output_text","text":"hello"}]}`
	cited := `{"type":"message","content":[{"type":"output_text","text":"hello","annotations":[{"type":"url_citation","url":"https://a"},{"type":"url_citation","url":"https://b"}]}]}`
	f := `{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}`
	g := `{"type":"function_call","call_id":"d","name":"g","arguments":"{\"a\":1}"}`
	for _, c := range []struct {
		name, stream string
		want         []string // the texts and calls
		err          error
	}{
		{"nothing but the final event", bare(completed(hello)), []string{"hello"}, nil},
		{"items that come whole", bare(done("0", hello), completed(hello)), []string{"hello"}, nil},
		{
			"half a character",
			bare(
				`{"type":"response.output_item.added","output_index":0,"item":{"type":"message"}}`,
				"{\"type\":\"response.output_text.delta\",\"output_index\":0,\"delta\":\"a\xe2\x82\"}", completed(),
			),
			[]string{"a\xe2\x82"},
			nil,
		},
		{
			"calls written at the same time",
			bare(
				`{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","call_id":"c","name":"f"}}`,
				`{"type":"response.output_item.added","output_index":1,"item":{"type":"function_call","call_id":"d","name":"g"}}`,
				`{"type":"response.function_call_arguments.delta","output_index":1,"delta":"{\"a\""}`,
				`{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{}"}`,
				done("1", g), done("0", f), completed(f, g),
			),
			[]string{"f{}", `g{"a":1}`},
			nil,
		},
		{
			"sources named after their text was closed, or only when all is done",
			bare(
				`{"type":"response.output_item.added","output_index":0,"item":{"type":"message"}}`,
				`{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"hello"}`,
				`{"type":"response.content_part.done","output_index":0,"content_index":0}`,
				`{"type":"response.output_text.annotation.added","output_index":0,"content_index":0,"annotation":{"type":"url_citation","url":"https://a"}}`,
				done("0", cited), completed(cited),
			),
			[]string{"hello https://a https://b"},
			nil,
		},
		{
			"an answer in OpenRouter's manner, and reasoning in LM Studio's",
			bare(
				`{"type":"response.output_item.added","output_index":0,"item":{"type":"reasoning"}}`,
				`{"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"delta":"hm"}`,
				done("0", `{"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]}`),
				`{"type":"response.output_item.added","output_index":1,"item":{"type":"message"}}`,
				`{"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"hello"}`,
				done("1", hello), completed(hello),
			) + "data: [DONE]\n\n",
			[]string{"hm", "hello"},
			nil,
		},
		{"[DONE] after the end", bare(completed(hello)) + "data: [DONE]\n\n", []string{"hello"}, nil},
		{"[DONE] alone is no end", "data: [DONE]\n\n", nil, dialects.ErrTruncated},
		{"no end", bare(done("0", hello)), []string{"hello"}, dialects.ErrTruncated},
	} {
		t.Run(c.name, func(t *testing.T) {
			events, err := readStream(strings.NewReader(c.stream))
			if err != c.err {
				t.Fatal(err)
			}
			dialecttest.CheckGrammar(t, events)
			var got []string
			for _, b := range fold(events).Choices[0].Blocks {
				if b.Kind == conversation.Call {
					b.Text = b.Call.Name + b.Call.Arguments
				}
				for _, source := range b.Citations {
					b.Text += " " + source.URL
				}
				got = append(got, b.Text)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestFailuresAreErrors(t *testing.T) {
	for name, doc := range map[string]string{
		"an error event":             `{"type":"error","error":{"code":"rate_limit_exceeded","message":"slow"}}`,
		"an error event of old":      `{"type":"error","code":"rate_limit_exceeded","message":"slow"}`,
		"a response that has failed": `{"type":"response.failed","response":{"status":"failed","output":[],"error":{"code":"rate_limit_exceeded","message":"slow"}}}`,
	} {
		events, err := readStream(strings.NewReader(named(doc)))
		if err != nil || len(events) == 0 {
			t.Fatalf("%s: %v, %v", name, events, err)
		}
		if e := events[len(events)-1].Error; e == nil || e.Status != 429 || e.Message != "slow" {
			t.Errorf("%s: %+v", name, e)
		}
	}
}
