package llmgateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/caddy-llm/llmgateway/providers"
)

// transports pools the default transport, so that a reload keeps the connections to providers.
var transports = caddy.NewUsagePool()

const defaultTransport = "default"

// transport is the default way to a provider: HTTP/2 where offered, no redirects (RoundTrip never follows any), no
// transparent compression, no proxy from the environment.
type transport struct {
	*http.Transport
	// fresh is the same without connections that wait.
	fresh *http.Transport
}

// idleConnections is how long connections wait to be used again: less than the keep-alive of the vendors' front ends.
const idleConnections = 30 * time.Second

// keepAliveIdle is how long a provider may be silent before the connection to it is tried out: whoever waits for an answer
// over one whose other end is gone should learn of it within a minute. Over HTTP/1 the kernel asks the other kernel, over
// HTTP/2 a ping frame the other program.
const keepAliveIdle = 30 * time.Second

func newTransport() *transport {
	dialer := &net.Dialer{
		Timeout:         3 * time.Second,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: keepAliveIdle, Interval: 10 * time.Second, Count: 3},
	}
	t := &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, addr)
			if tcp, ok := c.(*net.TCPConn); ok && err == nil {
				return conn{tcp}, nil
			}
			return c, err
		},
		TLSHandshakeTimeout: 5 * time.Second,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:   true,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: keepAliveIdle, PingTimeout: 15 * time.Second,
			MaxReceiveBufferPerStream: 512 << 10, // net/http takes 4 MiB for a client that does not read them
		},
		DisableCompression:     true,
		MaxIdleConnsPerHost:    256,
		IdleConnTimeout:        idleConnections,
		MaxResponseHeaderBytes: 64 << 10,
	}
	fresh := t.Clone()
	fresh.DisableKeepAlives = true
	return &transport{t, fresh}
}

// conn is a connection that takes request bodies as they lie in memory. net/http copies what does not fit into its
// write buffer through a newly allocated one of 32 KiB, in as many writes as that takes; this is one write, without a
// copy. Over TLS the records have to be built anyway, and net/http does not get to see this type.
type conn struct{ *net.TCPConn }

// ReadFrom is called by net/http with the rest of a body.
func (c conn) ReadFrom(r io.Reader) (int64, error) {
	if l, ok := r.(*io.LimitedReader); ok {
		if body, ok := l.R.(providers.BodyReader); ok && body.Len() <= l.N {
			n, err := body.WriteTo(c.TCPConn)
			l.N -= n
			return n, err
		}
	}
	return c.TCPConn.ReadFrom(r)
}

// beforeRequest reports whether a round trip failed before a byte of the request was sent: while looking up the name,
// connecting, or agreeing on TLS.
func beforeRequest(err error) bool {
	var (
		op     *net.OpError
		name   *net.DNSError
		dial   reverseproxy.DialError
		cert   *tls.CertificateVerificationError
		record tls.RecordHeaderError
		alert  tls.AlertError
	)
	switch {
	case errors.As(err, &op) && (op.Op == "dial" || op.Op == "remote error" || op.Op == "local error"):
		return true // crypto/tls reports alerts as remote and local errors
	case errors.As(err, &name), errors.As(err, &dial), errors.As(err, &cert), errors.As(err, &record), errors.As(err, &alert):
		return true
	}
	return strings.Contains(err.Error(), "TLS handshake timeout") // net/http does not export the type
}

// Destruct closes what is idle; connections in use live on until their requests end.
func (t *transport) Destruct() error {
	t.CloseIdleConnections()
	return nil
}

func (h *Handler) provisionTransport(c *ProviderConfig, p *provider) error {
	guardStdLog()
	if t, ok := p.guest.(providers.Transporter); ok {
		if len(c.TransportRaw) > 0 {
			return fmt.Errorf("this kind of provider has no transport to configure")
		}
		p.transport = t.RoundTripper()
		return nil
	}
	if len(c.TransportRaw) == 0 {
		v, _, err := transports.LoadOrNew(defaultTransport, func() (caddy.Destructor, error) { return newTransport(), nil })
		if err != nil {
			return err
		}
		h.held = append(h.held, reference{transports, defaultTransport})
		// The embedded transport is used directly: one call less on the path of every request.
		p.transport, p.fresh, p.traced = v.(*transport).Transport, v.(*transport).fresh, true
		return nil
	}
	mod, err := h.ctx.LoadModule(c, "TransportRaw")
	if err != nil {
		return fmt.Errorf("loading transport: %w", err)
	}
	t, ok := mod.(*reverseproxy.HTTPTransport)
	if !ok {
		return fmt.Errorf("transport %T cannot carry requests to a provider: only `transport http` can", mod)
	}
	if t.Transport != nil {
		t.Transport.DisableCompression = true
	}
	p.transport, p.traced = t, !slices.Contains(t.Versions, "3") // the transport of HTTP/3 is another
	return nil
}

// delivery notes how far a request got.
type delivery struct {
	trace     httptrace.ClientTrace
	connected bool
}

// withDelivery returns a request that is followed. The transport may keep what follows it for longer than the request lasts.
func withDelivery(r *http.Request) (*http.Request, *delivery) {
	d := new(delivery)
	d.trace.GotConn = func(httptrace.GotConnInfo) { d.connected = true } // in the goroutine of the round trip
	return r.WithContext(httptrace.WithClientTrace(r.Context(), &d.trace)), d
}

// Interface guards
var (
	_ caddy.Destructor = (*transport)(nil)
	_ io.ReaderFrom    = conn{}
)
