package gemini

import (
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

func TestMeterStream(t *testing.T) {
	const finish = `{"candidates":[{"finishReason":"STOP"}]}`
	for _, c := range []struct {
		name    string
		stream  string
		signals string // one word per frame
		usage   string // "?" for unknown
		stop    string
		bytes   int64
	}{
		{
			name: "text with cumulative usage: the last one counts",
			stream: frames(`{"candidates":[{"content":{"parts":[{"text":"He\nllo"}]}}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":1}}`,
				`{"candidates":[{"content":{"parts":[{"text":"!"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":3,"thoughtsTokenCount":7}}`),
			signals: "c ct", usage: "in=5 out=3 reasoning=7", stop: "end", bytes: 7,
		},
		{
			name: "an empty text and a signature show nothing",
			stream: frames(`{"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"c2ln"}]}}]}`,
				finish),
			signals: "- t", usage: "?", stop: "end",
		},
		{
			name:    "a call stops for the call, wherever its finish reason stands",
			stream:  frames(`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":1}}}]}}]}`, finish),
			signals: "c t", usage: "?", stop: "calls", bytes: 8,
		},
		{
			name: "pieces of arguments are output",
			stream: frames(`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","willContinue":true}}]}}]}`,
				`{"candidates":[{"content":{"parts":[{"functionCall":{"partialArgs":[{"jsonPath":"$.a","stringValue":"xyz"},{"jsonPath":"$.b","numberValue":12}],"willContinue":true}}]}}]}`, finish),
			signals: "c c t", usage: "?", stop: "calls", bytes: 6,
		},
		{
			name:    "an image is content",
			stream:  frames(`{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]},"finishReason":1}]}`),
			signals: "ct", usage: "?", stop: "end",
		},
		{
			name:    "a blocked prompt is an end",
			stream:  frames(`{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"trafficType":"ON_DEMAND"}}`),
			signals: "t", usage: "?", stop: "filtered",
		},
		{
			name: "a stream of two answers ends with the second one",
			stream: frames(`{"candidates":[{"index":0,"content":{"parts":[{"text":"a"}]}},{"index":1,"content":{"parts":[{"text":"b"}]}}]}`,
				`{"candidates":[{"index":1,"finishReason":"STOP"}]}`, `{"candidates":[{"index":0,"finishReason":"MAX_TOKENS"}]}`),
			signals: "c - t", usage: "?", stop: "length", bytes: 2,
		},
		{
			name:    "an error in a 200",
			stream:  frames(`{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}`),
			signals: "e", usage: "?", stop: "error",
		},
		{
			name:    "an error in an array",
			stream:  frames(`[{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}]`),
			signals: "e", usage: "?", stop: "error",
		},
		{
			name: "cached and audio tokens are classes of their own",
			stream: frames(`{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":100,"cachedContentTokenCount":40,"toolUsePromptTokenCount":9,"candidatesTokenCount":8,` +
				`"promptTokensDetails":[{"modality":"TEXT","tokenCount":70},{"modality":"AUDIO","tokenCount":30}],"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":10},{"modality":"TEXT","tokenCount":30}],` +
				`"candidatesTokensDetails":[{"modality":4,"tokenCount":5}]}}`),
			signals: "t", usage: "in=49 read=30 audio_in=20 audio_read=10 out=3 audio_out=5", stop: "end",
		},
		{
			name:    "counts as text and in exponents",
			stream:  frames(`{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":"7","candidatesTokenCount":1e3}}`),
			signals: "t", usage: "in=7 out=1000", stop: "end",
		},
		{
			name: "pictures, video and sound are classes of their own, also those that tools brought in; documents are text",
			stream: frames(`{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1000,"cachedContentTokenCount":400,"toolUsePromptTokenCount":90,"candidatesTokenCount":1300,"totalTokenCount":2390,` +
				`"promptTokensDetails":[{"modality":"TEXT","tokenCount":50},{"modality":"IMAGE","tokenCount":500},{"modality":"VIDEO","tokenCount":300},{"modality":"AUDIO","tokenCount":100},{"modality":"DOCUMENT","tokenCount":50}],` +
				`"cacheTokensDetails":[{"modality":"IMAGE","tokenCount":240},{"modality":"VIDEO","tokenCount":160}],"toolUsePromptTokensDetails":[{"modality":"IMAGE","tokenCount":60},{"modality":"TEXT","tokenCount":30}],` +
				`"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":1290},{"modality":"TEXT","tokenCount":10}]}}`),
			signals: "t", usage: "in=130 read=160 audio_in=100 image_in=320 video_in=140 image_read=240 out=10 image_out=1290", stop: "end",
		},
		{
			name: "counts start again with every step, and the last chunk has their sum",
			stream: frames(`{"candidates":[{}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":20,"thoughtsTokenCount":419,"totalTokenCount":447}}`,
				`{"candidates":[{}],"usageMetadata":{"promptTokenCount":8,"totalTokenCount":8}}`,
				`{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":27,"toolUsePromptTokenCount":71,"candidatesTokenCount":122,"thoughtsTokenCount":447,"totalTokenCount":667}}`),
			signals: "- - t", usage: "in=98 out=122 reasoning=447", stop: "end",
		},
		{
			name: "a sum that is lower than one of its steps is not believed",
			stream: frames(`{"candidates":[{}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":20}}`,
				`{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":2}}`),
			signals: "- t", usage: "in=8 out=20 invalid", stop: "end",
		},
		{
			name:    "more sound than there is prompt is not believed",
			stream:  frames(`{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":2,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":9}]}}`),
			signals: "t", usage: "? invalid", stop: "end",
		},
		{
			name:    "a total alone is that of embeddings",
			stream:  frames(`{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"totalTokenCount":11}}`),
			signals: "t", usage: "in=11", stop: "end",
		},
		{
			name: "a negative count makes the usage invalid",
			stream: frames(`{"usageMetadata":{"promptTokenCount":7}}`,
				`{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":-7,"candidatesTokenCount":1}}`),
			signals: "- t", usage: "in=7 invalid", stop: "end",
		},
		{
			name:    "zero is known",
			stream:  frames(`{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"totalTokenCount":0}}`),
			signals: "t", usage: "", stop: "end",
		},
		{
			name: "Gemini 3 bills every search",
			stream: frames(`{"modelVersion":"gemini-3-pro","candidates":[{"finishReason":"STOP","groundingMetadata":{"webSearchQueries":["a","b"]}}],"usageMetadata":{"promptTokenCount":1}}`,
				`{"modelVersion":"gemini-3-pro","candidates":[{"groundingMetadata":{"webSearchQueries":["a","b"]}}]}`),
			signals: "t t", usage: "in=1 searches=2", stop: "end",
		},
		{
			name:    "Gemini 2.5 bills the grounded prompt",
			stream:  frames(`{"modelVersion":"gemini-2.5-pro","candidates":[{"finishReason":"STOP","groundingMetadata":{"webSearchQueries":["a","b"]}}],"usageMetadata":{"promptTokenCount":1}}`),
			signals: "t", usage: "in=1 searches=1", stop: "end",
		},
		{
			name:    "half an event is not believed",
			stream:  frames(`{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}`) + `data: {"candidates":[{"finishReason":"STOP"}],"usa`,
			signals: "c -", usage: "?", stop: "unknown", bytes: 1,
		},
		{name: "a comment is nothing", stream: ": hello\r\n\r\n", signals: "-", usage: "?", stop: "unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := Codec{}.NewMeter()
			defer m.Release()
			var got []string
			dialecttest.EachFrame(t, strings.NewReader(c.stream), func(ev sse.Event) { got = append(got, dialecttest.Signals(m.Event(ev))) })
			o := m.Observation()
			usage := "?"
			if o.UsageKnown {
				usage = usageText(o.Usage)
			}
			if o.UsageInvalid {
				usage += " invalid"
			}
			if strings.Join(got, " ") != c.signals || usage != c.usage || dialecttest.StopName(o.Stop) != c.stop || o.OutputBytes != c.bytes {
				t.Errorf("got  signals %v usage %q stop %s bytes %d\nwant signals %s usage %q stop %s bytes %d",
					got, usage, dialecttest.StopName(o.Stop), o.OutputBytes, c.signals, c.usage, c.stop, c.bytes)
			}
			if strings.Contains(c.signals, "e") {
				if e := m.Err(); e == nil || e.Status != 503 || e.Message != "overloaded" || e.Type != "UNAVAILABLE" {
					t.Errorf("got error %+v", e)
				}
			} else if m.Err() != nil {
				t.Errorf("got error %+v", m.Err())
			}
		})
	}
}

func TestMeterBody(t *testing.T) {
	for _, c := range []struct{ name, body, signals, usage string }{
		{"an answer", `{"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":2},"responseId":"r","modelVersion":"m"}`, "ct", "in=2"},
		{"an answer without content", `{"candidates":[{"content":{"role":"model"},"finishReason":2}],"usageMetadata":{"promptTokenCount":5,"thoughtsTokenCount":4}}`, "t", "in=5 reasoning=4"},
		{"a stream that is an array", `[{"candidates":[{"content":{"parts":[{"text":"a"}]}}]},{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":2}}]`, "ct", "in=2"},
		{"an embedding with usage", `{"embedding":{"values":[1]},"usageMetadata":{"promptTokenCount":11,"totalTokenCount":11}}`, "ct", "in=11"},
		{"embeddings without usage", `{"embeddings":[{"values":[1]}]}`, "ct", "?"},
		{"counted tokens are not used ones", `{"totalTokens":13}`, "ct", "?"},
		{"an error", `{"error":{"code":500,"message":"x","status":"INTERNAL"}}`, "e", "?"},
		{"no JSON", `<html>`, "-", "?"},
		{"nothing", ``, "-", "?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := Codec{}.NewMeter()
			defer m.Release()
			got := dialecttest.Signals(m.Body([]byte(c.body)))
			usage := "?"
			if o := m.Observation(); o.UsageKnown {
				usage = usageText(o.Usage)
				if !o.UsageFinal {
					t.Error("the usage of a whole body is not final")
				}
			}
			if got != c.signals || usage != c.usage {
				t.Errorf("got %s %q, want %s %q", got, usage, c.signals, c.usage)
			}
		})
	}
}

func TestMeterIdentifiesTheAnswer(t *testing.T) {
	m := Codec{}.NewMeter()
	m.Event(sse.Event{Data: []byte(`{"responseId":"r1","modelVersion":"gemini-2.5-flash","usageMetadata":{"trafficType":"ON_DEMAND_PRIORITY"}}`)})
	want := dialects.Observation{ID: "r1", Model: "gemini-2.5-flash", Tier: "priority"}
	if got := *m.Observation(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	m.Release()
	m = Codec{}.NewMeter()
	if got := *m.Observation(); got != (dialects.Observation{}) {
		t.Errorf("a meter from the pool remembers %+v", got)
	}
	m.Release()
}

func TestMeterDoesNotAllocateOnDeltas(t *testing.T) {
	m := Codec{}.NewMeter()
	defer m.Release()
	ev := sse.Event{Data: []byte(ordinaryChunk)}
	m.Event(ev)
	if n := testing.AllocsPerRun(100, func() { m.Event(ev) }); n != 0 {
		t.Errorf("%v allocations per event", n)
	}
	if m.Observation().Stop != conversation.StopUnknown {
		t.Error("a delta is taken for an end")
	}
}

const ordinaryChunk = `{"candidates": [{"content": {"parts": [{"text": "A line\n and \"another\" \u00e9."}],"role": "model"},"index": 0}],` +
	`"usageMetadata": {"promptTokenCount": 34,"candidatesTokenCount": 47,"totalTokenCount": 868,"promptTokensDetails": [{"modality": "TEXT","tokenCount": 34}],"thoughtsTokenCount": 787},` +
	`"modelVersion": "gemini-2.5-pro","responseId": "abc"}`
