package integration

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
	"github.com/caddy-llm/llmgateway/providers"
)

// usageEndpoints are the kinds of recordings, with the dialect they are in and what their usage means by the definitions
// of those who wrote it.
var usageEndpoints = []struct {
	endpoint string
	dialect  providers.Dialect
	reading  func(documents []usageObject, stream bool) usageReading
	decoded  bool // there is a decoder for it: answers of a model, not embeddings or rankings
}{
	{"openai.chat", providers.Chat, readChatUsage, true},
	{"mistral.chat", providers.Chat, readChatUsage, true},
	{"openai.completions", providers.Chat, readChatUsage, false},
	{"openai.embeddings", providers.Chat, readChatUsage, false},
	{"openai.images", providers.Chat, readChatUsage, false},
	{"mistral.embeddings", providers.Chat, readChatUsage, false},
	{"voyage.embeddings", providers.Chat, readChatUsage, false},
	{"cohere.embed", providers.Chat, readBilledUsage, false},
	{"cohere.rerank", providers.Chat, readBilledUsage, false},
	{"openai.responses", providers.Responses, readResponsesUsage, true},
	{"openai.responses_compact", providers.Responses, readResponsesUsage, false},
	{"anthropic.messages", providers.Messages, readMessagesUsage, true},
	{"gemini.generate", providers.Gemini, readGeminiUsage, true},
	{"gemini.embed", providers.Gemini, readGeminiUsage, false},
	{"bedrock.converse", providers.Converse, readConverseUsage, true},
	{"cohere.chat", providers.Cohere, readCohereUsage, true},
	{"ollama.chat", providers.Ollama, readOllamaUsage, true},
}

// usageReading is what an exchange used. Cohere, and Anthropic where it compacts, tell clients another number than the
// one they bill.
type usageReading struct {
	billed, told conversation.Usage
	known        bool
}

// TestRecordedUsageIsReadByTheVendorsDefinitions compares three readings of every recorded exchange: that of the meter,
// which every response passes, that of the decoder, which translated clients are told, and one that is written here
// from the vendors' definitions and shares no code with the two.
func TestRecordedUsageIsReadByTheVendorsDefinitions(t *testing.T) {
	if os.Getenv("LLMGATEWAY_RECORDED") == "" {
		t.Skip("LLMGATEWAY_RECORDED does not name a folder of recorded traffic")
	}
	all := 0
	for _, e := range usageEndpoints {
		t.Run(e.endpoint, func(t *testing.T) {
			unary, streams := 0, 0
			for _, x := range dialecttest.Recorded(t, e.endpoint) {
				if x.Status >= 300 {
					continue
				}
				codec := dialects.Lookup(e.dialect)
				want := e.reading(usageDocuments(e.dialect, &x), x.Streaming)
				if !want.known {
					checkNoUsage(t, codec, &x)
					continue
				}
				if x.Streaming {
					streams++
				} else {
					unary++
				}
				checkMetered(t, codec, &x, want.billed)
				if e.decoded {
					checkDecoded(t, codec, &x, want.told)
				}
			}
			t.Logf("%s: %d unary and %d streamed exchanges with usage", e.endpoint, unary, streams)
			all += unary + streams
		})
	}
	t.Logf("%d exchanges with usage", all)
}

// usageFrames splits a recorded stream as the relay does.
func usageFrames(codec dialects.Codec, r io.Reader) dialects.FrameReader {
	if f, ok := codec.(dialects.Framer); ok {
		return f.NewFrameReader(r, 0)
	}
	return sse.NewReader(r, 0)
}

// observeUsage meters an exchange; a stream byte by byte if pieces is set.
func observeUsage(t *testing.T, codec dialects.Codec, x *dialecttest.Exchange, pieces bool) dialects.Observation {
	t.Helper()
	m := codec.NewMeter()
	defer m.Release()
	if !x.Streaming {
		m.Body([]byte(x.Body))
		return *m.Observation()
	}
	var src io.Reader = strings.NewReader(x.Body)
	if pieces {
		src = iotest.OneByteReader(src)
	}
	if err := dialecttest.Frames(usageFrames(codec, src), func(ev sse.Event) error { m.Event(ev); return nil }); err != nil {
		t.Errorf("%s: %v", x.Name, err)
	}
	return *m.Observation()
}

func checkMetered(t *testing.T, codec dialects.Codec, x *dialecttest.Exchange, want conversation.Usage) {
	t.Helper()
	for _, pieces := range []bool{false, true} {
		o := observeUsage(t, codec, x, pieces)
		if o.Usage != want || !o.UsageKnown || o.UsageInvalid {
			t.Errorf("%s metered, in pieces %v: %s\nby definition: %s", x.Name, pieces, usageLine(o.Reported), dialecttest.UsageText(want))
		}
		if !o.UsageFinal && !slices.Contains(usageCut, x.Name) {
			t.Errorf("%s: the usage is not taken for final", x.Name)
		}
	}
}

// usageCut are recordings of streams that have no end.
var usageCut = []string{"anthropic-messages-9b6d6725a2"}

func checkNoUsage(t *testing.T, codec dialects.Codec, x *dialecttest.Exchange) {
	t.Helper()
	if o := observeUsage(t, codec, x, false); o.UsageKnown || o.UsageInvalid {
		t.Errorf("%s has no usage; metered %s", x.Name, usageLine(o.Reported))
	}
}

func checkDecoded(t *testing.T, codec dialects.Codec, x *dialecttest.Exchange, want conversation.Usage) {
	t.Helper()
	decoder := codec.(dialects.Encoder)
	var r *conversation.Response
	var err error
	if x.Streaming {
		var events []conversation.Event
		events, err = dialecttest.ReadEvents(usageFrames(codec, strings.NewReader(x.Body)), decoder.NewEventReader())
		r = dialecttest.Fold("", events)
	} else if r, err = decoder.DecodeResponse([]byte(x.Body)); err != nil {
		t.Logf("%s is not decoded: %v", x.Name, err)
		return
	}
	if err != nil && !slices.Contains(usageCut, x.Name) {
		t.Errorf("%s: %v", x.Name, err)
	}
	if r.Usage != want || !r.UsageKnown {
		t.Errorf("%s translated: %s, known %v\nby definition: %s", x.Name, dialecttest.UsageText(r.Usage), r.UsageKnown, dialecttest.UsageText(want))
	}
}

func usageLine(r dialects.Reported) string {
	return fmt.Sprintf("%s, known %v, invalid %v", dialecttest.UsageText(r.Usage), r.UsageKnown, r.UsageInvalid)
}
