package faultllm

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Toxic is what a proxy does to the bytes of one direction. The zero value passes them on.
type Toxic struct {
	// Latency delays each read, plus or minus up to Jitter.
	Latency, Jitter time.Duration
	// Rate is how many bytes pass in a second; 0 is no limit.
	Rate int
	// Slice sends at most so many bytes at a time.
	Slice int
	// ResetAfter and CloseAfter end the connection, or this direction of it, after so many bytes; 0 is never.
	ResetAfter, CloseAfter int64
	// Hole swallows everything.
	Hole bool
}

// Proxy passes TCP connections on to a target and treats them badly.
type Proxy struct {
	target string
	addr   string

	mu       sync.Mutex
	up, down Toxic // to and from the target
	listener net.Listener
	conns    map[net.Conn]struct{}
	accepted int
	serving  sync.WaitGroup
	stop     chan struct{}
}

// NewProxy starts a proxy to a target, a host and port.
func NewProxy(target string) (*Proxy, error) {
	p := &Proxy{target: target, addr: "127.0.0.1:0", conns: map[net.Conn]struct{}{}, stop: make(chan struct{})}
	return p, p.Open()
}

// Open accepts connections again after [Proxy.Refuse].
func (p *Proxy) Open() error {
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.stop:
		_ = l.Close()
		return net.ErrClosed
	default:
	}
	p.listener, p.addr = l, l.Addr().String()
	p.serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.serving.Add(1)
			go p.serve(c)
		}
	})
	return nil
}

// Refuse closes the listener and resets all connections.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.listener.Close()
	for c := range p.conns {
		reset(c)
	}
}

// Flap refuses and opens in turn, each for so long, until the proxy is closed or stop is.
func (p *Proxy) Flap(open, refuse time.Duration, stop <-chan struct{}) {
	p.serving.Go(func() {
		for isOpen := true; ; isOpen = !isOpen {
			length := refuse
			if isOpen {
				length = open
			}
			select {
			case <-time.After(length):
			case <-stop:
				return
			case <-p.stop:
				return
			}
			if isOpen {
				p.Refuse()
			} else if p.Open() != nil {
				return // the port was taken: connections stay refused
			}
		}
	})
}

// Set changes what happens to bytes to and from the target, also in connections that are open.
func (p *Proxy) Set(up, down Toxic) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.up, p.down = up, down
}

// URL is a base URL at the proxy.
func (p *Proxy) URL() string { return "http://" + p.Addr() }

// Addr is the proxy's host and port.
func (p *Proxy) Addr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.addr
}

// Accepted is how many connections were ever accepted.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// Close ends the proxy and waits for all that it does.
func (p *Proxy) Close() {
	p.mu.Lock()
	close(p.stop)
	p.mu.Unlock()
	p.Refuse() // no Open can follow
	p.serving.Wait()
}

func (p *Proxy) serve(c net.Conn) {
	defer p.serving.Done()
	defer c.Close()
	t, err := net.DialTimeout("tcp", p.target, 5*time.Second)
	if err != nil {
		reset(c)
		return
	}
	defer t.Close()
	p.mu.Lock()
	p.accepted++
	p.conns[c], p.conns[t] = struct{}{}, struct{}{}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, c)
		delete(p.conns, t)
	}()
	var both sync.WaitGroup
	both.Go(func() { p.pass(t, c, func() Toxic { return p.up }) })
	both.Go(func() { p.pass(c, t, func() Toxic { return p.down }) })
	both.Wait()
}

var errToxic = errors.New("ended by the proxy")

// pass copies one direction.
func (p *Proxy) pass(to, from net.Conn, toxic func() Toxic) {
	buf := make([]byte, 32<<10)
	for passed := int64(0); ; {
		n, err := from.Read(buf)
		p.mu.Lock()
		x := toxic()
		p.mu.Unlock()
		if n > 0 && !x.Hole {
			if e := x.write(to, buf[:n], &passed, p.stop); e != nil {
				if errors.Is(e, errToxic) && x.ResetAfter > 0 {
					reset(to)
					reset(from)
				}
				break
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				reset(to)
			}
			break
		}
	}
	if tcp, ok := to.(*net.TCPConn); ok {
		_ = tcp.CloseWrite() // the other direction goes on
	}
}

func (x Toxic) write(to net.Conn, b []byte, passed *int64, stop <-chan struct{}) error {
	if x.Latency > 0 {
		d := x.Latency
		if x.Jitter > 0 {
			d += time.Duration(rand.Int64N(int64(2*x.Jitter))) - x.Jitter
		}
		if !pause(d, stop) {
			return errToxic
		}
	}
	for len(b) > 0 {
		n := len(b)
		if x.Slice > 0 {
			n = min(n, x.Slice)
		}
		end := false
		for _, limit := range [...]int64{x.ResetAfter, x.CloseAfter} {
			if limit > 0 && *passed+int64(n) >= limit {
				n, end = int(max(limit-*passed, 0)), true
			}
		}
		if _, err := to.Write(b[:n]); err != nil {
			return err
		}
		*passed += int64(n)
		if end {
			return errToxic
		}
		if x.Rate > 0 && !pause(time.Duration(n)*time.Second/time.Duration(x.Rate), stop) {
			return errToxic
		}
		b = b[n:]
	}
	return nil
}

func pause(d time.Duration, stop <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-stop:
		return false
	}
}

// reset closes a connection with RST.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
