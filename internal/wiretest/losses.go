package wiretest

import (
	"slices"
	"strings"
)

// loss is something that a translation cannot keep, because the dialect it goes to has no word for it. Comparisons leave
// it out, and nothing else.
type loss struct {
	dialects string // that it cannot be said in, separated by blanks
	what     string
	because  string
}

const (
	lossOrder       = "order of words and calls"
	lossSystemPlace = "place of system prompts"
	lossErrorFlag   = "failed results"
	lossResultMedia = "media in results"
	lossStop        = "stop sequences"
	lossBlankStop   = "stop sequences of white space"
	lossServerTools = "tools that the provider runs"
	lossAllowed     = "choice among some tools"
	lossNamed       = "choice of one tool"
	lossNoneChoice  = "choice of no tool"
	lossChoice      = "choice of tools"
	lossWait        = "results and words of one turn"
	lossFirst       = "conversations that the model begins"
	lossCaption     = "documents without a word"
	lossDeclared    = "calls of tools that are not declared"
	lossBoth        = "JSON of a shape beside tools"
	lossFormat      = "JSON of any shape"
	lossCaches      = "cache marks"
	lossCacheWrite  = "tokens written to a cache"
	lossCacheRead   = "tokens read from a cache"
	lossReasoning   = "tokens of thoughts"
	lossRefusal     = "refusals"
	lossFilter      = "filtered answers"
	lossPause       = "paused turns"
	lossError       = "answers that failed in the middle"
	lossLoop        = "thinking that begins in the middle of a tool loop"
	lossPassage     = "passages that sources support"
	lossMedia       = "media in answers"
	lossThinking    = "switch of thinking"
	lossCallID      = "ids of calls"
)

// losses are all that comparisons know. The first part is about requests, and the dialect the provider's; the second is
// about replies, and the dialect the client's.
var losses = []loss{
	{"openai.chat mistral.chat cohere.chat ollama.chat", lossOrder, "a message has its content in one member and its calls in another"},
	{"anthropic.messages gemini.generate bedrock.converse", lossSystemPlace, "system prompts stand before the conversation, wherever they were said"},
	{"openai.chat openai.responses mistral.chat cohere.chat ollama.chat", lossErrorFlag, "a result is a text, and nothing says that it is an error"},
	{"openai.chat mistral.chat cohere.chat ollama.chat gemini.generate", lossResultMedia, "media in results follow as the user's, and the text of a result of nothing else says so"},
	{"openai.responses", lossStop, "there are no stop sequences"},
	{"anthropic.messages bedrock.converse", lossBlankStop, "they are refused"},
	{"openai.chat openai.responses anthropic.messages gemini.generate bedrock.converse mistral.chat cohere.chat ollama.chat", lossServerTools, "they are their vendor's own"},
	{"anthropic.messages bedrock.converse mistral.chat cohere.chat ollama.chat", lossAllowed, "the choice is among the tools declared: others are not declared"},
	{"cohere.chat ollama.chat", lossNamed, "a call can be required, but not of which tool"},
	{"ollama.chat", lossChoice, "the model chooses"},
	{"bedrock.converse", lossFirst, "the first message has to be the user's"},
	{"bedrock.converse", lossCaption, "a message with a document has to have a text"},
	{"bedrock.converse", lossDeclared, "the tools of all calls in a conversation have to be declared"},
	{"gemini.generate cohere.chat", lossBoth, "few models take both; the system prompt asks for JSON"},
	{"mistral.chat", lossWait, "a user's message must not follow a tool's: a short answer stands between them"},
	{"ollama.chat", lossNoneChoice, "the model chooses, unless no tool is declared"},
	{"bedrock.converse", lossNoneChoice, "the model chooses, and tools have to stay declared as long as the conversation has calls"},
	{"anthropic.messages bedrock.converse", lossFormat, "only a schema can be asked for, and not every one; else the system prompt asks for JSON, or a tool takes the answer"},
	{"openai.chat openai.responses gemini.generate mistral.chat cohere.chat ollama.chat", lossCaches, "prompts are cached without being told"},
	{"cohere.chat mistral.chat ollama.chat openai.chat bedrock.converse", lossThinking, "whether and how it is switched depends on the model"},
	{"anthropic.messages bedrock.converse", lossLoop, "a turn that thinks has to begin with a thought, which only the vendor that thought it can replay"},

	{"gemini.generate", lossCacheWrite, "usage has no such count"},
	{"anthropic.messages gemini.generate", lossRefusal, "a refusal is a text like any other"},
	{"anthropic.messages", lossFilter, "refusal is the word for everything withheld"},
	{"openai.chat openai.responses gemini.generate", lossPause, "only Anthropic pauses; the turn ends"},
	{"openai.chat anthropic.messages", lossError, "no reason to stop says so"},
	{"anthropic.messages", lossPassage, "a source supports the whole text that it is a part of"},
	{"anthropic.messages", lossMedia, "answers are words and calls"},
	{"gemini.generate", lossCallID, "ids are optional"},
}

// cannot reports whether a dialect has no word for something.
func cannot(dialect, what string) bool {
	return slices.ContainsFunc(losses, func(l loss) bool {
		return l.what == what && slices.Contains(strings.Fields(l.dialects), dialect)
	})
}
