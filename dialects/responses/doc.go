// Package responses is the wire dialect of OpenAI's Responses API (POST /v1/responses), as OpenAI itself, Azure, xAI,
// OpenRouter, LM Studio and others speak it.
//
// Where client and provider both speak it, it is passed through: requests are readdressed by replacing one member, and a
// meter reads usage, status and errors off the response as it goes by. Otherwise requests, responses and streams are
// translated from and to package conversation.
//
// # What a translation keeps
//
// Nothing is stored, neither here nor at the provider: requests that continue a stored response, conversation, prompt or
// item are refused with a hint to send the whole input. Reasoning goes back and forth in encrypted_content; that of
// another dialect is labelled with the dialect's name on its way to the client, and known by it when it comes back.
// Server-side tools and their items have no counterpart elsewhere.
//
// # What a stream looks like
//
// Every event has a "type", repeated in the SSE event name, and a "sequence_number" that rises from 0. The stream
// begins with response.created and ends with response.completed, response.incomplete or response.failed, each of which
// repeats the whole response with its usage. OpenAI sends nothing after that. OpenRouter leaves the event names out and
// sends [DONE] last, and sequence numbers have been seen missing: the meter relies on none of them.
package responses
