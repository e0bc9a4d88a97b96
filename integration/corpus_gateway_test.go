package integration

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-llm/llmgateway/internal/wiretest"
)

// corpusPair is an exchange, whose answer the provider gives, and a client dialect that it is asked for in.
type corpusPair struct {
	*corpusExchange
	asked  *corpusExchange // the exchange whose request is sent, where that is another
	client string
	number int // of the pair among those of its endpoint
	// name is that of the provider and of the model, as the client knows it.
	name string
}

// corpusClients are the clients of the dialects.
var corpusClients = map[string]*gwClient{
	wiretest.Chat: gwChat, wiretest.Responses: gwResponses, wiretest.Messages: gwMessages, wiretest.Gemini: gwGemini,
}

// corpusGateway is a gateway before a provider that answers with recordings.
type corpusGateway struct {
	*gwCaddy
	mu       sync.Mutex
	received map[int]corpusReceived // by the number of the pair
	pairs    []*corpusPair
}

// corpusPiece is the size in bytes of the pieces that streams come in: it cuts most events somewhere.
const corpusPiece = 211

// corpusReceived is what a provider was asked.
type corpusReceived struct{ uri, body string }

// corpusStart starts a gateway with a provider for every pair, so that none affects another's health: providers rest
// after errors. A provider is configured as a user of the vendor would do it.
func corpusStart(t *testing.T, endpoint string, pairs []*corpusPair) *corpusGateway {
	t.Helper()
	g := &corpusGateway{received: map[int]corpusReceived{}, pairs: pairs}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	var options strings.Builder
	options.WriteString("lb_retries 0\n")
	for _, p := range pairs {
		kind, more := corpusKind(endpoint, p.Provider)
		fmt.Fprintf(&options, "provider %s %s {\n\tapi_key key\n\tbase_url %s/%d%s\n\t%s\n}\n", p.name, kind, server.URL, p.number, corpusPath(endpoint), more)
		fmt.Fprintf(&options, "model %s `%s/%s`\n", p.name, p.name, p.model())
	}
	g.gwCaddy = gwStart(t, gwSite(options.String()+"metrics off\nusage_log off\n"))
	return g
}

// corpusPath is what base URLs of an endpoint end in.
func corpusPath(endpoint string) string {
	switch endpoint {
	case wiretest.Chat, wiretest.Responses, wiretest.Mistral:
		return "/v1"
	}
	return ""
}

// corpusPresets are the vendors of compatible endpoints that have a preset of another name.
var corpusPresets = map[string]string{"moonshotai": "moonshot"}

// corpusKind is the kind of provider for an endpoint of a vendor, and its options.
func corpusKind(endpoint, vendor string) (kind, options string) {
	switch endpoint {
	case wiretest.Messages:
		return "anthropic", ""
	case wiretest.Gemini:
		return "gemini", ""
	case wiretest.Converse:
		return "bedrock", ""
	case wiretest.Mistral:
		return "mistral", ""
	case wiretest.Cohere:
		return "cohere", ""
	case wiretest.Ollama:
		return "ollama", "dialect ollama"
	}
	options = "dialect chat"
	if endpoint == wiretest.Responses {
		options = "dialect responses"
	}
	switch vendor {
	case "openai", "azure":
		return "openai", options
	case "alibaba", "cerebras", "crusoe", "deepseek", "groq", "huggingface", "lmstudio", "ollama", "openrouter", "perplexity", "vllm", "xai", "zai":
		return vendor, options
	}
	if preset := corpusPresets[vendor]; preset != "" {
		return preset, options
	}
	return "compatible", options
}

// ServeHTTP is the provider: /<number of the pair>/… answers with the recording of the pair.
func (g *corpusGateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var number int
	if _, err := fmt.Sscanf(r.URL.Path, "/%d/", &number); err != nil || number >= len(g.pairs) {
		http.Error(w, "no such pair", http.StatusTeapot)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	g.mu.Lock()
	g.received[number] = corpusReceived{r.RequestURI, string(body)}
	g.mu.Unlock()
	e := g.pairs[number].corpusExchange
	for name, value := range e.Response.Headers {
		w.Header().Set(name, value)
	}
	w.WriteHeader(e.Response.Status)
	rest, rc := e.bytes, http.NewResponseController(w)
	for e.Streaming && len(rest) > corpusPiece {
		_, _ = w.Write(rest[:corpusPiece])
		_ = rc.Flush()
		rest = rest[corpusPiece:]
	}
	_, _ = w.Write(rest)
}

// corpusAnswer is what a client got, and what the provider had been asked for it.
type corpusAnswer struct {
	status      int
	contentType string
	body        string
	received    corpusReceived
	passedOn    bool
}

// send sends the request of a pair.
func (g *corpusGateway) send(t *testing.T, p *corpusPair, stream bool, body []byte) (corpusAnswer, error) {
	resp, err := g.try(t.Context(), http.MethodPost, g.url(corpusClients[p.client].at(p.name, stream)), string(body))
	if err != nil {
		return corpusAnswer{}, err
	}
	a := corpusAnswer{status: resp.StatusCode, contentType: resp.Header.Get("Content-Type"), body: gwReadAll(resp)}
	g.mu.Lock()
	defer g.mu.Unlock()
	a.received, a.passedOn = g.received[p.number]
	return a, nil
}

// ask is what the provider of an endpoint was asked.
func (r *corpusReceived) ask(endpoint string) *wiretest.Ask {
	return wiretest.ReadAsk(endpoint, strings.Contains(r.uri, "stream"), []byte(r.body))
}

// each does something with every pair, several at a time.
func (g *corpusGateway) each(do func(*corpusPair)) {
	work := make(chan *corpusPair)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for p := range work {
				do(p)
			}
		})
	}
	for _, p := range g.pairs {
		work <- p
	}
	close(work)
	workers.Wait()
}
