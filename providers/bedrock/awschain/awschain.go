// Package awschain lets the provider bedrock find credentials the way AWS's SDKs do: in the files of profiles, by single
// sign-on, web identities (IRSA), and the roles of containers and instances. It is not part of the gateway unless a build
// asks for it, because it adds four megabytes:
//
//	xcaddy build --with github.com/caddy-llm/llmgateway --with github.com/caddy-llm/llmgateway/providers/bedrock/awschain
package awschain

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/caddy-llm/llmgateway/providers/bedrock"
)

func init() {
	bedrock.RegisterChain(func(region, profile string) aws.CredentialsProvider {
		return &lazy{region: region, profile: profile}
	})
}

// lazy reads the configuration when the first request needs it, and again as long as that fails: loading the
// configuration of a server must not wait for a network.
type lazy struct {
	region, profile string

	mu    sync.Mutex
	found aws.CredentialsProvider
}

// Retrieve asks the chain.
func (l *lazy) Retrieve(ctx context.Context) (aws.Credentials, error) {
	found, err := l.chain(ctx)
	if err != nil {
		return aws.Credentials{}, err
	}
	return found.Retrieve(ctx)
}

func (l *lazy) chain(ctx context.Context) (aws.CredentialsProvider, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.found != nil {
		return l.found, nil
	}
	options := []func(*config.LoadOptions) error{config.WithRegion(l.region)}
	if l.profile != "" {
		options = append(options, config.WithSharedConfigProfile(l.profile))
	}
	c, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, err
	}
	l.found = c.Credentials
	return l.found, nil
}

// Interface guard
var _ aws.CredentialsProvider = (*lazy)(nil)
