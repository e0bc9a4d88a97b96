// Package chatcompletions is the OpenAI Chat Completions dialect and everything compatible with it.
//
// The same codec meters OpenAI's embeddings and legacy completions, whose bodies share the members that a gateway
// cares about. Vendors deviate from OpenAI's API in many small ways. Reading is tolerant of all of them at once, because
// a response does not say who wrote it; writing follows the rules of the vendor it is for, see [rulesFor].
//
// The format is described at https://platform.openai.com/docs/api-reference/chat.
package chatcompletions
