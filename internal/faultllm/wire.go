package faultllm

import (
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
)

// wire is the way back to who asked.
type wire interface {
	raw(text string) error
	head(status int, h http.Header, length int64) error // length < 0: unknown
	body(p []byte) error
	finish() error // the message, not the connection
	reset()
	close()
	gone() <-chan struct{} // closed when the other side left
}

// rawWire writes HTTP/1.1 by hand.
type rawWire struct {
	conn    net.Conn // over TLS, perhaps
	tcp     net.Conn
	left    <-chan struct{}
	chunked bool
}

func (w *rawWire) raw(text string) error {
	_, err := io.WriteString(w.conn, text)
	return err
}

func (w *rawWire) head(status int, h http.Header, length int64) error {
	w.chunked = length < 0
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	if w.chunked {
		h.Set("Transfer-Encoding", "chunked")
	} else {
		h.Set("Content-Length", fmt.Sprint(length))
	}
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, v := range h[name] {
			b.WriteString(name + ": " + v + "\r\n")
		}
	}
	return w.raw(b.String() + "\r\n")
}

func (w *rawWire) body(p []byte) error {
	if w.chunked {
		// In one write: what is split is for the script to say.
		p = slices.Concat([]byte(chunkHead(len(p))), p, []byte("\r\n"))
	}
	_, err := w.conn.Write(p)
	return err
}

func (w *rawWire) finish() error {
	if w.chunked {
		return w.raw("0\r\n\r\n")
	}
	return nil
}

func (w *rawWire) reset() {
	if tcp, ok := w.tcp.(*net.TCPConn); ok {
		drain(tcp)
		_ = tcp.SetLinger(0) // close then sends RST in place of FIN
	}
	_ = w.tcp.Close()
}

func (w *rawWire) close()                { _ = w.conn.Close() }
func (w *rawWire) gone() <-chan struct{} { return w.left }

// webWire is an answer by net/http, for HTTP/2.
type webWire struct {
	w     http.ResponseWriter
	r     *http.Request
	abort bool
}

var errOnlyRaw = errors.New("this can only be done in HTTP/1.1")

func (*webWire) raw(string) error { return errOnlyRaw }

func (w *webWire) head(status int, h http.Header, length int64) error {
	maps.Copy(w.w.Header(), h)
	if length >= 0 {
		w.w.Header().Set("Content-Length", fmt.Sprint(length))
	}
	w.w.WriteHeader(status)
	return http.NewResponseController(w.w).Flush()
}

func (w *webWire) body(p []byte) error {
	if _, err := w.w.Write(p); err != nil {
		return err
	}
	return http.NewResponseController(w.w).Flush()
}

func (*webWire) finish() error { return nil }

// reset ends the stream with RST_STREAM, once the script is over.
func (w *webWire) reset()                { w.abort = true }
func (w *webWire) close()                { w.abort = true }
func (w *webWire) gone() <-chan struct{} { return w.r.Context().Done() }

func (u *Upstream) newWeb() *http.Server {
	return &http.Server{
		ErrorLog:  log.New(io.Discard, "", 0),
		TLSConfig: u.opts.TLS.Clone(),
		ConnState: func(c net.Conn, s http.ConnState) {
			switch s {
			case http.StateNew:
				u.track(c)
			case http.StateClosed, http.StateHijacked:
				u.forget(c)
			}
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			way := &webWire{w: w, r: r}
			u.serve(incoming{r, body}, 0, way)
			if way.abort {
				panic(http.ErrAbortHandler)
			}
		}),
	}
}

// Interface guards
var (
	_ wire = (*rawWire)(nil)
	_ wire = (*webWire)(nil)
)
