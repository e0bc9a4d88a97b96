package sdk

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// stage is a gateway with one provider per dialect. Tests that run side by side share it: each has models of its own,
// by which the providers tell who is asking.
type stage struct {
	base string // of the gateway's URL

	mu        sync.Mutex
	upstreams map[string]*upstream // by the provider's name of the model
}

// startStage starts the providers and a gateway in front of them.
func startStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{upstreams: map[string]*upstream{}}
	options := "lb_retries 0\n"
	for _, d := range dialects {
		options += d.provider(s.play(t, d))
	}
	s.base = startGateway(t, options)
	return s
}

// provider is the Caddyfile's lines for a provider of that dialect, which is named after it.
func (d *dialect) provider(url string) string {
	return fmt.Sprintf("provider %s %s %s %s {\n dialect %s\n}\n", d.name, d.kind, url, upstreamKey, d.name)
}

// play starts a provider and returns its URL.
func (s *stage) play(t *testing.T, d *dialect) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		checkCredentials(t, r)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("reading the gateway's request: %v", err)
			return
		}
		q, err := d.parse(r, body)
		u := s.upstream(q.model)
		if err != nil || u == nil {
			t.Errorf("the gateway sent %s %s, which %s would not take: %v\n%s", r.Method, r.URL, d.name, err, body)
			http.Error(w, "{}", http.StatusTeapot)
			return
		}
		u.reply(w, r, q)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func (s *stage) upstream(model string) *upstream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.upstreams[model]
}

// cast adds a model that answers as script says.
func (s *stage) cast(d *dialect, script func(question) reply) *upstream {
	s.mu.Lock()
	defer s.mu.Unlock()
	model := fmt.Sprintf("%s-%d", d.model, len(s.upstreams)+100)
	u := &upstream{dialect: d, model: d.name + "/" + model, script: script}
	s.upstreams[model] = u
	return u
}

// lane is a client and the dialect of the provider behind the gateway.
type lane struct {
	client  string
	dialect *dialect
	stage   *stage
}

// dialects are those of the providers.
var dialects = []*dialect{chatDialect, responsesDialect, messagesDialect, geminiDialect, cohereDialect, ollamaDialect, converseDialect}

// spliced reports whether the client speaks the provider's dialect.
func (l lane) spliced() bool {
	return l.dialect == map[string]*dialect{
		"openai": chatDialect, "responses": responsesDialect, "anthropic": messagesDialect, "genai": geminiDialect,
	}[l.client]
}

// openAI reports whether the client is OpenAI's.
func (l lane) openAI() bool { return l.client == "openai" || l.client == "responses" }

// onEveryLane runs a test for every client with every dialect.
func onEveryLane(t *testing.T, test func(t *testing.T, l lane)) {
	t.Helper()
	s := startStage(t)
	for client := range clients {
		for _, d := range dialects {
			t.Run(client+" client to "+d.name, func(t *testing.T) {
				t.Parallel()
				test(t, lane{client, d, s})
			})
		}
	}
}

// connect gives the lane a model with a script and connects its client.
func (l lane) connect(t *testing.T, script func(question) reply) (client, *upstream) {
	t.Helper()
	u := l.stage.cast(l.dialect, script)
	if l.client == "genai" { // it puts the model into the path
		u.model = strings.Replace(u.model, "/", "--", 1)
	}
	return clients[l.client](t, l.stage.base), u
}
