package llmgateway

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/internal/nearest"
	"github.com/caddy-llm/llmgateway/providers"
)

// ServeHTTP answers requests that belong to a client dialect and hands all others to next.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	ep, ok := recognise(r)
	if !ok {
		return next.ServeHTTP(w, r)
	}
	switch ep.kind {
	case endpointProbe:
		w.WriteHeader(http.StatusOK)
		return nil
	case endpointSocket:
		// Clients that try WebSocket first fall back at once on this status, and only on this one.
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusUpgradeRequired)
		return nil
	case endpointModels, endpointModel:
		return h.serveModels(w, r, ep)
	}
	x := h.newExchange(w, r, ep)
	defer x.recycle()
	if h.metrics != nil {
		h.metrics.inFlight.Inc()
		defer h.metrics.inFlight.Dec()
	}
	defer x.finish()
	return x.serve()
}

// serve walks the request: authorise, read, plan, run.
func (x *exchange) serve() error {
	x.identify()
	if !x.authorized() {
		return x.unauthorized()
	}
	if err := checkEncoding(x.r); err != nil {
		return x.reject(err)
	}
	if err := x.claimKey(); err != nil {
		return x.reject(err)
	}
	if err := x.readBody(); err != nil {
		return x.rejectBody(err)
	}
	if err := x.scan(); err != nil {
		return x.reject(err)
	}
	head, err := x.codec.Head(x.body, x.obj)
	if err != nil {
		return x.reject(err)
	}
	if x.dialect == providers.Gemini {
		head.Model, head.Stream = x.endpoint.model, x.endpoint.stream
	}
	if m, ok := x.obj.Get("stream_format"); ok && x.operation == providers.Audio { // how speech is asked for in events
		format, _ := m.String(x.body)
		head.Stream = format == "sse"
	}
	x.head = head
	if err := x.plan(); err != nil {
		return x.reject(err)
	}
	return x.run()
}

// authorized reports whether the client may use the gateway: Caddy authenticated it, or it comes from a range where
// anonymous clients are allowed. The address is the one that Caddy determined, trusted proxies included.
//
// Only what Caddy's authentication says counts: a scope may be identified from a header, which anybody can send.
func (x *exchange) authorized() bool { return x.authID != "" || x.h.anonymousAllowed(x.r) }

func (h *Handler) anonymousAllowed(r *http.Request) bool {
	ip, ok := clientAddr(r)
	if !ok {
		return false
	}
	for _, p := range h.anonymous {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

func clientAddr(r *http.Request) (netip.Addr, bool) {
	addr, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	if addr == "" {
		addr = r.RemoteAddr
	}
	if host, _, err := net.SplitHostPort(addr); err == nil {
		addr = host
	}
	if i := strings.IndexByte(addr, '%'); i >= 0 {
		addr = addr[:i]
	}
	ip, err := netip.ParseAddr(addr)
	return ip.Unmap(), err == nil
}

// rejectBody answers a request whose body could not be read.
func (x *exchange) rejectBody(err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, errBodyTooLarge), errors.As(err, &tooLarge):
		x.w.Header().Set("Connection", "close")
		return x.reject(&dialects.RequestError{
			Status: http.StatusRequestEntityTooLarge, Code: "request_too_large",
			Message: "the request body is larger than the " + strconv.FormatInt(x.h.MaxBody, 10) + " bytes allowed here (max_body)",
		})
	case errors.Is(err, errBodySlow):
		x.w.Header().Set("Connection", "close")
		// Or net/http would go on to read the rest before it closes the connection.
		_ = http.NewResponseController(x.w).SetReadDeadline(time.Now()) // what has no deadlines has no rest either
		return x.reject(&dialects.RequestError{
			Status: http.StatusRequestTimeout, Code: "request_timeout",
			Message: "the request body comes at less than 1 KiB a second",
		})
	case errors.Is(err, errBodyMemory):
		x.w.Header().Set("Connection", "close")
		return x.reject(&dialects.RequestError{
			Status: http.StatusServiceUnavailable, Code: "overloaded",
			Message: "the gateway holds too many large requests at the moment; try again shortly",
		})
	}
	return x.reject(&dialects.RequestError{
		Status: http.StatusBadRequest, Code: "unreadable_body",
		Message: "the request body ended early or could not be read",
	})
}

// currentTable returns the routes. Discovered providers are looked for when the first request comes in, because loading
// a configuration performs no I/O.
func (h *Handler) currentTable() *table {
	if t := h.table.Load(); t != nil {
		return t.repriced()
	}
	h.discOnce.Do(func() {
		t, err := h.newTable(h.discover.choose(h.providers))
		if err != nil { // no models are configured, so there is nothing to be wrong
			t = &table{h: h, book: h.prices.Book()}
		}
		h.reportFound(t.providerNames())
		h.table.Store(t)
	})
	return h.table.Load()
}

// unknown says which names would have been right.
func (t *table) unknown(name string) error {
	msg := "there is no model " + strconv.Quote(name) + " here"
	if near := nearest.Names(name, t.publicNames(), 3); len(near) > 0 {
		msg += "; the nearest names are " + strings.Join(near, ", ")
	} else if !t.h.ModelsOnly {
		msg += "; ask for one of GET /v1/models, or for <provider>/<model> with one of the providers " + strings.Join(t.providerNames(), ", ")
	}
	return &dialects.RequestError{Status: http.StatusNotFound, Param: "model", Code: "model_not_found", Message: msg}
}
