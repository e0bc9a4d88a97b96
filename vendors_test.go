package llmgateway

import (
	"net/http"
	"strings"
	"testing"
)

const (
	ollamaLine = `{"model":"m","created_at":"2026-05-19T09:26:59Z","message":{"role":"assistant","content":"hello"},"done":false}` + "\n"
	ollamaLast = `{"model":"m","created_at":"2026-05-19T09:26:59Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":10,"eval_count":5}` + "\n"
	ollamaFail = `{"error":"out of memory"}` + "\n"

	cohereUsage  = `"usage":{"billed_units":{"input_tokens":10,"output_tokens":5},"tokens":{"input_tokens":507,"output_tokens":8},"cached_tokens":448}`
	cohereAnswer = `{"id":"r","message":{"role":"assistant","content":[{"type":"text","text":"hello"}]},"finish_reason":"COMPLETE",` + cohereUsage + `}`
	cohereBegin  = `data: {"type":"message-start","id":"r","delta":{"message":{"role":"assistant"}}}` + "\n\n"
	cohereDelta  = `data: {"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"hello"}}}}` + "\n\n"
	cohereEnd    = `data: {"type":"message-end","delta":{"finish_reason":"COMPLETE",` + cohereUsage + `}}` + "\n\n"
	cohereFail   = `data: {"type":"message-end","delta":{"finish_reason":"ERROR","usage":{},"error":"out of memory","error_type":"X"}}` + "\n\n"
)

// lines answers with the stream of Ollama's own API.
func lines(body string) answer {
	return respond(http.StatusOK, body, "Content-Type", "application/x-ndjson")
}

// vendorClients are requests for a stream in every dialect of clients, and what ends such a stream.
var vendorClients = map[string]struct{ body, end string }{
	chatPath:        {askStream("up/m"), "[DONE]"},
	"/v1/messages":  {`{"model":"up/m","max_tokens":5,"stream":true,"messages":[{"role":"user","content":"hi"}]}`, "message_stop"},
	"/v1/responses": {`{"model":"up/m","stream":true,"input":"hi"}`, "response.completed"},
	"/v1beta/models/up/m:streamGenerateContent?alt=sse": {geminiBody, `"finishReason":"STOP"`},
}

func TestClientsOfEveryDialectStreamFromVendorsWithOneOfTheirOwn(t *testing.T) {
	for _, vendor := range []struct {
		name, speaks, path string
		fails, works       answer
	}{
		{"Ollama", `{"speaks":["ollama"]}`, "/api/chat", lines(ollamaFail), lines(ollamaLine + ollamaLast)},
		{"Cohere", `{"speaks":["cohere"]}`, "/v2/chat", stream(cohereBegin + cohereFail), stream(cohereBegin + cohereDelta + cohereEnd)},
	} {
		for path, client := range vendorClients {
			t.Run(vendor.name+path, func(t *testing.T) {
				// An error before the first content is retried; the client gets to know nothing of it.
				g := newGateway(t, withProviderConfig("up", vendor.speaks, nil, vendor.fails, vendor.works), withPrice("up/*", "1", "1"))
				w := g.post(path, client.body)
				got := w.Body.String()
				if w.Code != 200 || !strings.Contains(got, "hello") || !strings.Contains(got, client.end) || strings.Contains(got, "out of memory") {
					t.Errorf("%d %s", w.Code, got)
				}
				if g.up["up"].count() != 2 || g.up["up"].last(t).path != vendor.path {
					t.Errorf("%d calls, the last to %s", g.up["up"].count(), g.up["up"].last(t).path)
				}
				last := g.entries()[len(g.entries())-1]
				if last.Usage.Input != 10 || last.Usage.Output != 5 {
					t.Errorf("recorded %+v", last.Usage)
				}
			})
		}
	}
}

func TestAStreamOfAnotherVendorThatBreaksOffDoesNotLookComplete(t *testing.T) {
	for name, broken := range map[string]struct {
		speaks string
		answer answer
	}{
		"a line of Ollama's":   {`{"speaks":["ollama"]}`, lines(ollamaLine + ollamaFail)},
		"no last line":         {`{"speaks":["ollama"]}`, lines(ollamaLine + ollamaLast[:20])},
		"an event of Cohere's": {`{"speaks":["cohere"]}`, stream(cohereBegin + cohereDelta + cohereFail)},
		"no message-end":       {`{"speaks":["cohere"]}`, stream(cohereBegin + cohereDelta)},
	} {
		for path, client := range vendorClients {
			g := newGateway(t, withProviderConfig("up", broken.speaks, nil, broken.answer))
			got := g.post(path, client.body).Body.String()
			if !strings.Contains(got, "hello") || strings.Contains(got, client.end) || !strings.Contains(got, "error") {
				t.Errorf("%s, %s: %s", name, path, got)
			}
		}
	}
}

func TestClientsAreToldWhatCohereReadAndChargedWhatItBills(t *testing.T) {
	g := newGateway(t, withProviderConfig("up", `{"speaks":["cohere"]}`, nil, respond(200, cohereAnswer)))
	got := g.post(chatPath, ask("up/m")).Body.String()
	if !strings.Contains(got, `"prompt_tokens":507,"completion_tokens":8,"total_tokens":515,"prompt_tokens_details":{"cached_tokens":448`) {
		t.Error(got)
	}
	if u := g.entries()[0].Usage; u.Input != 10 || u.Output != 5 || u.CacheRead != 0 {
		t.Errorf("recorded %+v", u)
	}
}
