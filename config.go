package llmgateway

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
)

// ProviderConfig is one place that requests can be sent to, under one name.
type ProviderConfig struct {
	// The name by which targets refer to the provider, as in `openai/gpt-5.6`. It may hold letters, digits and `.-_`.
	Name string `json:"name"`
	// What kind of provider it is and the options of that kind. The kinds are the modules of the namespace
	// `http.llm_gateway.providers`. Default: the kind that has the provider's name.
	ProviderRaw json.RawMessage `json:"provider,omitempty" caddy:"namespace=http.llm_gateway.providers inline_key=kind"`
	// The API keys. Several keys are several credentials, balanced by `load_balancing`. Placeholders such as
	// `{env.OPENAI_API_KEY}` and `{file./run/secrets/openai}` are expanded when the configuration is loaded, and the
	// result never appears in the configuration, a log or an error. Default: the environment variable that the
	// vendor's own tools read.
	APIKeys []string `json:"api_keys,omitempty"`
	// The base URLs, in the form that the vendor's own SDK takes. Several are several endpoints, balanced by
	// `load_balancing`. Placeholders are expanded. Default: the vendor's public endpoint.
	BaseURLs []string `json:"base_urls,omitempty"`
	// The dialects that the endpoint speaks, best first: `chat`, `responses`, `messages`, `gemini`, `cohere`, `ollama`.
	// Default: what its kind speaks.
	Dialects []string `json:"dialects,omitempty"`
	// The models that the provider may be asked for; `*` matches any characters. Default: all.
	Models []string `json:"models,omitempty"`
	// Changes to the headers of requests to the provider. Placeholders are expanded for each request.
	Headers *headers.HeaderOps `json:"headers,omitempty"`
	// Caddy's HTTP transport (`{"protocol": "http"}`) with its options. Default: a connection pool that all providers
	// without a transport of their own share and that survives reloads, with a connection timeout of 3s, a TLS handshake
	// timeout of 5s, TLS 1.2 or newer, and no proxy from the environment.
	TransportRaw json.RawMessage `json:"transport,omitempty" caddy:"namespace=http.reverse_proxy.transport inline_key=protocol"`
	// How the endpoints and keys are balanced. Only `selection_policy` is used here. Default: `round_robin`.
	LoadBalancing *LoadBalancing `json:"load_balancing,omitempty"`
	// What the vendor allows each key at each endpoint, kept before the vendor has to say so. Default: no limit.
	Limit *Limit `json:"limit,omitempty"`
	// When an endpoint and key are taken out of rotation. Default: that of the handler.
	PassiveHealth *PassiveHealth `json:"passive_health,omitempty"`
	// Whether the endpoints are asked at intervals if they are alive. Default: that of the handler.
	ActiveHealth *ActiveHealth `json:"active_health,omitempty"`
}

// ModelConfig is a public model name and the targets it stands for.
type ModelConfig struct {
	// The name clients ask for, or a pattern with one or more `*`. An exact name wins over a pattern, the pattern with
	// the longest literal prefix over the others, and then the order of the list.
	Name string `json:"name"`
	// The targets, each `<provider>/<model>`, `<provider>` (the same model name) or `<provider>/*` (what `*` matched in
	// the name). The policy chooses among them.
	To []TargetConfig `json:"to,omitempty"`
	// Targets or other public names that are tried, in this order, when every target of `to` is exhausted.
	Fallbacks []string `json:"fallbacks,omitempty"`
	// Targets whose output costs more than this many dollars per million tokens are not used, fallbacks included;
	// neither are targets without a known price. Default: no limit.
	PriceLimit string `json:"price_limit,omitempty"`
	// Overrides the handler's load balancing for this model, field by field.
	LoadBalancing *LoadBalancing `json:"load_balancing,omitempty"`
	// Overrides the handler's timeouts for this model, field by field.
	Timeouts *Timeouts `json:"timeouts,omitempty"`

	at caddyfile.Token // where it stands in the Caddyfile, for errors
}

// TargetConfig is one target of a model.
type TargetConfig struct {
	// `<provider>/<model>`, `<provider>` or `<provider>/*`.
	Target string `json:"target"`
	// The share of the target under the weighted policies. Default: 1.
	Weight int `json:"weight,omitempty"`
}

// LoadBalancing says which target is tried first, and what happens when that fails.
type LoadBalancing struct {
	// The policy that picks among the available targets; the policies are the modules of the namespace
	// `http.llm_gateway.policies`. Default: `priority`, the order written.
	PolicyRaw json.RawMessage `json:"selection_policy,omitempty" caddy:"namespace=http.llm_gateway.policies inline_key=policy"`
	// How many tries may follow the first, over all targets. Default: 2. Zero means none.
	Retries *int `json:"retries,omitempty"`
	// How long after the request came in new tries may start. Default: the request timeout.
	TryDuration caddy.Duration `json:"try_duration,omitempty"`
	// The base of the backoff before the same target is tried again: full jitter, doubling, at most 4s. Another target
	// is tried at once. Default: 250ms.
	TryInterval caddy.Duration `json:"try_interval,omitempty"`
	// The classes of fault after which another try is made. Default: `connect`, `timeout`, `rate_limit`, `overloaded`,
	// `server_error`. More: `context_length`, `content_filter`, `auth`, `billing`, `not_found`. When a provider refuses a
	// credential (`auth`, `billing`), its other credentials are tried in any case.
	RetryOn []string `json:"retry_on,omitempty"`
	// Whether a second attempt is made while the first one keeps the client waiting. Default: no.
	Hedge *Hedge `json:"hedge,omitempty"`
}

// PassiveHealth says when a target is taken out of rotation because of the requests it failed.
type PassiveHealth struct {
	// How many failures within `fail_duration` or, without that, in a row make a target unhealthy. Without
	// `fail_duration`, so does the failure of half of at least 20 requests within 10s. Default: 5, or 1 with
	// `fail_duration`.
	MaxFails int `json:"max_fails,omitempty"`
	// How long a failure is remembered, and how long an unhealthy target rests before it is probed with one request.
	// Default: 10s, doubling with each failed probe up to 5m.
	FailDuration caddy.Duration `json:"fail_duration,omitempty"`
	// How long it takes until a target that recovered gets its whole share of the requests again, beginning with a tenth
	// of it. Only while there are other targets. Default: 3s.
	SlowStart caddy.Duration `json:"slow_start,omitempty"`
	// A first token that took longer than this counts as a failure. Default: off.
	UnhealthyLatency caddy.Duration `json:"unhealthy_latency,omitempty"`
	// A target with this many requests in flight gets no more. Default: no limit.
	UnhealthyRequestCount int `json:"unhealthy_request_count,omitempty"`
	// HTTP statuses that count as a failure beyond the ones that always do; a single digit stands for all that begin
	// with it. Default: none.
	UnhealthyStatus []int `json:"unhealthy_status,omitempty"`
}

// Timeouts bounds how long a request may take. Connection timeouts belong to the transport.
type Timeouts struct {
	// From sending a request to the first content of its stream; a slower target is given up and the next one tried.
	// Default: 120s.
	FirstToken caddy.Duration `json:"first_token,omitempty"`
	// Between two events of a stream. Default: 120s.
	Idle caddy.Duration `json:"idle,omitempty"`
	// For a whole request that is not streamed, all tries together. Default: 10m.
	Request caddy.Duration `json:"request,omitempty"`
	// For a whole request that is streamed, all tries together. Default: 30m.
	Stream caddy.Duration `json:"stream,omitempty"`
	// How long a provider's answer is read on after its client has left, so that its true usage is known: some vendors
	// charge for the whole answer all the same. At most 64 answers at a time are; a negative value cancels at once.
	// Default: at once.
	Drain caddy.Duration `json:"drain,omitempty"`
}

// ScopeConfig names who pays for a request.
type ScopeConfig struct {
	// The name of the scope: `user`, `team`, `key`, or any other word (`feature`, `project`) that is not the name of
	// another field of the usage line or of reports.
	Scope string `json:"scope"`
	// Placeholders; the first that is not empty is the value. Values are cut to 128 bytes.
	Placeholders []string `json:"placeholders"`
}
