// Package bedrock is the provider for Amazon Bedrock.
package bedrock

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-llm/llmgateway/providers"
)

func init() {
	caddy.RegisterModule(new(Provider))
}

// streamType is what Bedrock streams are framed in.
const streamType = "application/vnd.amazon.eventstream"

// Provider sends requests to Amazon Bedrock's Converse API. A Bedrock API key is sent as a bearer token. Without one,
// requests are signed (AWS Signature Version 4) with the access key that is configured here, else with that of the
// environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN), else, in binaries that are built with the
// package awschain, with what AWS's SDKs find: profiles, single sign-on, web identities and instance roles.
//
// Models are named by their model ids, inference profiles or ARNs.
type Provider struct {
	// Region is the AWS region, such as us-east-1. It makes the base URL and is part of signatures. Default:
	// AWS_REGION, else AWS_DEFAULT_REGION. It may be missing where a base URL is configured and an API key is used.
	Region string `json:"region,omitempty"`
	// AccessKeyID is the ID of the access key to sign with, if no API key is configured. Placeholders are replaced when the
	// configuration is loaded. Default: AWS_ACCESS_KEY_ID.
	AccessKeyID string `json:"access_key_id,omitempty"`
	// SecretAccessKey is the secret of that access key. Placeholders are replaced. Default: AWS_SECRET_ACCESS_KEY, with the
	// ID from the environment.
	SecretAccessKey string `json:"secret_access_key,omitempty"`
	// SessionToken belongs to temporary access keys. Placeholders are replaced. Default: AWS_SESSION_TOKEN, with a key from
	// the environment.
	SessionToken string `json:"session_token,omitempty"`
	// Profile is a profile in AWS's configuration files. It needs the package awschain. Default: none.
	Profile string `json:"profile,omitempty"`

	region      string
	credentials aws.CredentialsProvider // nil: requests are not signed
	signer      *v4.Signer
}

var dialects = []providers.Dialect{providers.Converse}

// CaddyModule returns the Caddy module information.
func (*Provider) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.llm_gateway.providers.bedrock",
		New: func() caddy.Module { return new(Provider) },
	}
}

// Provision replaces placeholders and looks for credentials. It performs no I/O: the chain is asked by the first request.
func (p *Provider) Provision(caddy.Context) error {
	repl := caddy.NewReplacer()
	var key aws.Credentials
	for _, option := range []struct {
		name, from string
		to         *string
	}{
		{"region", p.Region, &p.region},
		{"access_key_id", p.AccessKeyID, &key.AccessKeyID},
		{"secret_access_key", p.SecretAccessKey, &key.SecretAccessKey},
		{"session_token", p.SessionToken, &key.SessionToken},
	} {
		value, err := repl.ReplaceOrErr(option.from, true, true)
		if err != nil {
			return fmt.Errorf("%s: %w", option.name, err)
		}
		*option.to = strings.TrimSpace(value)
	}
	if p.region == "" {
		p.region = regionOfEnvironment()
	}
	if !isRegion(p.region) {
		return errors.New("the region is not the name of an AWS region such as us-east-1") // nor repeated: it may be a key
	}
	p.signer = v4.NewSigner()
	return p.findCredentials(key)
}

// findCredentials decides what requests without an API key are signed with.
func (p *Provider) findCredentials(key aws.Credentials) error {
	switch {
	case (key.AccessKeyID == "") != (key.SecretAccessKey == ""):
		return errors.New("access_key_id and secret_access_key belong together")
	case key.AccessKeyID == "" && key.SessionToken != "":
		return errors.New("session_token belongs to an access_key_id")
	case key.AccessKeyID != "" && p.Profile != "":
		return errors.New("either an access key or a profile, not both")
	case p.Profile != "" && chain == nil:
		return errors.New("this binary cannot read profiles: build it with github.com/caddy-llm/llmgateway/providers/bedrock/awschain")
	}
	if key.AccessKeyID == "" && p.Profile == "" {
		key = keyOfEnvironment()
	}
	switch {
	case key.AccessKeyID != "":
		p.credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return key, nil })
	case chain != nil && p.region != "":
		p.credentials = aws.NewCredentialsCache(chain(p.region, p.Profile))
	}
	if p.credentials != nil && p.region == "" && p.AccessKeyID != "" {
		return errors.New("no region, which is part of every signature: " + regionHelp)
	}
	return nil
}

const regionHelp = "write `region us-east-1`, or set AWS_REGION"

func regionOfEnvironment() string {
	for _, name := range [...]string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if v := strings.TrimSpace(os.Getenv(name)); v != "" {
			return v
		}
	}
	return ""
}

func keyOfEnvironment() aws.Credentials {
	key := aws.Credentials{AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY")}
	if key.AccessKeyID == "" || key.SecretAccessKey == "" {
		return aws.Credentials{}
	}
	key.SessionToken = os.Getenv("AWS_SESSION_TOKEN")
	return key
}

// isRegion reports whether a name can stand in a host name without leading anywhere else. None is a region, too.
func isRegion(s string) bool {
	for i := range len(s) {
		if c := s[i]; !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' && i > 0) {
			return false
		}
	}
	return true
}

// Defaults says where Bedrock is in the region, and that it needs no API key where requests are signed.
func (p *Provider) Defaults() providers.Defaults {
	region := p.region
	if region == "" {
		region = regionOfEnvironment() // not provisioned
	}
	d := providers.Defaults{
		BaseURLNeeds: regionHelp,
		KeyEnv:       []string{"AWS_BEARER_TOKEN_BEDROCK"},
		KeyElse:      "an access key: access_key_id and secret_access_key",
		KeyOptional:  p.credentials != nil,
		PriceBook:    "bedrock",
	}
	switch {
	case region == "" || !isRegion(region):
	case strings.HasPrefix(region, "cn-"):
		d.BaseURL = "https://bedrock-runtime." + region + ".amazonaws.com.cn"
	default:
		d.BaseURL = "https://bedrock-runtime." + region + ".amazonaws.com"
	}
	return d
}

// Dialects lists Converse.
func (*Provider) Dialects(string) []providers.Dialect { return dialects }

// Prepare addresses and authenticates a call.
func (p *Provider) Prepare(ctx context.Context, c *providers.Call) (*http.Request, error) {
	if c.Dialect != providers.Converse {
		return nil, providers.ErrUnsupported
	}
	var operation string
	model := c.Model
	switch {
	case c.Operation == providers.CountTokens:
		operation, model = "count-tokens", foundationModel(c.Model)
	case c.Operation != providers.Generate:
		return nil, providers.ErrUnsupported
	case c.Stream:
		operation = "converse-stream"
	default:
		operation = "converse"
	}
	if c.BaseURL == nil {
		return nil, errors.New("no base URL")
	}
	if strings.Trim(model, ".") == "" { // dots would be taken for a way up
		return nil, providers.ErrNoModel
	}
	u := providers.JoinPath(c.BaseURL, "model", model, operation)
	r := providers.NewRequest(ctx, c, u, providers.HeaderAuthorization, providers.Bearer(c.Credential))
	if c.Stream {
		r.Header["Accept"] = []string{streamType}
	}
	if !c.Credential.Empty() || p.credentials == nil {
		return r, nil
	}
	if err := p.sign(r, c.Body); err != nil {
		r.Body.Close()
		return nil, err
	}
	return r, nil
}

// geographies are what the ids of cross-region inference profiles begin with.
var geographies = []string{"us", "eu", "apac", "jp", "au", "ca", "sa", "us-gov", "global"}

// foundationModel is the model behind a cross-region inference profile. Tokens are counted for models only.
func foundationModel(id string) string {
	profile := id[strings.LastIndexByte(id, '/')+1:]
	if profile != id && !strings.Contains(id, ":inference-profile/") {
		return id
	}
	geography, model, _ := strings.Cut(profile, ".")
	if slices.Contains(geographies, geography) && strings.Contains(model, ".") {
		return model
	}
	return id
}

// Classify knows two of Bedrock's errors better than their status does.
func (p *Provider) Classify(status int, h http.Header, body []byte) providers.Fault {
	f := providers.Classify(providers.Converse, status, h, body)
	switch {
	case strings.EqualFold(f.Type, "ServiceQuotaExceededException"):
		f.Class = providers.ClassRateLimit
	case f.Class == providers.ClassInvalid && strings.Contains(f.Message, "on-demand throughput"):
		f.Class = providers.ClassNotFound // the model is there by way of an inference profile only
	}
	return f
}

// UnmarshalCaddyfile parses what the kind adds to a provider block:
//
//	bedrock {
//		region            <name>
//		access_key_id     <id>
//		secret_access_key <secret>
//		session_token     <token>
//		profile           <name>
//	}
func (p *Provider) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the kind
	if d.NextArg() {
		return d.ArgErr()
	}
	options := map[string]*string{
		"region": &p.Region, "access_key_id": &p.AccessKeyID, "secret_access_key": &p.SecretAccessKey,
		"session_token": &p.SessionToken, "profile": &p.Profile,
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		value, ok := options[name]
		switch {
		case !ok:
			return providers.UnrecognizedOption(d, "region", "access_key_id", "secret_access_key", "session_token", "profile")
		case *value != "":
			return d.Errf("%s already specified", name)
		case !d.AllArgs(value):
			return d.ArgErr()
		case *value == "":
			return d.Errf("%s is empty", name)
		}
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Provider)(nil)
	_ caddyfile.Unmarshaler = (*Provider)(nil)
	_ providers.Provider    = (*Provider)(nil)
	_ providers.Defaulter   = (*Provider)(nil)
	_ providers.Classifier  = (*Provider)(nil)
)
