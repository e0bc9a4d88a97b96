package llmgateway

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/caddy-llm/llmgateway/accounting"
)

// gateways are the handlers that are loaded, for what asks about all of them and not about one.
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
		if l == nil {
			continue
		}
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

// liveReaders are the live ledgers that can be asked what was spent, always in the same order.
func liveReaders() []accounting.Reader {
	live := liveLedgers()
	slices.SortStableFunc(live, func(a, b accounting.Ledger) int { return strings.Compare(storeOf(a), storeOf(b)) })
	var out []accounting.Reader
	for _, l := range live {
		if r, ok := l.(accounting.Reader); ok {
			out = append(out, r)
		}
	}
	return out
}

// storeOf names the storage of a ledger; empty when it does not say.
func storeOf(l accounting.Ledger) string {
	if m, ok := l.(accounting.Monitored); ok {
		return m.Status().Store
	}
	return ""
}

// liveHandlers are the handlers that are loaded, in no order.
func liveHandlers() []*Handler {
	gateways.Lock()
	defer gateways.Unlock()
	return slices.Collect(maps.Keys(gateways.loaded))
}
