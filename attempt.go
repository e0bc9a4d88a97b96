package llmgateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/providers"
)

// maxErrorBody is how much of a provider's error is read.
const maxErrorBody = 64 << 10

// Causes of cancellation, told apart by context.Cause.
var (
	errFirstToken     = errors.New("no first token in the time allowed")
	errIdle           = errors.New("the stream fell silent")
	errRequestTimeout = errors.New("the request took longer than allowed")
	errDone           = errors.New("the attempt has ended")
)

// prepare makes the request for one slot of one target. It returns a fault when the target cannot take it; then it was not
// asked, and the place on it is given back.
func (x *exchange) prepare(c choice) (*attempt, outgoing, *providers.Fault) {
	ready := false
	defer func() {
		if !ready {
			c.cancel(time.Now())
		}
	}()
	dialect, err := x.chooseDialect(c.target)
	if err != nil {
		return nil, outgoing{}, x.refuse(err)
	}
	out, err := x.encode(c.target, dialect)
	if err != nil {
		return nil, outgoing{}, x.refuse(err)
	}
	a := attempt{choice: c, number: len(x.attempts) + 1, dialect: dialect, start: time.Now(), dropped: slices.Clone(x.dropped)}
	if err := x.intend(&a); err != nil {
		out.buf.Release()
		return nil, outgoing{}, x.refuse(err)
	}
	ready = true
	x.attempts = append(x.attempts, a)
	return &x.attempts[len(x.attempts)-1], out, nil
}

// perform calls the provider. It returns nil when the client was answered, also when the stream broke after the commit
// point.
func (x *exchange) perform(ctx context.Context, a *attempt, out outgoing) (f *providers.Fault) {
	up, model := a.slot.up.state.health, a.slot.model.health
	defer up.End(&a.upPass)
	defer model.End(&a.mdPass)
	defer func() { a.slot.up.state.limiter.Return(time.Now(), a.grant, a.tokens()) }()
	defer a.retried()
	returned := false
	defer func() {
		if !returned && !a.entered { // somebody has panicked, perhaps in front of us, and the provider was asked all the same
			a.fault = &providers.Fault{Class: providers.ClassInternal, Message: "the request was aborted in the gateway", Billed: providers.BilledYes}
			a.latency = time.Since(a.start)
			x.settle(a)
		}
	}()
	if x.head.Stream {
		ctx, wd := newWatchdog(ctx, x.route.firstToken, errFirstToken, x.deadline)
		defer wd.stop()
		f = x.call(ctx, wd, a, out)
	} else {
		ctx, cancel := x.unaryContext(ctx, a)
		defer cancel()
		f = x.call(ctx, nil, a, out)
	}
	returned = true
	a.latency = time.Since(a.start)
	if f != nil {
		a.fault = f
	}
	x.learn(a)
	x.settle(a)
	x.teach(a)
	x.enter(a)
	return f
}

// cancel gives back a place that was not used after all.
func (c *choice) cancel(now time.Time) {
	c.slot.model.health.End(&c.mdPass)
	c.slot.up.state.health.End(&c.upPass)
	c.slot.up.state.limiter.Cancel(now, c.grant)
}

// refuse keeps the reason why a target cannot take the request, for the case that no other can either.
func (x *exchange) refuse(err error) *providers.Fault {
	if x.refusal == nil || isRequestError(err) {
		x.refusal = err
	}
	return &providers.Fault{Class: providers.ClassInvalid, Message: err.Error()}
}

// call sends the request and relays the response. Only streams have a watchdog.
func (x *exchange) call(ctx context.Context, wd *watchdog, a *attempt, out outgoing) *providers.Fault {
	p := a.target.provider
	req, err := p.guest.Prepare(ctx, &providers.Call{
		Dialect:    a.dialect,
		Operation:  x.operation,
		Model:      a.target.model,
		Stream:     x.head.Stream,
		Subpath:    x.subpath,
		BaseURL:    a.slot.up.baseURL,
		Credential: a.slot.up.key,
		Header:     x.forwardHeaders(a.dialect),
		Body:       out.body,
	})
	if err != nil {
		out.buf.Release()
		return x.unprepared(a, err)
	}
	p.changeHeaders(req, x.repl)
	transport := p.transport
	if a.fresh {
		transport = p.fresh
	}
	var sent *delivery
	if p.traced { // and not what Prepare does to get a credential
		req, sent = withDelivery(req)
	}
	resp, err := transport.RoundTrip(req)
	out.buf.Release() // the transport keeps a reference of its own for as long as it reads
	if err != nil {
		return x.transportFault(ctx, err, sent)
	}
	defer resp.Body.Close()
	a.slot.up.state.answered.Store(time.Now().UnixNano())
	a.status = resp.StatusCode
	a.requestID = providerRequestID(resp.Header)
	x.foresee(a, resp)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return x.errorResponse(ctx, a, resp)
	}
	if ce := resp.Header.Get("Content-Encoding"); ce != "" && !strings.EqualFold(ce, "identity") {
		return &providers.Fault{Class: providers.ClassServerError, Message: "the provider's response is compressed, which was not asked for", Billed: providers.BilledYes}
	}
	switch events := isStream(a.dialect, resp.Header); {
	case events && x.head.Stream:
		return x.relayStream(ctx, wd, a, resp, out)
	case events:
		return &providers.Fault{Class: providers.ClassServerError, Message: "the provider answered with a stream, which was not asked for", Billed: providers.BilledYes}
	}
	return x.relayUnary(ctx, a, resp, out)
}

// unprepared is the fault of a request that was never sent. A provider may say what it is; what else goes wrong there is
// for the log, not for the client.
func (x *exchange) unprepared(a *attempt, err error) *providers.Fault {
	if errors.Is(err, providers.ErrNoModel) {
		name := a.target.provider.name
		return &providers.Fault{
			Class: providers.ClassInvalid, Status: http.StatusBadRequest, Param: "model",
			Message: "the provider " + name + " takes no request without a model: ask for " + name + "/<model>",
		}
	}
	x.h.logger.Warn("request could not be prepared", zap.String("request_id", x.id), zap.String("upstream", a.slot.up.label), zap.Error(err))
	if f, ok := errors.AsType[*providers.Fault](err); ok {
		return f
	}
	return &providers.Fault{Class: providers.ClassInternal, Message: "the provider could not prepare the request"}
}

// foresee lets a slot rest whose vendor says with a success that its limits are used up, so that the next requests go to
// others. Where there are no others they are sent all the same: only a refusal is proof.
func (x *exchange) foresee(a *attempt, resp *http.Response) {
	if resp.StatusCode > 299 || !x.route.several() {
		return
	}
	now := time.Now()
	if d := providers.UsedUp(resp.Header, x.tokens(), now); d > 0 {
		a.slot.model.health.Cooldown(now, d)
	}
}

// chooseDialect decides how to talk to a target: in the client's own dialect where the provider speaks it, which needs
// no translation, and else in the best one there is a translation to.
func (x *exchange) chooseDialect(t *target) (providers.Dialect, error) {
	speaks := t.provider.speaks(t.model)
	if slices.Contains(speaks, x.dialect) {
		return x.dialect, nil
	}
	if o, ok := t.provider.guest.(providers.Offerer); ok && x.operation != providers.Generate && o.Offers(x.dialect, x.operation) {
		return x.dialect, nil
	}
	for _, d := range speaks {
		if x.translatesTo(d) {
			return d, nil
		}
	}
	return "", x.unsupported(t)
}

// translatesTo reports whether the request can be translated to dialect d.
func (x *exchange) translatesTo(d providers.Dialect) bool {
	switch x.operation {
	case providers.Generate:
		_, readable := x.codec.(dialects.Decoder)
		_, writable := dialects.Lookup(d).(dialects.Encoder)
		return readable && writable
	case providers.CountTokens:
		return x.counts(d)
	}
	return false
}

// operationNames are for messages.
var operationNames = map[providers.Operation]string{
	providers.Embeddings: "embeddings", providers.BatchEmbed: "embeddings", providers.CountTokens: "token counting",
	providers.Completions: "legacy completions", providers.Images: "image generation", providers.Audio: "speech",
	providers.Moderations: "moderations", providers.Rerank: "reranking", providers.Compact: "compaction",
}

// unsupported says why a target cannot be given a request. Clients that count tokens do it themselves on a 404.
func (x *exchange) unsupported(t *target) error {
	if name := operationNames[x.operation]; name != "" {
		return &dialects.RequestError{
			Status: http.StatusNotFound, Param: "model", Code: "unsupported_operation",
			Message: "the provider " + t.provider.name + " has no " + name + " in this dialect",
		}
	}
	return &dialects.RequestError{
		Param: "model", Code: "unsupported_dialect",
		Message: "the provider " + t.provider.name + " does not speak the " + string(x.dialect) + " dialect, nor one that requests in it can be translated to: " +
			"ask for a model of another provider",
	}
}

// transportFault classifies an error that came instead of a response. What never got as far as a connection is not billed,
// whoever ended it.
func (x *exchange) transportFault(ctx context.Context, err error, sent *delivery) *providers.Fault {
	if f := x.contextFault(ctx); f != nil {
		if sent != nil && !sent.connected {
			f.Billed = providers.BilledNo
		}
		return f
	}
	f := providers.TransportFault(err, !beforeRequest(err))
	if f.Class == providers.ClassCanceled {
		f.Class = providers.ClassServerError // not by the client, who is still there
	}
	return &f
}

// contextFault tells why a context ended; nil when it has not.
func (x *exchange) contextFault(ctx context.Context) *providers.Fault {
	if ctx.Err() == nil {
		return nil
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errExit):
		return &providers.Fault{Class: providers.ClassInternal, Status: http.StatusServiceUnavailable, Message: errExit.Error(), Billed: providers.BilledUnknown}
	case errors.Is(cause, errHedged):
		return superseded()
	case errors.Is(cause, errFirstToken), errors.Is(cause, errIdle), errors.Is(cause, errRequestTimeout), errors.Is(cause, errShare):
		return &providers.Fault{Class: providers.ClassTimeout, Message: cause.Error(), Billed: providers.BilledUnknown}
	default:
		return left()
	}
}

// errorResponse classifies an answer that is not a success.
func (x *exchange) errorResponse(ctx context.Context, a *attempt, resp *http.Response) *providers.Fault {
	if resp.StatusCode < 400 {
		// A redirect is never followed: the other host would get the credential. The body of a protocol switch never ends.
		return &providers.Fault{Class: providers.ClassServerError, Status: resp.StatusCode, Message: "the provider answered with a redirect or an upgrade"}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	if err != nil {
		if f := x.contextFault(ctx); f != nil {
			return f
		}
	}
	var f providers.Fault
	if c := a.target.provider.classify; c != nil {
		f = c.Classify(resp.StatusCode, resp.Header, body)
	} else {
		f = providers.Classify(a.dialect, resp.StatusCode, resp.Header, body)
	}
	f.ContentType = resp.Header.Get("Content-Type")
	a.slot.up.redact(&f)
	return &f
}

// redact removes the credential from a fault: some vendors repeat it in their errors. Classify removes what looks like a
// key; this removes the one that it is.
func (u *upstream) redact(f *providers.Fault) {
	key := u.key.Reveal()
	if len(key) < minRedacted {
		return
	}
	f.Message = strings.ReplaceAll(f.Message, key, redacted)
	if bytes.Contains(f.Body, []byte(key)) {
		f.Body = bytes.ReplaceAll(f.Body, []byte(key), []byte(redacted))
	}
}

const (
	redacted = "***"
	// minRedacted keeps placeholders such as "k", which local servers are given, from punching holes into every error.
	minRedacted = 4
)

// retried says that the outcome of an attempt is known, to the budget it draws on if it is a retry.
func (a *attempt) retried() {
	a.budget.Done()
	a.budget = nil
}

// succeeded notes that a target answers: at the first token of a stream, which may take minutes to its last one, or when a
// unary response is there.
func (x *exchange) succeeded(a *attempt) {
	if a.told {
		return
	}
	a.told = true
	a.retried()
	now := time.Now()
	x.h.report(a.slot, a.slot.up.state.health.Success(now, &a.upPass, 0))
	x.h.report(a.slot, a.slot.model.health.Success(now, &a.mdPass, a.ttft))
	a.slot.model.quantiles(x.head.Stream).Observe(now, a.ttft)
}

// learn feeds the outcome of an attempt into the health of its endpoint, its credential and its model.
func (x *exchange) learn(a *attempt) {
	c, f := a.choice, a.fault
	if f == nil {
		x.succeeded(a)
		return
	}
	if x.stale(a, f) {
		return
	}
	now := time.Now()
	up, model := c.slot.up.state.health, c.slot.model.health
	class := string(f.Class)
	switch f.Class {
	case providers.ClassCanceled, providers.ClassInternal, providers.ClassHedged:
		// Says nothing about the target.
	case providers.ClassRateLimit:
		x.h.report(c.slot, up.Success(now, &a.upPass, 0)) // it can be reached
		model.Cooldown(now, f.RetryAfter)
	case providers.ClassAuth, providers.ClassBilling:
		x.h.report(c.slot, up.Quarantine(now, c.upPass))
	case providers.ClassConnect, providers.ClassTLS:
		x.h.report(c.slot, up.Failure(now, c.upPass, class))
	default:
		unhealthy := func(status int) bool { return caddyhttp.StatusCodeMatches(f.Status, status) }
		if slices.ContainsFunc(a.target.provider.statuses, unhealthy) {
			class = string(providers.ClassServerError)
		}
		x.h.report(c.slot, up.Success(now, &a.upPass, 0)) // it can be reached
		x.h.report(c.slot, model.Failure(now, c.mdPass, class))
		if f.RetryAfter > 0 {
			model.Cooldown(now, f.RetryAfter)
		}
	}
}
