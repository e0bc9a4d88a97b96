package llmgateway

import (
	"bytes"
	"net/http"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/providers"
)

// A question for the number of input tokens goes to a provider that has an endpoint for it, in its own dialect. Where
// none has, or none can be reached, the answer is the gateway's estimate: clients that ask before every turn would stop
// over an error. The response header X-Llm-Gateway-Estimated tells the two apart.

// headerEstimated names what in a response is the gateway's estimate.
const headerEstimated = "X-Llm-Gateway-Estimated"

// counts reports whether a question in the client's dialect can be put to a provider in dialect d.
func (x *exchange) counts(d providers.Dialect) bool {
	if _, ok := x.codec.(dialects.CountDecoder); !ok {
		return false
	}
	_, ok := dialects.Lookup(d).(dialects.TokenCounter)
	return ok
}

// decode reads the client's request into the neutral form.
func (x *exchange) decode() (*conversation.Request, error) {
	if x.operation == providers.CountTokens {
		return x.codec.(dialects.CountDecoder).DecodeCountRequest(x.body, x.head)
	}
	return x.codec.(dialects.Decoder).DecodeRequest(x.body, x.head)
}

// encodeAs writes a request in a provider's dialect.
func (x *exchange) encodeAs(d providers.Dialect, dst []byte, o dialects.EncodeOptions) ([]byte, []string, error) {
	if x.operation == providers.CountTokens {
		return dialects.Lookup(d).(dialects.TokenCounter).EncodeCount(dst, x.conv, o)
	}
	return dialects.Lookup(d).(dialects.Encoder).EncodeRequest(dst, x.conv, o)
}

// relayCount passes on a count that was asked for in another dialect.
func (x *exchange) relayCount(a *attempt, body []byte) *providers.Fault {
	n, ok := dialects.Lookup(a.dialect).(dialects.TokenCounter).DecodeCount(body)
	if !ok || n < 0 {
		return &providers.Fault{Class: providers.ClassServerError, Message: "the provider's response could not be understood"}
	}
	x.writeUnary(a, contentTypeJSON, x.codec.(dialects.CountDecoder).AppendCount(nil, n))
	return nil
}

// estimable reports whether a question that no provider answered can be answered with an estimate: any but one that is
// wrong itself. One that a provider refuses in other words than the client's may be right: models differ in what they count.
func (x *exchange) estimable() bool {
	if _, ok := x.codec.(dialects.CountDecoder); !ok || x.operation != providers.CountTokens {
		return false
	}
	if n := len(x.attempts); n > 0 {
		a := x.attempts[n-1]
		f := a.fault
		return f == nil || f.Class != providers.ClassInvalid || a.dialect != x.dialect || f.Status == http.StatusMethodNotAllowed || f.Status == http.StatusNotImplemented
	}
	return true
}

// estimate answers with the gateway's own count.
func (x *exchange) estimate() error {
	codec := x.codec.(dialects.CountDecoder)
	if _, err := codec.DecodeCountRequest(x.body, x.head); err != nil {
		return x.reject(err)
	}
	n := x.h.estimator.Input(x.route.tiers[0][0].label, x.inputSize)
	x.setHeaders()
	h := x.w.Header()
	h[headerEstimated] = []string{"input_tokens"}
	h["Content-Type"] = contentTypeJSON
	x.keep.Status, x.keep.Class = http.StatusOK, ""
	x.committed = true
	x.w.WriteHeader(http.StatusOK)
	_, _ = x.w.Write(codec.AppendCount(nil, n)) // the client may be gone; there is nobody to tell
	return nil
}

const (
	// mediaWindow is how long a run without a space, a quote or an escape must be not to be text.
	mediaWindow = 512
	// mediaSize is what an image, a document or a recording counts in a request's size: about 1,500 tokens. Their
	// tokens depend on pixels, pages and seconds, not on bytes.
	mediaSize = 6000
)

// textSize is the size of a request in bytes for estimates of its tokens: base64 data counts by the piece.
func textSize(body []byte) int64 {
	size := len(body)
	if size < 4*mediaWindow {
		return int64(size)
	}
	inside := false
	for at := 0; at+mediaWindow <= len(body); at += mediaWindow {
		w := body[at : at+mediaWindow]
		if opaque := w[0] < 0x80 && bytes.IndexByte(w, ' ') < 0 && bytes.IndexByte(w, '"') < 0 && bytes.IndexByte(w, '\\') < 0; opaque {
			if size -= mediaWindow; !inside {
				size += mediaSize
			}
			inside = true
		} else {
			inside = false
		}
	}
	return int64(min(size, len(body)))
}
