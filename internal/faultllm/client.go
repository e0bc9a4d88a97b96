package faultllm

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Conn is a client on a bare connection.
type Conn struct {
	*net.TCPConn
	rd *bufio.Reader
}

// DialConn connects. A receive buffer of more than 0 bytes is set before, so that little fits on the way.
func DialConn(addr string, receive int) (*Conn, error) {
	d := net.Dialer{Timeout: 5 * time.Second}
	if receive > 0 {
		d.Control = receiveBuffer(receive)
	}
	c, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	tcp := c.(*net.TCPConn) //nolint:forcetypeassert // of network tcp
	return &Conn{tcp, bufio.NewReaderSize(tcp, 1<<10)}, nil
}

// Post is the text of a request with a body. Headers are pairs of name and value.
func Post(path, body string, header ...string) string {
	var b strings.Builder
	b.WriteString("POST " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n")
	length := true
	for i := 0; i+1 < len(header); i += 2 {
		b.WriteString(header[i] + ": " + header[i+1] + "\r\n")
		length = length && header[i] != "Content-Length" && header[i] != "Transfer-Encoding"
	}
	if length {
		b.WriteString("Content-Length: " + strconv.Itoa(len(body)) + "\r\n")
	}
	return b.String() + "\r\n" + body
}

// Send writes text.
func (c *Conn) Send(text string) error {
	_, err := io.WriteString(c.TCPConn, text)
	return err
}

// Crawl writes text n bytes at a time with pauses, until the other side ends the connection or stop is closed. It
// returns how much was written.
func (c *Conn) Crawl(text string, n int, every time.Duration, stop <-chan struct{}) int {
	for written := 0; written < len(text); written += n {
		if err := c.Send(text[written:min(written+n, len(text))]); err != nil {
			return written
		}
		if !pause(every, stop) {
			return written
		}
	}
	return len(text)
}

// Response reads the head of a response.
func (c *Conn) Response(patience time.Duration) (*http.Response, error) {
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	return http.ReadResponse(c.rd, &http.Request{Method: http.MethodPost})
}

// Sip reads n bytes at a time with pauses, until the stream ends or stop is closed. It returns how much was read.
func (c *Conn) Sip(n int, every time.Duration, stop <-chan struct{}) (read int64, err error) {
	for buf := make([]byte, n); ; {
		k, err := c.Read(buf)
		read += int64(k)
		if err != nil {
			return read, err
		}
		if !pause(every, stop) {
			return read, nil
		}
	}
}

// Reset leaves with RST.
func (c *Conn) Reset() { reset(c.TCPConn) }
