package llmgateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/sse"
	"github.com/caddy-llm/llmgateway/providers"
)

const (
	// maxResponse is the largest unary response.
	maxResponse = 64 << 20
	// maxEvent is the largest event of a stream: image generation puts megabytes into one line.
	maxEvent = 16 << 20
	// maxHeld is how much of a stream is held back while there is no content in it yet.
	maxHeld = 256 << 10
	// lingering is how long a provider may keep a stream open after its end marker.
	lingering = 5 * time.Second
)

var errTooLarge = errors.New("the provider's response is larger than 64 MiB")

// relayUnary reads a whole response before the client gets any of it, so that a broken one can still be retried.
func (x *exchange) relayUnary(ctx context.Context, a *attempt, resp *http.Response, o outgoing) *providers.Fault {
	buf := getBuffer()
	defer putBuffer(buf)
	body, err := readAll((*buf)[:0], resp)
	if err != nil {
		if f := x.contextFault(ctx); f != nil {
			return f
		}
		return &providers.Fault{Class: providers.ClassServerError, Message: "the provider's response broke off", Billed: providers.BilledUnknown}
	}
	*buf = body
	a.ttft = time.Since(a.start)
	if x.operation != providers.Audio && !isJSON(body) {
		return &providers.Fault{Class: providers.ClassServerError, Message: "the provider's response is not JSON, or its end is missing", Billed: providers.BilledUnknown}
	}
	codec := dialects.Lookup(a.dialect)
	m := codec.NewMeter()
	defer m.Release()
	if m.Body(body)&dialects.SignalError != 0 {
		return x.errorIn200(a, m, body)
	}
	a.obs = *m.Observation()
	if x.r.Context().Err() != nil { // read on without the client
		if x.race == nil {
			x.interrupted = byClient
		}
		return left()
	}
	if x.race != nil && (o.translated || x.head.Stream && x.dialect != providers.Gemini) {
		// The other attempt must not be given up for an answer that is none.
		if _, err := codec.(dialects.Encoder).DecodeResponse(body); err != nil {
			return &providers.Fault{Class: providers.ClassServerError, Message: "the provider's response could not be understood", Billed: providers.BilledYes}
		}
	}
	if !x.claim(a) {
		return superseded()
	}
	if !o.translated && (!x.head.Stream || x.operation != providers.Generate) { // what is no conversation has no stream to be folded into
		x.writeUnary(a, resp.Header["Content-Type"], body)
		return nil
	}
	if x.head.Stream {
		return x.streamUnary(a, codec, o, resp.Header["Content-Type"], body)
	}
	if x.operation == providers.CountTokens {
		return x.relayCount(a, body)
	}
	r, err := codec.(dialects.Encoder).DecodeResponse(body)
	if err != nil {
		return &providers.Fault{Class: providers.ClassServerError, Message: "the provider's response could not be understood", Billed: providers.BilledYes}
	}
	o.rewrites.Response(r)
	out := getBuffer()
	defer putBuffer(out)
	*out = x.codec.(dialects.Decoder).EncodeResponse((*out)[:0], r, x.keep.Model)
	x.writeUnary(a, contentTypeJSON, *out)
	return nil
}

// streamUnary answers a client that asked for a stream when the provider answered in one piece.
func (x *exchange) streamUnary(a *attempt, codec dialects.Codec, o outgoing, contentType []string, body []byte) *providers.Fault {
	out := getBuffer()
	defer putBuffer(out)
	enc, readable := codec.(dialects.Encoder)
	_, writable := x.codec.(dialects.Decoder)
	switch {
	case a.dialect == providers.Gemini && x.dialect == providers.Gemini && x.wantsArray():
		x.writeUnary(a, contentType, append(append([]byte("["), body...), ']'))
		return nil
	case a.dialect == providers.Gemini && x.dialect == providers.Gemini:
		*out = sse.AppendData((*out)[:0], body) // an event of this dialect is a whole response
	case readable && writable:
		r, err := enc.DecodeResponse(body)
		if err != nil {
			return &providers.Fault{Class: providers.ClassServerError, Message: "the provider's response could not be understood", Billed: providers.BilledYes}
		}
		o.rewrites.Response(r)
		*out = x.foldIntoStream((*out)[:0], r)
		if x.wantsArray() {
			var array jsonArray
			x.writeUnary(a, contentTypeJSON, append(array.elements(nil, *out), array.end()...))
			return nil
		}
	default:
		x.writeUnary(a, contentType, body)
		return nil
	}
	x.commit(contentTypeSSE)
	if _, err := x.w.Write(*out); err != nil {
		x.interrupted = byClient
	}
	return nil
}

// maxValidated is up to which size a response is looked at as a whole. Larger ones are lists of embeddings and pictures.
const maxValidated = 256 << 10

// isJSON reports whether a body is an object or an array with its end, whatever its content type says: those of vendors are
// not to be relied on, and neither a web page of something in between nor half an answer must reach the client.
func isJSON(body []byte) bool {
	body = bytes.Trim(body, " \t\r\n")
	if len(body) < 2 || body[0] != '{' && body[0] != '[' || body[len(body)-1] != body[0]+2 { // both pairs are two apart in ASCII
		return false
	}
	return len(body) > maxValidated || gjson.ValidBytes(body)
}

// readAll reads a response body into buf, at most maxResponse.
func readAll(buf []byte, resp *http.Response) ([]byte, error) {
	if n := resp.ContentLength; n > maxResponse {
		return buf, errTooLarge
	} else if n >= int64(cap(buf)) {
		buf = make([]byte, 0, min(n+1, maxPooledBuffer)) // the size is the provider's word
	}
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := resp.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return buf, err
		case len(buf) > maxResponse:
			return buf, errTooLarge
		}
	}
}

// writeUnary sends a whole response. Its cost is known already, so it goes into a header.
func (x *exchange) writeUnary(a *attempt, contentType []string, body []byte) {
	x.takeOver()
	h := x.w.Header()
	if contentType == nil {
		h["Content-Type"] = nil // none is not the same as one that net/http guesses
	} else {
		h["Content-Type"] = contentType
	}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	a.latency = time.Since(a.start)
	x.settle(a)
	x.enter(a) // what the client has, the ledger has too
	x.keep.Status = a.status
	x.setHeaders()
	if x.keep.Priced {
		h["X-Llm-Gateway-Cost-Usd"] = []string{x.keep.Cost.String()}
	}
	x.committed = true
	x.w.WriteHeader(a.status)
	if _, err := x.w.Write(body); err != nil {
		x.interrupted = byClient
	}
}

// errorIn200 handles an error that a provider reports under a status of success.
func (x *exchange) errorIn200(a *attempt, m dialects.Meter, body []byte) *providers.Fault {
	e := m.Err()
	status := e.Status
	if status < 400 {
		status = http.StatusBadGateway
	}
	f := providers.Classify(a.dialect, status, nil, body)
	f.Body, f.ContentType = bytes.Clone(f.Body), "application/json" // the original is in a buffer that others will use
	f.Billed = providers.BilledUnknown
	if f.Message == "" {
		f.Message = e.Message
	}
	a.slot.up.redact(&f)
	return &f
}

// foldIntoStream writes a whole response as the stream that the client asked for.
func (x *exchange) foldIntoStream(dst []byte, r *conversation.Response) []byte {
	w := x.newEventWriter()
	for ev := range r.Events() {
		dst = w.Append(dst, &ev)
	}
	return dst
}

func (x *exchange) newEventWriter() dialects.EventWriter {
	return x.codec.(dialects.Decoder).NewEventWriter(dialects.WriterOptions{
		Model: x.keep.Model, IncludeUsage: x.head.IncludeUsage, RequestID: x.id, Created: x.start.Unix(),
	})
}

// takeOver ends the keep-alives. It precedes everything that is written to the client and every header that is set.
func (x *exchange) takeOver() {
	x.opened = x.waiting.stop() || x.opened
	x.waiting = nil
}

// commit sends the headers of a stream. From here on no failure can be hidden.
func (x *exchange) commit(contentType []string) {
	x.takeOver()
	x.keep.Status = http.StatusOK
	x.committed = true
	x.rc = http.NewResponseController(x.w)
	if x.opened {
		x.summarize()
	} else {
		streamHeaders(x.w.Header(), contentType)
		x.setHeaders()
		x.w.WriteHeader(http.StatusOK)
	}
	// No other target can be tried any more, so nobody needs the request.
	x.release()
	x.conv = nil
}
