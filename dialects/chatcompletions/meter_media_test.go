package chatcompletions

import (
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

func TestAnswersWithoutChoicesHaveTheirUsage(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       conversation.Usage
		known      bool
	}{
		{
			"pictures of a model that does not say what its output was",
			`{"created":1,"data":[{"b64_json":"aGk="}],"usage":{"input_tokens":50,"output_tokens":4160,"total_tokens":4210,"input_tokens_details":{"text_tokens":10,"image_tokens":40}}}`,
			conversation.Usage{Input: 10, InputImage: 40, OutputImage: 4160},
			true,
		},
		{
			"pictures of one that does",
			`{"usage":{"input_tokens":10,"output_tokens":1070,"output_tokens_details":{"text_tokens":14,"image_tokens":1056}},"data":[{"url":"https://example.com/1.png"}]}`,
			conversation.Usage{Input: 10, Output: 14, OutputImage: 1056},
			true,
		},
		{"pictures that are billed by the piece", `{"created":1,"data":[{"url":"https://example.com/1.png"}]}`, conversation.Usage{}, false},
		{"embeddings at Voyage", `{"object":"list","data":[{"embedding":[0.1],"url":"x"}],"model":"e","usage":{"total_tokens":29}}`, conversation.Usage{Input: 29}, true},
		{
			"embeddings at Mistral",
			`{"data":[{"object":"embedding","embedding":[0.1]}],"usage":{"prompt_tokens":4,"completion_tokens":0,"total_tokens":4,"prompt_audio_seconds":null,"prompt_token_details":null}}`,
			conversation.Usage{Input: 4},
			true,
		},
		{"a ranking at Jina", `{"model":"r","usage":{"total_tokens":815},"results":[{"index":0,"relevance_score":0.1}]}`, conversation.Usage{Input: 815}, true},
		{"a ranking at Cohere, which is billed by the request", `{"id":"r","results":[],"meta":{"billed_units":{"search_units":1}}}`, conversation.Usage{}, true},
		{"embeddings at Cohere", `{"id":"r","embeddings":{},"meta":{"billed_units":{"input_tokens":4,"image_tokens":7}}}`, conversation.Usage{Input: 4, InputImage: 7}, true},
		{"a note that is no bill", `{"choices":[],"meta":{"region":"eu"},"usage":{"prompt_tokens":1,"completion_tokens":0}}`, conversation.Usage{Input: 1}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := Codec{}.NewMeter()
			defer m.Release()
			if sig := m.Body([]byte(tt.body)); sig != dialects.SignalTerminal {
				t.Errorf("signals %s", dialecttest.Signals(sig))
			}
			if o := m.Observation(); o.Usage != tt.want || o.UsageKnown != tt.known || o.UsageInvalid || o.UsageFinal != tt.known {
				t.Errorf("got %+v, want %+v", o, tt.want)
			}
		})
	}
}

func TestStreamsOfPicturesAndSpeechEndWithTheirUsage(t *testing.T) {
	for _, tt := range []struct {
		name    string
		events  []string
		signals string
		want    conversation.Usage
	}{
		{
			"pictures",
			[]string{
				`{"type":"image_generation.partial_image","partial_image_index":0,"b64_json":"aA=="}`,
				`{"type":"image_generation.completed","b64_json":"aGk=","usage":{"input_tokens":50,"output_tokens":100,"total_tokens":150,"input_tokens_details":{"text_tokens":50,"image_tokens":0}}}`,
			},
			"c ct ",
			conversation.Usage{Input: 50, OutputImage: 100},
		},
		{
			"speech",
			[]string{`{"type":"speech.audio.delta","audio":"aA=="}`, `{"type":"speech.audio.done","usage":{"input_tokens":14,"output_tokens":101,"total_tokens":115}}`},
			"c t ",
			conversation.Usage{Input: 14, OutputAudio: 101},
		},
		{
			"a transcript",
			[]string{`{"type":"transcript.text.delta","delta":"a"}`, `{"type":"transcript.text.done","text":"a","usage":{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":4,"audio_tokens":10},"output_tokens":3,"total_tokens":17}}`},
			"c t ",
			conversation.Usage{Input: 4, InputAudio: 10, Output: 3},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := Codec{}.NewMeter()
			defer m.Release()
			signals := ""
			for _, data := range tt.events {
				signals += dialecttest.Signals(m.Event(sse.Event{Data: []byte(data)})) + " "
			}
			if o := m.Observation(); signals != tt.signals || o.Usage != tt.want || !o.UsageFinal {
				t.Errorf("signals %s, %+v", signals, o)
			}
		})
	}
}

func TestUsageChunksThatCannotBeTrueAreHiddenLikeOthers(t *testing.T) {
	for _, data := range []string{
		`{"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":-1,"completion_tokens":2}}`,
		`{"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}`,
	} {
		m := Codec{}.NewMeter()
		if sig := m.Event(sse.Event{Data: []byte(data)}); sig != dialects.SignalUsageOnly {
			t.Errorf("%s: signals %s", data, dialecttest.Signals(sig))
		}
		m.Release()
	}
}

func TestTheUsageThatAStreamRepeatsIsNotAddedUp(t *testing.T) {
	chunk := func(usage string) string {
		return `{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"a"}}],"usage":` + usage + `}`
	}
	for _, tt := range []struct {
		name   string
		usages []string
		want   dialects.Reported
	}{
		{"twice the same", []string{`{"prompt_tokens":3,"completion_tokens":2}`, `{"prompt_tokens":3,"completion_tokens":2}`}, dialects.Reported{Usage: conversation.Usage{Input: 3, Output: 2}, UsageKnown: true}},
		{"rising", []string{`{"prompt_tokens":3,"completion_tokens":2}`, `{"prompt_tokens":3,"completion_tokens":9}`, `null`}, dialects.Reported{Usage: conversation.Usage{Input: 3, Output: 9}, UsageKnown: true}},
		{"falling", []string{`{"prompt_tokens":3,"completion_tokens":9}`, `{"prompt_tokens":3,"completion_tokens":2}`}, dialects.Reported{Usage: conversation.Usage{Input: 3, Output: 9}, UsageKnown: true, UsageInvalid: true}},
		{"zero at first", []string{`{"prompt_tokens":0,"completion_tokens":0}`, `{"prompt_tokens":3,"completion_tokens":2}`}, dialects.Reported{Usage: conversation.Usage{Input: 3, Output: 2}, UsageKnown: true}},
		{"negative in the end", []string{`{"prompt_tokens":3,"completion_tokens":2}`, `{"prompt_tokens":-3,"completion_tokens":2}`}, dialects.Reported{Usage: conversation.Usage{Input: 3, Output: 2}, UsageKnown: true, UsageInvalid: true}},
	} {
		m := Codec{}.NewMeter()
		r := Codec{}.NewEventReader()
		var events []conversation.Event
		for _, u := range tt.usages {
			ev := sse.Event{Data: []byte(chunk(u))}
			m.Event(ev)
			var err error
			if events, err = r.Read(ev, events); err != nil {
				t.Fatal(err)
			}
		}
		if got := m.Observation().Reported; got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
		if got := dialecttest.Fold("", events).Usage; got != tt.want.Usage {
			t.Errorf("%s: translated %+v, want %+v", tt.name, got, tt.want.Usage)
		}
		m.Release()
	}
}
