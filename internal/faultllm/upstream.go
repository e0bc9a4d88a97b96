package faultllm

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options describe an upstream.
type Options struct {
	// Addr is where it listens; empty is a free port of 127.0.0.1.
	Addr string
	// TLS, if set, is spoken; HTTP2 is then offered by a server that keeps HTTP's rules.
	TLS   *tls.Config
	HTTP2 bool
	// Mute accepts connections and never says a word.
	Mute bool
	// Record keeps the first bytes of every connection as they came over the wire.
	Record bool
}

// Upstream is a provider that follows scripts.
type Upstream struct {
	*Journal
	opts   Options
	choose Chooser
	addr   string
	web    *http.Server // of HTTP2

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]struct{}
	accepted int
	wire     bytes.Buffer
	ids      atomic.Int64
	choosing sync.Mutex
	serving  sync.WaitGroup
}

// NewUpstream starts an upstream.
func NewUpstream(choose Chooser, opts Options) (*Upstream, error) {
	u := &Upstream{Journal: newJournal(), opts: opts, choose: choose, addr: opts.Addr, conns: map[net.Conn]struct{}{}}
	if u.addr == "" {
		u.addr = "127.0.0.1:0"
	}
	return u, u.Start()
}

// Start listens again after [Upstream.Stop], at the same address.
func (u *Upstream) Start() error {
	l, err := net.Listen("tcp", u.addr)
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.listener, u.addr = l, l.Addr().String()
	u.serving.Add(1)
	if u.opts.HTTP2 {
		u.web = u.newWeb()
		go func() {
			defer u.serving.Done()
			_ = u.web.ServeTLS(l, "", "") // until it is closed
		}()
		return nil
	}
	go func() {
		defer u.serving.Done()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			u.serving.Add(1)
			go u.serveConn(c)
		}
	}()
	return nil
}

// Stop closes the listener and all connections: who connects now is refused.
func (u *Upstream) Stop() {
	u.mu.Lock()
	l, web := u.listener, u.web
	u.mu.Unlock()
	if web != nil {
		_ = web.Close()
	}
	_ = l.Close()
	u.CloseConnections()
}

// Close ends the upstream and waits for all that it does.
func (u *Upstream) Close() {
	u.Stop()
	u.serving.Wait()
}

// CloseConnections ends all connections and goes on listening.
func (u *Upstream) CloseConnections() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for c := range u.conns {
		_ = c.Close()
	}
}

// Addr is host and port.
func (u *Upstream) Addr() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.addr
}

// URL is the base URL.
func (u *Upstream) URL() string {
	if u.opts.TLS != nil {
		return "https://" + u.Addr()
	}
	return "http://" + u.Addr()
}

// Connections is how many connections were accepted and how many of them are open.
func (u *Upstream) Connections() (accepted, open int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.accepted, len(u.conns)
}

// Wire is what came over the wire, with Options.Record.
func (u *Upstream) Wire() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.wire.String()
}

const recorded = 64 << 10 // of all connections together

// tap records what is read.
type tap struct {
	net.Conn
	u *Upstream
}

func (t tap) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.u.mu.Lock()
	defer t.u.mu.Unlock()
	if t.u.wire.Len() < recorded {
		t.u.wire.Write(p[:n])
	}
	return n, err
}

func (u *Upstream) track(c net.Conn) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.accepted++
	u.conns[c] = struct{}{}
	return u.accepted
}

func (u *Upstream) forget(c net.Conn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.conns, c)
}

// incoming is a request whose body was read.
type incoming struct {
	r    *http.Request
	body []byte
}

func (u *Upstream) serveConn(tcp net.Conn) {
	defer u.serving.Done()
	number := u.track(tcp)
	defer u.forget(tcp)
	defer tcp.Close()
	c := tcp
	if u.opts.Record {
		c = tap{tcp, u}
	}
	if u.opts.Mute {
		_, _ = io.Copy(io.Discard, c)
		return
	}
	if u.opts.TLS != nil {
		c = tls.Server(c, u.opts.TLS)
	}
	// One goroutine reads ahead. That is also how the other side's departure is noticed.
	requests, gone, done := make(chan incoming), make(chan struct{}), make(chan struct{})
	defer close(done)
	u.serving.Go(func() {
		defer close(gone)
		for rd := bufio.NewReader(c); ; {
			r, err := http.ReadRequest(rd)
			if err != nil {
				return
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			select {
			case requests <- incoming{r, body}:
			case <-done:
				return
			}
		}
	})
	for {
		select {
		case in := <-requests:
			w := &rawWire{conn: c, tcp: tcp, left: gone}
			if keep := u.serve(in, number, w); !keep {
				return
			}
		case <-gone:
			return
		}
	}
}

// serve answers one request and reports whether the connection is good for another.
func (u *Upstream) serve(in incoming, conn int, w wire) bool {
	e := &Entry{Request: u.request(in), Conn: conn, Outcome: Running}
	u.choosing.Lock()
	u.add(e)
	s := u.choose(&e.Request)
	u.choosing.Unlock()
	u.update(e, func(e *Entry) { e.Script = s })
	p := player{u: u, e: e, s: s, w: w}
	outcome, keep := p.play()
	u.update(e, func(e *Entry) {
		e.Outcome, e.Ended, e.Pieces, e.Bytes = outcome, time.Now(), p.pieces, p.bytes
		if outcome == Gone {
			e.GoneTime = e.Ended
		}
	})
	if after := s.Close; keep && after > 0 {
		wait(after, nil, w.gone())
		return false
	}
	return keep
}

// request reads what is to be known of a request without a JSON library's opinion on all of it.
func (u *Upstream) request(in incoming) Request {
	r := Request{
		ID: "up-" + strconv.FormatInt(u.ids.Add(1), 10) + "-" + u.port(), Time: time.Now(), Method: in.r.Method, Path: in.r.URL.RequestURI(),
		Dialect: dialectOf(in.r.URL.Path), Header: in.r.Header, Body: in.body,
	}
	var said struct {
		Model  string `json:"model"`
		Stream bool   `json:"stream"`
	}
	_ = json.Unmarshal(in.body, &said) // what is no JSON names no model
	r.Model, r.Stream = said.Model, said.Stream
	if r.Dialect == Gemini {
		_, name, _ := strings.Cut(in.r.URL.Path, "/models/")
		r.Model, _, _ = strings.Cut(name, ":")
		r.Stream = strings.Contains(in.r.URL.Path, ":stream")
	}
	for _, name := range [...]string{"Authorization", "X-Api-Key", "X-Goog-Api-Key", "Api-Key"} {
		if v := in.r.Header.Get(name); v != "" {
			r.Credential = strings.TrimPrefix(v, "Bearer ")
		}
	}
	if v := in.r.URL.Query().Get("key"); v != "" {
		r.Credential = v
	}
	return r
}

func (u *Upstream) port() string {
	_, port, _ := net.SplitHostPort(u.Addr())
	return port
}
