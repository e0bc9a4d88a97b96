package llmgateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/sse"
	"github.com/caddy-llm/llmgateway/providers"
)

// relay is one stream on its way from a provider to the client.
type relay struct {
	x     *exchange
	a     *attempt
	wd    *watchdog
	rd    dialects.FrameReader
	meter dialects.Meter

	// Set when the provider's dialect is not the client's.
	reader dialects.EventReader
	writer dialects.EventWriter
	events []conversation.Event
	// restorer changes the events back where the translated request said something else; usually nil.
	restorer *conversation.Restorer
	frames   []byte // what the writer wrote, before it became elements of array

	contentType []string
	hideUsage   bool
	terminal    bool
	alone       bool       // the client has left, and the stream is read on without it
	array       *jsonArray // set when the client wants a JSON array in place of events
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
	r := &relay{
		x: x, a: a, wd: wd, rd: newFrameReader(codec, resp.Body), meter: codec.NewMeter(),
		hideUsage: out.hideUsage, buf: getBuffer(), contentType: resp.Header["Content-Type"],
	}
	defer func() {
		r.rd.Release()
		a.obs = *r.meter.Observation()
		r.meter.Release()
		r.drop()
	}()
	if out.translated {
		r.reader = codec.(dialects.Encoder).NewEventReader()
		r.writer = x.newEventWriter()
		r.restorer = out.rewrites.Events()
		r.contentType = contentTypeSSE
	}
	if x.wantsArray() {
		r.array, r.contentType = new(jsonArray), contentTypeJSON
	}
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
			if r.alone {
				return r.clientGone()
			}
			return r.providerError(ev)
		}
		if sig&dialects.SignalContent != 0 && r.a.ttft == 0 {
			r.a.ttft = time.Since(r.a.start)
			r.wd.watch(r.x.route.idle, &errIdle)
			r.x.succeeded(r.a)
		} else if r.a.ttft > 0 && !r.terminal {
			r.wd.touch()
		}
		if sig&dialects.SignalTerminal != 0 && !r.terminal {
			r.terminal = true
			r.wd.watch(lingering, &errIdle)
			r.enter()
		}
		if r.alone = r.alone || r.x.route.drain > 0 && r.x.r.Context().Err() != nil; r.alone {
			continue
		}
		if f, done := r.forward(ev, sig); done {
			return f
		}
	}
}

// forward sends one event on, or holds it back. It reports done when the stream is over.
func (r *relay) forward(ev sse.Event, sig dialects.Signal) (*providers.Fault, bool) {
	bytes := ev.Raw
	switch {
	case ev.Incomplete && r.reader == nil && r.array == nil:
		bytes = completed(ev)
	case r.hideUsage && sig&dialects.SignalUsageOnly != 0:
		bytes = nil
	case r.array != nil && r.reader == nil && ev.Incomplete && !gjson.ValidBytes(ev.Data):
		bytes = nil // it was cut off, and the array would be no JSON with it
	case r.array != nil && r.reader == nil:
		bytes = r.array.element(ev.Data)
	}
	if r.reader != nil {
		var err error
		if r.events, err = r.reader.Read(ev, r.events[:0]); err != nil {
			return r.broken("the provider sent an event that cannot be understood"), true
		}
		r.restore()
		return r.send(sig, nil, !r.rd.Buffered())
	}
	return r.send(sig, bytes, !r.rd.Buffered())
}

// completed is the last event of a stream that ended without the blank line after it, with that line: clients throw away
// what has none. An event that was cut off itself is left out.
func completed(ev sse.Event) []byte {
	if len(ev.Data) > 0 && !gjson.ValidBytes(ev.Data) && string(ev.Data) != "[DONE]" {
		return nil
	}
	return append(bytes.TrimRight(slices.Clip(ev.Raw), "\r\n"), "\n\n"...)
}

func (r *relay) restore() {
	if r.restorer != nil {
		r.events = r.restorer.Restore(r.events)
	}
}

// newFrameReader reads the stream of a dialect.
func newFrameReader(codec dialects.Codec, stream io.Reader) dialects.FrameReader {
	if f, ok := codec.(dialects.Framer); ok {
		return f.NewFrameReader(stream, maxEvent)
	}
	return sse.NewReader(stream, maxEvent)
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
		if !x.claim(r.a) {
			return superseded(), true
		}
		x.commit(r.contentType)
		raw, flush = *r.buf, true
	} else if r.writer != nil {
		*r.buf = r.append((*r.buf)[:0], raw)
		raw = *r.buf
	}
	if len(raw) > 0 {
		if _, err := x.w.Write(raw); err != nil {
			return r.unheard()
		}
	}
	if first && r.writer == nil {
		r.drop() // an idle stream holds as little as possible
	}
	if flush {
		if err := flushNow(x.rc); err != nil {
			return r.unheard()
		}
	}
	return nil, false
}

// flushNow sends what was written on its way. A response writer of another module that cannot be flushed is no client that has
// left: what is written to it arrives later.
func flushNow(rc *http.ResponseController) error {
	if err := rc.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
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
	if r.array == nil {
		for i := range r.events {
			dst = r.writer.Append(dst, &r.events[i])
		}
		return append(dst, raw...)
	}
	r.frames = r.frames[:0]
	for i := range r.events {
		r.frames = r.writer.Append(r.frames, &r.events[i])
	}
	return append(r.array.elements(dst, r.frames), raw...)
}

// end handles the end of the provider's stream, clean or not.
func (r *relay) end(ctx context.Context, err error) *providers.Fault {
	if r.alone {
		return r.clientGone()
	}
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
		r.restore()
	} else if !r.terminal && !r.finished() {
		return r.broken(dialects.ErrTruncated.Error())
	}
	if obs := r.meter.Observation(); !r.terminal && r.finished() {
		obs.UsageFinal = obs.UsageKnown
	}
	r.enter()
	f, _ := r.send(dialects.SignalTerminal, r.array.end(), true)
	return f
}

// enter settles a complete answer once its usage is known. That is done before the client gets the end of it, so that what
// the client has, the ledger has too, whatever happens next.
func (r *relay) enter() {
	if obs := r.meter.Observation(); obs.UsageFinal {
		r.a.obs, r.a.latency = *obs, time.Since(r.a.start)
		r.x.settle(r.a)
		r.x.enter(r.a)
	}
}

// finished reports whether a stream without an end marker is complete all the same: several vendors that speak chat
// completions leave it out after the finish reason.
func (r *relay) finished() bool {
	return r.a.dialect == providers.Chat && r.meter.Observation().Stop != conversation.StopUnknown
}

// providerError handles an error event of the provider.
func (r *relay) providerError(ev sse.Event) *providers.Fault {
	f := r.x.errorIn200(r.a, r.meter, ev.Data)
	f.Body = nil // an event is not the body of an error
	if r.a.ttft > 0 {
		f.Billed = providers.BilledYes
	}
	key := []byte(r.a.slot.up.key.Reveal())
	if r.x.committed && r.writer == nil {
		// The client understands the provider's own error.
		r.x.interrupted = byUpstream
		r.x.keep.Class = f.Class
		r.a.fault = f
		last := ev.Raw
		if r.array != nil {
			last = append(r.array.element(ev.Data), r.array.end()...)
		}
		if len(key) >= minRedacted {
			last = bytes.ReplaceAll(last, key, []byte(redacted))
		}
		r.sendLast(last)
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
	e := x.faultError(f)
	switch {
	case r.array != nil:
		r.sendLast(append(r.array.element(x.codec.AppendError(nil, e, x.id)), r.array.end()...))
	case r.writer != nil: // which knows how the stream it wrote goes on
		r.sendLast(r.writer.Append(nil, &conversation.Event{Type: conversation.EventError, Error: e}))
	default:
		r.sendLast(x.codec.AppendErrorEvent(nil, e, r.meter))
	}
	return nil
}

// sendLast writes what ends a broken stream. If the client is gone there is nobody to tell.
func (r *relay) sendLast(b []byte) {
	if _, err := r.x.w.Write(b); err == nil {
		_ = r.x.rc.Flush()
	}
}

// unheard is what follows when nothing can be written any more: the end, or reading on for the sake of the usage.
func (r *relay) unheard() (*providers.Fault, bool) {
	if r.x.route.drain > 0 {
		r.alone = true
		return nil, false
	}
	return r.clientGone(), true
}

// clientGone ends a stream whose client left. It is no fault of the target's.
func (r *relay) clientGone() *providers.Fault {
	if r.x.race == nil || r.x.committed {
		r.x.interrupted = byClient
	}
	return left()
}
