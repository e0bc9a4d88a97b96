package llmgateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-llm/llmgateway/accounting"
)

func init() {
	caddy.RegisterModule(new(Handler))
}

// Handler is a gateway to large language models. Requests whose path belongs to one of the client dialects are
// answered; all others go to the next handler.
//
// These placeholders hold facts about a request once it was handled:
//
// Placeholder | Description
// ------------|------------
// `{http.llm_gateway.model}` | The public model name, as the client asked for it
// `{http.llm_gateway.provider}` | The name of the provider that answered
// `{http.llm_gateway.upstream_model}` | The model that the provider was asked for
// `{http.llm_gateway.target}` | Both, as `provider/model`
// `{http.llm_gateway.attempts}` | How many times a provider was called
// `{http.llm_gateway.status}` | The HTTP status that the client got (499 when it left)
// `{http.llm_gateway.error}` | The class of fault; empty on success
// `{http.llm_gateway.input_tokens}` | All input tokens, cached ones included, over all attempts
// `{http.llm_gateway.output_tokens}` | All output tokens, reasoning included, over all attempts
// `{http.llm_gateway.cost_usd}` | What the request cost, in US dollars; empty when a price is unknown
// `{http.llm_gateway.ttft_ms}` | Milliseconds to the first token
// `{http.llm_gateway.duration_ms}` | Milliseconds for the whole request
// `{http.llm_gateway.stream}` | Whether the client asked for a stream
// `{http.llm_gateway.key}` | The id of the virtual key
// `{http.llm_gateway.user}` | The user
// `{http.llm_gateway.team}` | The team
// `{http.llm_gateway.feature}` | The feature, or any other scope that `identify` names
type Handler struct {
	// The providers, in the order in which a bare model name is looked for. With none, providers are discovered: those
	// whose API key is in the environment and model servers that listen on loopback, or else the simulated provider.
	Providers []*ProviderConfig `json:"providers,omitempty"`
	// The public model names. Default: none, and every `<provider>/<model>` may be asked for.
	Models []*ModelConfig `json:"models,omitempty"`
	// Whether only the names of `models` are served, and not `<provider>/<model>` or what the price book lists.
	// Default: false.
	ModelsOnly bool `json:"models_only,omitempty"`

	// The load balancing of every model that does not override it. Default: the order written, with two retries.
	LoadBalancing *LoadBalancing `json:"load_balancing,omitempty"`
	// When a target is taken out of rotation. Default: after five failures in a row, or when half of at least 20 requests
	// within 10s have failed.
	PassiveHealth *PassiveHealth `json:"passive_health,omitempty"`
	// Whether endpoints are asked at intervals if they are alive. Default: no.
	ActiveHealth *ActiveHealth `json:"active_health,omitempty"`
	// The timeouts of every model that does not override them. Default: 120s for the first token and between events, 10m for
	// a request and 30m for a stream.
	Timeouts *Timeouts `json:"timeouts,omitempty"`

	// Who pays for a request. `user`, `team` and `key` are filled from Caddy's authentication without being named here.
	// Default: nothing else.
	Identify []ScopeConfig `json:"identify,omitempty"`

	// Files with prices that override those of the built-in price book. The last file that prices a model wins. A
	// changed file is noticed within seconds. Default: none.
	PriceFiles []string `json:"price_files,omitempty"`
	// Prices that override all others. The most specific pattern wins. Default: none.
	Prices []accounting.Override `json:"prices,omitempty"`
	// Whether models without a known price are used: `allow` or `deny`. Default: `allow`.
	Unpriced string `json:"unpriced,omitempty"`

	// The largest request body in bytes. Default: 32 MiB.
	MaxBody int64 `json:"max_body,omitempty"`
	// Whether a request is refused when its translation to the provider's dialect would have to drop something.
	// Default: false: it is dropped, and named in the response header `x-llm-gateway-dropped`.
	Strict bool `json:"strict,omitempty"`
	// Who writes errors: `dialect` writes them in the client's dialect, `caddy` hands them to `handle_errors`.
	// Default: `dialect`.
	Errors string `json:"errors,omitempty"`
	// The clients that may use the gateway without being authenticated by Caddy, as CIDR ranges; `private_ranges`
	// stands for loopback and private ranges, and `off` alone for nobody. Default: `private_ranges`.
	AllowAnonymous []string `json:"allow_anonymous,omitempty"`

	// Where the record of every attempt is written: `{"ledger": "off"}` for nowhere. Default: `sqlite`.
	LedgerRaw json.RawMessage `json:"ledger,omitempty" caddy:"namespace=http.llm_gateway.ledgers inline_key=ledger"`
	// Whether the structured line per request is left out. Default: false.
	UsageLogOff bool `json:"usage_log_off,omitempty"`
	// Whether the metrics are left out. Default: false.
	MetricsOff bool `json:"metrics_off,omitempty"`

	ctx       caddy.Context
	logger    *zap.Logger
	providers []*provider
	table     atomic.Pointer[table]
	discover  *discovery
	discOnce  sync.Once
	defaults  settings
	scopes    []scope
	anonymous []netip.Prefix
	prices    *accounting.LiveBook
	estimator *accounting.Estimator
	books     books
	metrics   *metrics
	spending  spending
	held      []reference      // to what is pooled
	shared    []*upstreamState // that the handler has set terms for
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.llm_gateway",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision sets up the handler. It performs no I/O beyond reading price files and secrets that the configuration names.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.ctx = ctx
	h.logger = ctx.Logger()
	if h.MaxBody == 0 {
		h.MaxBody = defaultMaxBody
	}
	if err := h.provisionPrices(); err != nil {
		return err
	}
	if err := h.provisionAnonymous(); err != nil {
		return err
	}
	if err := h.provisionScopes(); err != nil {
		return err
	}
	var err error
	if h.defaults, err = h.baseSettings(); err != nil {
		return err
	}
	if err := h.provisionLedger(ctx); err != nil {
		return err
	}
	if !h.MetricsOff {
		if h.metrics, err = newMetrics(ctx.GetMetricsRegistry()); err != nil {
			return err
		}
	}
	if err := h.provisionProviders(); err != nil {
		return err
	}
	if stray := h.strayPrices(); len(stray) > 0 {
		h.logger.Warn("price lines are for providers that do not exist", zap.Strings("prices", stray))
	}
	if h.discover == nil {
		t, err := h.newTable(h.providers)
		if err != nil {
			return err
		}
		h.table.Store(t)
	}
	h.enlist()
	return nil
}

// Validate checks what Provision could not reject while setting up.
func (h *Handler) Validate() error {
	if h.MaxBody < 0 {
		return fmt.Errorf("max_body: %d is negative", h.MaxBody)
	}
	if h.ModelsOnly && len(h.Models) == 0 {
		return fmt.Errorf("models_only: there are no models, so nothing could be asked for")
	}
	if h.Unpriced != "" && h.Unpriced != unpricedAllow && h.Unpriced != unpricedDeny {
		return fmt.Errorf("unpriced: %q is neither allow nor deny", h.Unpriced)
	}
	switch h.Errors {
	case "", "dialect", "caddy":
	default:
		return fmt.Errorf("errors: %q is neither dialect nor caddy", h.Errors)
	}
	return nil
}

// reference is one use of something in a pool, which has to be given back exactly once.
type reference struct {
	pool *caddy.UsagePool
	key  string
}

// Cleanup gives back what this instance holds in the pools, also when Provision failed half-way. Requests of this
// instance may still be running: they keep using the pooled state through pointers of their own, and nothing of it is
// closed under them.
func (h *Handler) Cleanup() error {
	if caddy.Exiting() {
		underway.end(exitPatience)
	}
	h.delist()
	for _, s := range h.shared {
		s.withdraw(h)
	}
	h.shared = nil
	var errs []error
	for _, r := range h.held {
		_, err := r.pool.Delete(r.key)
		errs = append(errs, err)
	}
	h.held = nil
	return errors.Join(errs...)
}

// Interface guards
var (
	_ caddy.Module                = (*Handler)(nil)
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.Validator             = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
	_ caddyfile.Unmarshaler       = (*Handler)(nil)
)
