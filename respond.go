package llmgateway

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/providers"
)

// statusClientClosed is logged for requests whose client left before the answer; nobody receives it.
const statusClientClosed = 499

// statusOverloaded is Anthropic's status for an overloaded API, which its clients retry more patiently than a 503.
const statusOverloaded = 529

// reject answers a request that is at fault itself. No provider was asked.
func (x *exchange) reject(err error) error {
	e := conversation.Error{Status: http.StatusBadRequest, Type: "invalid_request_error", Message: err.Error()}
	if re, ok := errors.AsType[*dialects.RequestError](err); ok {
		if re.Status != 0 {
			e.Status = re.Status
		}
		e.Param, e.Code = re.Param, re.Code
	}
	if e.Status == http.StatusServiceUnavailable {
		setRetryAfter(x.w.Header(), time.Second)
		e.Type = "server_error"
		return x.fail(&e, providers.ClassOverloaded)
	}
	if e.Status != http.StatusConflict { // which passes
		x.w.Header()["X-Should-Retry"] = []string{"false"}
	}
	return x.fail(&e, providers.ClassInvalid)
}

// unauthorized answers an anonymous client from outside the ranges where those are allowed.
func (x *exchange) unauthorized() error {
	// Without this header some clients repeat the request for a minute before they show the message.
	x.w.Header()["X-Should-Retry"] = []string{"false"}
	x.w.Header().Set("Connection", "close")
	return x.fail(&conversation.Error{
		Status: http.StatusUnauthorized, Type: "authentication_error", Code: "unauthenticated",
		Message: "this gateway does not answer anonymous clients from this address: authenticate, for example with basic_auth, " +
			"or let the operator name the address in the option allow_anonymous of llm_gateway",
	}, providers.ClassAuth)
}

// fail writes an error in the client's dialect, or hands it to Caddy's handle_errors.
func (x *exchange) fail(e *conversation.Error, class providers.Class) error {
	x.keep.Status, x.keep.Class = e.Status, class
	if x.opened {
		return x.failOpened(e)
	}
	if x.h.Errors == "caddy" {
		x.setHeaders()
		return caddyhttp.Error(e.Status, x.loggable(e, class))
	}
	buf := getBuffer()
	defer putBuffer(buf)
	*buf = x.codec.AppendError((*buf)[:0], e, x.id)
	x.setHeaders()
	h := x.w.Header()
	h["Content-Type"] = contentTypeJSON
	h["Content-Length"] = []string{strconv.Itoa(len(*buf))}
	x.w.WriteHeader(e.Status)
	x.committed = true
	_, _ = x.w.Write(*buf) // the client may be gone; there is nobody to tell
	return nil
}

// failOpened writes an error into a stream that keep-alives have opened already.
func (x *exchange) failOpened(e *conversation.Error) error {
	x.keep.Status, x.committed, x.interrupted = http.StatusOK, true, byUpstream
	if _, err := x.w.Write(x.codec.AppendErrorEvent(nil, e, nil)); err == nil {
		_ = http.NewResponseController(x.w).Flush() // the client may be gone; there is nobody to tell
	}
	return nil
}

// loggable is the error for Caddy, which logs it. A provider's own words stay out of it: they may quote the prompt.
func (x *exchange) loggable(e *conversation.Error, class providers.Class) error {
	if len(x.attempts) == 0 {
		return e
	}
	return errors.New(string(class) + " after trying " + x.targetsTried())
}

var (
	contentTypeJSON = []string{"application/json"}
	contentTypeSSE  = []string{"text/event-stream; charset=utf-8"}
	noCache         = []string{"no-cache"}
)

// setHeaders sets what every response says about itself.
func (x *exchange) setHeaders() {
	x.summarize()
	h := x.w.Header()
	values := make([]string, 0, 4) // one array for all of them
	set := func(name, value string) {
		values = append(values, value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	set("X-Request-Id", x.id)
	h["Request-Id"] = h["X-Request-Id"]
	if n := len(x.attempts); n > 0 {
		set("X-Llm-Gateway-Target", x.last().target.label)
		set("X-Llm-Gateway-Attempts", strconv.Itoa(n))
	}
	if len(x.dropped) > 0 {
		set("X-Llm-Gateway-Dropped", strings.Join(x.dropped, ", "))
	}
}

// exhausted answers when no target is left: with the provider's own error when there was just one attempt and the client
// speaks its dialect, and with a list of the attempts otherwise.
func (x *exchange) exhausted(wait time.Duration) error {
	h := x.w.Header()
	if len(x.attempts) == 0 {
		return x.unavailable(wait)
	}
	last := x.last()
	f := last.fault
	e := x.faultError(f)
	if wait <= 0 {
		wait = f.RetryAfter
	}
	if e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable || e.Status == statusOverloaded {
		setRetryAfter(h, max(wait, time.Second))
	}
	if e.Status != http.StatusTooManyRequests {
		h["X-Should-Retry"] = []string{"false"}
	}
	if len(x.attempts) == 1 && last.dialect == x.dialect && isJSON(f.Body) && f.Class != providers.ClassAuth && f.Class != providers.ClassBilling && x.h.Errors != "caddy" && f.Status >= 400 && !x.opened {
		return x.failVerbatim(f)
	}
	if len(x.attempts) > 1 {
		e.Message = "no target could answer after " + strconv.Itoa(len(x.attempts)) + " attempts: " + x.targetsTried() +
			"; the last one said: " + orElse(e.Message, "nothing")
	}
	return x.fail(e, f.Class)
}

// failVerbatim passes a provider's error body through to a client that speaks its dialect.
func (x *exchange) failVerbatim(f *providers.Fault) error {
	x.keep.Status, x.keep.Class = f.Status, f.Class
	x.setHeaders()
	h := x.w.Header()
	if f.ContentType != "" {
		h["Content-Type"] = []string{f.ContentType}
	} else {
		h["Content-Type"] = nil
	}
	h["Content-Length"] = []string{strconv.Itoa(len(f.Body))}
	x.w.WriteHeader(f.Status)
	x.committed = true
	_, _ = x.w.Write(f.Body) // the client may be gone; there is nobody to tell
	return nil
}

// unavailable answers when every target rests and none could be asked: as a rate limit when that is what they rest
// from, because clients back off from it in the right way.
func (x *exchange) unavailable(wait time.Duration) error {
	setRetryAfter(x.w.Header(), max(wait, time.Second))
	name := strconv.Quote(x.head.Model)
	if x.allCoolingDown(time.Now()) {
		return x.fail(&conversation.Error{
			Status: http.StatusTooManyRequests, Type: "rate_limit_error", Code: "rate_limit_exceeded",
			Message: "every target of the model " + name + " is at its provider's rate limit",
		}, providers.ClassRateLimit)
	}
	return x.fail(&conversation.Error{
		Status: http.StatusServiceUnavailable, Type: "server_error", Code: "no_target_available",
		Message: "every target of the model " + name + " is resting after failures",
	}, providers.ClassOverloaded)
}

// allCoolingDown reports whether all targets rest because their providers asked for it.
func (x *exchange) allCoolingDown(now time.Time) bool {
	for _, tier := range x.route.tiers {
		for _, t := range tier {
			for _, s := range t.slots {
				if !s.model.health.CoolingDown() && s.up.state.limiter.Wait(now, x.tokens()) == 0 {
					return false
				}
			}
		}
	}
	return true
}

func setRetryAfter(h http.Header, d time.Duration) {
	seconds := int64((d + time.Second - 1) / time.Second)
	h["Retry-After"] = []string{strconv.FormatInt(seconds, 10)}
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// errorCodes are OpenAI's words for what has no code of its own.
var errorCodes = map[providers.Class]string{
	providers.ClassRateLimit:     "rate_limit_exceeded",
	providers.ClassContextLength: "context_length_exceeded",
	providers.ClassContentFilter: "content_filter",
	providers.ClassNotFound:      "model_not_found",
}

// faultError turns the fault of an attempt into what the client is told.
func (x *exchange) faultError(f *providers.Fault) *conversation.Error {
	e := &conversation.Error{Status: f.Status, Type: f.Type, Code: f.Code, Param: f.Param, Message: f.Message}
	switch f.Class {
	case providers.ClassRateLimit:
		e.Status, e.Type = http.StatusTooManyRequests, orElse(e.Type, "rate_limit_error")
	case providers.ClassOverloaded:
		e.Status, e.Type = http.StatusServiceUnavailable, "overloaded_error"
		if x.dialect == providers.Messages {
			e.Status = statusOverloaded
		}
	case providers.ClassAuth, providers.ClassBilling:
		// Not the client's credential: a 401 or 402 would make clients throw theirs away.
		e.Status, e.Type, e.Code = http.StatusBadGateway, "server_error", "upstream_credential"
		e.Message = "the provider refused the gateway's credential"
	case providers.ClassTimeout:
		e.Status, e.Type, e.Code = http.StatusGatewayTimeout, "timeout_error", "upstream_timeout"
	case providers.ClassConnect, providers.ClassTLS:
		e.Status, e.Type, e.Code = http.StatusBadGateway, "server_error", "upstream_"+string(f.Class)
	case providers.ClassServerError:
		if e.Status < 500 {
			e.Status = http.StatusBadGateway
		}
		e.Type = orElse(e.Type, "server_error")
	case providers.ClassContextLength, providers.ClassContentFilter, providers.ClassInvalid, providers.ClassNotFound:
		if e.Status < 400 || e.Status >= 500 {
			e.Status = http.StatusBadRequest
		}
		e.Type = orElse(e.Type, "invalid_request_error")
	case providers.ClassInternal:
		e.Type = "server_error"
		if e.Status != http.StatusServiceUnavailable { // which is what an exit is
			e.Status = http.StatusInternalServerError
		}
	}
	if _, err := strconv.Atoi(e.Code); err == nil {
		e.Code = "" // Google repeats the HTTP status there; clients of other dialects compare it with words
	}
	if e.Code == "" && x.dialect != providers.Messages {
		e.Code = errorCodes[f.Class]
	}
	if e.Message == "" {
		e.Message = "the provider answered with " + string(f.Class)
	}
	return e
}
