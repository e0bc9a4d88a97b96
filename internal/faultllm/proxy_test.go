package faultllm

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"
)

// through asks an upstream through a proxy with this toxic on the way back.
func through(t *testing.T, down Toxic) (h Heard, err error) {
	t.Helper()
	u := start(t, Always(Script{Pieces: 5}), Options{})
	p, err := NewProxy(u.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	p.Set(Toxic{}, down)
	c, err := DialConn(p.Addr(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Send(Post("/v1/messages", `{"stream":true}`)); err != nil {
		t.Fatal(err)
	}
	resp, err := c.Response(patience)
	if err != nil {
		return h, err
	}
	defer resp.Body.Close()
	var b strings.Builder
	buf := make([]byte, 1<<10)
	for {
		n, err := resp.Body.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			h = Read(Messages, true, resp.StatusCode, resp.Header.Get("Content-Type"), []byte(b.String()))
			if err.Error() == "EOF" {
				err = nil
			}
			return h, err
		}
	}
}

func TestAProxyDoesToBytesWhatItIsTold(t *testing.T) {
	for name, tc := range map[string]struct {
		toxic Toxic
		whole bool
	}{
		"nothing": {Toxic{}, true},
		"slices":  {Toxic{Slice: 3}, true},
		"latency": {Toxic{Latency: 2 * time.Millisecond, Jitter: time.Millisecond}, true},
		"rate":    {Toxic{Rate: 1 << 20, Slice: 1 << 10}, true},
		"reset":   {Toxic{ResetAfter: 700}, false},
		"close":   {Toxic{CloseAfter: 700}, false},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := through(t, tc.toxic)
			if (err == nil) != tc.whole || h.Complete != tc.whole {
				t.Errorf("%v %+v", err, h)
			}
		})
	}
	t.Run("a hole", func(t *testing.T) {
		u := start(t, Always(Script{}), Options{})
		p, err := NewProxy(u.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		p.Set(Toxic{}, Toxic{Hole: true})
		c, err := DialConn(p.Addr(), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.Send(Post("/v1/messages", `{}`)); err != nil {
			t.Fatal(err)
		}
		if !u.Wait(patience, func(j []Entry) bool { return len(j) == 1 && j[0].Outcome == Complete }) {
			t.Fatal("the request did not arrive")
		}
		if _, err := c.Response(20 * time.Millisecond); err == nil {
			t.Error("the answer arrived")
		}
	})
}

func TestAProxyRefusesAndOpensAgain(t *testing.T) {
	u := start(t, Always(Script{}), Options{})
	p, err := NewProxy(u.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	p.Refuse()
	if c, err := DialConn(p.Addr(), 0); err == nil {
		c.Close()
		t.Fatal("connected")
	}
	if err := p.Open(); err != nil {
		t.Fatal(err)
	}
	c, err := DialConn(p.Addr(), 0)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestConnectingToAHoleTakesForever(t *testing.T) {
	h, err := NewHole()
	if err != nil {
		t.Skip(err)
	}
	defer h.Close()
	if c, err := net.DialTimeout("tcp", strings.TrimPrefix(h.URL(), "http://"), 50*time.Millisecond); err == nil {
		c.Close()
		t.Error("connected")
	}
}

func TestAVanishedClientAcknowledgesNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := DialConn(l.Addr().String(), 4<<10)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if err := c.Vanish(); err != nil {
		t.Skip(err)
	}
	if _, err := server.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 5)); n > 0 || err == nil {
		t.Errorf("%d bytes arrived, %v", n, err)
	}
}

func TestNamesResolveToWhatTheyAreToldTo(t *testing.T) {
	d, err := NewDNS()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", d.Addr())
	}}
	if _, err := r.LookupHost(t.Context(), "up.invalid."); err == nil {
		t.Error("the name exists")
	}
	d.Set(net.IPv4(127, 0, 0, 9), 0)
	if ips, err := r.LookupHost(t.Context(), "up.invalid."); err != nil || len(ips) != 1 || ips[0] != "127.0.0.9" {
		t.Errorf("%v %v", ips, err)
	}
	d.Set(net.IPv4(127, 0, 0, 9), time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := r.LookupHost(ctx, "up.invalid."); err == nil {
		t.Error("an answer at once")
	}
}

func TestAProxyFlaps(t *testing.T) {
	u := start(t, Always(Script{}), Options{})
	p, err := NewProxy(u.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	stop := make(chan struct{})
	defer close(stop)
	p.Flap(5*time.Millisecond, 5*time.Millisecond, stop)
	refused, open := 0, 0
	for deadline := time.Now().Add(patience); (refused == 0 || open == 0) && time.Now().Before(deadline); {
		if c, err := DialConn(p.Addr(), 0); err == nil {
			c.Close()
			open++
		} else {
			refused++
		}
	}
	if refused == 0 || open == 0 {
		t.Errorf("%d refused, %d open", refused, open)
	}
}
