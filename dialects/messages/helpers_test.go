package messages

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// stream frames JSON events the way Anthropic does, the type being the event's name.
func stream(events ...string) string {
	var b bytes.Buffer
	for _, e := range events {
		var head struct{ Type string }
		if err := json.Unmarshal([]byte(e), &head); err != nil {
			panic(err)
		}
		b.WriteString("event: " + head.Type + "\ndata: " + e + "\n\n")
	}
	return b.String()
}

// readStream reads a whole stream.
func readStream(src io.Reader) ([]conversation.Event, error) {
	return dialecttest.ReadEvents(sse.NewReader(src, 0), Codec{}.NewEventReader())
}

// fold puts a stream together as a response.
func fold(events []conversation.Event) *conversation.Response {
	return dialecttest.Fold(origin, events)
}

// write writes events as a stream.
func write(o dialects.WriterOptions, events ...conversation.Event) string {
	return dialecttest.Write(Codec{}.NewEventWriter(o), events...)
}
