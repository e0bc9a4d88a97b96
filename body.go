package llmgateway

import (
	"errors"
	"io"
	"math"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/providers"
)

// buffers holds request and response bodies. Larger ones are left to the garbage collector, so that one big request
// does not pin its memory.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

const maxPooledBuffer = 1 << 20

func getBuffer() *[]byte { return buffers.Get().(*[]byte) }

func putBuffer(b *[]byte) {
	if cap(*b) <= maxPooledBuffer {
		*b = (*b)[:0]
		buffers.Put(b)
	}
}

// bodyMemory is what the request bodies of all requests in flight hold, in bytes.
var bodyMemory atomic.Int64

// bodyMemoryLimit is a quarter of the memory limit of the process, or 512 MiB without one. Many large bodies at once
// are refused rather than left to the kernel's out-of-memory killer.
var bodyMemoryLimit = sync.OnceValue(func() int64 {
	if limit := debug.SetMemoryLimit(-1); limit > 0 && limit < math.MaxInt64 {
		return max(limit/4, 64<<20)
	}
	return 512 << 20
})

var (
	errBodyTooLarge = errors.New("request body too large")
	errBodyMemory   = errors.New("too much memory in request bodies")
	errBodySlow     = errors.New("request body comes too slowly")
)

const (
	// bodyPatience is how long a body may take at any pace, and bodyRate how many bytes a second it has to come at after that,
	// on the average. Who sends slower holds memory and a connection for nothing.
	bodyPatience = 30 * time.Second
	bodyRate     = 1 << 10
)

// tooSlow reports whether a body of which so much has arrived is not worth waiting for.
func (x *exchange) tooSlow(arrived int) bool {
	since := time.Since(x.start)
	return since > bodyPatience && float64(arrived) < since.Seconds()*bodyRate
}

// readBody reads the body to its end, exactly once. Reading up to io.EOF is what makes Caddy clear the read deadline it
// keeps on bodies, which would otherwise cut a request whose provider is silent for longer than that.
func (x *exchange) readBody() error {
	r := x.r
	declared := r.ContentLength
	if declared > x.h.MaxBody {
		return errBodyTooLarge
	}
	buf := getBuffer()
	if declared >= int64(cap(*buf)) {
		// The size is the client's word: believe it up to a point and grow from there.
		*buf = make([]byte, 0, min(declared+1, maxPooledBuffer))
	}
	held := int64(cap(*buf))
	if bodyMemory.Add(held) > bodyMemoryLimit() {
		bodyMemory.Add(-held)
		putBuffer(buf)
		return errBodyMemory
	}
	x.bodyBuf = providers.NewShared(func() {
		bodyMemory.Add(-held)
		putBuffer(buf)
	})
	b := *buf
	for {
		if len(b) == cap(b) {
			grown := append(b, 0)
			more := int64(cap(grown)) - held
			if bodyMemory.Add(more) > bodyMemoryLimit() {
				bodyMemory.Add(-more)
				return errBodyMemory
			}
			held += more
			b = grown[:len(b)]
		}
		n, err := r.Body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if int64(len(b)) > x.h.MaxBody {
			return errBodyTooLarge
		}
		if err == io.EOF {
			*buf, x.body, x.inputSize = b, b, textSize(b)
			return nil
		}
		if err != nil {
			return err
		}
		if x.tooSlow(len(b)) {
			return errBodySlow
		}
	}
}

// objects pools the results of scanning request bodies.
var objects = sync.Pool{New: func() any { return new(jsonedit.Object) }}

// scan validates the body and finds its top-level members.
func (x *exchange) scan() error {
	x.obj = objects.Get().(*jsonedit.Object)
	if err := jsonedit.Scan(x.body, x.codec.KnownKeys(), jsonedit.Limits{}, x.obj); err != nil {
		var je *jsonedit.Error
		if errors.As(err, &je) && je.Key != "" {
			return &dialects.RequestError{Status: http.StatusBadRequest, Param: je.Key, Code: "duplicate_key", Message: "request body: " + je.Error()}
		}
		return &dialects.RequestError{Status: http.StatusBadRequest, Code: "invalid_json", Message: "request body is not valid JSON: " + err.Error()}
	}
	return nil
}

// checkEncoding refuses bodies that are not plain JSON before they are read. The content type matters for more than
// order: a web page can make a visitor's browser send other types, or none, to a gateway on the visitor's own network
// without asking first.
func checkEncoding(r *http.Request) error {
	if ce := r.Header.Get("Content-Encoding"); ce != "" && !strings.EqualFold(ce, "identity") {
		return &dialects.RequestError{
			Status: http.StatusUnsupportedMediaType, Code: "unsupported_encoding",
			Message: "request bodies with a content-encoding are not accepted; send plain JSON",
		}
	}
	ct := r.Header.Get("Content-Type")
	if ct == "" && r.Header.Get("Origin") == "" && r.Header.Get("Sec-Fetch-Site") == "" {
		return nil
	}
	ct, _, _ = strings.Cut(ct, ";")
	if ct = strings.TrimSpace(ct); strings.EqualFold(ct, "application/json") {
		return nil
	}
	if sub, ok := strings.CutPrefix(strings.ToLower(ct), "application/"); ok && strings.HasSuffix(sub, "+json") {
		return nil
	}
	return &dialects.RequestError{
		Status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type",
		Message: "the content-type of a request must be application/json",
	}
}
