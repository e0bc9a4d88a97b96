package llmgateway

import (
	"net/http"
	"sync"

	"github.com/caddy-llm/llmgateway/dialects"
)

// headerIdempotency is what clients mark the repetitions of a request with. It is never passed on: with it net/http would
// repeat requests to providers on its own.
const headerIdempotency = "Idempotency-Key"

// maxIdempotencyKey is the longest key that is heeded.
const maxIdempotencyKey = 255

// idempotent are the keys of the requests under way, of all configurations, each with the client that it belongs to.
var idempotent sync.Map

// claimKey notes the request's idempotency key, if it has one. A client that sends the same one again while its request is
// still under way would pay twice for one answer: it is told so, with a status at which SDKs wait and try again.
func (x *exchange) claimKey() error {
	v := x.r.Header[headerIdempotency]
	if len(v) == 0 || v[0] == "" || len(v[0]) > maxIdempotencyKey {
		return nil
	}
	ip, _ := clientAddr(x.r)
	key := x.authID + "\x00" + ip.String() + "\x00" + v[0]
	if _, taken := idempotent.LoadOrStore(key, true); taken {
		return &dialects.RequestError{
			Status: http.StatusConflict, Code: "idempotency_key_in_use",
			Message: "a request with this Idempotency-Key is still under way",
		}
	}
	x.idempotencyKey = key
	return nil
}

// releaseKey ends the claim.
func (x *exchange) releaseKey() {
	if x.idempotencyKey != "" {
		idempotent.Delete(x.idempotencyKey)
	}
}
