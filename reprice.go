package llmgateway

import (
	"maps"

	"go.uber.org/zap"

	"github.com/caddy-llm/llmgateway/accounting"
)

// pricesChanged is told what became of a changed price file.
func (h *Handler) pricesChanged(b *accounting.Book, err error) {
	if err != nil {
		h.logger.Error("the changed price file is not used; the prices from before stay", zap.Error(err))
		return
	}
	h.logger.Info("the prices have changed", zap.String("version", b.Version()))
}

// repriced returns the table with the prices that the price files have now: t itself while they are the same. Requests
// keep the table that they began with.
func (t *table) repriced() *table {
	b := t.h.prices.Book()
	if b == t.book {
		return t
	}
	t.repricing.Lock()
	defer t.repricing.Unlock()
	if now := t.h.table.Load(); now != t {
		return now // somebody was faster
	}
	next, err := t.with(b)
	if err != nil {
		t.h.logger.Error("the changed prices are not used", zap.Error(err))
		return t
	}
	t.h.table.Store(next)
	return next
}

// with returns the table with other prices. Policies and all other state stay what they are.
func (t *table) with(b *accounting.Book) (*table, error) {
	next := &table{
		h: t.h, book: b, providers: t.providers, byName: t.byName, exact: maps.Clone(t.exact), patterns: t.patterns, names: t.names,
	}
	for name, r := range next.exact {
		tiers, err := next.tiers(t.h.modelConfig(name), name, name, nil)
		if err != nil {
			return nil, err
		}
		next.exact[name] = &route{name: r.name, label: r.label, tiers: tiers, settings: r.settings}
	}
	return next, nil
}
