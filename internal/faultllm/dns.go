package faultllm

import (
	"encoding/binary"
	"net"
	"sync"
	"time"
)

// DNS answers questions for addresses with what a test says. It speaks just enough of RFC 1035 for a resolver to
// believe it.
type DNS struct {
	conn net.PacketConn

	mu      sync.Mutex
	ip      net.IP // nil: there is no such name
	delay   time.Duration
	asked   int
	serving sync.WaitGroup
	stop    chan struct{}
}

// NewDNS starts a server of names that do not exist.
func NewDNS() (*DNS, error) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &DNS{conn: c, stop: make(chan struct{})}
	d.serving.Go(d.serve)
	return d, nil
}

// Addr is the server's host and port.
func (d *DNS) Addr() string { return d.conn.LocalAddr().String() }

// Set changes the address of all names; nil means that they do not exist. Answers take as long as delay.
func (d *DNS) Set(ip net.IP, delay time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ip, d.delay = ip, delay
}

// Asked is how many questions came.
func (d *DNS) Asked() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked
}

// Close ends the server.
func (d *DNS) Close() {
	close(d.stop)
	_ = d.conn.Close()
	d.serving.Wait()
}

func (d *DNS) serve() {
	buf := make([]byte, 1500)
	for {
		n, from, err := d.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		d.mu.Lock()
		d.asked++
		ip, delay := d.ip, d.delay
		d.mu.Unlock()
		answer := answerDNS(buf[:n], ip)
		if answer == nil {
			continue
		}
		d.serving.Go(func() {
			if delay <= 0 || pause(delay, d.stop) {
				_, _ = d.conn.WriteTo(answer, from)
			}
		})
	}
}

// answerDNS answers a query with one question; nil if it is none.
func answerDNS(query []byte, ip net.IP) []byte {
	const header = 12
	end := header
	for end < len(query) && query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5 // the root, type and class
	if len(query) < header || end > len(query) {
		return nil
	}
	kind := binary.BigEndian.Uint16(query[end-4:])
	out := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[header:end]...)
	switch v4 := ip.To4(); {
	case ip == nil:
		out[3] |= 3 // no such name
	case kind == 1 && v4 != nil:
		out[7] = 1
		out = append(out, 0xc0, header, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4) // the name above, A, IN, no time to live
		out = append(out, v4...)
	}
	return out
}
