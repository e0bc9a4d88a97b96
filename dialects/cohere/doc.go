// Package cohere is the dialect of Cohere's Chat API, version 2, on the side of providers: no client speaks it.
//
// The plan that a model makes before it calls tools (tool_plan) and its thoughts are both Thinking blocks. Neither is
// signed by the vendor; the Signature of the block says which of the two it was, so that it is put back in its place when
// a client replays it, and never told to another vendor.
//
// Cohere counts tokens twice: usage.tokens is what the model read and wrote, with the vendor's own preamble, and is what
// clients are told; usage.billed_units is what the request costs, and is what a meter reports.
package cohere
