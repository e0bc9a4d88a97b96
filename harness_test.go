package llmgateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/providers"
)

func init() { caddy.RegisterModule(scripted{}) }

// scripted is a provider whose answers a test writes. It addresses calls as any provider does and takes them in process.
type scripted struct {
	// Script names the answers in scripts.
	Script string `json:"script"`
	// Speaks are its dialects; chat when empty.
	Speaks []providers.Dialect `json:"speaks,omitempty"`
	// Book is the vendor in the price book.
	Book string `json:"book,omitempty"`
	// Fails makes Prepare fail.
	Fails bool `json:"fails,omitempty"`
}

// scripts holds the running tests' answers, by name.
var scripts sync.Map

func (scripted) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: providerNamespace + ".scripted", New: func() caddy.Module { return new(scripted) }}
}

func (s *scripted) Dialects(string) []providers.Dialect {
	if len(s.Speaks) == 0 {
		return []providers.Dialect{providers.Chat}
	}
	return s.Speaks
}

func (s *scripted) Defaults() providers.Defaults {
	return providers.Defaults{BaseURL: "http://scripted.invalid", KeyOptional: true, PriceBook: s.Book}
}

func (s *scripted) Prepare(ctx context.Context, c *providers.Call) (*http.Request, error) {
	if s.Fails {
		return nil, fmt.Errorf("no request for %s", c.Credential.Reveal())
	}
	u, err := providers.Address(c)
	if c.Dialect == providers.Converse {
		u, err = c.BaseURL, nil // it has an address that only its own provider knows
	}
	if err != nil {
		return nil, err
	}
	return providers.NewRequest(ctx, c, u, providers.HeaderAuthorization, providers.Bearer(c.Credential)), nil
}

func (s *scripted) RoundTripper() http.RoundTripper {
	v, _ := scripts.Load(s.Script)
	t, _ := v.(http.RoundTripper)
	return t
}

// call is a request as a provider saw it.
type call struct {
	host, path, key, body string
	header                http.Header
}

// script answers the calls of one provider, in order; the last answer is repeated.
type script struct {
	mu      sync.Mutex
	answers []answer
	calls   []call
}

// answer makes the response to a call. It may use the request's context.
type answer func(r *http.Request) (*http.Response, error)

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	n := len(s.calls)
	s.calls = append(s.calls, call{r.URL.Host, r.URL.EscapedPath(), r.Header.Get("Authorization"), string(body), r.Header.Clone()})
	a := s.answers[min(n, len(s.answers)-1)]
	s.mu.Unlock()
	return a(r)
}

func (s *script) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls)
}

func (s *script) last(t *testing.T) call {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.calls) == 0 {
		t.Fatal("the provider was not called")
	}
	return s.calls[len(s.calls)-1]
}

// respond answers with a status and a body; headers are pairs of name and value.
func respond(status int, body string, headers ...string) answer {
	return func(r *http.Request) (*http.Response, error) {
		h := http.Header{"Content-Type": {"application/json"}}
		for i := 0; i+1 < len(headers); i += 2 {
			h.Set(headers[i], headers[i+1])
		}
		return &http.Response{
			StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)),
			ContentLength: int64(len(body)), Request: r,
		}, nil
	}
}

// stream answers with server-sent events.
func stream(body string) answer {
	return respond(http.StatusOK, body, "Content-Type", "text/event-stream")
}

// streamFrom answers with a stream that is read from body.
func streamFrom(body func(context.Context) io.ReadCloser) answer {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}},
			Body: body(r.Context()), ContentLength: -1, Request: r,
		}, nil
	}
}

// refuse fails the round trip.
func refuse(err error) answer {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// silent never answers.
func silent(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// memoryLedger keeps entries.
type memoryLedger struct {
	mu      sync.Mutex
	entries []accounting.Entry
}

func (l *memoryLedger) Record(_ context.Context, entries []accounting.Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, entries...)
	return nil
}

// gateway is a provisioned handler with scripted providers.
type gateway struct {
	*Handler
	t      *testing.T
	ledger *memoryLedger
	up     map[string]*script
	ready  []func() // called when it is provisioned
}

// option changes the configuration of a gateway before it is loaded.
type option func(g *gateway)

// provider adds a scripted provider.
func withProvider(name string, answers ...answer) option {
	return withProviderConfig(name, `{}`, nil, answers...)
}

// withProviderConfig adds a scripted provider with options of its kind and further configuration.
func withProviderConfig(name, kind string, change func(*ProviderConfig), answers ...answer) option {
	return func(g *gateway) {
		s := &script{answers: answers}
		id := g.t.Name() + " " + name
		scripts.Store(id, s)
		g.t.Cleanup(func() { scripts.Delete(id) })
		config := map[string]any{}
		if err := json.Unmarshal([]byte(kind), &config); err != nil {
			g.t.Fatal(err)
		}
		config["kind"], config["script"] = "scripted", id
		raw, err := json.Marshal(config)
		if err != nil {
			g.t.Fatal(err)
		}
		c := &ProviderConfig{Name: name, ProviderRaw: raw}
		if change != nil {
			change(c)
		}
		g.Providers = append(g.Providers, c)
		g.up[name] = s
	}
}

// withModel adds a public name and its targets.
func withModel(name string, targets ...string) option {
	return func(g *gateway) {
		c := &ModelConfig{Name: name}
		for _, t := range targets {
			c.To = append(c.To, TargetConfig{Target: t})
		}
		g.Models = append(g.Models, c)
	}
}

// withPrice prices a pattern in dollars per million tokens of input and output.
func withPrice(pattern, input, output string) option {
	return func(g *gateway) {
		o, err := accounting.ParseOverride([]string{pattern, "input", input, "output", output})
		if err != nil {
			g.t.Fatal(err)
		}
		g.Prices = append(g.Prices, o)
	}
}

// with changes the handler.
func with(change func(h *Handler)) option { return func(g *gateway) { change(g.Handler) } }

// newGateway provisions a handler. It is cleaned up when the test ends.
func newGateway(t *testing.T, options ...option) *gateway {
	t.Helper()
	g := &gateway{Handler: &Handler{MetricsOff: true, UsageLogOff: true}, t: t, ledger: new(memoryLedger), up: map[string]*script{}}
	for _, o := range options {
		o(g)
	}
	if err := provision(t, g.Handler); err != nil {
		t.Fatal(err)
	}
	g.Handler.books = openBooks(g.ledger)
	for _, f := range g.ready {
		f()
	}
	return g
}

// provision loads a handler as Caddy does, and cleans it up when the test ends.
func provision(t testing.TB, h *Handler) error {
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	if h.LedgerRaw == nil {
		h.LedgerRaw = []byte(`{"ledger":"off"}`)
	}
	err := h.Provision(ctx)
	h.logger = zap.NewNop()
	t.Cleanup(func() {
		if err := h.Cleanup(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		return err
	}
	return h.Validate()
}

// entries are the records of one finished test.
func (g *gateway) entries() []accounting.Entry {
	g.ledger.mu.Lock()
	defer g.ledger.mu.Unlock()
	return g.ledger.entries
}

// post sends a request from loopback.
func (g *gateway) post(path, body string) *httptest.ResponseRecorder {
	g.t.Helper()
	return g.do(newRequest(http.MethodPost, path, strings.NewReader(body)))
}

func (g *gateway) do(r *http.Request) *httptest.ResponseRecorder {
	g.t.Helper()
	w := httptest.NewRecorder()
	if err := g.serve(w, r); err != nil {
		g.t.Fatalf("serving %s: %v", r.URL, err)
	}
	return w
}

func (g *gateway) serve(w http.ResponseWriter, r *http.Request) error {
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, &caddyhttp.Server{})
	return g.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusTeapot) // somebody else's
		return nil
	}))
}

func newRequest(method, path string, body io.Reader) *http.Request {
	r := httptest.NewRequest(method, path, body)
	r.RemoteAddr = "127.0.0.1:40000"
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// Fixtures of the chat dialect.
const (
	chatPath    = "/v1/chat/completions"
	chatAnswer  = `{"id":"c1","object":"chat.completion","model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`
	chatRole    = `data: {"id":"c1","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}` + "\n\n"
	chatDelta   = `data: {"id":"c1","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,"delta":{"content":"hello"},"finish_reason":null}]}` + "\n\n"
	chatFinish  = `data: {"id":"c1","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	chatUsage   = `data: {"id":"c1","object":"chat.completion.chunk","model":"m-1","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}` + "\n\n"
	chatDone    = "data: [DONE]\n\n"
	chatStream  = chatRole + chatDelta + chatFinish + chatUsage + chatDone
	rateLimited = `{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}`
	serverError = `{"error":{"message":"it broke","type":"server_error"}}`
)

// geminiBody is a request in the Gemini dialect, whose model stands in the path.
const geminiBody = `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`

// ask is a chat request for a model.
func ask(model string) string {
	return `{"model":"` + model + `","messages":[{"role":"user","content":"hi"}]}`
}

// askStream is ask for a stream.
func askStream(model string) string {
	return `{"model":"` + model + `","stream":true,"messages":[{"role":"user","content":"hi"}]}`
}

// Interface guards
var (
	_ providers.Provider    = (*scripted)(nil)
	_ providers.Transporter = (*scripted)(nil)
	_ providers.Defaulter   = (*scripted)(nil)
	_ accounting.Ledger     = (*memoryLedger)(nil)
)
