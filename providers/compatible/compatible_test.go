package compatible

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-llm/llmgateway/providers"
	"github.com/caddy-llm/llmgateway/providers/providertest"
)

func provision(tb testing.TB, p *Provider) *Provider {
	tb.Helper()
	if err := p.Provision(caddy.Context{}); err != nil {
		tb.Fatal(err)
	}
	if err := p.Validate(); err != nil {
		tb.Fatal(err)
	}
	return p
}

func subject(tb testing.TB, base string, p *Provider) providertest.Subject {
	return providertest.Subject{
		Provider: provision(tb, p), BaseURL: base, Model: "qwen3-32b",
		CredentialHeader: func(d providers.Dialect) string {
			switch d {
			case providers.Messages:
				return "X-Api-Key"
			case providers.Gemini:
				return "X-Goog-Api-Key"
			}
			return "Authorization"
		},
	}
}

func TestConformance(t *testing.T) {
	t.Run("every dialect", func(t *testing.T) {
		providertest.Run(t, subject(t, "http://10.0.0.5:8000", &Provider{DialectNames: []providers.Dialect{"chat", "responses", "messages", "gemini"}}))
	})
	for _, name := range PresetNames() {
		info, _ := Preset(name)
		t.Run(name, func(t *testing.T) { providertest.Run(t, subject(t, info.BaseURL, &Provider{Preset: name})) })
	}
}

func BenchmarkPrepare(b *testing.B) {
	providertest.Bench(b, subject(b, "https://api.groq.com/openai/v1", &Provider{Preset: "groq"}))
}

func TestPresetsAreSound(t *testing.T) {
	if len(PresetNames()) < 30 || !slices.IsSorted(PresetNames()) {
		t.Errorf("names %v", PresetNames())
	}
	for _, name := range PresetNames() {
		info, ok := Preset(name)
		u, err := url.Parse(info.BaseURL)
		switch {
		case !ok || err != nil:
			t.Errorf("%s: %v, %v", name, ok, err)
		case u.Scheme != "https" && u.Hostname() != "localhost":
			t.Errorf("%s: key would travel in clear text to %s", name, u)
		case u.RawQuery != "" || u.User != nil || strings.HasSuffix(u.Path, "/"):
			t.Errorf("%s: odd base URL %s", name, u)
		case (u.Path == "") != (info.Unversioned || len(info.ChatPath) > 0):
			t.Errorf("%s: the version is missing in the base URL %s, or one too many", name, u)
		case len(info.KeyEnv) == 0 && !info.KeyOptional:
			t.Errorf("%s: no environment variable for the key", name)
		case info.Local != (info.KeyOptional && name != "litellm"):
			t.Errorf("%s: local is %v", name, info.Local)
		case (info.PriceBook == "") != info.KeyOptional:
			t.Errorf("%s: price book %q", name, info.PriceBook)
		case len(info.Dialects) == 0:
			t.Errorf("%s: no dialect", name)
		}
	}
	if _, ok := Preset("grok-cloud"); ok {
		t.Error("an unknown preset is known")
	}
}

func TestBaseURLsMeanWhatTheDialectSays(t *testing.T) {
	for _, tc := range []struct {
		preset, base string
		dialect      providers.Dialect
		op           providers.Operation
		want         string
	}{
		{preset: "groq", base: "https://api.groq.com/openai/v1", dialect: "chat", want: "https://api.groq.com/openai/v1/chat/completions"},
		{preset: "vllm", base: "http://gpu:8000", dialect: "chat", want: "http://gpu:8000/v1/chat/completions"},
		{preset: "vllm", base: "http://gpu:8000", dialect: "chat", op: providers.Embeddings, want: "http://gpu:8000/v1/embeddings"},
		{preset: "perplexity", base: "https://api.perplexity.ai", dialect: "chat", want: "https://api.perplexity.ai/chat/completions"},
		{preset: "perplexity", base: "http://proxy/pplx", dialect: "chat", want: "http://proxy/pplx/chat/completions"},
		{preset: "cohere", base: "https://api.cohere.com", dialect: "cohere", want: "https://api.cohere.com/v2/chat"},
		{preset: "cohere", base: "https://api.cohere.com/v2/", dialect: "cohere", want: "https://api.cohere.com/v2/chat"},
		{preset: "cohere", base: "https://api.cohere.ai/compatibility/v1", dialect: "cohere", want: "https://api.cohere.ai/v2/chat"},
		{preset: "cohere", base: "http://proxy/co", dialect: "cohere", want: "http://proxy/co/v2/chat"},
		{preset: "cohere", base: "https://api.cohere.com", dialect: "chat", want: "https://api.cohere.com/compatibility/v1/chat/completions"},
		{preset: "cohere", base: "https://api.cohere.ai/compatibility/v1", dialect: "chat", want: "https://api.cohere.ai/compatibility/v1/chat/completions"},
		{preset: "cohere", base: "https://api.cohere.com/v2", dialect: "chat", op: providers.Embeddings, want: "https://api.cohere.com/compatibility/v1/embeddings"},
		{preset: "cohere", base: "https://api.cohere.com/compatibility/v1", dialect: "chat", op: providers.Rerank, want: "https://api.cohere.com/v2/rerank"},
		{preset: "ollama", base: "http://h:11434", dialect: "ollama", want: "http://h:11434/api/chat"},
		{preset: "ollama", base: "http://h:11434/v1", dialect: "ollama", want: "http://h:11434/api/chat"},
		{preset: "ollama", base: "http://h:11434/api/", dialect: "ollama", want: "http://h:11434/api/chat"},
		{preset: "ollama", base: "http://h/a%2Fb/v1", dialect: "ollama", want: "http://h/a%2Fb/api/chat"},
		{preset: "ollama", base: "http://h:11434", dialect: "chat", want: "http://h:11434/v1/chat/completions"},
		{preset: "ollama", base: "http://h:11434/v1", dialect: "chat", want: "http://h:11434/v1/chat/completions"},
		{preset: "ollama", base: "http://h/lane", dialect: "chat", op: providers.Embeddings, want: "http://h/lane/v1/embeddings"},
		{preset: "openrouter", base: "https://openrouter.ai/api/v1", dialect: "responses", want: "https://openrouter.ai/api/v1/responses"},
	} {
		base, err := url.Parse(tc.base)
		if err != nil {
			t.Fatal(err)
		}
		r, err := provision(t, &Provider{Preset: tc.preset, DialectNames: []providers.Dialect{tc.dialect}}).Prepare(context.Background(), &providers.Call{
			Dialect: tc.dialect, Operation: tc.op, Model: "m", BaseURL: base, Header: http.Header{},
		})
		if err != nil {
			t.Errorf("%s: %v", tc.preset, err)
		} else if r.URL.String() != tc.want {
			t.Errorf("got %s, want %s", r.URL, tc.want)
		}
	}
}

func TestVendorsWithAnAPIOfTheirOwnOfferOpenAIsOtherOperations(t *testing.T) {
	for _, tc := range []struct {
		preset  string
		dialect providers.Dialect
		op      providers.Operation
		want    bool
	}{
		{"cohere", providers.Chat, providers.Embeddings, true},
		{"ollama", providers.Chat, providers.Completions, true},
		{"ollama", providers.Gemini, providers.Embeddings, false},
		{"ollama", providers.Chat, providers.CountTokens, false},
		{"groq", providers.Chat, providers.Embeddings, false},
	} {
		if got := provision(t, &Provider{Preset: tc.preset}).Offers(tc.dialect, tc.op); got != tc.want {
			t.Errorf("%+v: got %v", tc, got)
		}
	}
}

func TestADialectThatIsNotSpokenIsRefused(t *testing.T) {
	base, _ := url.Parse("http://h")
	_, err := provision(t, &Provider{Preset: "vllm"}).Prepare(context.Background(), &providers.Call{Dialect: "messages", BaseURL: base})
	if !errors.Is(err, providers.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
}

func TestOptionsAreParsed(t *testing.T) {
	for _, tc := range []struct {
		input, err string
		dialects   []providers.Dialect
	}{
		{input: "compatible", dialects: []providers.Dialect{"chat"}},
		{input: "compatible {\npreset xai\n}", dialects: []providers.Dialect{"chat", "responses"}},
		{input: "compatible {\npreset vllm\ndialect responses\ndialect messages\n}", dialects: []providers.Dialect{"responses", "messages"}},
		{input: "compatible {\npreset ollama\n}", dialects: []providers.Dialect{"ollama", "chat"}},
		{input: "compatible {\npreset ollama\ndialect chat\n}", dialects: []providers.Dialect{"chat"}},
		{input: "compatible {\npreset cohere\n}", dialects: []providers.Dialect{"cohere"}},
		{input: "compatible {\npreset vlm\n}", err: "did you mean 'vllm'?"},
		{input: "compatible {\npreset nothing-like-it\n}", err: "unknown preset 'nothing-like-it'"},
		{input: "compatible {\npreset xai\npreset xai\n}", err: "already specified"},
		{input: "compatible {\npreset\n}", err: "wrong argument count"},
		{input: "compatible {\ndialect\n}", err: "wrong argument count"},
		{input: "compatible {\ndialect chatty\n}", err: "unknown dialect 'chatty'"},
		{input: "compatible {\ndialects chat\n}", err: "did you mean 'dialect'?"},
	} {
		p := new(Provider)
		err := p.UnmarshalCaddyfile(caddyfile.NewTestDispenser(tc.input))
		if tc.err != "" {
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%q: error %v, want %q", tc.input, err, tc.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", tc.input, err)
		} else if got := provision(t, p).Dialects("m"); !slices.Equal(got, tc.dialects) {
			t.Errorf("%q: dialects %v, want %v", tc.input, got, tc.dialects)
		}
	}
}

func TestConfigurationMistakesAreFoundWhenLoading(t *testing.T) {
	if err := (&Provider{Preset: "grok"}).Provision(caddy.Context{}); err == nil || !strings.Contains(err.Error(), "did you mean 'groq'?") {
		t.Errorf("error %v", err)
	}
	if err := (&Provider{DialectNames: []providers.Dialect{"x"}}).Validate(); err == nil {
		t.Error("an unknown dialect is accepted")
	}
}

func TestMistralIsNotAskedForWhatItTellsAnyway(t *testing.T) {
	for _, tc := range []struct{ name, preset, body, want string }{
		{"removed", "mistral", `{"model":"m","stream_options":{"include_usage":true},"stream":true}`, `{"model":"m","stream":true}`},
		{"twice", "mistral", `{"stream_options":1,"model":"m","stream_options":2}`, `{"model":"m"}`},
		{"not there", "mistral", `{"model":"m"}`, `{"model":"m"}`},
		{"another vendor", "groq", `{"stream_options":{}}`, `{"stream_options":{}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := provision(t, &Provider{Preset: tc.preset})
			got, dropped, err := p.Adjust(&providers.Call{Dialect: providers.Chat}, []byte(tc.body))
			if err != nil || string(got) != tc.want || len(dropped) != 0 {
				t.Errorf("got %s, dropped %v, %v", got, dropped, err)
			}
		})
	}
	if _, _, err := provision(t, &Provider{Preset: "mistral"}).Adjust(&providers.Call{Dialect: providers.Chat}, []byte(`{`)); err == nil {
		t.Error("a broken body is accepted")
	}
}
