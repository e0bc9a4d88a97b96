package usertimeout

import (
	"context"
	"net"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func provisioned(t *testing.T, w *Wrapper) (*Wrapper, error) {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	return w, w.Provision(ctx)
}

// accept connects to a listener behind the wrapper and returns the server's side.
func accept(t *testing.T, w *Wrapper, network, address string) net.Conn {
	t.Helper()
	plain, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	ln := w.WrapListener(plain)
	t.Cleanup(func() { ln.Close() })
	client, err := net.Dial(network, plain.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestConnectionsGetTheTimeout(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the option exists on Linux only")
	}
	for _, c := range []struct{ set, want time.Duration }{{0, 30 * time.Second}, {12 * time.Second, 12 * time.Second}} {
		w, err := provisioned(t, &Wrapper{Timeout: caddy.Duration(c.set)})
		if err != nil {
			t.Fatal(err)
		}
		conn := accept(t, w, "tcp", "127.0.0.1:0")
		if got := timeoutOf(t, conn); got != c.want {
			t.Errorf("configured %s: the socket has %s, want %s", c.set, got, c.want)
		}
		if got := unsentOf(t, conn); got != 64<<10 {
			t.Errorf("%d bytes may wait in the socket", got)
		}
	}
}

func TestOtherConnectionsAreServedAllTheSame(t *testing.T) {
	w, err := provisioned(t, new(Wrapper))
	if err != nil {
		t.Fatal(err)
	}
	accept(t, w, "unix", filepath.Join(t.TempDir(), "socket"))
}

func TestWhatIsWrongWithATimeout(t *testing.T) {
	if _, err := provisioned(t, &Wrapper{Timeout: caddy.Duration(time.Millisecond)}); err == nil {
		t.Error("a millisecond is taken")
	}
	for text, want := range map[string]caddy.Duration{
		"tcp_user_timeout": 0, "tcp_user_timeout 45s": caddy.Duration(45 * time.Second),
	} {
		w := new(Wrapper)
		if err := w.UnmarshalCaddyfile(caddyfile.NewTestDispenser(text)); err != nil || w.Timeout != want {
			t.Errorf("%s: %v %v", text, w.Timeout, err)
		}
	}
	for _, text := range []string{"tcp_user_timeout soon", "tcp_user_timeout -1s", "tcp_user_timeout 1s 2s", "tcp_user_timeout {\n\tx\n}"} {
		if err := new(Wrapper).UnmarshalCaddyfile(caddyfile.NewTestDispenser(text)); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}
