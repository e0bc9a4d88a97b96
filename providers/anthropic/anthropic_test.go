package anthropic

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-llm/llmgateway/providers"
	"github.com/caddy-llm/llmgateway/providers/providertest"
)

func subject() providertest.Subject {
	return providertest.Subject{
		Provider: new(Provider), BaseURL: "https://api.anthropic.com", Model: "claude-opus-5-5",
		CredentialHeader: func(providers.Dialect) string { return "X-Api-Key" },
	}
}

func TestConformance(t *testing.T)  { providertest.Run(t, subject()) }
func BenchmarkPrepare(b *testing.B) { providertest.Bench(b, subject()) }

func TestTheVersionIsAppendedUnlessItIsThere(t *testing.T) {
	for _, tc := range []struct {
		base, want string
		op         providers.Operation
		err        error
	}{
		{base: "https://h", want: "https://h/v1/messages"},
		{base: "https://h/v1", want: "https://h/v1/messages"},
		{base: "https://h/v1/", want: "https://h/v1/messages"},
		{base: "https://h/anthropic", want: "https://h/anthropic/v1/messages"},
		{base: "https://h/anthropic/v1", want: "https://h/anthropic/v1/messages"},
		{base: "https://h/xv1", want: "https://h/xv1/v1/messages"},
		{base: "https://h", op: providers.CountTokens, want: "https://h/v1/messages/count_tokens"},
		{base: "https://h", op: providers.Embeddings, err: providers.ErrUnsupported},
	} {
		base, err := url.Parse(tc.base)
		if err != nil {
			t.Fatal(err)
		}
		r, err := new(Provider).Prepare(context.Background(), &providers.Call{
			Dialect: providers.Messages, Operation: tc.op, BaseURL: base,
		})
		if !errors.Is(err, tc.err) {
			t.Errorf("%s: error %v, want %v", tc.base, err, tc.err)
		} else if err == nil && r.URL.String() != tc.want {
			t.Errorf("got %s, want %s", r.URL, tc.want)
		}
	}
}

func TestVersionAndBetasOfTheClientAreKept(t *testing.T) {
	for _, tc := range []struct {
		name, caddyfile string
		client          http.Header
		version, beta   string
	}{
		{name: "defaults", caddyfile: "anthropic", version: "2023-06-01"},
		{
			name: "the client's own", caddyfile: "anthropic", version: "2024-01-01", beta: "x-1, y-2",
			client: http.Header{"Anthropic-Version": {"2024-01-01"}, "Anthropic-Beta": {"x-1, y-2"}},
		},
		{name: "configured", caddyfile: "anthropic {\nbeta a-1 b-2\nbeta c-3\n}", version: "2023-06-01", beta: "a-1,b-2,c-3"},
		{
			name: "both, each once", caddyfile: "anthropic {\nbeta a-1 b-2\n}", version: "2023-06-01", beta: "b-2,x-1,a-1",
			client: http.Header{"Anthropic-Beta": {"b-2, x-1", ""}},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := new(Provider)
			if err := p.UnmarshalCaddyfile(caddyfile.NewTestDispenser(tc.caddyfile)); err != nil {
				t.Fatal(err)
			}
			base, _ := url.Parse("https://h")
			r, err := p.Prepare(context.Background(), &providers.Call{Dialect: providers.Messages, BaseURL: base, Header: tc.client})
			if err != nil {
				t.Fatal(err)
			}
			if v, b := r.Header.Get("Anthropic-Version"), r.Header.Get("Anthropic-Beta"); v != tc.version || b != tc.beta {
				t.Errorf("version %q, beta %q", v, b)
			}
		})
	}
}

func TestWrongOptionsAreNamed(t *testing.T) {
	for input, want := range map[string]string{
		"anthropic {\nbeta\n}":      "wrong argument count",
		"anthropic {\nbetas x\n}":   "did you mean 'beta'?",
		"anthropic {\nversion 1\n}": "unrecognized option 'version'",
		"anthropic x":               "wrong argument count",
	} {
		err := new(Provider).UnmarshalCaddyfile(caddyfile.NewTestDispenser(input))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", input, err, want)
		}
	}
}
