package converse

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// frame builds a frame of a stream from pairs of header names and texts.
func frame(payload string, headers ...string) []byte {
	var h []byte
	for i := 0; i < len(headers); i += 2 {
		h = append(append(h, byte(len(headers[i]))), headers[i]...)
		h = binary.BigEndian.AppendUint16(append(h, textType), uint16(len(headers[i+1])))
		h = append(h, headers[i+1]...)
	}
	return rawFrame(h, payload)
}

func rawFrame(headers []byte, payload string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(preludeLen+len(headers)+len(payload)+trailerLen))
	b = binary.BigEndian.AppendUint32(b, uint32(len(headers)))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(append(b, headers...), payload...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// event builds the frame of an event as Bedrock sends it, with its padding.
func event(kind, payload string) []byte {
	payload = strings.TrimSuffix(payload, "}") + `,"p":"abcd"}`
	return frame(strings.Replace(payload, "{,", "{", 1), ":event-type", kind, ":content-type", "application/json", ":message-type", "event")
}

// stream joins events, given as their type and payload in one: "messageStop {…}".
func stream(events ...string) string {
	var b []byte
	for _, e := range events {
		kind, payload, _ := strings.Cut(e, " ")
		b = append(b, event(kind, payload)...)
	}
	return string(b)
}

// eachFrame calls f with every frame of a stream, and returns why it ended, nil for a clean end.
func eachFrame(src io.Reader, f func(sse.Event)) error {
	return dialecttest.Frames(Codec{}.NewFrameReader(src, 0), func(ev sse.Event) error { f(ev); return nil })
}

// readStream reads a whole stream.
func readStream(src io.Reader) ([]conversation.Event, error) {
	return dialecttest.ReadEvents(Codec{}.NewFrameReader(src, 0), Codec{}.NewEventReader())
}

// fold puts a stream together as a response.
func fold(events []conversation.Event) *conversation.Response {
	return dialecttest.Fold(origin, events)
}

func mustRead(t testing.TB, s string) []conversation.Event {
	t.Helper()
	events, err := readStream(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	dialecttest.CheckGrammar(t, events)
	return events
}

// encode encodes a request, which has to be valid JSON.
func encode(t testing.TB, r *conversation.Request, model string) (string, []string) {
	t.Helper()
	return dialecttest.MustEncode(t, Codec{}, r, dialects.EncodeOptions{Model: model, Rewrites: new(conversation.Rewrites)})
}

// Short words for requests.
var (
	user, assistant = dialecttest.User, dialecttest.Assistant
	text, call      = dialecttest.Text, dialecttest.Call
)

func result(id string, content ...conversation.Block) conversation.Block {
	return dialecttest.Result(id, "", content...)
}

func marked(b conversation.Block, ttl string) conversation.Block {
	b.Cache = &conversation.CacheMark{TTL: ttl}
	return b
}

func media(k conversation.Kind, m conversation.Media) conversation.Block {
	return conversation.Block{Kind: k, Media: &m}
}
