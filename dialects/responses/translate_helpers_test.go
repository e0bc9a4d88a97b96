package responses

import (
	"io"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// readStream reads a whole stream.
func readStream(src io.Reader) ([]conversation.Event, error) {
	return dialecttest.ReadEvents(sse.NewReader(src, 0), Codec{}.NewEventReader())
}

// fold puts a stream together as a response.
func fold(events []conversation.Event) *conversation.Response {
	r := dialecttest.Fold(origin, events)
	r.Choices[0].Logprobs = dialecttest.Logprobs(events, "")
	return r
}

// write writes events as a stream.
func write(o dialects.WriterOptions, events ...conversation.Event) string {
	return dialecttest.Write(Codec{}.NewEventWriter(o), events...)
}
