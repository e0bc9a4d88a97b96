package responses

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
)

func TestRecordedRequestsAreDecodedAndWrittenAgain(t *testing.T) {
	dialecttest.EachRecorded(t, "openai.responses", func(t *testing.T, x *dialecttest.Exchange) {
		if x.Request == nil {
			t.Skip("no request")
		}
		body := gjson.ParseBytes(x.Request)
		r, err := dialecttest.Decode(Codec{}, body.Raw)
		stored := body.Get("previous_response_id").String() != "" || body.Get("conversation").String() != "" || body.Get(`input.#(type=="item_reference")`).Exists()
		if stored || !body.Get("input.0").Exists() && body.Get("input").String() == "" {
			var e *dialects.RequestError
			if !errors.As(err, &e) || e.Param == "" {
				t.Fatalf("got %v for a request that others cannot continue", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		out, _ := dialecttest.MustEncode(t, Codec{}, r, dialects.EncodeOptions{Model: r.Model, Vendor: "openai"})
		got := gjson.Parse(out)
		for _, path := range []string{"instructions", "tools.#(type==\"function\")#.name", "max_output_tokens", "text.format.schema", `input.#(type%"function_call*")#.call_id`} {
			want := body.Get(path)
			if want.Type == gjson.Null || want.Raw == "[]" || want.Raw == "0" {
				continue
			}
			// Tools that were handed out later follow those that were declared.
			if !strings.HasPrefix(got.Get(path).String(), strings.TrimSuffix(want.String(), "]")) {
				t.Errorf("%s: got %s, want %s", path, got.Get(path).Raw, want.Raw)
			}
		}
		again := dialecttest.MustDecode(t, Codec{}, out)
		again.Extra, r.Extra = nil, nil // what stands for itself was left out, and store was said
		again.CacheKey, r.CacheKey = "", ""
		if twice, _ := dialecttest.MustEncode(t, Codec{}, again, dialects.EncodeOptions{Model: r.Model, Vendor: "openai"}); !strings.Contains(twice, got.Get("input").Raw) {
			t.Errorf("encoded, decoded and encoded again, the input is\n%s\nwant\n%s", gjson.Get(twice, "input").Raw, got.Get("input").Raw)
		}
	})
}

// recordedText is all visible text of a response and recordedCalls its calls, found without the code under test.
func recordedText(r gjson.Result) (text string, calls []string) {
	r.Get("output").ForEach(func(_, item gjson.Result) bool {
		switch item.Get("type").String() {
		case "message":
			item.Get("content").ForEach(func(_, part gjson.Result) bool {
				text += part.Get("text").String() + part.Get("refusal").String()
				return true
			})
		case "function_call":
			calls = append(calls, item.Get("call_id").String()+item.Get("name").String()+item.Get("arguments").String())
		case "custom_tool_call":
			calls = append(calls, item.Get("call_id").String()+item.Get("name").String()+item.Get("input").String())
		}
		return true
	})
	return text, calls
}

func TestRecordedResponsesAreReadAndWrittenWhole(t *testing.T) {
	dialecttest.EachRecorded(t, "openai.responses", func(t *testing.T, x *dialecttest.Exchange) {
		want, deltas := finalOf(x)
		wantText, _ := recordedText(want)
		if deltas > 0 && deltas < len(wantText) {
			t.Skip("a stream whose final event says something else than its deltas")
		}
		if x.Status != 200 || want.Get("object").String() == "chat.completion" {
			t.Skip("no answer of this dialect")
		}
		var got *conversation.Response
		if x.Streaming {
			events, err := readStream(strings.NewReader(x.Body))
			if err != nil {
				t.Fatal(err)
			}
			dialecttest.CheckGrammar(t, events)
			got = fold(events)
			out := write(dialects.WriterOptions{Model: got.Model}, events...)
			again, err := readStream(strings.NewReader(out))
			if err != nil {
				t.Fatal(err)
			}
			compareAnswers(t, fold(again), want)
		} else {
			var err error
			if got, err = (Codec{}).DecodeResponse([]byte(x.Body)); err != nil {
				t.Fatal(err)
			}
		}
		compareAnswers(t, got, want)
		again := gjson.ParseBytes(Codec{}.EncodeResponse(nil, got, got.Model))
		text, calls := recordedText(again)
		if wantText, wantCalls := recordedText(want); text != wantText || !reflect.DeepEqual(calls, wantCalls) {
			t.Errorf("written again: %q %q, want %q %q", text, calls, wantText, wantCalls)
		}
		for _, path := range []string{"status", "output.#", "usage.input_tokens", "usage.output_tokens", "usage.total_tokens"} {
			if w := want.Get(path); w.Exists() && again.Get(path).String() != w.String() && path != "output.#" && w.String() != "complete" {
				t.Errorf("%s: got %s, want %s", path, again.Get(path).Raw, w.Raw)
			}
		}
	})
}

// compareAnswers compares text, calls and usage with those of a response as it was recorded.
func compareAnswers(t *testing.T, got *conversation.Response, want gjson.Result) {
	t.Helper()
	var text string
	var calls []string
	for _, b := range got.Choices[0].Blocks {
		switch b.Kind {
		case conversation.Text, conversation.Refusal:
			text += b.Text
		case conversation.Call:
			calls = append(calls, b.Call.ID+b.Call.Name+b.Call.Arguments)
		}
	}
	wantText, wantCalls := recordedText(want)
	if text != wantText || !reflect.DeepEqual(calls, wantCalls) {
		t.Errorf("got %q %q, want %q %q", text, calls, wantText, wantCalls)
	}
	u := want.Get("usage")
	if in, out := u.Get("input_tokens").Int(), u.Get("output_tokens").Int(); got.Usage.TotalInput() != in || got.Usage.TotalOutput() != out {
		t.Errorf("usage %+v, want %d in and %d out", got.Usage, in, out)
	}
}
