package llmgateway

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-llm/llmgateway/balancing"
)

func init() {
	caddy.RegisterModule(adminAPI{})
}

// adminAPI serves what the gateway knows on Caddy's admin endpoint:
//
//	GET /llm_gateway/targets         health, cooldowns and latency of everything that requests are sent to
//	GET /llm_gateway/models          what clients can ask for, what that resolves to and what it costs
//	GET /llm_gateway/usage           what was spent: sums by user, model, day ...
//	GET /llm_gateway/usage/summary   what was spent today, yesterday and this month, for dashboards
//	GET /llm_gateway/usage/entries   every attempt
type adminAPI struct{}

// CaddyModule returns the Caddy module information.
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.llm_gateway",
		New: func() caddy.Module { return new(adminAPI) },
	}
}

// Routes returns the routes of the admin API.
func (a adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: "/llm_gateway/targets", Handler: caddy.AdminHandlerFunc(a.targets)},
		{Pattern: "/llm_gateway/models", Handler: caddy.AdminHandlerFunc(a.models)},
		{Pattern: usagePath, Handler: caddy.AdminHandlerFunc(a.usage)},
		{Pattern: usagePath + "/summary", Handler: caddy.AdminHandlerFunc(a.summary)},
		{Pattern: usagePath + "/entries", Handler: caddy.AdminHandlerFunc(a.entries)},
	}
}

// targetState is the state of one target, as the admin API shows it.
type targetState struct {
	// The provider, with "#2" and so on for its second and later pairs of endpoint and key.
	Upstream string `json:"upstream"`
	// The model; empty for what is known of the endpoint and its credential as a whole.
	Model string `json:"model,omitempty"`
	// Whether requests are sent to it.
	Healthy bool `json:"healthy"`
	balancing.State

	public bool
}

// targetStates lists the states in the pool; the ones of whole endpoints only when asked for.
func targetStates(now time.Time, endpoints bool) []targetState {
	out := []targetState{}
	upstreamStates.Range(func(_, v any) bool {
		s := v.(*upstreamState)
		label := ""
		if l := s.label.Load(); l != nil {
			label = *l
		}
		whole := s.health.Snapshot(now)
		if endpoints {
			out = append(out, targetState{Upstream: label, Healthy: healthy(whole), State: whole})
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for name, m := range s.models {
			st := m.health.Snapshot(now)
			out = append(out, targetState{Upstream: label, Model: name, Healthy: healthy(whole) && healthy(st), State: st, public: m.public.Load()})
		}
		return true
	})
	slices.SortFunc(out, func(a, b targetState) int {
		return cmp.Or(cmp.Compare(a.Upstream, b.Upstream), cmp.Compare(a.Model, b.Model))
	})
	return out
}

func healthy(s balancing.State) bool {
	return s.Status == balancing.StatusHealthy || s.Status == balancing.StatusHalfOpen || s.Status == balancing.StatusFull
}

func (adminAPI) targets(w http.ResponseWriter, r *http.Request) error {
	if err := onlyGET(w, r); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(targetStates(time.Now(), true)); err != nil {
		return caddy.APIError{HTTPStatus: http.StatusInternalServerError, Err: err}
	}
	return nil
}

// Interface guards
var (
	_ caddy.Module      = (*adminAPI)(nil)
	_ caddy.AdminRouter = (*adminAPI)(nil)
)
