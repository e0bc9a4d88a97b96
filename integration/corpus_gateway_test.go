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
	"github.com/caddy-llm/llmgateway/providers"
)

// corpusPair is an exchange and a client dialect that it is asked for in.
type corpusPair struct {
	*corpusExchange
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
	g.gwCaddy = gwStart(t, gwSite(options.String()))
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
	_, _ = w.Write(e.bytes)
}

// check sends the request of a pair and says what is wrong with what the provider and the client got.
func (g *corpusGateway) check(t *testing.T, p *corpusPair) []string {
	d := corpusClients[p.client]
	original := p.ask()
	original.Model, original.Stream = p.name, p.stream()
	body := wiretest.WriteAsk(p.client, original)
	want := wiretest.ReadAsk(p.client, p.stream(), body)
	resp, err := g.try(t.Context(), http.MethodPost, g.url(d.at(p.name, p.stream())), string(body))
	if err != nil {
		return []string{"gateway: " + err.Error()}
	}
	answer := gwReadAll(resp)
	g.mu.Lock()
	received, asked := g.received[p.number]
	g.mu.Unlock()
	if !asked {
		return []string{fmt.Sprintf("request: refused with %d %s", resp.StatusCode, gwClip(answer, 300))}
	}
	got := wiretest.ReadAsk(p.Endpoint, strings.Contains(received.uri, "stream"), []byte(received.body))
	if p.Response.Status >= 400 {
		got.Breaches = nil // what the provider refused may well have been the client's mistake
	} else {
		for _, b := range want.Breaches {
			t.Errorf("%s: the request as a client of %s breaks a rule: %s", p.ID, p.client, b)
		}
	}
	var out []string
	for _, f := range wiretest.CompareAsks(want, got) {
		out = append(out, "request: "+f)
	}
	reply := wiretest.ReadReply(p.client, resp.StatusCode, resp.Header.Get("Content-Type"), []byte(answer))
	if answer == string(p.bytes) {
		reply.Breaches = nil // the provider's: it speaks the client's dialect in all but name
	}
	for _, f := range wiretest.CompareReplies(p.due(), reply, p.client) {
		out = append(out, "reply: "+f)
	}
	return out
}

// due is the reply that a client has to get: the recorded one, unless it is the gateway that the provider refused.
func (p *corpusPair) due() *wiretest.Reply {
	reply := p.reply()
	if p.Response.Status < 400 {
		return reply
	}
	switch providers.Classify(providers.Chat, p.Response.Status, nil, p.bytes).Class {
	case providers.ClassAuth, providers.ClassBilling:
		reply.Status, reply.Error = http.StatusBadGateway, "credential"
	}
	return reply
}
