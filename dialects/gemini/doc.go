// Package gemini is the wire dialect of Google's generateContent, as the Gemini API and Vertex AI speak it.
//
// It can be passed through and translated, both from and to: [Codec] reads requests into package conversation and writes
// responses and streams from it, and the other way round.
//
// # Peculiarities of the dialect
//
//   - Model and streaming stand in the path, not in the body.
//   - The JSON is protobuf's: requests may write any name in camelCase or in snake_case, 64-bit integers as strings,
//     enums as numbers, and bytes as standard or URL-safe base64. Responses are in camelCase.
//   - Members whose value is zero are left out, token counts too.
//   - A stream is SSE with CRLF line ends, every event a whole response with new parts. There is no end marker: a
//     stream is complete when each candidate had its finishReason, or when the prompt was blocked.
//   - Calls have IDs only sometimes. Results without one answer the calls of their name in order. A call is given an ID
//     that follows from the calls before it, so that each request of a conversation has the same.
//   - Schemas are those of OpenAPI 3.0 or JSON Schema. The former are rewritten, with their keys in order.
//   - Calls end with finishReason STOP like everything else.
//
// # Thought signatures
//
// A part may carry a thoughtSignature, an opaque proof that has to come back in the same part. It is kept as the
// Signature of the block with Origin "gemini" and sent back only from there. Clients of other dialects get that of a
// call with a thought before it, and so it comes back to the call. Gemini 3 refuses a conversation in which the first
// call of a step has none; for calls that other models made, the documented value skip_thought_signature_validator takes
// its place. A client gets that same value, in standard base64, with the first call of an answer that another vendor
// gave.
//
// The proofs of other vendors' thoughts go to clients as thoughtSignature, too, labelled with the dialect that they are
// of. They come back to that vendor, and are taken out of what goes to Google, which refuses what it did not sign.
package gemini
