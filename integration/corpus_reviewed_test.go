package integration

// corpusReviewed are findings about translated exchanges that are right as they are. The client's dialect may be left
// out, and the finding cut short.
var corpusReviewed = []corpusReview{
	{"anthropic-messages-9b6d6725a2", "", "reply: error: *", "the recording is a message_start and nothing else: a truncated stream"},
	{"openai-responses-9ef4401547", "", "reply: *", "the recording is an answer of Chat Completions in place of one of Responses"},
	{"openai-responses-f873dcc2d9", "", "reply: text: *", "the recording was abridged: its deltas say less than the text that they end in"},
}

// corpusReviewedRequests are findings about requests that were sent to another vendor than theirs. Those that begin with
// refused are refusals that say why.
var corpusReviewedRequests = []corpusReview{
	{"openai-responses-*", "", "refused: 400 previous_response_id refers to a conversation stored at another vendor *", "the conversation is at OpenAI"},
	{"openai-responses-*", "", "refused: 400 conversation refers to a conversation stored at another vendor *", "the conversation is at OpenAI"},
	{"*", "", "refused: 400 * file *", "the file is at another vendor"},
	{"*", "", "refused: 400 *audio*", "audio in another form than the vendor takes, or none at all"},
	{"gemini-generate-*", "", "refused: 400 *video*", "few vendors take video"},
	{"*", "", "refused: 400 the provider takes no documents but plain text", "there are none at Cohere and Ollama"},
	{"*", "", "refused: 400 * URL*", "the vendor fetches nothing"},
	{"openai-chat-*", "", "refused: 400 *one answer*", "the client wants several answers"},
	{"*", "", "request: max tokens: want *, got \"8192\"", "more than the model that stands in for the client's can write"},
	{"*", "", "request: max tokens: want *, got \"16384\"", "more than the model that stands in for the client's can write"},
	{"anthropic-messages-*", "", "request: temperature: want \"1\", got \"\" *", "models that think are not to be sampled; Anthropic's take 1 for it"},
	{"anthropic-messages-333b4cbb02", "anthropic.messages", "request: thinking: want on, *", "adaptive, as models that think do unasked"},
	{"anthropic-messages-afe520c1ba", "anthropic.messages", "request: thinking: want on, *", "adaptive, as models that think do unasked"},
	{"*", "", "request: thinking: want off, got \"\"", "the model that stands in for the client's has no such switch"},

	{"*", "", "request: top_p: want * got \"\" *", "Claude 4.5 takes temperature or top_p, not both"},
	{"openai-responses-8c1e4df165", "", "request: conversation: part 1: * tool_search *", "a search for tools that the client ran, under a name that no tool of the client's has"},
	{"openai-responses-8e0d3fc229", "", "request: conversation: part 1: * tool_search *", "a search for tools that the client ran, under a name that no tool of the client's has"},
	{"openai-chat-2d03690a01", "", "request: thinking: want on, *", "on without a measure: OpenAI's models that think do so unasked"},
	{"openai-chat-a48ef89ac4", "", "request: thinking: want on, *", "on without a measure: OpenAI's models that think do so unasked"},
}

// corpusReviewedRules are breaches of a dialect's rules in the traffic of the vendor that made them. The client is the
// vendor here.
var corpusReviewedRules = []corpusReview{
	{"anthropic-messages-44d04301f6", "", "request: message 1: an empty text", "white space before calls was accepted"},
	{"anthropic-messages-9b6d6725a2", "", "reply: the stream ends in *", "truncated"},
	{"bedrock-converse-c74c721cd9", "", "request: message 0: an empty text", "a line end between two cache marks was accepted"},
	{"gemini-generate-2f819c312a", "", "request: content 1: an empty text", "an empty answer of the model was accepted"},
	{"gemini-generate-a970a9a83d", "", "reply: bytes *", "the recorder made quotes and dashes shorter"},
	{"gemini-generate-4d63b9e1fd", "", "reply: no modelVersion or responseId", "from before there were any"},
	{"gemini-generate-fe1a161d11", "", "reply: no modelVersion or responseId", "from before there were any"},
	{"mistral-chat-16519e7ab0", "", "request: message 1 has an empty list of calls", "Mistral takes it, others do not"},
	{"openai-chat-25b8dd3a52", "", "reply: usage comes twice, *", "OpenRouter's answer, recorded as OpenAI's"},
	{"openai-chat-e01db34d84", "", "reply: *", "OpenRouter's answer, recorded as OpenAI's"},
	{"openai-responses-104104a3bc", "", "reply: *", "the recorder replaced the ids, each by another"},
	{"openai-responses-5fc8fbd587", "", "reply: *", "written by hand"},
	{"openai-responses-739b336fa0", "", "reply: * has the number *", "written by hand"},
	{"openai-responses-9639547c54", "", "reply: * has the number *", "written by hand"},
	{"openai-responses-9da17613dd", "", "reply: *", "written by hand"},
	{"openai-responses-f873dcc2d9", "", "reply: *", "abridged"},
	{"openai-responses-e1d20d87fa", "", "reply: item * is never done", "lists of tools that were cut from the recording"},
	{"openai-responses-e1d20d87fa", "", "reply: item * was , and then *", "lists of tools that were cut from the recording"},
}
