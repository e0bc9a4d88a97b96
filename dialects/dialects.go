// Package dialects is the contract of the wire formats. Each dialect is one package that registers a [Codec].
//
// Where client and provider speak the same dialect, bytes are spliced: the codec's Head finds what the gateway needs
// to know, Splice edits a few members in place, and a [Meter] watches the response go by. Where they differ, the
// client's dialect decodes into package conversation and the provider's encodes from it, and back. Dialects never
// translate into each other directly.
//
// The interfaces here are no promise to third parties before 1.0: providers, policies and ledgers are what guest
// modules implement.
package dialects

import (
	"errors"
	"fmt"
	"io"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/internal/sse"
	"github.com/caddy-llm/llmgateway/providers"
)

// Head is what the gateway has to know about a request before it can plan it, found without decoding it.
type Head struct {
	Model     string
	Stream    bool
	MaxTokens int64 // the output limit the client set; 0 when it set none
	N         int64 // answers asked for; at least 1
	// IncludeUsage says that the client of a chat completions stream asked for the usage chunk.
	IncludeUsage bool
	// CacheKey and EndUser are affinity hints (prompt_cache_key, metadata.user_id or user); may be empty.
	CacheKey, EndUser string
	// HasImages, HasTools and so on are found by later needs; a Head never decodes message content.
	HasTools bool
	// LegacyCalls says that the tools have the form that chat completions had before tools.
	LegacyCalls bool
}

// SpliceOptions says what Splice has to change.
type SpliceOptions struct {
	// Model is the name the provider knows the model by.
	Model string
	// AskUsage adds what a stream needs to report its usage, where the dialect reports none unasked.
	AskUsage bool
}

// Splice is a set of edits. HideUsage tells the relay that the usage chunk was not asked for by the client.
type Splice struct {
	Edits     []jsonedit.Edit
	HideUsage bool
	// Notes name what was taken out because the vendor would refuse it: reasoning that another vendor signed.
	Notes []string
}

// Codec is what every dialect does. What else one can do is found by assertion: [ClientCodec] and [Decoder] for those
// that clients speak, [Encoder], [Framer] and [TokenCounter] on the side of providers.
type Codec interface {
	// Name is the dialect.
	Name() providers.Dialect
	// NewMeter returns a meter for one response. Meters may be pooled: Release gives one back.
	NewMeter() Meter
	// ParseError reads a provider's error body; it never fails, the message may be empty.
	ParseError(status int, body []byte) conversation.Error
}

// ClientCodec is a dialect that clients speak to the gateway.
type ClientCodec interface {
	Codec
	// KnownKeys are the top-level members that decide where a request goes or what it costs. A body that has one of
	// them twice, or in another case, is refused.
	KnownKeys() []string
	// Head reads a scanned request body. The model and stream flag of Gemini stand in the path: there they are
	// filled in by the caller. Errors are *RequestError.
	Head(doc []byte, obj *jsonedit.Object) (Head, error)
	// Splice appends the edits that readdress a request within the same dialect.
	Splice(doc []byte, obj *jsonedit.Object, h Head, o SpliceOptions, edits []jsonedit.Edit) Splice
	// AppendError appends a complete error response body.
	AppendError(dst []byte, e *conversation.Error, requestID string) []byte
	// AppendErrorEvent appends what ends a stream with an error, framing included. The state of the stream so far
	// (sequence numbers and the like) is in m, which may be nil.
	AppendErrorEvent(dst []byte, e *conversation.Error, m Meter) []byte
	// AppendKeepAlive appends a keep-alive that clients of the dialect ignore, or nothing where they ignore none.
	AppendKeepAlive(dst []byte) []byte
}

// Decoder is the client side of a dialect that can be translated from.
type Decoder interface {
	// DecodeRequest reads a request body that Scan accepted. The result may alias doc. Errors are *RequestError.
	DecodeRequest(doc []byte, h Head) (*conversation.Request, error)
	// EncodeResponse appends a complete unary response. requestModel is the name the client asked for.
	EncodeResponse(dst []byte, r *conversation.Response, requestModel string) []byte
	// NewEventWriter writes the stream of one response.
	NewEventWriter(o WriterOptions) EventWriter
}

// Encoder is the provider side of a dialect that can be translated to.
type Encoder interface {
	// EncodeRequest appends the request body for a provider. What the dialect cannot carry is named in the notes; it
	// is an *RequestError when dropping it would change what the client asked for.
	EncodeRequest(dst []byte, r *conversation.Request, o EncodeOptions) ([]byte, []string, error)
	// DecodeResponse reads a complete unary response.
	DecodeResponse(body []byte) (*conversation.Response, error)
	// NewEventReader reads the stream of one response.
	NewEventReader() EventReader
}

// Translator is implemented by clients' dialects that vendors speak differently: a request of a client may have to be
// translated for a vendor of the same dialect.
type Translator interface {
	// Translates reports whether the vendor, which is a provider's kind or preset, has to be given the request in other
	// words. It is asked for every attempt, and must not read more of the document than it has to.
	Translates(doc []byte, obj *jsonedit.Object, h Head, vendor string) bool
}

// Framer is implemented by codecs whose streams are not server-sent events.
type Framer interface {
	// StreamType is the media type of a stream, without parameters and in lower case.
	StreamType() string
	// NewFrameReader splits a stream into frames of at most maxFrame bytes. Of a frame, Data is the JSON document in it
	// and Name its type, where the framing has one.
	NewFrameReader(r io.Reader, maxFrame int) FrameReader
}

// FrameReader is what a relay needs of a reader of frames. [sse.Reader] is one, and its documentation holds for all.
type FrameReader interface {
	// Next returns the next frame, and io.EOF after the last one. Damaged framing is any other error.
	Next() (sse.Event, error)
	// Buffered reports whether Next will return another frame without waiting.
	Buffered() bool
	Release()
}

// CountDecoder is implemented by clients' dialects that can ask how many tokens a request has.
type CountDecoder interface {
	// DecodeCountRequest reads the body of such a question. The result may alias doc. Errors are *RequestError.
	DecodeCountRequest(doc []byte, h Head) (*conversation.Request, error)
	// AppendCount appends the answer.
	AppendCount(dst []byte, tokens int64) []byte
}

// TokenCounter is implemented by providers' dialects that can ask how many tokens a request has.
type TokenCounter interface {
	// EncodeCount appends the body of the question, with notes and errors as those of EncodeRequest.
	EncodeCount(dst []byte, r *conversation.Request, o EncodeOptions) ([]byte, []string, error)
	// DecodeCount reads the answer; ok is false when there is no count in it.
	DecodeCount(body []byte) (tokens int64, ok bool)
}

// EncodeOptions tells an encoder about the target.
type EncodeOptions struct {
	Model string
	// MaxOutput is the model's output limit in tokens; 0 when unknown.
	MaxOutput int64
	// Vendor is the provider's kind or preset ("openai", "mistral", ...), for rules that differ between vendors of
	// one dialect.
	Vendor string
	// Rewrites is where the encoder notes what has to be changed back in the answer. It may be nil.
	Rewrites *conversation.Rewrites
}

// WriterOptions tells an event writer about the request.
type WriterOptions struct {
	Model        string // the name the client asked for
	IncludeUsage bool
	RequestID    string
	Created      int64 // Unix seconds
}

// EventReader turns the frames of a provider's stream into neutral events.
type EventReader interface {
	// Read appends the events of one frame to out. Texts in them are valid until the next call.
	Read(ev sse.Event, out []conversation.Event) ([]conversation.Event, error)
	// End is called when the provider closed the stream cleanly. It appends what is still to come, or returns
	// [ErrTruncated] when the dialect's terminator is missing.
	End(out []conversation.Event) ([]conversation.Event, error)
}

// EventWriter turns neutral events into the bytes of a client's stream.
type EventWriter interface {
	Append(dst []byte, ev *conversation.Event) []byte
}

// Signal says what a [Meter] saw in one event.
type Signal uint8

// The signals.
const (
	// SignalContent: the event carries output that the client can see. It is the commit point.
	SignalContent Signal = 1 << iota
	// SignalTerminal: the dialect's end of stream. A stream without it is truncated.
	SignalTerminal
	// SignalError: the event is an error; see Meter.Err.
	SignalError
	// SignalUsageOnly: the event is nothing but the usage chunk of chat completions.
	SignalUsageOnly
)

// Observation is what is known about a response so far.
type Observation struct {
	ID    string
	Model string // the model that answered
	Stop  conversation.StopReason
	Reported
	// UsageFinal says that the usage is known and will not change any more.
	UsageFinal bool
	// OutputBytes counts the visible output and the tool arguments, for estimates when the usage never comes.
	OutputBytes int64
	// Tier is the service tier that the response was served with, and is billed by: empty for the standard one, else
	// batch, flex, priority, or the vendor's own word in lower case; at most 32 bytes.
	Tier string
}

// Meter watches one response of its dialect go by, whether it is passed through byte for byte or translated.
type Meter interface {
	// Event looks at one frame of a stream. It does not keep ev, and does not allocate on ordinary deltas.
	Event(ev sse.Event) Signal
	// Body looks at a whole unary response. It reports SignalError for an error inside a 200.
	Body(body []byte) Signal
	Observation() *Observation
	// Err is the error that came with SignalError.
	Err() *conversation.Error
	Release()
}

// ErrTruncated is returned when a stream ends without its dialect's terminator.
var ErrTruncated = errors.New("the provider's stream ended before its end marker")

// RequestError says what is wrong with a client's request.
type RequestError struct {
	Status  int    // HTTP status; 0 means 400
	Param   string // the member at fault, as a path
	Code    string
	Message string
}

func (e *RequestError) Error() string { return e.Message }

// BadRequest makes a *RequestError about the member param.
func BadRequest(param, format string, args ...any) *RequestError {
	return &RequestError{Status: 400, Param: param, Message: fmt.Sprintf(format, args...)}
}

var codecs = map[providers.Dialect]Codec{}

// Register makes a codec known. It is called from init functions.
func Register(c Codec) { codecs[c.Name()] = c }

// Lookup returns the codec of a dialect, or nil.
func Lookup(d providers.Dialect) Codec { return codecs[d] }

// LookupClient returns the codec of a dialect that clients speak, or nil.
func LookupClient(d providers.Dialect) ClientCodec {
	c, _ := codecs[d].(ClientCodec)
	return c
}
