// Package converse is the dialect of Amazon Bedrock's Converse API: POST /model/{id}/converse, /converse-stream and
// /count-tokens. It is spoken to providers only.
//
// One request format stands for the models of many makers, but each of them takes a part of it only and has options of
// its own in additionalModelRequestFields. Which those are is told by the model's id; what an id does not tell, as that
// of an application inference profile, is taken to understand everything that is asked for.
//
// What is changed on the way there:
//
//   - Consecutive messages of one role become one, tool results first in it; a conversation that starts with an answer
//     gets a question before it. The API refuses anything else.
//   - System and developer messages all go into system, wherever they stand.
//   - Empty texts are dropped. A message of documents alone gets a short text, which the API demands.
//   - Documents get names that the API accepts, each once.
//   - A conversation that holds tool calls has tools: where the client declares none, those that were called.
//   - Thinking is replayed to Claude when Claude signed it, through Bedrock or directly, and to other models when it came
//     from them.
//
// Streams are not server-sent events but frames of application/vnd.amazon.eventstream.
package converse
