package llmgateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/dialects"
)

func init() {
	caddy.RegisterModule(new(noLedger))
}

// Where entries go when the configuration says nothing about it.
const (
	ledgers       = "http.llm_gateway.ledgers"
	defaultLedger = "sqlite"
)

// books is a handler's access to its ledger, by what that can do.
type books struct {
	ledger  accounting.Ledger  // nil for none
	journal accounting.Journal // nil when the ledger is none
	holder  accounting.Holder  // nil when it needs no holding
}

// provisionLedger loads the ledger. What it has to open is opened when the configuration starts.
func (h *Handler) provisionLedger(ctx caddy.Context) error {
	var mod any
	var err error
	if len(h.LedgerRaw) > 0 {
		mod, err = ctx.LoadModule(h, "LedgerRaw")
	} else if _, missing := caddy.GetModule(ledgers + "." + defaultLedger); missing == nil {
		mod, err = ctx.LoadModuleByID(ledgers+"."+defaultLedger, json.RawMessage("{}"))
	}
	switch {
	case err != nil:
		return fmt.Errorf("loading ledger: %w", err)
	case mod == nil:
		return nil
	}
	if _, off := mod.(*noLedger); off {
		return nil
	}
	l, ok := mod.(accounting.Ledger)
	if !ok {
		return fmt.Errorf("module %T is not a ledger", mod)
	}
	h.books = openBooks(l)
	starter, ok := l.(accounting.Starter)
	if !ok {
		return nil
	}
	a, err := ctx.App(appName)
	if err != nil {
		return err
	}
	a.(*app).starters = append(a.(*app).starters, starter)
	return nil
}

func openBooks(l accounting.Ledger) (b books) {
	b.ledger = l
	b.journal, _ = l.(accounting.Journal)
	b.holder, _ = l.(accounting.Holder)
	return b
}

func (b *books) hold() {
	if b.holder != nil {
		b.holder.Hold()
	}
}

func (b *books) release() {
	if b.holder != nil {
		b.holder.Release()
	}
}

// entries are scratch: an entry is too large to be made for every call.
var entries = sync.Pool{New: func() any { return new(accounting.Entry) }}

func putEntry(e *accounting.Entry) {
	*e = accounting.Entry{}
	entries.Put(e)
}

// intend makes an attempt known to the ledger before it leaves. An error means that it must not be made.
func (x *exchange) intend(a *attempt) error {
	a.id, a.priceVersion = newID(), a.target.book.Version()
	journal := x.h.books.journal
	if journal == nil {
		return nil
	}
	a.certainty = accounting.Unknown
	a.usage, a.cost = x.inputEstimate(a)
	e := entries.Get().(*accounting.Entry)
	defer putEntry(e)
	x.entry(a, e)
	var err error
	a.intent, err = journal.Intend(x.r.Context(), e)
	a.usage, a.cost, a.certainty = accounting.Usage{}, 0, accounting.Void
	if err == nil {
		return nil
	}
	x.h.logger.Error("ledger did not take an intent, so the provider is not called", zap.String("request_id", x.id), zap.Error(err))
	return &dialects.RequestError{
		Status: http.StatusServiceUnavailable, Code: "ledger_unavailable",
		Message: "the gateway cannot record what this request would cost, so it does not make it; try again shortly",
	}
}

// enter settles the intent of an attempt that has ended. Where the ledger keeps no intents, all attempts of a request are
// recorded together when it ends.
func (x *exchange) enter(a *attempt) {
	if a.intent == nil {
		return
	}
	e := entries.Get().(*accounting.Entry)
	defer putEntry(e)
	x.entry(a, e)
	a.intent.Settle(e)
	a.intent, a.entered = nil, true
}

// record brings every attempt into the ledger that is not there yet. The client may have left: its context must not take the
// record with it.
func (x *exchange) record() {
	if x.h.books.ledger == nil {
		return
	}
	var rest []accounting.Entry
	for i := range x.attempts {
		a := &x.attempts[i]
		x.enter(a)
		if !a.entered {
			rest = append(rest, accounting.Entry{})
			x.entry(a, &rest[len(rest)-1])
		}
	}
	if len(rest) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), 10*time.Second)
	defer cancel()
	if err := x.h.books.ledger.Record(ctx, rest); err != nil {
		x.h.logger.Error("ledger did not take a record", zap.String("request_id", x.id), zap.Int("attempts", len(rest)), zap.Error(err))
	}
}

// noLedger keeps nothing: what requests cost is in the usage log and the metrics only.
type noLedger struct{}

// CaddyModule returns the Caddy module information.
func (*noLedger) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: ledgers + ".off", New: func() caddy.Module { return new(noLedger) }}
}

// Record does nothing.
func (*noLedger) Record(context.Context, []accounting.Entry) error { return nil }

// UnmarshalCaddyfile reads `ledger off`.
func (*noLedger) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the module's name
	if d.NextArg() || d.NextBlock(d.Nesting()) {
		return d.Err("ledger off stands alone: there is nothing to set")
	}
	return nil
}

// Interface guards
var (
	_ accounting.Ledger     = (*noLedger)(nil)
	_ caddyfile.Unmarshaler = (*noLedger)(nil)
)
