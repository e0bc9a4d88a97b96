// Package logledger is a ledger that writes to Caddy's log and keeps nothing.
package logledger

import (
	"context"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddy-llm/llmgateway/accounting"
)

func init() {
	caddy.RegisterModule((*Ledger)(nil))
}

// Ledger writes one structured line per attempt, with the message "attempt", to the logger
// `http.llm_gateway.ledgers.log`. Caddy's logging decides where the lines go and in which format, and with the include
// and exclude lists of a log they can have a file of their own.
//
// Every line has the same fields: attempt_id, request_id, attempt, time, key, user, team, tags, provider, dialect,
// model, upstream_model, answered_model, provider_request_id, the token counts, certainty, usage_invalid, recovered, cost_usd (a
// decimal number as text, because a float would not add up), priced, at_risk_usd, tier, price_version, status, error_class, stream, latency and
// time_to_first_token. None of them holds a credential or any content. The key is the ID of a virtual key.
//
// What a log does not promise, this ledger does not either: lines are written again when an entry is recorded again,
// so readers have to tell entries apart by attempt_id.
type Ledger struct {
	// The level of the lines: DEBUG, INFO, WARN or ERROR. Default: INFO.
	Level string `json:"level,omitempty"`

	logger *zap.Logger
	level  zapcore.Level
}

// CaddyModule returns the Caddy module information.
func (*Ledger) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.llm_gateway.ledgers.log",
		New: func() caddy.Module { return new(Ledger) },
	}
}

// Provision sets up the ledger.
func (l *Ledger) Provision(ctx caddy.Context) error {
	l.logger = ctx.Logger()
	l.level = zapcore.InfoLevel
	if l.Level == "" {
		return nil
	}
	return l.level.UnmarshalText([]byte(l.Level))
}

// Record writes a line per entry. It stops between entries when ctx is done.
func (l *Ledger) Record(ctx context.Context, entries []accounting.Entry) error {
	for i := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if line := l.logger.Check(l.level, "attempt"); line != nil {
			line.Write(fields(&entries[i])...)
		}
	}
	return nil
}

func fields(e *accounting.Entry) []zap.Field {
	return []zap.Field{
		zap.String("attempt_id", e.AttemptID),
		zap.String("request_id", e.RequestID),
		zap.Int("attempt", e.Attempt),
		zap.String("time", e.Time.UTC().Format(time.RFC3339Nano)),
		zap.String("key", e.Key),
		zap.String("user", e.User),
		zap.String("team", e.Team),
		zap.Any("tags", e.Tags),
		zap.String("provider", e.Provider),
		zap.String("dialect", e.Dialect),
		zap.String("model", e.Model),
		zap.String("upstream_model", e.UpstreamModel),
		zap.String("answered_model", e.AnsweredModel),
		zap.String("provider_request_id", e.ProviderRequestID),
		zap.Int64("input_tokens", e.Usage.Input),
		zap.Int64("cache_read_tokens", e.Usage.CacheRead),
		zap.Int64("cache_write_tokens", e.Usage.CacheWrite),
		zap.Int64("cache_write_1h_tokens", e.Usage.CacheWrite1h),
		zap.Int64("audio_input_tokens", e.Usage.InputAudio),
		zap.Int64("image_input_tokens", e.Usage.InputImage),
		zap.Int64("video_input_tokens", e.Usage.InputVideo),
		zap.Int64("cache_read_audio_tokens", e.Usage.CacheReadAudio),
		zap.Int64("cache_read_image_tokens", e.Usage.CacheReadImage),
		zap.Int64("output_tokens", e.Usage.Output),
		zap.Int64("reasoning_tokens", e.Usage.Reasoning),
		zap.Int64("audio_output_tokens", e.Usage.OutputAudio),
		zap.Int64("image_output_tokens", e.Usage.OutputImage),
		zap.Int64("web_searches", e.Usage.WebSearches),
		zap.Stringer("certainty", e.Certainty),
		zap.Bool("usage_invalid", e.UsageInvalid),
		zap.Bool("recovered", e.Recovered),
		zap.Stringer("cost_usd", e.Cost),
		zap.Bool("priced", e.Priced),
		zap.Stringer("at_risk_usd", e.AtRisk),
		zap.String("tier", e.Tier),
		zap.String("price_version", e.PriceVersion),
		zap.Int("status", e.Status),
		zap.String("error_class", e.ErrorClass),
		zap.Bool("stream", e.Stream),
		zap.Duration("latency", e.Latency),
		zap.Duration("time_to_first_token", e.TimeToFirstToken),
	}
}

// UnmarshalCaddyfile sets up the ledger from Caddyfile tokens. Syntax:
//
//	ledger log {
//		level <level>
//	}
func (l *Ledger) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the module's name
	if d.NextArg() {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch d.Val() {
		case "level":
			if l.Level != "" {
				return d.Err("level already specified")
			}
			if !d.AllArgs(&l.Level) {
				return d.ArgErr()
			}
			if _, err := zapcore.ParseLevel(l.Level); err != nil {
				return d.Errf("level must be DEBUG, INFO, WARN or ERROR, not '%s'", l.Level)
			}
		default:
			return d.Errf("unrecognized ledger option '%s'; known is level", d.Val())
		}
	}
	return nil
}

// Interface guards
var (
	_ accounting.Ledger     = (*Ledger)(nil)
	_ caddy.Provisioner     = (*Ledger)(nil)
	_ caddyfile.Unmarshaler = (*Ledger)(nil)
)
