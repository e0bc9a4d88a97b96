package llmgateway

import (
	"context"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-llm/llmgateway/accounting"
)

func init() {
	caddy.RegisterModule(new(app))
}

const appName = "llm_gateway"

// startPatience is how long a ledger may take to open.
const startPatience = 30 * time.Second

// app opens what the gateways of a configuration need open. It is not configured: gateways ask for it while they are
// provisioned, which also happens when a configuration is only validated; its Start is called when one runs.
type app struct{ starters []accounting.Starter }

// CaddyModule returns the Caddy module information.
func (*app) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: appName, New: func() caddy.Module { return new(app) }}
}

// Start opens the ledgers. An error keeps the configuration from running.
func (a *app) Start() error {
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	for _, s := range a.starters {
		if err := s.Start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Stop does nothing: requests of this configuration may still be running, and hold what they need.
func (*app) Stop() error { return nil }

// Interface guards
var _ caddy.App = (*app)(nil)
