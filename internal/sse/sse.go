// Package sse reads and writes server-sent events as the WHATWG standard defines them
// (https://html.spec.whatwg.org/multipage/server-sent-events.html), byte for byte and without allocating per event.
package sse

// Event is one frame of a stream: everything up to and including the blank line that ends it. All slices point into
// the reader's buffers and are valid until the next call of Next.
type Event struct {
	// Raw is the frame exactly as it came, comments and line ends included. Writing every Raw in order reproduces
	// the stream.
	Raw []byte
	// Name is the value of the last "event" field; nil when there is none.
	Name []byte
	// Data is the value of the "data" fields, joined by line feeds; nil when there is none (a comment, a ping, a blank
	// line). A "data" field without a value makes it empty and not nil.
	Data []byte
	// Incomplete says that the stream ended before the blank line. Browsers throw such a frame away; some providers
	// end their last one so.
	Incomplete bool
}
