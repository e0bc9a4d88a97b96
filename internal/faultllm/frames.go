package faultllm

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"sync"
)

// FrameFault is what happens to a request of HTTP/2.
type FrameFault int

// The faults.
const (
	NoFault     FrameFault = iota
	GoAway                 // GOAWAY in place of an answer, which says that the request was not looked at
	Refused                // RST_STREAM with REFUSED_STREAM
	ResetBefore            // the headers of an answer, then RST_STREAM with INTERNAL_ERROR
	ResetMiddle            // headers and the first half of the body, then RST_STREAM
)

// Frames is a server of HTTP/2 that answers every request with the same body, or with a fault. It does not look at the
// headers of requests, and counts.
type Frames struct {
	listener net.Listener
	config   *tls.Config
	fault    func(n int) FrameFault
	answer   []byte
	stream   bool

	mu      sync.Mutex
	seen    int
	conns   map[net.Conn]struct{}
	serving sync.WaitGroup
}

// NewFrames starts a server. fault is asked for each request, counted from 1; answer is the body of the others.
func NewFrames(config *tls.Config, answer string, stream bool, fault func(n int) FrameFault) (*Frames, error) {
	config = config.Clone()
	config.NextProtos = []string{"h2"}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &Frames{listener: l, config: config, fault: fault, answer: []byte(answer), stream: stream, conns: map[net.Conn]struct{}{}}
	f.serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns[c] = struct{}{}
			f.mu.Unlock()
			f.serving.Go(func() {
				defer func() {
					f.mu.Lock()
					defer f.mu.Unlock()
					delete(f.conns, c)
				}()
				f.serve(tls.Server(c, f.config))
			})
		}
	})
	return f, nil
}

// URL is the base URL.
func (f *Frames) URL() string { return "https://" + f.listener.Addr().String() }

// Seen is how many requests came.
func (f *Frames) Seen() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen
}

// CloseConnections ends all connections.
func (f *Frames) CloseConnections() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		_ = c.Close()
	}
}

// Close ends the server.
func (f *Frames) Close() {
	_ = f.listener.Close()
	f.CloseConnections()
	f.serving.Wait()
}

// Types, flags and codes of HTTP/2, RFC 9113.
const (
	frameData, frameHeaders, frameReset, frameSettings, framePing, frameGoAway = 0, 1, 3, 4, 6, 7

	flagEnd, flagEndHeaders, flagAck = 1, 4, 1

	codeInternal, codeRefused = 2, 7
)

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

func (f *Frames) serve(c net.Conn) {
	defer c.Close()
	rd := bufio.NewReader(c)
	if got := make([]byte, len(preface)); readFull(rd, got) != nil || string(got) != preface {
		return
	}
	if writeFrame(c, frameSettings, 0, 0, nil) != nil {
		return
	}
	last := uint32(0) // stream that was answered
	for {
		var head [9]byte
		if readFull(rd, head[:]) != nil {
			return
		}
		payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if readFull(rd, payload) != nil {
			return
		}
		kind, flags, stream := head[3], head[4], binary.BigEndian.Uint32(head[5:])&(1<<31-1)
		var err error
		switch {
		case kind == frameSettings && flags&flagAck == 0:
			err = writeFrame(c, frameSettings, flagAck, 0, nil)
		case kind == framePing && flags&flagAck == 0:
			err = writeFrame(c, framePing, flagAck, 0, payload)
		case (kind == frameData || kind == frameHeaders) && flags&flagEnd != 0: // the request is complete
			var over bool
			if over, err = f.reply(c, stream, last); over {
				return
			}
			last = stream
		}
		if err != nil {
			return
		}
	}
}

// reply answers a request. It reports over when the connection ends with it.
func (f *Frames) reply(c net.Conn, stream, last uint32) (over bool, err error) {
	f.mu.Lock()
	f.seen++
	fault := f.fault(f.seen)
	f.mu.Unlock()
	switch fault {
	case GoAway:
		payload := binary.BigEndian.AppendUint32(nil, last)
		return true, writeFrame(c, frameGoAway, 0, 0, binary.BigEndian.AppendUint32(payload, 0))
	case Refused:
		return false, writeFrame(c, frameReset, 0, stream, binary.BigEndian.AppendUint32(nil, codeRefused))
	}
	kind := "application/json"
	if f.stream {
		kind = "text/event-stream"
	}
	// :status 200 is entry 8 of the static table, content-type is name 31.
	block := append([]byte{0x88, 0x0f, 31 - 15, byte(len(kind))}, kind...)
	if err := writeFrame(c, frameHeaders, flagEndHeaders, stream, block); err != nil {
		return false, err
	}
	body := f.answer
	switch fault {
	case ResetBefore:
		body = nil
	case ResetMiddle:
		body = body[:len(body)/2]
	}
	for len(body) > 0 {
		n := min(len(body), 16<<10)
		if err := writeFrame(c, frameData, 0, stream, body[:n]); err != nil {
			return false, err
		}
		body = body[n:]
	}
	if fault == NoFault {
		return false, writeFrame(c, frameData, flagEnd, stream, nil)
	}
	return false, writeFrame(c, frameReset, 0, stream, binary.BigEndian.AppendUint32(nil, codeInternal))
}

func readFull(rd io.Reader, b []byte) error {
	_, err := io.ReadFull(rd, b)
	return err
}

func writeFrame(w io.Writer, kind, flags byte, stream uint32, payload []byte) error {
	n := len(payload)
	b := append([]byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags}, binary.BigEndian.AppendUint32(nil, stream)...)
	_, err := w.Write(append(b, payload...))
	return err
}
