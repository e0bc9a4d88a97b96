// Package usertimeout is a listener wrapper that finds clients which went away without a word: a laptop that was closed, a
// network that was left. The kernel takes what is written to such a connection for many minutes, so that neither a write
// deadline nor a flush notices; with TCP_USER_TIMEOUT it gives the connection up when nothing has been acknowledged for
// that long. For a gateway of streams that means that the provider is told to stop, and stops charging.
package usertimeout

import (
	"fmt"
	"net"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"
)

func init() {
	caddy.RegisterModule(Wrapper{})
}

// Wrapper sets TCP_USER_TIMEOUT (RFC 5482) on the connections of a server: one on which sent data stays unacknowledged for
// that long is closed, and the requests on it are canceled. With TCP_NOTSENT_LOWAT no more than 64 KiB wait in the kernel for
// a client that reads slowly. It works on Linux; elsewhere it says so and does nothing. It has to stand before the `tls`
// wrapper.
type Wrapper struct {
	// How long sent data may stay unacknowledged. Default: 30s.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	logger *zap.Logger
}

const defaultTimeout = 30 * time.Second

// CaddyModule returns the Caddy module information.
func (Wrapper) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "caddy.listeners.tcp_user_timeout",
		New: func() caddy.Module { return new(Wrapper) },
	}
}

// Provision checks the timeout.
func (w *Wrapper) Provision(ctx caddy.Context) error {
	w.logger = ctx.Logger()
	if w.Timeout == 0 {
		w.Timeout = caddy.Duration(defaultTimeout)
	}
	if time.Duration(w.Timeout) < time.Second {
		return fmt.Errorf("a timeout of %s is below a second: ordinary delays would close connections", time.Duration(w.Timeout))
	}
	if !supported {
		w.logger.Warn("TCP_USER_TIMEOUT is not supported on this system; clients that vanish are found late")
	}
	return nil
}

// WrapListener sets the option on what ln accepts.
func (w *Wrapper) WrapListener(ln net.Listener) net.Listener {
	if !supported {
		return ln
	}
	return &listener{Listener: ln, timeout: time.Duration(w.Timeout), logger: w.logger}
}

type listener struct {
	net.Listener
	timeout time.Duration
	logger  *zap.Logger
}

// Accept waits for the next connection. One that the option cannot be set on, such as that of a Unix socket, is served all
// the same.
func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if err := set(conn, l.timeout); err != nil {
		l.logger.Debug("TCP_USER_TIMEOUT was not set", zap.Error(err))
	}
	return conn, nil
}

// UnmarshalCaddyfile parses
//
//	tcp_user_timeout [<duration>]
func (w *Wrapper) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name
	if d.NextArg() {
		v, err := caddy.ParseDuration(d.Val())
		if err != nil || v <= 0 {
			return d.Errf("tcp_user_timeout '%s' is not a duration such as 30s", d.Val())
		}
		w.Timeout = caddy.Duration(v)
	}
	if d.NextArg() || d.NextBlock(d.Nesting()) {
		return d.ArgErr()
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Wrapper)(nil)
	_ caddy.ListenerWrapper = (*Wrapper)(nil)
	_ caddyfile.Unmarshaler = (*Wrapper)(nil)
)
