package bedrock

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-llm/llmgateway/providers"
	"github.com/caddy-llm/llmgateway/providers/providertest"
)

// bare makes an environment without anything of AWS's.
func bare(tb testing.TB) {
	tb.Helper()
	for _, name := range []string{
		"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK",
	} {
		tb.Setenv(name, "")
	}
}

func provision(tb testing.TB, p *Provider) *Provider {
	tb.Helper()
	if err := p.Provision(caddy.Context{}); err != nil {
		tb.Fatal(err)
	}
	return p
}

func subject(tb testing.TB) providertest.Subject {
	bare(tb)
	return providertest.Subject{
		Provider: provision(tb, &Provider{Region: "us-east-1"}), BaseURL: "https://bedrock-runtime.us-east-1.amazonaws.com",
		Model:            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
		CredentialHeader: func(providers.Dialect) string { return "Authorization" },
		StreamType:       streamType,
	}
}

func TestConformance(t *testing.T)  { providertest.Run(t, subject(t)) }
func BenchmarkPrepare(b *testing.B) { providertest.Bench(b, subject(b)) }

func newCall(t testing.TB, base string) *providers.Call {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	return &providers.Call{
		Dialect: providers.Converse, Model: "m", BaseURL: u, Header: http.Header{},
		Body: providers.NewBody(nil, []byte(`{"messages"`), []byte(`:[]}`)),
	}
}

func TestTheModelStandsInThePath(t *testing.T) {
	bare(t)
	p := provision(t, new(Provider))
	for _, tc := range []struct {
		base, model string
		op          providers.Operation
		stream      bool
		want        string
		err         bool
	}{
		{base: "https://h", model: "m", want: "https://h/model/m/converse"},
		{base: "https://h/", model: "m", stream: true, want: "https://h/model/m/converse-stream"},
		{base: "https://h/proxy?x=1", model: "m", op: providers.CountTokens, want: "https://h/proxy/model/m/count-tokens?x=1"},
		{base: "https://h", model: "us.anthropic.claude-sonnet-4-5-v1:0", op: providers.CountTokens, want: "https://h/model/anthropic.claude-sonnet-4-5-v1%3A0/count-tokens"},
		{base: "https://h", model: "arn:aws:bedrock:us-east-1:1:inference-profile/global.anthropic.claude-x", op: providers.CountTokens, want: "https://h/model/anthropic.claude-x/count-tokens"},
		{base: "https://h", model: "anthropic.claude-3.5", op: providers.CountTokens, want: "https://h/model/anthropic.claude-3.5/count-tokens"},
		{base: "https://h", model: "us.amazon.nova-pro-v1:0", want: "https://h/model/us.amazon.nova-pro-v1%3A0/converse"},
		{
			base: "https://h", model: "arn:aws:bedrock:us-east-1:1:inference-profile/us.x-v1:0",
			want: "https://h/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.x-v1%3A0/converse",
		},
		{base: "https://h", model: "", err: true},
		{base: "https://h", model: "m", op: providers.Embeddings, err: true},
	} {
		c := newCall(t, tc.base)
		c.Model, c.Operation, c.Stream = tc.model, tc.op, tc.stream
		r, err := p.Prepare(context.Background(), c)
		if (err != nil) != tc.err {
			t.Errorf("%s: error %v", tc.want, err)
		} else if err == nil && r.URL.String() != tc.want {
			t.Errorf("got %s, want %s", r.URL, tc.want)
		}
	}
	c := newCall(t, "https://h")
	c.Dialect = providers.Chat
	if _, err := p.Prepare(context.Background(), c); !errors.Is(err, providers.ErrUnsupported) {
		t.Errorf("another dialect: %v", err)
	}
	c = newCall(t, "https://h")
	c.BaseURL = nil
	if _, err := p.Prepare(context.Background(), c); err == nil {
		t.Error("a call to nowhere was prepared")
	}
}

// TestSignaturesAreThoseOfTheSpecification signs at the time that synctest starts at. The signatures were computed step
// by step as AWS documents it, with another implementation.
func TestSignaturesAreThoseOfTheSpecification(t *testing.T) {
	bare(t)
	for _, tc := range []struct {
		name, model string
		provider    Provider
		signed      string
	}{
		{
			"an access key", "m",
			Provider{Region: "us-east-1", AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"},
			"content-type;host;x-amz-date, Signature=c25e79d7f8a6ad12c9e66f2c83c7280c5b882b3986ce8d7a09e1efabfcc3958e",
		},
		{
			"a temporary key and a path with escapes", "us.x-v1:0",
			Provider{Region: "eu-west-1", AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "secret", SessionToken: "token"},
			"content-type;host;x-amz-date;x-amz-security-token, Signature=85b0c6f3c5ef7a39b246fdc0690c515d4ec51bbb725231f7bc5ada9568d0af18",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := provision(t, &tc.provider)
			synctest.Test(t, func(t *testing.T) {
				c := newCall(t, "https://bedrock-runtime."+p.Region+".amazonaws.com")
				c.Model = tc.model
				r, err := p.Prepare(context.Background(), c)
				if err != nil {
					t.Fatal(err)
				}
				want := "AWS4-HMAC-SHA256 Credential=" + p.AccessKeyID + "/20000101/" + p.Region + "/bedrock/aws4_request, SignedHeaders=" + tc.signed
				if got := r.Header.Get("Authorization"); got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
				if r.Header.Get("X-Amz-Date") != "20000101T000000Z" || r.Header.Get("X-Amz-Security-Token") != p.SessionToken {
					t.Errorf("headers %v", r.Header)
				}
				if body, err := io.ReadAll(r.Body); err != nil || string(body) != `{"messages":[]}` {
					t.Errorf("body %s, %v", body, err)
				}
			})
		})
	}
}

func TestCredentialsAreLookedForInOrder(t *testing.T) {
	for _, tc := range []struct {
		name     string
		env      map[string]string
		provider Provider
		apiKey   string
		want     string // how Authorization begins
	}{
		{"none", nil, Provider{}, "", ""},
		{"an API key before an access key", nil, Provider{Region: "r", AccessKeyID: "A", SecretAccessKey: "s"}, "key", "Bearer key"},
		{"an access key", nil, Provider{Region: "r", AccessKeyID: "A", SecretAccessKey: "s"}, "", "AWS4-HMAC-SHA256 Credential=A/"},
		{"the environment", map[string]string{"AWS_REGION": "r", "AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "s"}, Provider{}, "", "AWS4-HMAC-SHA256 Credential=E/"},
		{"the configuration before the environment", map[string]string{"AWS_DEFAULT_REGION": "r", "AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "s"}, Provider{AccessKeyID: "{env.TEST_ID}", SecretAccessKey: "s"}, "", "AWS4-HMAC-SHA256 Credential=from-env/"},
		{"half a key in the environment", map[string]string{"AWS_REGION": "r", "AWS_ACCESS_KEY_ID": "E"}, Provider{}, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bare(t)
			t.Setenv("TEST_ID", "from-env")
			for k, v := range tc.env {
				t.Setenv(k, v)
			}
			p := provision(t, &tc.provider)
			if p.Defaults().KeyOptional != strings.HasPrefix(tc.want, "AWS4") && tc.apiKey == "" {
				t.Errorf("the API key is optional: %v", p.Defaults().KeyOptional)
			}
			c := newCall(t, "https://h")
			c.Credential = providers.NewSecret(tc.apiKey)
			r, err := p.Prepare(context.Background(), c)
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Header.Get("Authorization"); !strings.HasPrefix(got, tc.want) || (got == "") != (tc.want == "") {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestTheRegionMakesTheBaseURL(t *testing.T) {
	bare(t)
	for _, tc := range []struct{ env, region, want string }{
		{"", "us-east-1", "https://bedrock-runtime.us-east-1.amazonaws.com"},
		{"eu-west-1", "", "https://bedrock-runtime.eu-west-1.amazonaws.com"},
		{"eu-west-1", "cn-north-1", "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"},
		{"", "", ""},
	} {
		t.Setenv("AWS_REGION", tc.env)
		if got := provision(t, &Provider{Region: tc.region}).Defaults(); got.BaseURL != tc.want || got.PriceBook == "" || got.BaseURLNeeds == "" {
			t.Errorf("%+v, want %s", got, tc.want)
		}
	}
	t.Setenv("AWS_REGION", "us-west-2")
	if got := new(Provider).Defaults().BaseURL; got != "https://bedrock-runtime.us-west-2.amazonaws.com" {
		t.Errorf("not provisioned: %s", got)
	}
	t.Setenv("AWS_REGION", "evil.example/")
	if got := new(Provider).Defaults().BaseURL; got != "" {
		t.Errorf("a region that is none makes %s", got)
	}
}

func TestTheRegionOfASignatureMayComeFromTheHost(t *testing.T) {
	for host, want := range map[string]string{
		"bedrock-runtime.us-east-1.amazonaws.com":              "us-east-1",
		"bedrock-runtime-fips.us-gov-west-1.amazonaws.com":     "us-gov-west-1",
		"vpce-1.bedrock-runtime.eu-west-1.vpce.amazonaws.com":  "eu-west-1",
		"bedrock-runtime.cn-north-1.amazonaws.com.cn":          "cn-north-1",
		"bedrock-runtime.us-east-1.amazonaws.com.evil.example": "",
		"proxy.example":              "",
		"s3.us-east-1.amazonaws.com": "",
	} {
		if got := regionOfHost(host); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
	bare(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "E")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s")
	p := provision(t, new(Provider))
	if r, err := p.Prepare(context.Background(), newCall(t, "https://bedrock-runtime.us-east-1.amazonaws.com")); err != nil || !strings.Contains(r.Header.Get("Authorization"), "/us-east-1/bedrock/") {
		t.Errorf("%v", err)
	}
	if _, err := p.Prepare(context.Background(), newCall(t, "https://proxy.example")); !errors.Is(err, errNoRegion) {
		t.Errorf("error %v", err)
	}
}

func TestALargeBodyIsSignedAsItIsSent(t *testing.T) {
	bare(t)
	large := strings.Repeat("x", 3*providers.SmallBody)
	freed := 0
	shared := providers.NewShared(func() { freed++ })
	one := providers.NewBody(nil, []byte(large+large))
	two := providers.NewBody(shared, []byte(large), []byte(large))
	a, errA := digest(one)
	b, errB := digest(two)
	if a != b || errA != nil || errB != nil || len(a) != 64 {
		t.Errorf("%s %v, %s %v", a, errA, b, errB)
	}
	if shared.Release(); freed != 1 {
		t.Errorf("the body was freed %d times", freed)
	}
}

func TestCredentialsThatCannotBeHadFailTheAttempt(t *testing.T) {
	bare(t)
	lost := errors.New("no role")
	defer func(c Chain) { chain = c }(chain)
	RegisterChain(func(region, profile string) aws.CredentialsProvider {
		if region != "us-east-1" || profile != "dev" {
			t.Errorf("asked for %s in %s", profile, region)
		}
		return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, lost })
	})
	p := provision(t, &Provider{Region: "us-east-1", Profile: "dev"})
	if !p.Defaults().KeyOptional {
		t.Error("an API key is demanded")
	}
	freed := false
	c := newCall(t, "https://h")
	shared := providers.NewShared(func() { freed = true })
	c.Body = providers.NewBody(shared, []byte(strings.Repeat("x", 2*providers.SmallBody)))
	_, err := p.Prepare(context.Background(), c)
	var f *providers.Fault
	if !errors.Is(err, lost) || !errors.As(err, &f) || f.Class != providers.ClassAuth {
		t.Errorf("error %v", err)
	}
	if shared.Release(); !freed {
		t.Error("the body of a request that was not sent is kept")
	}
}

func TestErrorsAreClassified(t *testing.T) {
	for _, tc := range []struct {
		status     int
		kind, body string
		want       providers.Class
	}{
		{429, "ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/", `{"message":"Too many tokens, please wait before trying again."}`, providers.ClassRateLimit},
		{400, "ThrottlingException", `{"message":"Too many requests"}`, providers.ClassRateLimit},
		{400, "ServiceQuotaExceededException", `{"message":"quota"}`, providers.ClassRateLimit},
		{429, "ModelNotReadyException", `{"message":"warming up"}`, providers.ClassOverloaded},
		{400, "ValidationException", `{"message":"The provided model identifier is invalid."}`, providers.ClassNotFound},
		{400, "ValidationException", `{"message":"Invocation of model ID m with on-demand throughput isn’t supported."}`, providers.ClassNotFound},
		{400, "ValidationException", `{"message":"Malformed input request"}`, providers.ClassInvalid},
		{400, "ValidationException", `{"message":"Input is too long for requested model."}`, providers.ClassContextLength},
		{403, "AccessDeniedException", `{"message":"You don't have access to the model with the specified model ID."}`, providers.ClassNotFound},
		{403, "AccessDeniedException", `{"Message":"Authentication failed"}`, providers.ClassAuth},
		{403, "UnrecognizedClientException", `{"message":"The security token included in the request is invalid."}`, providers.ClassAuth},
		{404, "ResourceNotFoundException", `{"message":"gone"}`, providers.ClassNotFound},
		{408, "ModelTimeoutException", `{"message":"late"}`, providers.ClassTimeout},
		{424, "ModelErrorException", `{"message":"broken"}`, providers.ClassServerError},
		{500, "InternalServerException", `{"message":"oops"}`, providers.ClassServerError},
		{503, "ServiceUnavailableException", `{"message":"busy"}`, providers.ClassOverloaded},
	} {
		f := new(Provider).Classify(tc.status, http.Header{"X-Amzn-Errortype": {tc.kind}}, []byte(tc.body))
		kind, _, _ := strings.Cut(tc.kind, ":")
		if f.Class != tc.want || f.Type != kind || f.Message == "" {
			t.Errorf("%d %s: %+v, want %s", tc.status, tc.kind, f, tc.want)
		}
	}
}

func TestOptionsAreParsedAndChecked(t *testing.T) {
	bare(t)
	for input, want := range map[string]string{
		"bedrock":                        "",
		"bedrock {\nregion us-east-1\n}": "",
		"bedrock {\nregion us-east-1\naccess_key_id A\nsecret_access_key s\nsession_token t\n}": "",
		"bedrock {\nregion {env.NOT_THERE}\n}":                                                  "region: ",
		"bedrock {\nregion us/east\n}":                                                          "not the name of an AWS region",
		"bedrock {\nregion a b\n}":                                                              "wrong argument count",
		"bedrock {\nregion a\nregion b\n}":                                                      "region already specified",
		"bedrock {\nregion \"\"\n}":                                                             "region is empty",
		"bedrock {\nregoin a\n}":                                                                "did you mean 'region'?",
		"bedrock x":                                                                             "wrong argument count",
		"bedrock {\nregion r\naccess_key_id A\n}":                                               "belong together",
		"bedrock {\nregion r\nsession_token t\n}":                                               "belongs to an access_key_id",
		"bedrock {\naccess_key_id A\nsecret_access_key s\n}":                                    "no region",
		"bedrock {\nprofile p\n}":                                                               "awschain",
		"bedrock {\nprofile p\naccess_key_id A\nsecret_access_key s\n}":                         "not both",
	} {
		p := new(Provider)
		err := p.UnmarshalCaddyfile(caddyfile.NewTestDispenser(input))
		if err == nil {
			err = p.Provision(caddy.Context{})
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", input, err, want)
		}
	}
}
