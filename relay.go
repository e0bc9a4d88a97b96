package llmgateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

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
func (x *exchange) relayUnary(ctx context.Context, a *attempt, resp *http.Response) *providers.Fault {
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
	codec := dialects.Lookup(a.dialect)
	m := codec.NewMeter()
	defer m.Release()
	if m.Body(body)&dialects.SignalError != 0 {
		return x.errorIn200(a, m, body)
	}
	a.obs = *m.Observation()
	if a.dialect == x.dialect {
		x.writeUnary(a, resp.Header["Content-Type"], body)
		return nil
	}
	r, err := codec.(dialects.Encoder).DecodeResponse(body)
	if err != nil {
		return &providers.Fault{Class: providers.ClassServerError, Message: "the provider's response could not be understood", Billed: providers.BilledYes}
	}
	out := getBuffer()
	defer putBuffer(out)
	if x.head.Stream {
		// The client asked for a stream and the provider answered in one piece.
		*out = x.foldIntoStream((*out)[:0], r)
		x.commit(contentTypeSSE)
		_, _ = x.w.Write(*out)
		return nil
	}
	*out = x.codec.(dialects.Decoder).EncodeResponse((*out)[:0], r, x.head.Model)
	x.writeUnary(a, contentTypeJSON, *out)
	return nil
}

// readAll reads a response body into buf, at most maxResponse.
func readAll(buf []byte, resp *http.Response) ([]byte, error) {
	if n := resp.ContentLength; n > maxResponse {
		return buf, errTooLarge
	} else if n >= int64(cap(buf)) {
		buf = make([]byte, 0, n+1)
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
	h := x.w.Header()
	if contentType == nil {
		h["Content-Type"] = nil // none is not the same as one that net/http guesses
	} else {
		h["Content-Type"] = contentType
	}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	x.settle(a)
	if cost, priced := x.totalCost(); priced {
		h["X-Llm-Gateway-Cost-Usd"] = []string{cost.String()}
	}
	x.setHeaders()
	x.keep.Status = a.status
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
	f.Billed = providers.BilledUnknown
	if f.Message == "" {
		f.Message = e.Message
	}
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
		Model: x.head.Model, IncludeUsage: x.head.IncludeUsage, RequestID: x.id, Created: x.start.Unix(),
	})
}

// commit sends the headers of a stream. From here on no failure can be hidden.
func (x *exchange) commit(contentType []string) {
	h := x.w.Header()
	h["Content-Type"] = contentType
	h["Cache-Control"] = noCache
	h["X-Accel-Buffering"] = []string{"no"}
	x.setHeaders()
	x.keep.Status = http.StatusOK
	x.committed = true
	x.w.WriteHeader(http.StatusOK)
	// No other target can be tried any more, so nobody needs the request.
	x.release()
	x.conv = nil
}

// relay is one stream on its way from a provider to the client.
type relay struct {
	x     *exchange
	a     *attempt
	wd    *watchdog
	rd    *sse.Reader
	meter dialects.Meter

	// Set when the provider's dialect is not the client's.
	reader dialects.EventReader
	writer dialects.EventWriter
	events []conversation.Event

	contentType []string
	hideUsage   bool
	terminal    bool
	// buf holds what came before the first content and, of a translated stream, the event being written.
	buf *[]byte
}

// Who broke a stream.
const (
	byClient   = "client"
	byUpstream = "upstream"
)

// relayStream passes a stream on, event by event, in this goroutine. Until the first content everything is held back,
// so that an error in place of an answer can still be retried.
func (x *exchange) relayStream(ctx context.Context, wd *watchdog, a *attempt, resp *http.Response, out outgoing) *providers.Fault {
	codec := dialects.Lookup(a.dialect)
	r := &relay{x: x, a: a, wd: wd, rd: sse.NewReader(resp.Body, maxEvent), meter: codec.NewMeter(),
		hideUsage: out.hideUsage, buf: getBuffer(), contentType: resp.Header["Content-Type"]}
	defer func() {
		r.rd.Release()
		a.obs = *r.meter.Observation()
		r.meter.Release()
		r.drop()
	}()
	if a.dialect != x.dialect {
		r.reader = codec.(dialects.Encoder).NewEventReader()
		r.writer = x.newEventWriter()
		r.contentType = contentTypeSSE
	}
	x.rc = http.NewResponseController(x.w)
	return r.run(ctx)
}

func (r *relay) run(ctx context.Context) *providers.Fault {
	for {
		ev, err := r.rd.Next()
		if err != nil {
			return r.end(ctx, err)
		}
		sig := r.meter.Event(ev)
		if sig&dialects.SignalError != 0 {
			return r.providerError(ev)
		}
		if sig&dialects.SignalContent != 0 && r.a.ttft == 0 {
			r.a.ttft = time.Since(r.a.start)
			r.wd.watch(r.x.route.idle, &errIdle)
		} else if r.a.ttft > 0 {
			r.wd.touch()
		}
		if sig&dialects.SignalTerminal != 0 && !r.terminal {
			r.terminal = true
			r.wd.watch(lingering, &errIdle)
		}
		if f, done := r.forward(ev, sig); done {
			return f
		}
	}
}

// forward sends one event on, or holds it back. It reports done when the stream is over.
func (r *relay) forward(ev sse.Event, sig dialects.Signal) (*providers.Fault, bool) {
	bytes := ev.Raw
	if r.hideUsage && sig&dialects.SignalUsageOnly != 0 {
		bytes = nil
	}
	if r.reader != nil {
		var err error
		if r.events, err = r.reader.Read(ev, r.events[:0]); err != nil {
			return r.broken("the provider sent an event that cannot be understood"), true
		}
		return r.send(sig, nil, !r.rd.Buffered())
	}
	return r.send(sig, bytes, !r.rd.Buffered())
}

// send writes raw bytes, or the events that were read, to the client.
func (r *relay) send(sig dialects.Signal, raw []byte, flush bool) (*providers.Fault, bool) {
	x := r.x
	first := !x.committed
	if first {
		*r.buf = r.append(*r.buf, raw)
		if sig&(dialects.SignalContent|dialects.SignalTerminal) == 0 && len(*r.buf) < maxHeld {
			return nil, false
		}
		x.commit(r.contentType)
		raw, flush = *r.buf, true
	} else if r.writer != nil {
		*r.buf = r.append((*r.buf)[:0], nil)
		raw = *r.buf
	}
	if len(raw) > 0 {
		if _, err := x.w.Write(raw); err != nil {
			return r.clientGone(), true
		}
	}
	if first && r.writer == nil {
		r.drop() // an idle stream holds as little as possible
	}
	if flush {
		if err := x.rc.Flush(); err != nil {
			return r.clientGone(), true
		}
	}
	return nil, false
}

func (r *relay) drop() {
	if r.buf != nil {
		putBuffer(r.buf)
		r.buf = nil
	}
}

func (r *relay) append(dst, raw []byte) []byte {
	if r.writer == nil {
		return append(dst, raw...)
	}
	for i := range r.events {
		dst = r.writer.Append(dst, &r.events[i])
	}
	return dst
}

// end handles the end of the provider's stream, clean or not.
func (r *relay) end(ctx context.Context, err error) *providers.Fault {
	if err != io.EOF && !r.terminal {
		if f := r.x.contextFault(ctx); f != nil {
			if f.Class == providers.ClassCanceled {
				return r.clientGone()
			}
			return r.fail(f)
		}
		if errors.Is(err, sse.ErrTooLarge) {
			return r.broken("the provider sent an event larger than 16 MiB")
		}
		return r.broken("the provider's stream broke off")
	}
	if r.reader != nil {
		r.events, err = r.reader.End(r.events[:0])
		if err != nil {
			return r.broken(dialects.ErrTruncated.Error())
		}
	} else if !r.terminal && !r.finished() {
		return r.broken(dialects.ErrTruncated.Error())
	}
	f, _ := r.send(dialects.SignalTerminal, nil, true)
	return f
}

// finished reports whether a stream without an end marker is complete all the same: several vendors that speak chat
// completions leave it out after the finish reason.
func (r *relay) finished() bool {
	return r.a.dialect == providers.Chat && r.meter.Observation().Stop != conversation.StopUnknown
}

// providerError handles an error event of the provider.
func (r *relay) providerError(ev sse.Event) *providers.Fault {
	f := r.x.errorIn200(r.a, r.meter, ev.Data)
	if r.x.committed && r.writer == nil {
		// The client understands the provider's own error.
		r.x.interrupted = byUpstream
		r.x.keep.Class = f.Class
		r.a.fault = f
		if _, err := r.x.w.Write(ev.Raw); err == nil {
			_ = r.x.rc.Flush() // nothing is left to be done if the client is gone
		}
		return nil
	}
	return r.fail(f)
}

func (r *relay) broken(message string) *providers.Fault {
	return r.fail(&providers.Fault{Class: providers.ClassServerError, Message: message, Billed: providers.BilledYes})
}

// fail ends the stream with a fault: invisibly before the commit point, and with the client dialect's error event and
// no end marker after it.
func (r *relay) fail(f *providers.Fault) *providers.Fault {
	x := r.x
	if r.a.ttft > 0 {
		f.Billed = providers.BilledYes
	}
	if !x.committed {
		return f
	}
	x.interrupted = byUpstream
	x.keep.Class = f.Class
	r.a.fault = f
	var state dialects.Meter
	if r.writer == nil {
		state = r.meter
	}
	if _, err := x.w.Write(x.codec.AppendErrorEvent(nil, x.faultError(f), state)); err == nil {
		_ = x.rc.Flush() // nothing is left to be done if the client is gone
	}
	return nil
}

// clientGone ends a stream whose client left. It is no fault of the target's.
func (r *relay) clientGone() *providers.Fault {
	f := &providers.Fault{Class: providers.ClassCanceled, Message: "the client went away", Billed: providers.BilledUnknown}
	if r.a.ttft > 0 {
		f.Billed = providers.BilledYes
	}
	r.x.interrupted = byClient
	return f
}
