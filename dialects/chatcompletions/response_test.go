package chatcompletions

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
)

func TestResponsesOfAllVendorsAreDecoded(t *testing.T) {
	whole := func(message, finish string) string {
		return `{"id":"c","model":"m","created":7,"choices":[{"index":0,"message":` + message + `,"finish_reason":` + finish + `}]}`
	}
	for _, tt := range []struct {
		name, body string
		want       []string
	}{
		{"text", whole(`{"role":"assistant","content":"a"}`, `"stop"`), []string{`0 text "a" []`, `0 stop stop`}},
		{"nothing", whole(`{"role":"assistant","content":null}`, `"stop"`), []string{`0 stop stop`}},
		{"reasoning before text", whole(`{"content":"a","reasoning":"hm"}`, `"length"`), []string{`0 thinking "hm" []`, `0 text "a" []`, `0 stop length`}},
		{"both names of reasoning", whole(`{"content":"a","reasoning":"hm","reasoning_content":"hm"}`, `"stop"`), []string{`0 thinking "hm" []`, `0 text "a" []`, `0 stop stop`}},
		{
			"Snowflake's empty members", whole(`{"content":"","refusal":"","audio":{"data":"","id":""},"function_call":{"name":"","arguments":""},"tool_calls":[{"id":"t","type":"function","custom":{"name":"","input":""},"function":{"name":"f","arguments":"{}"}}]}`, `""`),
			[]string{`0 call "" [] {ID:t Name:f Arguments:{} Custom:false Legacy:false}`, `0 stop tool_calls`},
		},
		{
			"a free-text call", whole(`{"content":null,"tool_calls":[{"id":"t","type":"custom","custom":{"name":"sh","input":"ls"}}]}`, `"tool_calls"`),
			[]string{`0 call "" [] {ID:t Name:sh Arguments:ls Custom:true Legacy:false}`, `0 stop tool_calls`},
		},
		{
			"stop in spite of calls", whole(`{"content":null,"tool_calls":[{"id":"t","function":{"name":"f","arguments":""}}]}`, `"stop"`),
			[]string{`0 call "" [] {ID:t Name:f Arguments: Custom:false Legacy:false}`, `0 stop tool_calls`},
		},
		{"refusal", whole(`{"content":null,"refusal":"no"}`, `"stop"`), []string{`0 refusal "no" []`, `0 stop stop`}},
		{"filter", whole(`{"content":""}`, `"content_filter"`), []string{`0 stop content_filter`}},
		{
			"Perplexity's sources", `{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"search_results":[{"title":"T","url":"u"}],"citations":["u"]}`,
			[]string{`0 text "a" [{u T  0 0 [] }]`, `0 stop stop`},
		},
		{"xAI's sources", `{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"citations":["u"]}`, []string{`0 text "a" [{u   0 0 [] }]`, `0 stop stop`}},
		{
			"two answers", `{"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"},{"index":1,"message":{"content":"b"},"finish_reason":"length"}]}`,
			[]string{`0 text "a" []`, `0 stop stop`, `1 text "b" []`, `1 stop length`},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Codec{}.DecodeResponse([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			got := flat(r)
			if got = got[:len(got)-1]; !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestAudioAndImagesAreKept(t *testing.T) {
	const body = `{"choices":[{"message":{"content":null,"audio":{"id":"a","data":"Zkx=","transcript":"hi","expires_at":1},"images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0="}}]},"finish_reason":"stop","logprobs":{"content":[]}}]}`
	r, err := Codec{}.DecodeResponse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	m := dialecttest.ValidJSON(t, Codec{}.EncodeResponse(nil, r, "alias")).Get("choices.0")
	for path, want := range map[string]string{
		"message.audio.data": "Zkx=", "message.audio.transcript": "hi", "message.images.0.image_url.url": "data:image/png;base64,iVBORw0=", "logprobs.content": "[]",
	} {
		if got := m.Get(path).String(); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}

func TestErrorsWithinA200AreErrors(t *testing.T) {
	for _, tt := range []struct {
		body   string
		status int
	}{
		{`{"error":{"message":"x","code":429}}`, 429},
		{`{"error":{"message":"x"}}`, 502},
		{`{"error":"x"}`, 502},
		{`{"object":"error","message":"x"}`, 502},
		{`{"id":"gen-1","choices":[{"index":0,"message":{"content":""},"finish_reason":"error","error":{"code":503,"message":"x"}}]}`, 503},
	} {
		_, err := Codec{}.DecodeResponse([]byte(tt.body))
		var e *conversation.Error
		if !errors.As(err, &e) || e.Status != tt.status || e.Message != "x" {
			t.Errorf("%s: %v", tt.body, err)
		}
	}
	for _, body := range []string{"", "<html>", `{"id":"c"}`, `{"choices":[`, `[]`} {
		if r, err := (Codec{}).DecodeResponse([]byte(body)); err == nil {
			t.Errorf("%q was decoded as %+v", body, r)
		}
	}
}

func TestResponsesAreWhatSDKsDemand(t *testing.T) {
	call := callBlock("c", "f", "")
	cited := txt("né")
	cited.Citations = []conversation.Citation{{URL: "u", Title: "t", Start: 0, End: 2}, {Title: "no link"}}
	for _, tt := range []struct {
		name string
		c    conversation.Choice
		want string
	}{
		{
			"text",
			conversation.Choice{Blocks: []conversation.Block{txt("a"), txt("b")}, Stop: conversation.StopEnd},
			`{"index":0,"message":{"role":"assistant","content":"ab","refusal":null},"logprobs":null,"finish_reason":"stop"}`,
		},
		{
			"nothing",
			conversation.Choice{Stop: conversation.StopLength},
			`{"index":0,"message":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":"length"}`,
		},
		{
			"thoughts and calls",
			conversation.Choice{Blocks: []conversation.Block{{Kind: conversation.Thinking, Text: "hm"}, call}, Stop: conversation.StopToolCalls},
			`{"index":0,"message":{"role":"assistant","content":null,"refusal":null,"reasoning_content":"hm","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},"logprobs":null,"finish_reason":"tool_calls"}`,
		},
		{
			"refusal without a text",
			conversation.Choice{Stop: conversation.StopRefusal, StopDetail: "not that"},
			`{"index":0,"message":{"role":"assistant","content":null,"refusal":"not that"},"logprobs":null,"finish_reason":"content_filter"}`,
		},
		{
			"filtered",
			conversation.Choice{Stop: conversation.StopFiltered},
			`{"index":0,"message":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":"content_filter"}`,
		},
		{
			"citations count characters of the whole content",
			conversation.Choice{Blocks: []conversation.Block{txt("été "), cited}},
			`{"index":0,"message":{"role":"assistant","content":"été né","refusal":null,"annotations":[{"type":"url_citation","url_citation":{"start_index":4,"end_index":6,"url":"u","title":"t"}}]},"logprobs":null,"finish_reason":"stop"}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &conversation.Response{ID: "msg_1", Model: "m", Created: 7, Choices: []conversation.Choice{tt.c}}
			want := `{"id":"chatcmpl-msg_1","object":"chat.completion","created":7,"model":"alias","choices":[` + tt.want + `]}`
			if got := string(Codec{}.EncodeResponse(nil, r, "alias")); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestWhatADialectLacksIsMadeUp(t *testing.T) {
	v := dialecttest.ValidJSON(t, Codec{}.EncodeResponse(nil, &conversation.Response{Model: "m"}, ""))
	if id := v.Get("id").Str; !strings.HasPrefix(id, "chatcmpl-") || len(id) < 20 {
		t.Errorf("id is %q", id)
	}
	if v.Get("created").Int() == 0 || v.Get("model").Str != "m" || !v.Get("choices").IsArray() {
		t.Errorf("got %s", v.Raw)
	}
}

func TestDecodingUndoesEncodingOfResponses(t *testing.T) {
	want := &conversation.Response{
		ID: "chatcmpl-1", Model: "m", Created: 7, ServiceTier: "flex", Origin: origin,
		Usage: conversation.Usage{Input: 1, CacheRead: 2, CacheWrite: 3, Output: 4, Reasoning: 5}, UsageKnown: true,
		Choices: []conversation.Choice{
			{Blocks: []conversation.Block{{Kind: conversation.Thinking, Text: "hm", Origin: origin}, txt("a"), callBlock("c", "f", `{"x": 1}`)}, Stop: conversation.StopToolCalls},
			{Blocks: []conversation.Block{{Kind: conversation.Refusal, Text: "no"}}, Stop: conversation.StopRefusal, Logprobs: json.RawMessage(`{"content":[]}`)},
			{Stop: conversation.StopFiltered},
		},
	}
	body := Codec{}.EncodeResponse(nil, want, "m")
	got, err := Codec{}.DecodeResponse(body)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v\nbody %s", got, err, want, body)
	}
}

func TestFinishReasonsMapBothWays(t *testing.T) {
	for wire, want := range map[string]conversation.StopReason{
		"stop": conversation.StopEnd, "eos": conversation.StopEnd, "length": conversation.StopLength, "model_length": conversation.StopLength,
		"tool_calls": conversation.StopToolCalls, "function_call": conversation.StopToolCalls, "content_filter": conversation.StopFiltered,
		"error": conversation.StopError, "": conversation.StopUnknown, "something new": conversation.StopEnd,
	} {
		if got := stopReason(wire); got != want {
			t.Errorf("%q is %d, want %d", wire, got, want)
		}
	}
	for _, wire := range [...]string{"stop", "length", "tool_calls", "content_filter", "error"} {
		if got := finishReason(stopReason(wire)); got != wire {
			t.Errorf("%q came back as %q", wire, got)
		}
	}
}

func TestDataURLsAreTakenApart(t *testing.T) {
	for _, tt := range []struct {
		url  string
		want *conversation.Media
	}{
		{"https://example.com/a", &conversation.Media{URL: "https://example.com/a"}},
		{"gs://bucket/a", &conversation.Media{URL: "gs://bucket/a"}},
		{"data:image/png;base64,AA==", &conversation.Media{MIME: "image/png", Data: "AA=="}},
		{"data:text/plain;charset=utf-8;base64,AA==", &conversation.Media{MIME: "text/plain", Data: "AA=="}},
		{"data:image/png,raw", nil},
		{"data:image/png;base64,", nil},
		{"AA==", nil},
		{"", nil},
	} {
		got := mediaFromURL(tt.url)
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %+v, want %+v", tt.url, got, tt.want)
		}
		if got != nil && !strings.Contains(tt.url, "charset") {
			if back := gjson.ParseBytes(dialects.AppendMediaURL(nil, got)).Str; back != tt.url {
				t.Errorf("%s came back as %s", tt.url, back)
			}
		}
	}
}
