package simulated

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/caddy-llm/llmgateway/internal/fakellm"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/providers"
)

// words are what a vendor says about a fault. Google has a status and at times a reason for kind and code.
type words struct {
	status              int
	kind, code, message string
}

// The vendors' words by class. All of them are as those vendors have them, whatever the dialect of the client. OpenAI and
// Google say with a 429 that the money is gone and Anthropic with a 400; Google says with a 400 that a key is wrong.
var (
	openAI = map[providers.Class]words{
		providers.ClassRateLimit:     {429, "requests", "rate_limit_exceeded", "Rate limit reached for requests."},
		providers.ClassOverloaded:    {503, "server_error", "server_is_overloaded", "The engine is currently overloaded."},
		providers.ClassServerError:   {500, "server_error", "", "The server had an error while processing your request."},
		providers.ClassAuth:          {401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."},
		providers.ClassBilling:       {429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota."},
		providers.ClassContextLength: {400, "invalid_request_error", "context_length_exceeded", "This model's maximum context length is exceeded."},
		providers.ClassContentFilter: {400, "invalid_request_error", "content_policy_violation", "The prompt was flagged by our usage policy."},
		providers.ClassNotFound:      {404, "invalid_request_error", "model_not_found", "The model does not exist."},
		providers.ClassInvalid:       {400, "invalid_request_error", "", "A parameter has an invalid value."},
	}
	anthropic = map[providers.Class]words{
		providers.ClassRateLimit:     {429, "rate_limit_error", "", "This request would exceed your rate limit."},
		providers.ClassOverloaded:    {529, "overloaded_error", "", "Overloaded"},
		providers.ClassServerError:   {500, "api_error", "", "Internal server error"},
		providers.ClassAuth:          {401, "authentication_error", "", "invalid x-api-key"},
		providers.ClassBilling:       {400, "invalid_request_error", "", "Your credit balance is too low to access the Anthropic API."},
		providers.ClassContextLength: {400, "invalid_request_error", "", "prompt is too long"},
		providers.ClassContentFilter: {400, "invalid_request_error", "", "Output blocked by content filtering policy"},
		providers.ClassNotFound:      {404, "not_found_error", "", "The model does not exist."},
		providers.ClassInvalid:       {400, "invalid_request_error", "", "A parameter has an invalid value."},
	}
	google = map[providers.Class]words{
		providers.ClassRateLimit:     {429, "RESOURCE_EXHAUSTED", "", "You exceeded your rate limit."},
		providers.ClassOverloaded:    {503, "UNAVAILABLE", "", "The model is overloaded. Please try again later."},
		providers.ClassServerError:   {500, "INTERNAL", "", "An internal error has occurred."},
		providers.ClassAuth:          {400, "INVALID_ARGUMENT", "API_KEY_INVALID", "API key not valid. Please pass a valid API key."},
		providers.ClassBilling:       {429, "RESOURCE_EXHAUSTED", "", "Your prepayment credits are depleted."},
		providers.ClassContextLength: {400, "INVALID_ARGUMENT", "", "The input token count exceeds the maximum number of tokens allowed."},
		providers.ClassContentFilter: {400, "INVALID_ARGUMENT", "PROHIBITED_CONTENT", "The prompt was blocked."},
		providers.ClassNotFound:      {404, "NOT_FOUND", "", "The model is not found."},
		providers.ClassInvalid:       {400, "INVALID_ARGUMENT", "", "A parameter has an invalid value."},
	}
)

// errRefused and errExpired are what Go's transport returns when nobody listens and when a certificate has expired.
var (
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	errExpired = &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired, Detail: "simulated"}}
)

// errClass stands for a class that Validate does not let pass.
var errClass = errors.New("simulated: no such class of fault")

// refusal is a request that fails with a fault of some class in the dialect that it came in.
func refusal(q *fakellm.Request, class providers.Class, retryAfter time.Duration) fakellm.Behavior {
	switch class {
	case providers.ClassConnect:
		return fakellm.Behavior{Err: errRefused}
	case providers.ClassTLS:
		return fakellm.Behavior{Err: errExpired}
	case providers.ClassTimeout:
		return fakellm.Behavior{Hang: true}
	}
	vendor := openAI
	switch q.Dialect {
	case fakellm.Messages:
		vendor = anthropic
	case fakellm.Gemini:
		vendor = google
	}
	w, ok := vendor[class]
	if !ok {
		return fakellm.Behavior{Err: errClass}
	}
	w.message += " (simulated)"
	b := fakellm.Behavior{Status: w.status}
	switch q.Dialect {
	case fakellm.Messages:
		b.Body = w.anthropic(q.ID)
	case fakellm.Gemini:
		b.Body = w.google(retryAfter)
	default:
		b.Body = w.openAI()
	}
	if retryAfter > 0 && q.Dialect != fakellm.Gemini {
		b.Header = http.Header{"Retry-After": {seconds(retryAfter)}}
	}
	return b
}

func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

func (w *words) openAI() []byte {
	dst := jsonedit.AppendString([]byte(`{"error":{"message":`), w.message)
	dst = jsonedit.AppendString(append(dst, `,"type":`...), w.kind)
	dst = append(dst, `,"param":null,"code":`...)
	if w.code == "" {
		return append(dst, "null}}"...)
	}
	return append(jsonedit.AppendString(dst, w.code), "}}"...)
}

func (w *words) anthropic(id string) []byte {
	dst := jsonedit.AppendString([]byte(`{"type":"error","error":{"type":`), w.kind)
	dst = jsonedit.AppendString(append(dst, `,"message":`...), w.message)
	return append(jsonedit.AppendString(append(dst, `},"request_id":`...), id), '}')
}

// google writes Google's error. How long to wait is a detail of it and not a header.
func (w *words) google(retryAfter time.Duration) []byte {
	dst := strconv.AppendInt([]byte(`{"error":{"code":`), int64(w.status), 10)
	dst = jsonedit.AppendString(append(dst, `,"message":`...), w.message)
	dst = jsonedit.AppendString(append(dst, `,"status":`...), w.kind)
	switch {
	case w.code != "":
		dst = append(dst, `,"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":`...)
		dst = append(jsonedit.AppendString(dst, w.code), `,"domain":"googleapis.com"}]`...)
	case retryAfter > 0:
		dst = append(dst, `,"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"`...)
		dst = append(append(dst, seconds(retryAfter)...), `s"}]`...)
	}
	return append(dst, "}}"...)
}
