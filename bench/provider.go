package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// providerCommand makes this program run as the fake provider.
	providerCommand = "fake-provider"
	// providerListener is the file descriptor on which the fake provider finds its open listener.
	providerListener = 3

	scriptPath = "/bench/script"
	countsPath = "/bench/counts"
)

// script tells the fake provider what its streams look like. Requests do not say it themselves, so that they can be
// exactly what a client sends and no gateway has to pass anything on.
type script struct {
	Deltas   int           `json:"deltas"`   // content events per stream
	Interval time.Duration `json:"interval"` // between two of them
	Hold     time.Duration `json:"hold"`     // silence after the last of them
}

// counts is how many requests the fake provider has received in each dialect.
type counts struct {
	Chat     int64 `json:"chat"`
	Messages int64 `json:"messages"`
}

// provider answers in two dialects from bytes rendered once, so that the other core has time for the load generator.
type provider struct {
	script         atomic.Pointer[script]
	chat, messages atomic.Int64
	bodies         sync.Pool
}

// serveProvider runs the fake provider until its standard input is closed, which the end of the parent does as well.
func serveProvider() error {
	ln, err := net.FileListener(os.NewFile(providerListener, "listener"))
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return (&http.Server{Handler: newProvider(), ReadHeaderTimeout: 10 * time.Second}).Serve(ln)
}

func newProvider() *provider {
	p := &provider{}
	p.script.Store(&script{Deltas: 1})
	p.bodies.New = func() any { return new(bytes.Buffer) }
	return p
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/v1/chat/completions":
		p.chat.Add(1)
		p.generate(w, r, &chatAnswers)
	case "/v1/messages":
		p.messages.Add(1)
		p.generate(w, r, &messagesAnswers)
	case scriptPath:
		p.setScript(w, r)
	case countsPath:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(counts{Chat: p.chat.Load(), Messages: p.messages.Load()})
	default:
		http.Error(w, "the fake provider has no such path", http.StatusNotFound)
	}
}

func (p *provider) setScript(w http.ResponseWriter, r *http.Request) {
	var s script
	if err := json.NewDecoder(io.LimitReader(r.Body, 1024)).Decode(&s); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.script.Store(&s)
}

func (p *provider) generate(w http.ResponseWriter, r *http.Request, a *answers) {
	body := p.bodies.Get().(*bytes.Buffer)
	defer p.bodies.Put(body)
	body.Reset()
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, 1<<20)); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if hasFlag(body.Bytes(), "stream") {
		p.stream(w, r, a, hasFlag(body.Bytes(), "include_usage"))
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(a.unary)))
	_, _ = w.Write(a.unary)
}

// hasFlag looks for a member that is true. It does not parse: the bodies are the benchmark's own, and no text in them
// looks like this.
func hasFlag(body []byte, name string) bool {
	return bytes.Contains(body, []byte(`"`+name+`":true`)) || bytes.Contains(body, []byte(`"`+name+`": true`))
}

// stream writes one paced stream, with a flush after every event as providers do. The schedule is absolute, so that
// a late event does not delay the following ones.
func (p *provider) stream(w http.ResponseWriter, r *http.Request, a *answers, usage bool) {
	s := p.script.Load()
	rc := http.NewResponseController(w)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	send := func(event []byte) bool {
		_, err := w.Write(event)
		return err == nil && rc.Flush() == nil
	}
	start := time.Now()
	for _, event := range a.head {
		if !send(event) {
			return
		}
	}
	for i := range s.Deltas {
		if !pause(r, time.Until(start.Add(time.Duration(i)*s.Interval))) || !send(a.deltas[i%len(a.deltas)]) {
			return
		}
	}
	if !pause(r, s.Hold) {
		return
	}
	for _, event := range a.tail(s.Deltas, usage) {
		if !send(event) {
			return
		}
	}
}

// pause waits, and reports false when the client has left.
func pause(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// control is the load generator's side of the fake provider.
type control struct{ base string }

func (c control) setScript(s script) error {
	body, err := json.Marshal(s)
	if err != nil {
		return err
	}
	resp, err := http.Post(c.base+scriptPath, "application/json", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("setting the fake provider's script: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("setting the fake provider's script: status %d", resp.StatusCode)
	}
	return nil
}

func (c control) counts() (counts, error) {
	var n counts
	resp, err := http.Get(c.base + countsPath)
	if err != nil {
		return n, fmt.Errorf("reading the fake provider's counts: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	return n, json.NewDecoder(resp.Body).Decode(&n)
}
