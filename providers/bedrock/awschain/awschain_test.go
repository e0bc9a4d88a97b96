package awschain

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-llm/llmgateway/providers"
	"github.com/caddy-llm/llmgateway/providers/bedrock"
)

// environment has two profiles and no other credentials, and keeps the chain off the network.
func environment(t *testing.T) {
	t.Helper()
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION"} {
		t.Setenv(name, "")
	}
	file := filepath.Join(t.TempDir(), "credentials")
	profiles := "[default]\naws_access_key_id=DEFAULT\naws_secret_access_key=s\n[dev]\naws_access_key_id=DEV\naws_secret_access_key=s\n"
	if err := os.WriteFile(file, []byte(profiles), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	t.Setenv("AWS_CONFIG_FILE", file+".none")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

func prepare(t *testing.T, p *bedrock.Provider) (*http.Request, error) {
	t.Helper()
	if err := p.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	base, err := url.Parse("https://h")
	if err != nil {
		t.Fatal(err)
	}
	return p.Prepare(context.Background(), &providers.Call{Dialect: providers.Converse, Model: "m", BaseURL: base})
}

func TestProfilesSignRequests(t *testing.T) {
	for profile, want := range map[string]string{"": "Credential=DEFAULT/", "dev": "Credential=DEV/"} {
		environment(t)
		r, err := prepare(t, &bedrock.Provider{Region: "us-east-1", Profile: profile})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Header.Get("Authorization"); !strings.Contains(got, want) {
			t.Errorf("profile %q: %s", profile, got)
		}
	}
}

func TestAMissingProfileFailsTheRequestAndNotTheConfiguration(t *testing.T) {
	environment(t)
	if _, err := prepare(t, &bedrock.Provider{Region: "us-east-1", Profile: "nobody"}); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("error %v", err)
	}
}
