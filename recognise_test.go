package llmgateway

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/providers"
)

func recognised(method, target string) (endpoint, bool) {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return endpoint{}, false
	}
	return recognise(&http.Request{Method: method, URL: u, Header: http.Header{}})
}

func TestEveryEndpointIsKnownByTheEndOfItsPath(t *testing.T) {
	for _, tc := range []struct {
		method, path string
		want         endpoint
	}{
		{"POST", "/v1/chat/completions", endpoint{dialect: providers.Chat}},
		{"POST", "/chat/completions", endpoint{dialect: providers.Chat}},
		{"POST", "/llm/v1/chat/completions", endpoint{dialect: providers.Chat}},
		{"POST", "/a/b.c/d-e_f~g/v1/chat/completions", endpoint{dialect: providers.Chat}},
		{"POST", "/v1/responses", endpoint{dialect: providers.Responses}},
		{"POST", "/v1/messages", endpoint{dialect: providers.Messages}},
		{"POST", "/v1/messages/count_tokens", endpoint{dialect: providers.Messages, operation: providers.CountTokens}},
		{"POST", "/v1/embeddings", endpoint{dialect: providers.Chat, operation: providers.Embeddings}},
		{"POST", "/v1/completions", endpoint{dialect: providers.Chat, operation: providers.Completions}},
		{"POST", "/v1/moderations", endpoint{dialect: providers.Chat, operation: providers.Moderations}},
		{"POST", "/v1/rerank", endpoint{dialect: providers.Chat, operation: providers.Rerank}},
		{"POST", "/v1/images/generations", endpoint{dialect: providers.Chat, operation: providers.Images, subpath: "generations"}},
		{"POST", "/v1/audio/speech", endpoint{dialect: providers.Chat, operation: providers.Audio, subpath: "speech"}},
		{"GET", "/v1/models", endpoint{dialect: providers.Chat, kind: endpointModels}},
		{"GET", "/models", endpoint{dialect: providers.Chat, kind: endpointModels}},
		{"GET", "/v1beta/models", endpoint{dialect: providers.Gemini, kind: endpointModels}},
		{"GET", "/llm/v1beta/models", endpoint{dialect: providers.Gemini, kind: endpointModels}},
		{"GET", "/v1/models/gpt-5", endpoint{dialect: providers.Chat, kind: endpointModel, model: "gpt-5"}},
		{"GET", "/v1/models/openai/gpt-5", endpoint{dialect: providers.Chat, kind: endpointModel, model: "openai/gpt-5"}},
		{"GET", "/v1/models/openai%2Fgpt-5", endpoint{dialect: providers.Chat, kind: endpointModel, model: "openai/gpt-5"}},
		{"HEAD", "/api/hello", endpoint{kind: endpointProbe}},
	} {
		t.Run(tc.method+" "+tc.path, func(t *testing.T) {
			if got, ok := recognised(tc.method, tc.path); !ok || got != tc.want {
				t.Errorf("got %+v, %v; want %+v", got, ok, tc.want)
			}
		})
	}
}

func TestGeminiModelNamesMayHoldSlashes(t *testing.T) {
	for _, tc := range []struct {
		path, model string
		operation   providers.Operation
		stream      bool
	}{
		{"/v1beta/models/gemini-2.5-pro:generateContent", "gemini-2.5-pro", providers.Generate, false},
		{"/v1/models/gemini-2.5-pro:generateContent", "gemini-2.5-pro", providers.Generate, false},
		{"/llm/v1beta/models/g:streamGenerateContent", "g", providers.Generate, true},
		{"/v1beta/models/g:countTokens", "g", providers.CountTokens, false},
		{"/v1beta/models/g:embedContent", "g", providers.Embeddings, false},
		{"/v1beta/models/g:batchEmbedContents", "g", providers.BatchEmbed, false},
		{"/v1beta/models/openai/gpt-5:generateContent", "openai/gpt-5", providers.Generate, false},
		{"/v1beta/models/openai%2Fgpt-5:generateContent", "openai/gpt-5", providers.Generate, false},
		{"/v1beta/models/ollama/llama3.2:3b:generateContent", "ollama/llama3.2:3b", providers.Generate, false},
		{"/v1beta/models/up/models/x:generateContent", "up/models/x", providers.Generate, false},
	} {
		t.Run(tc.path, func(t *testing.T) {
			got, ok := recognised("POST", tc.path)
			want := endpoint{dialect: providers.Gemini, operation: tc.operation, model: tc.model, stream: tc.stream}
			if !ok || got != want {
				t.Errorf("got %+v, %v; want %+v", got, ok, want)
			}
		})
	}
}

func TestAWebSocketUpgradeIsRecognisedOnlyForResponses(t *testing.T) {
	for path, want := range map[string]bool{"/v1/responses": true, "/v1/chat/completions": false} {
		r := newRequest(http.MethodGet, path, nil)
		r.Header.Set("Upgrade", "WebSocket")
		ep, ok := recognise(r)
		if ok != want || ok && ep.kind != endpointSocket {
			t.Errorf("%s: got %+v, %v", path, ep, ok)
		}
	}
	if _, ok := recognised("GET", "/v1/responses"); ok {
		t.Error("a plain GET of /v1/responses was taken for an upgrade")
	}
}

func TestPathsThatAreNotCanonicalBelongToSomebodyElse(t *testing.T) {
	for _, tc := range []struct{ method, path string }{
		{"GET", "/"},
		{"GET", "/v1/chat/completions"},
		{"PUT", "/v1/chat/completions"},
		{"DELETE", "/v1/models/gpt-5"},
		{"POST", "/v1/models"},
		{"POST", "/v1/chat/completions/"},
		{"POST", "/v1/chat/completionsx"},
		{"HEAD", "/"},
		{"POST", "//v1/chat/completions"},
		{"POST", "/v1//chat/completions"},
		{"POST", "/v1/chat//completions"},
		{"POST", "/v1/../v1/chat/completions"},
		{"POST", "/./v1/chat/completions"},
		{"POST", "/..;/v1/chat/completions"},
		{"POST", "/V1/chat/completions"},
		{"POST", "/v1/Chat/completions"},
		{"POST", "/v1/CHAT/COMPLETIONS"},
		{"POST", "/v1%2Fchat/completions"},
		{"POST", "/v1/chat%2Fcompletions"},
		{"POST", "/v1%20/chat/completions"},
		{"POST", "/v1;x=1/chat/completions"},
		{"POST", "/v1/messages/count_tokens/x"},
		{"POST", "/v1beta/models/g:deleteModel"},
		{"POST", "/v1beta/models/g:GenerateContent"},
		{"POST", "/v1beta/models/..%2F..:generateContent"},
		{"POST", "/v1beta/models/a/../b:generateContent"},
		{"POST", "/v1beta//models/g:generateContent"},
		{"POST", "/V1BETA/models/g:generateContent"},
		{"GET", "/../v1/models/x"},
		{"GET", "//v1/models/x"},
		{"HEAD", "/v1/models"},
	} {
		if ep, ok := recognised(tc.method, tc.path); ok {
			t.Errorf("%s %s was recognised as %+v", tc.method, tc.path, ep)
		}
	}
}

func TestAnEscapedPrefixBelongsToSomebodyElse(t *testing.T) {
	for _, tc := range []struct{ method, path string }{
		{"POST", "/v1beta%2Fmodels/g:generateContent"},
		{"POST", "/%761beta/models/g:generateContent"},
		{"POST", "/v1beta/models%2Fg:generateContent"},
		{"GET", "/v1%2Fmodels/gpt-5"},
		{"GET", "/v1/models%2Fgpt-5"},
	} {
		if ep, ok := recognised(tc.method, tc.path); ok {
			t.Errorf("%s %s was recognised as %+v", tc.method, tc.path, ep)
		}
	}
}

func TestAModelWithoutANameIsNotDescribed(t *testing.T) {
	if ep, ok := recognised("GET", "/v1/models/"); ok {
		t.Errorf("recognised as %+v", ep)
	}
}

func TestAGeminiClientThatAsksForOneModelIsRecognisedAsSuch(t *testing.T) {
	ep, ok := recognised("GET", "/v1beta/models/gemini-2.5-pro")
	want := endpoint{dialect: providers.Gemini, kind: endpointModel, model: "gemini-2.5-pro"}
	if !ok || ep != want {
		t.Errorf("got %+v, %v; want %+v", ep, ok, want)
	}
}

func FuzzRecognise(f *testing.F) {
	for _, seed := range []string{
		"/v1/chat/completions", "/v1beta/models/a%2Fb:generateContent", "/v1/models/x", "//v1/messages", "/config/", "/v1/%2e%2e/load",
		"/models/:", "/models/models/:countTokens", "/v1beta/models/%FF:generateContent",
	} {
		for _, method := range []string{"GET", "POST", "HEAD"} {
			f.Add(method, seed)
		}
	}
	f.Fuzz(func(t *testing.T, method, path string) {
		ep, ok := recognised(method, path)
		if !ok {
			return
		}
		prefix := path
		for _, end := range []string{
			"/models", "/chat/completions", "/messages", "/responses", "/embeddings", "/completions", "/moderations",
			"/rerank", "/images/generations", "/audio/speech",
		} {
			if i := strings.Index(prefix, end); i >= 0 {
				prefix = prefix[:i]
			}
		}
		switch {
		case ep.kind == endpointProbe:
			return
		case prefix == path && !strings.Contains(path, "%"):
			t.Errorf("%s %q holds no known end but was recognised as %+v", method, path, ep)
		case strings.Contains(prefix, "//") || strings.Contains(prefix, "/../") || strings.HasSuffix(prefix, "/.."):
			t.Errorf("%s %q is not canonical but was recognised as %+v", method, path, ep)
		case ep.dialect == providers.Gemini && ep.kind == endpointCall && strings.Contains(ep.model, ".."):
			t.Errorf("%s %q leaves the path with the model %q", method, path, ep.model)
		}
		if ep.kind == endpointCall && method != http.MethodPost {
			t.Errorf("%s %q would call a provider", method, path)
		}
	})
}

func TestAPathWithoutAModelIsToldSo(t *testing.T) {
	g := newGateway(t, withProvider("up", respond(200, chatAnswer)))
	w := g.post("/v1beta/models/:generateContent", `{"contents":[{"parts":[{"text":"hi"}]}]}`)
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "names no model") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
