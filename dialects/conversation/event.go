package conversation

import "encoding/json"

// EventType tells the events of a stream apart.
type EventType uint8

// The events of a stream, in the order they may come:
//
//	Start (BlockStart Delta* BlockStop)* Stop End
//
// Usage may come anywhere after Start, also after Stop; Error ends the stream instead of Stop and End. Blocks of one
// choice do not overlap and their indices rise by one from 0. Readers repair what vendors get wrong, so writers may
// rely on this grammar.
const (
	EventStart      EventType = iota // ID, Model, Created; UsageKnown when Usage is set too
	EventBlockStart                  // Index, Block (its Kind, Call, Signature); Text of whole blocks in Block.Text
	EventDelta                       // Index, Delta, Text
	EventBlockStop                   // Index; Block with Signature and Origin where the signature came after the block's text
	EventUsage                       // Usage: everything known so far, replacing what came before
	EventStop                        // Stop, StopSequence, StopDetail
	EventEnd                         // the dialect's terminator was seen
	EventError                       // Error
	EventPing                        // a keep-alive of the provider
)

// DeltaType says what Event.Text adds to.
type DeltaType uint8

// The kinds of delta.
const (
	DeltaText      DeltaType = iota // visible text (or refusal text in a Refusal block)
	DeltaArguments                  // JSON text of a tool call's arguments
	DeltaThinking                   // thinking text
	DeltaSignature                  // the signature of a Thinking block
	DeltaCitation                   // Citation
)

// Event is one step of a streamed response. Text may point into a buffer of the reader: it is valid only until the
// next event is read.
type Event struct {
	Type   EventType
	Choice int // which answer, with n > 1
	Index  int // which block of that answer

	ID      string
	Model   string
	Created int64

	Block    *Block
	Delta    DeltaType
	Text     string
	Citation *Citation
	// Logprobs are the log probabilities of the tokens in Text: the elements of an array in the shape of chat
	// completions' logprobs.content, without its brackets. It is valid for as long as Text is.
	Logprobs json.RawMessage

	Usage      Usage
	UsageKnown bool

	Stop         StopReason
	StopSequence string
	StopDetail   string

	Error *Error
}

// Error is a provider's or the gateway's error in neutral words.
type Error struct {
	// Status is the HTTP status that the error has, or would have had outside of a stream.
	Status int
	// Type and Code are the vendor's words ("rate_limit_error", "context_length_exceeded"); may be empty.
	Type, Code string
	Message    string
	Param      string
}

func (e *Error) Error() string { return e.Message }
