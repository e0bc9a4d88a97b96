package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// conn is a client's keep-alive connection. It speaks just enough HTTP/1.1 for the benchmark: net/http's client costs
// several times as much as what is measured here, on the core that the fake provider needs too.
type conn struct {
	nc   net.Conn
	br   *bufio.Reader
	body bodyReader
}

// renderRequest prepares the bytes of a request as a client library sends them.
func renderRequest(host string, body []byte) []byte {
	accept := "application/json"
	return append(fmt.Appendf(nil, "POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\nUser-Agent: llmgateway-bench\r\nAccept: %s\r\n"+
		"Authorization: Bearer sk-bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", host, accept, len(body)), body...)
}

func dial(addr string) (*conn, error) {
	nc, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &conn{nc: nc, br: bufio.NewReader(nc)}, nil
}

// send writes a request and reads the response up to its body.
func (c *conn) send(request []byte) error {
	if _, err := c.nc.Write(request); err != nil {
		return err
	}
	status, err := c.readHead()
	if err != nil {
		return err
	}
	if status != 200 {
		text, _ := io.ReadAll(io.LimitReader(&c.body, 500))
		return fmt.Errorf("status %d: %s", status, text)
	}
	return nil
}

// readHead reads the status line and the header and prepares c.body.
func (c *conn) readHead() (status int, err error) {
	line, err := c.br.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, fmt.Errorf("unexpected status line %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, fmt.Errorf("unexpected status line %q", line)
	}
	c.body = bodyReader{br: c.br, left: -1}
	for {
		if line, err = c.br.ReadSlice('\n'); err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("content-length")):
			if c.body.left, err = strconv.Atoi(string(value)); err != nil || c.body.left < 0 {
				return 0, fmt.Errorf("unexpected content length %q", value)
			}
		case bytes.EqualFold(name, []byte("transfer-encoding")):
			c.body.chunked, c.body.left = bytes.EqualFold(value, []byte("chunked")), 0
		}
	}
	if c.body.left < 0 {
		return 0, errors.New("the response has neither a content length nor chunks")
	}
	return status, nil
}

// bodyReader reads the body of one response. It returns io.EOF at its end, and what has arrived rather than waiting
// for more.
type bodyReader struct {
	br      *bufio.Reader
	chunked bool
	inChunk bool // a chunk has been read whose line end is still to come
	left    int  // bytes left of the body or the chunk
	done    bool
}

func (b *bodyReader) Read(p []byte) (int, error) {
	if b.left == 0 && b.chunked && !b.done {
		if err := b.nextChunk(); err != nil {
			return 0, err
		}
	}
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.br.Read(p[:min(len(p), b.left)])
	b.left -= n
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (b *bodyReader) nextChunk() error {
	if b.inChunk {
		if _, err := b.br.Discard(len("\r\n")); err != nil {
			return err
		}
	}
	line, err := b.br.ReadSlice('\n')
	if err != nil {
		return err
	}
	size, err := strconv.ParseUint(string(bytes.TrimRight(line, "\r\n")), 16, 31)
	if err != nil {
		return fmt.Errorf("unexpected chunk size %q", line)
	}
	b.left, b.inChunk = int(size), true
	if size == 0 {
		b.done = true
		_, err = b.br.Discard(len("\r\n")) // no trailers: nobody asked for them
	}
	return err
}

// discardBody reads the body to its end and returns its length.
func (c *conn) discardBody(buf []byte) (int, error) {
	var total int
	for {
		n, err := c.body.Read(buf)
		total += n
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// frames counts the events of a stream that arrives in pieces and remembers how it ends.
type frames struct {
	n    int
	tail []byte
}

var streamEnd = []byte("data: [DONE]\n\n")

func (f *frames) write(p []byte) {
	if len(p) == 0 {
		return
	}
	f.n += bytes.Count(p, []byte("\n\n"))
	if p[0] == '\n' && bytes.HasSuffix(f.tail, []byte("\n")) && !bytes.HasSuffix(f.tail, []byte("\n\n")) {
		f.n++
	}
	f.tail = append(f.tail, p[max(0, len(p)-len(streamEnd)):]...)
	if n := len(f.tail) - len(streamEnd); n > 0 {
		f.tail = append(f.tail[:0], f.tail[n:]...)
	}
}

// complete reports whether the last event was the end marker of the chat dialect.
func (f *frames) complete() bool { return bytes.Equal(f.tail, streamEnd) }
