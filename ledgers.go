package llmgateway

import (
	"sync"

	"github.com/caddy-llm/llmgateway/accounting"
)

// gateways are the handlers with a ledger that are loaded, for what asks about ledgers and not about one handler.
var gateways struct {
	sync.Mutex
	loaded map[*Handler]bool
}

func (h *Handler) enlist() {
	gateways.Lock()
	defer gateways.Unlock()
	if gateways.loaded == nil {
		gateways.loaded = map[*Handler]bool{}
	}
	gateways.loaded[h] = true
}

func (h *Handler) delist() {
	gateways.Lock()
	defer gateways.Unlock()
	delete(gateways.loaded, h)
}

// liveLedgers are the ledgers of all handlers, each storage once.
func liveLedgers() []accounting.Ledger {
	gateways.Lock()
	defer gateways.Unlock()
	var live []accounting.Ledger
	known := map[string]bool{}
	for h := range gateways.loaded {
		l := h.books.ledger
		if m, ok := l.(accounting.Monitored); ok {
			store := m.Status().Store
			if known[store] {
				continue
			}
			known[store] = true
		}
		live = append(live, l)
	}
	return live
}
