// Package fakellm is a scripted, deterministic model provider. It speaks Chat Completions, Responses, Messages and
// Gemini generateContent, streaming and not, and embeddings, token counting and model lists.
//
// The same request gets the same answer, whose usage is what its text amounts to: one token for each piece that a
// stream delivers, one for each four bytes of the prompt. It is an http.Handler, to stand behind a real socket, and an
// http.RoundTripper, to answer without one. Tests use it as upstream and as its own witness: see [Server.Journal].
package fakellm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// maxBody bounds what is read of a request.
const maxBody = 64 << 20

// maxCached is how many rendered answers are kept; a benchmark sends the same few requests over and over.
const maxCached = 256

// Options configures a server. The zero value answers at once.
type Options struct {
	// Latency is the time to the first token.
	Latency time.Duration
	// Jitter varies Latency by up to this fraction in both directions, by the prompt: the same request takes the
	// same time. 0 is no variation.
	Jitter float64
	// TokensPerSecond is the speed after the first token; 0 is as fast as it is read.
	TokensPerSecond float64
	// Models are the names in model lists; none means "simulated". Any model name is answered.
	Models []string
	// Preamble starts every answer text.
	Preamble string
	// Tokens is the length of answers in tokens, the preamble not counted; 0 means between 16 and 47, by the prompt.
	Tokens int
	// Behave decides what happens to a request; nil means nothing special. It may be called concurrently.
	Behave func(*Request) Behavior
	// Journal keeps a record of every request. Without it, memory does not grow.
	Journal bool
}

// Server is the fake provider. It is safe for concurrent use.
type Server struct {
	opts    Options
	seq     atomic.Int64
	journal journal

	mu    sync.RWMutex
	cache map[cacheKey]*rendered
}

type cacheKey struct {
	body      [sha256.Size]byte
	path      string
	omitUsage bool
	echo      bool
}

// New returns a server.
func New(o Options) *Server {
	if len(o.Models) == 0 {
		o.Models = []string{"simulated"}
	}
	return &Server{opts: o, cache: make(map[cacheKey]*rendered)}
}

var errConnectionCut = errors.New("fakellm: connection cut")

// ServeHTTP answers one request. A cut connection is an aborted handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	re, err := s.reply(r)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	maps.Copy(h, re.header)
	defer re.body.Close()
	if !re.stream {
		h["Content-Length"] = []string{strconv.Itoa(re.size)}
	}
	w.WriteHeader(re.status)
	flusher := http.NewResponseController(w)
	buf := make([]byte, min(max(re.size, 512), 64<<10))
	for {
		n, err := re.body.Read(buf)
		if n > 0 {
			if _, werr := w.Write(buf[:n]); werr != nil {
				return
			}
			if re.stream {
				_ = flusher.Flush() // a recorder in a test cannot flush, and need not
			}
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			_ = flusher.Flush() // what there is of the answer
			panic(http.ErrAbortHandler)
		}
	}
}

// RoundTrip answers a request in process, honoring its context.
func (s *Server) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	re, err := s.reply(r)
	if err != nil {
		return nil, err
	}
	resp := &http.Response{
		StatusCode: re.status, Status: strconv.Itoa(re.status) + " " + http.StatusText(re.status),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: re.header, Body: re.body, ContentLength: int64(re.size), Request: r,
	}
	if re.stream {
		resp.ContentLength = -1
	}
	return resp, nil
}

// reply is an answer whose body is paced.
type reply struct {
	status int
	header http.Header
	body   io.ReadCloser
	size   int
	stream bool
}

func (s *Server) reply(r *http.Request) (*reply, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(io.LimitReader(r.Body, maxBody)); err != nil {
			return nil, err
		}
	}
	seq := int(s.seq.Add(1))
	q := &Request{
		Seq: seq, ID: "req_fake" + strconv.Itoa(seq), Method: r.Method, Path: r.URL.EscapedPath(),
		Header: r.Header, Body: body,
	}
	q.route(r)
	q.parse()
	var b Behavior
	if s.opts.Behave != nil {
		b = s.opts.Behave(q)
	}
	entry := s.journal.open(s.opts.Journal, q)
	if err := b.refuse(r.Context()); err != nil {
		entry.close(0, 0, false)
		return nil, err
	}
	ren := s.render(q, &b)
	h := http.Header{
		"Content-Type": {ren.contentType},
		"X-Request-Id": {q.ID},
		"Request-Id":   {q.ID},
	}
	for name, values := range b.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	p := s.pace(q, ren, b.Latency)
	if b.Break != nil && ren.status == http.StatusOK {
		return s.broken(r.Context(), q, ren, p, b.Break, h, entry)
	}
	if !ren.stream {
		if err := p.wait(r.Context(), ren.tokens()); err != nil {
			entry.close(0, 0, false)
			return nil, err
		}
		entry.close(ren.status, ren.tokens(), true)
		return &reply{ren.status, h, io.NopCloser(bytes.NewReader(ren.buf)), len(ren.buf), false}, nil
	}
	events := len(ren.ends)
	st := &stream{ctx: r.Context(), ren: ren, pace: p, entry: entry, events: events}
	if b.CutAfter > 0 && b.CutAfter < events {
		st.events = b.CutAfter
		if b.Abort {
			st.brk = &Break{err: errConnectionCut}
		}
	}
	return &reply{ren.status, h, st, len(ren.buf), true}, nil
}

// render makes the complete answer, or takes it from the cache.
func (s *Server) render(q *Request, b *Behavior) *rendered {
	switch {
	case b.Status != 0:
		return renderError(q, b.Status, b)
	case q.problem != "":
		return renderError(q, http.StatusBadRequest, &Behavior{Message: q.problem})
	case q.kind == kindUnknown:
		return renderError(q, http.StatusNotFound, &Behavior{Message: "no such endpoint: " + q.Path})
	case b.Text != "" || b.ErrorAfter > 0:
		return s.renderFresh(q, b)
	}
	key := cacheKey{sha256.Sum256(q.Body), q.Path, b.OmitUsage, b.Echo}
	if q.kind == kindModels {
		key.path += " " + q.Dialect // two dialects share the path
	}
	s.mu.RLock()
	ren := s.cache[key]
	s.mu.RUnlock()
	if ren != nil {
		return ren
	}
	ren = s.renderFresh(q, b)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.cache) >= maxCached {
		clear(s.cache)
	}
	s.cache[key] = ren
	return ren
}

func (s *Server) renderFresh(q *Request, b *Behavior) *rendered {
	switch q.kind {
	case kindModels:
		return renderModels(q, s.opts.Models)
	case kindCount:
		return renderCount(q)
	case kindEmbed, kindBatchEmbed:
		return renderEmbeddings(q)
	}
	a := s.answer(q, b)
	var ren *rendered
	switch q.Dialect {
	case Responses:
		ren = renderResponses(a)
	case Messages:
		ren = renderMessages(a)
	case Gemini:
		ren = renderGemini(a)
	default:
		ren = renderChat(a)
	}
	if b.ErrorAfter > 0 && ren.stream {
		ren.failAfter(q, b)
	}
	return ren
}

// sleep waits until d has passed or the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Interface guards
var (
	_ http.Handler      = (*Server)(nil)
	_ http.RoundTripper = (*Server)(nil)
)
