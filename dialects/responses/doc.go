// Package responses is the wire dialect of OpenAI's Responses API (POST /v1/responses), as OpenAI itself, Azure, xAI,
// OpenRouter, LM Studio and others speak it.
//
// The dialect is passed through: requests are readdressed by replacing one member, and a meter reads usage, status and
// errors off the response as it goes by.
//
// # What a stream looks like
//
// Every event has a "type", repeated in the SSE event name, and a "sequence_number" that rises from 0. The stream
// begins with response.created and ends with response.completed, response.incomplete or response.failed, each of which
// repeats the whole response with its usage. OpenAI sends nothing after that. OpenRouter leaves the event names out and
// sends [DONE] last, and sequence numbers have been seen missing: the meter relies on none of them.
package responses
