package openai

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-llm/llmgateway/providers"
	"github.com/caddy-llm/llmgateway/providers/providertest"
)

func subject(p *Provider) providertest.Subject {
	return providertest.Subject{
		Provider: p, BaseURL: "https://api.openai.com/v1", Model: "gpt-5.6",
		CredentialHeader: func(providers.Dialect) string { return "Authorization" },
	}
}

func TestConformance(t *testing.T)  { providertest.Run(t, subject(new(Provider))) }
func BenchmarkPrepare(b *testing.B) { providertest.Bench(b, subject(new(Provider))) }

func TestEveryOperationHasItsPath(t *testing.T) {
	for _, tc := range []struct {
		base, want string
		call       providers.Call
		err        error
	}{
		{base: "https://h", call: providers.Call{Dialect: "chat"}, want: "https://h/v1/chat/completions"},
		{base: "https://h/", call: providers.Call{Dialect: "chat"}, want: "https://h/v1/chat/completions"},
		{base: "https://h/v1", call: providers.Call{Dialect: "chat"}, want: "https://h/v1/chat/completions"},
		{base: "https://h/v1/", call: providers.Call{Dialect: "chat"}, want: "https://h/v1/chat/completions"},
		{base: "https://h/openai/v1", call: providers.Call{Dialect: "chat"}, want: "https://h/openai/v1/chat/completions"},
		{base: "https://h/paas/v4?x=1", call: providers.Call{Dialect: "chat"}, want: "https://h/paas/v4/chat/completions?x=1"},
		{base: "https://h/a%2Fb", call: providers.Call{Dialect: "chat"}, want: "https://h/a%2Fb/chat/completions"},
		{base: "https://u:p@h/v1#f", call: providers.Call{Dialect: "chat"}, want: "https://h/v1/chat/completions"},
		{base: "https://h", call: providers.Call{Dialect: "responses"}, want: "https://h/v1/responses"},
		{base: "https://h", call: providers.Call{Dialect: "responses", Subpath: "compact"}, want: "https://h/v1/responses/compact"},
		{base: "https://h", call: providers.Call{Dialect: "chat", Operation: providers.Embeddings}, want: "https://h/v1/embeddings"},
		{base: "https://h/x", call: providers.Call{Dialect: "chat", Operation: providers.Completions}, want: "https://h/x/completions"},
		{base: "https://h", call: providers.Call{Dialect: "chat", Operation: providers.Images, Subpath: "edits"}, want: "https://h/v1/images/edits"},
		{base: "https://h", call: providers.Call{Dialect: "chat", Operation: providers.Audio, Subpath: "../x"}, want: "https://h/v1/audio/..%2Fx"},
		{base: "https://h/v1", call: providers.Call{Dialect: "chat", Operation: providers.Moderations}, want: "https://h/v1/moderations"},
		{base: "https://h/v1", call: providers.Call{Dialect: "chat", Operation: providers.Rerank}, want: "https://h/v1/rerank"},
		{base: "https://h/v1", call: providers.Call{Dialect: "chat", Operation: providers.CountTokens}, err: providers.ErrUnsupported},
		{base: "https://h/v1", call: providers.Call{Dialect: "other"}, err: providers.ErrUnsupported},
	} {
		base, err := url.Parse(tc.base)
		if err != nil {
			t.Fatal(err)
		}
		tc.call.BaseURL = base
		r, err := new(Provider).Prepare(context.Background(), &tc.call)
		if !errors.Is(err, tc.err) {
			t.Errorf("%+v: error %v, want %v", tc.call, err, tc.err)
		} else if err == nil && r.URL.String() != tc.want {
			t.Errorf("got %s, want %s", r.URL, tc.want)
		}
	}
}

func TestUploadsKeepTheirContentType(t *testing.T) {
	base, _ := url.Parse("https://h")
	const multipart = "multipart/form-data; boundary=x"
	r, err := new(Provider).Prepare(context.Background(), &providers.Call{
		Dialect: "chat", Operation: providers.Audio, Subpath: "transcriptions", BaseURL: base,
		Header: http.Header{"Content-Type": {multipart}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Header.Get("Content-Type") != multipart || r.Header.Get("Accept") != "*/*" {
		t.Errorf("headers %v", r.Header)
	}
}

func TestOrganizationAndProjectAreTheConfiguredOnes(t *testing.T) {
	t.Setenv("TEST_ORGANIZATION", "org-1")
	for _, tc := range []struct {
		name, caddyfile, organization, project, err string
	}{
		{name: "none", caddyfile: `openai`},
		{name: "both", caddyfile: "openai {\norganization {env.TEST_ORGANIZATION}\nproject p\n}", organization: "org-1", project: "p"},
		{name: "twice", caddyfile: "openai {\nproject a\nproject b\n}", err: "already specified"},
		{name: "without a value", caddyfile: "openai {\nproject\n}", err: "wrong argument count"},
		{name: "misspelled", caddyfile: "openai {\norganisation x\n}", err: "did you mean 'organization'?"},
		{name: "unknown", caddyfile: "openai {\nfoo x\n}", err: "unrecognized option 'foo'"},
		{name: "with an argument", caddyfile: "openai x", err: "wrong argument count"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := new(Provider)
			err := p.UnmarshalCaddyfile(caddyfile.NewTestDispenser(tc.caddyfile))
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("error %v, want %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			again := new(Provider)
			if err := json.Unmarshal(text, again); err != nil {
				t.Fatal(err)
			}
			if err := again.Provision(caddy.Context{}); err != nil {
				t.Fatal(err)
			}
			base, _ := url.Parse("https://h")
			r, err := again.Prepare(context.Background(), &providers.Call{
				Dialect: "chat", BaseURL: base, Header: http.Header{"Openai-Organization": {"client"}, "Openai-Project": {"client"}},
			})
			if err != nil {
				t.Fatal(err)
			}
			if o, p := r.Header.Get("OpenAI-Organization"), r.Header.Get("OpenAI-Project"); o != tc.organization || p != tc.project {
				t.Errorf("organization %q, project %q", o, p)
			}
		})
	}
}
