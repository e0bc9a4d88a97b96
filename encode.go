package llmgateway

import (
	"errors"
	"net/http"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/providers"
)

// outgoing is a request body for one attempt.
type outgoing struct {
	body providers.Body
	// buf is the memory of body, held until the attempt is over.
	buf *providers.Shared
	// hideUsage: the stream's usage chunk is for the gateway alone.
	hideUsage bool
	// translated: the answer has to be translated back, and rewrites is what else has to be changed back in it.
	translated bool
	rewrites   *conversation.Rewrites
}

// encode makes the body for a target: spliced when it speaks the client's dialect, translated otherwise.
func (x *exchange) encode(t *target, d providers.Dialect) (outgoing, error) {
	var out outgoing
	var err error
	x.dropped = x.dropped[:0]
	if d == x.dialect && !x.translates(t) {
		out = x.splice(t)
	} else if out, err = x.translate(t, d); err != nil {
		return out, err
	}
	if t.provider.adjuster == nil {
		return out, nil
	}
	body := out.body.Bytes()
	adjusted, notes, err := t.provider.adjuster.Adjust(&providers.Call{Dialect: d, Operation: x.operation, Model: t.model, Stream: x.head.Stream}, body)
	if err != nil {
		out.buf.Release()
		return outgoing{}, err
	}
	if err := x.note(notes); err != nil {
		out.buf.Release()
		return outgoing{}, err
	}
	out.body = providers.NewBody(out.buf, adjusted)
	return out, nil
}

// translates reports whether a request has to be translated for a target that speaks the client's dialect in a way of
// its own.
func (x *exchange) translates(t *target) bool {
	tr, ok := x.codec.(dialects.Translator)
	return ok && x.operation == providers.Generate && tr.Translates(x.body, x.obj, x.head, t.provider.vendor)
}

// splice edits the client's bytes in place.
func (x *exchange) splice(t *target) outgoing {
	var arr [4]jsonedit.Edit
	s := x.codec.Splice(x.body, x.obj, x.head, dialects.SpliceOptions{Model: t.model, AskUsage: x.operation == providers.Generate}, arr[:0])
	x.drop(s.Notes) // strict or not: it is of use to nobody but its maker
	out := outgoing{hideUsage: s.HideUsage}
	if len(x.body) <= providers.SmallBody/2 && len(s.Edits) > 0 {
		out.body = providers.NewBody(nil, jsonedit.Apply(make([]byte, 0, len(x.body)+128), x.body, s.Edits))
		return out
	}
	x.bodyBuf.Retain()
	out.buf = x.bodyBuf
	if len(s.Edits) == 0 {
		out.body = providers.NewBody(x.bodyBuf, x.body)
	} else {
		out.body = providers.NewBody(x.bodyBuf, jsonedit.Segments(make([][]byte, 0, 2*len(s.Edits)+1), x.body, s.Edits)...)
	}
	return out
}

// translate encodes the conversation for a target of another dialect. The client's request is decoded once, however
// many targets are tried.
func (x *exchange) translate(t *target, d providers.Dialect) (outgoing, error) {
	if x.conv == nil {
		conv, err := x.decode()
		if err != nil {
			return outgoing{}, err
		}
		x.conv = conv
	}
	rewrites := new(conversation.Rewrites)
	if x.conv.LegacyCalls {
		rewrites.LegacyCalls()
	}
	o := dialects.EncodeOptions{Model: t.model, Vendor: t.provider.vendor, Rewrites: rewrites}
	if t.price != nil {
		o.MaxOutput = t.price.MaxOutput
	}
	buf := getBuffer()
	shared := providers.NewShared(func() { putBuffer(buf) })
	body, notes, err := x.encodeAs(d, (*buf)[:0], o)
	if err != nil {
		shared.Release()
		return outgoing{}, err
	}
	*buf = body
	if err := x.note(notes); err != nil {
		shared.Release()
		return outgoing{}, err
	}
	return outgoing{body: providers.NewBody(shared, body), buf: shared, translated: true, rewrites: rewrites}, nil
}

// note records what a translation dropped, or refuses it under strict.
func (x *exchange) note(notes []string) error {
	if len(notes) == 0 {
		return nil
	}
	if x.h.Strict {
		return &dialects.RequestError{
			Status: http.StatusBadRequest, Param: notes[0], Code: "unsupported_parameter",
			Message: "the provider of this model cannot be given " + strings.Join(notes, ", ") + ", and this gateway is set to refuse rather than drop (strict)",
		}
	}
	x.drop(notes)
	return nil
}

// isRequestError reports whether an error is the client's to mend.
func isRequestError(err error) bool {
	var re *dialects.RequestError
	return errors.As(err, &re)
}
