package bedrock

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/caddy-llm/llmgateway/providers"
)

// service is the name of Bedrock's runtime in signatures.
const service = "bedrock"

var errNoRegion = errors.New("no region to sign the request for")

// A Chain finds credentials the way AWS's SDKs do. It must not perform I/O itself; the provider it returns may.
type Chain func(region, profile string) aws.CredentialsProvider

var chain Chain

// RegisterChain makes a chain known. It is called from the init function of package awschain.
func RegisterChain(c Chain) { chain = c }

// sign signs a request and its body. Only the headers that have to be signed are: others may still be changed by the
// configuration or by tracing. The path is signed as it is sent, escapes and all.
func (p *Provider) sign(r *http.Request, body providers.Body) error {
	region := p.region
	if region == "" {
		region = regionOfHost(r.URL.Hostname())
	}
	if region == "" {
		return errNoRegion
	}
	key, err := p.credentials.Retrieve(r.Context())
	if err != nil {
		return fmt.Errorf("finding AWS credentials: %w", errors.Join(err, &providers.Fault{Class: providers.ClassAuth}))
	}
	sum, err := digest(body)
	if err != nil {
		return err
	}
	signed := &http.Request{
		Method: r.Method, URL: r.URL, Host: r.Host,
		Header: http.Header{"Content-Type": r.Header["Content-Type"]},
	}
	if err := p.signer.SignHTTP(r.Context(), key, signed, sum, service, region, time.Now()); err != nil {
		return fmt.Errorf("signing the request: %w", err)
	}
	for _, name := range [...]string{providers.HeaderAuthorization, "X-Amz-Date", "X-Amz-Security-Token"} {
		if v := signed.Header[name]; v != nil {
			r.Header[name] = v
		}
	}
	return nil
}

// digest is the hexadecimal SHA-256 of a body. A large body is read where it lies, segment by segment.
func digest(body providers.Body) (string, error) {
	h := sha256.New()
	rd := body.Reader()
	defer rd.Close()
	if _, err := io.Copy(h, rd); err != nil {
		return "", fmt.Errorf("hashing the request: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// regionOfHost reads the region from one of Bedrock's own host names: bedrock-runtime.us-east-1.amazonaws.com,
// bedrock-runtime-fips.…, vpce-….bedrock-runtime.us-east-1.vpce.amazonaws.com.
func regionOfHost(host string) string {
	if !strings.HasSuffix(host, ".amazonaws.com") && !strings.HasSuffix(host, ".amazonaws.com.cn") {
		return ""
	}
	_, rest, ok := strings.Cut("."+host, ".bedrock-runtime")
	if !ok {
		return ""
	}
	_, rest, _ = strings.Cut(rest, ".")
	region, _, _ := strings.Cut(rest, ".")
	return region
}
