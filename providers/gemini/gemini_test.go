package gemini

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-llm/llmgateway/providers"
	"github.com/caddy-llm/llmgateway/providers/providertest"
)

func subject() providertest.Subject {
	return providertest.Subject{
		Provider: new(Provider), BaseURL: "https://generativelanguage.googleapis.com", Model: "gemini-3.6-flash",
		CredentialHeader: func(providers.Dialect) string { return "X-Goog-Api-Key" },
	}
}

func TestConformance(t *testing.T)  { providertest.Run(t, subject()) }
func BenchmarkPrepare(b *testing.B) { providertest.Bench(b, subject()) }

func TestModelAndVerbStandInThePath(t *testing.T) {
	for _, tc := range []struct {
		base, model, want string
		op                providers.Operation
		stream            bool
	}{
		{base: "https://h", model: "m", want: "https://h/v1beta/models/m:generateContent"},
		{base: "https://h/", model: "m", stream: true, want: "https://h/v1beta/models/m:streamGenerateContent?alt=sse"},
		{base: "https://h?a=1", model: "m", stream: true, want: "https://h/v1beta/models/m:streamGenerateContent?a=1&alt=sse"},
		{base: "https://h/v1", model: "m", want: "https://h/v1/models/m:generateContent"},
		{base: "https://h/x/v1beta", model: "m", want: "https://h/x/v1beta/models/m:generateContent"},
		{base: "https://h/x", model: "m", want: "https://h/x/v1beta/models/m:generateContent"},
		{base: "https://h", model: "models/m", want: "https://h/v1beta/models/m:generateContent"},
		{base: "https://h", model: "tunedModels/m-1", want: "https://h/v1beta/tunedModels/m-1:generateContent"},
		{base: "https://h", model: "m", op: providers.CountTokens, want: "https://h/v1beta/models/m:countTokens"},
		{base: "https://h", model: "m", op: providers.Embeddings, want: "https://h/v1beta/models/m:embedContent"},
		{base: "https://h", model: "m", op: providers.BatchEmbed, want: "https://h/v1beta/models/m:batchEmbedContents"},
		{base: "https://h", model: "../a?b#c:d", want: "https://h/v1beta/models/..%2Fa%3Fb%23c%3Ad:generateContent"},
		{base: "https://h", model: "..", want: "https://h/v1beta/models/%2E%2E:generateContent"},
	} {
		base, err := url.Parse(tc.base)
		if err != nil {
			t.Fatal(err)
		}
		r, err := new(Provider).Prepare(context.Background(), &providers.Call{
			Dialect: providers.Gemini, Operation: tc.op, Model: tc.model, Stream: tc.stream, BaseURL: base,
		})
		if err != nil {
			t.Fatal(err)
		}
		if r.URL.String() != tc.want {
			t.Errorf("got %s, want %s", r.URL, tc.want)
		}
	}
}

func TestWhatGeminiDoesNotSpeakIsRefused(t *testing.T) {
	base, _ := url.Parse("https://h")
	for _, c := range []providers.Call{
		{Dialect: providers.Chat, Operation: providers.Embeddings, Model: "m", BaseURL: base},
		{Dialect: providers.Gemini, Operation: providers.Images, Model: "m", BaseURL: base},
	} {
		if _, err := new(Provider).Prepare(context.Background(), &c); !errors.Is(err, providers.ErrUnsupported) {
			t.Errorf("%+v: error %v", c, err)
		}
	}
	for _, c := range []providers.Call{
		{Dialect: providers.Gemini, BaseURL: base},
		{Dialect: providers.Gemini, Model: "models/", BaseURL: base},
		{Dialect: providers.Gemini, Model: "m"},
	} {
		if _, err := new(Provider).Prepare(context.Background(), &c); err == nil {
			t.Errorf("%+v: no error", c)
		}
	}
}

func TestThereAreNoOptions(t *testing.T) {
	if err := new(Provider).UnmarshalCaddyfile(caddyfile.NewTestDispenser("gemini")); err != nil {
		t.Error(err)
	}
	err := new(Provider).UnmarshalCaddyfile(caddyfile.NewTestDispenser("gemini {\nfoo\n}"))
	if err == nil || !strings.Contains(err.Error(), "unrecognized option 'foo'") {
		t.Errorf("error %v", err)
	}
}
