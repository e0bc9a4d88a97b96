// Package conversation is the neutral form that every wire dialect is decoded into and encoded from when a client
// and a provider do not speak the same one. It is pure data: no I/O, no JSON of its own, no knowledge of vendors.
//
// It is structured in blocks, like Anthropic Messages and OpenAI Responses, because that granularity is the superset:
// chat completions and Gemini contents fold into it without loss, and not the other way round.
//
// JSON schemas, tool arguments and other nested documents stay raw from end to end. Re-marshalling them through maps
// would reorder keys, and reordered keys destroy the prompt caches of providers.
package conversation

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// Role says who speaks in a [Message].
type Role uint8

// The roles. Tool results have no role of their own: they are blocks of a [User] message, first in it.
const (
	User Role = iota
	Assistant
	System    // anywhere in the conversation; encoders hoist it where a dialect demands that
	Developer // as System, for dialects that tell the two apart
)

// Request is what a client asks of a model. A nil pointer or empty value means that the client did not say.
type Request struct {
	Model  string
	Stream bool
	// Messages holds the whole conversation, system and developer prompts included, in the order written.
	Messages []Message
	Tools    []Tool
	Choice   ToolChoice
	// ParallelTools allows (true) or forbids (false) several tool calls in one turn.
	ParallelTools *bool

	MaxTokens        *int64 // output tokens
	Temperature      Number
	TopP             Number
	TopK             Number
	FrequencyPenalty Number
	PresencePenalty  Number
	Seed             *int64
	N                *int64 // number of answers
	Stop             []string
	Logprobs         *bool
	TopLogprobs      *int64

	Format    *Format // structured output
	Reasoning *Reasoning

	User        string // an end-user identifier for the provider's abuse detection
	ServiceTier string
	CacheKey    string          // OpenAI's prompt_cache_key
	Metadata    json.RawMessage // as the client wrote it

	// Extra holds top-level members that the neutral form has no field for. They are only of use to a target
	// that speaks Origin; elsewhere they are dropped with a note, or refused.
	Extra []Field
	// Origin is the dialect that the request was decoded from ("chat", "messages", ...).
	Origin string
	// IncludeUsage says that the client of a chat completions stream asked for a usage chunk.
	IncludeUsage bool
	// LegacyCalls says that the client gave its tools in the form that chat completions had before tools, and wants calls
	// in the form they had then; see [Rewrites.LegacyCalls].
	LegacyCalls bool
}

// Number is a JSON number as it was written ("0.70", "1e-3"), so that a translation does not reformat what it does not
// change. Empty means that the client did not say.
type Number string

// Float is the value of a number that was said.
func (n Number) Float() float64 {
	f, _ := strconv.ParseFloat(string(n), 64)
	return f
}

// Whole is the number without its fraction, for vendors that take integers only.
func (n Number) Whole() Number {
	if !strings.ContainsAny(string(n), ".eE") {
		return n
	}
	return Number(strconv.FormatFloat(math.Trunc(n.Float()), 'f', -1, 64))
}

// Field is a JSON member that is carried as it stands.
type Field struct {
	Name  string
	Value json.RawMessage
}

// maxDistinct is how many fields of a list are known by name when one is added. Of a request with more than that a name
// may come twice.
const maxDistinct = 256

// HasField reports whether a field of that name is in the list.
func HasField(list []Field, name string) bool {
	for i := range min(len(list), maxDistinct) {
		if list[i].Name == name {
			return true
		}
	}
	return false
}

// Message is one turn of one speaker.
type Message struct {
	Role   Role
	Name   string // chat completions' optional participant name
	Blocks []Block
}

// Kind tells the blocks apart.
type Kind uint8

// The kinds of [Block].
const (
	Text     Kind = iota // Text
	Image                // Media
	Document             // Media
	Audio                // Media
	Video                // Media
	Call                 // Call: the assistant calls a tool
	Result               // Result: what the tool answered
	Thinking             // Text, Signature; Redacted when only opaque Data is there
	Refusal              // Text
	Opaque               // Raw: a block only its Origin dialect understands
)

// Block is one piece of content. Which fields mean something depends on Kind; see the constants.
type Block struct {
	Kind  Kind
	Text  string
	Media *Media
	Call  *ToolCall
	// Result is set on tool result blocks.
	Result *ToolResult
	// Signature is the vendor's proof of a Thinking block or, for Gemini, of any part. It is replayed only to Origin.
	Signature string
	// Redacted marks a Thinking block whose content is Signature alone.
	Redacted bool
	// Cache is a cache breakpoint after this block.
	Cache *CacheMark
	// Citations are sources for a Text block.
	Citations []Citation
	// Raw is the block as its Origin dialect wrote it: all there is of an Opaque block. Where a block of another kind has
	// it, that is what it means to the dialects that do not know Raw.
	Raw json.RawMessage
	// Origin names the dialect that Signature and Raw belong to.
	Origin string
}

// Media is an image, document, audio or video: exactly one of Data, URL, FileID and Text is set.
type Media struct {
	MIME     string // "image/png", ...; may be empty with URL
	Data     string // standard base64
	URL      string // https:// or a vendor's scheme, never data:
	FileID   string // an id in the files API of Origin
	Text     string // a plain text document
	Filename string
	Title    string
	Context  string
	Detail   string // OpenAI's image detail
	Origin   string // whose FileID
}

// CacheMark is an explicit prompt cache breakpoint. TTL is "5m", "1h" or empty for the vendor's default.
type CacheMark struct{ TTL string }

// Citation points from a text to a source. Offsets count characters in the block's text; End 0 means unknown.
type Citation struct {
	URL, Title, Quote string
	Start, End        int
	Raw               json.RawMessage
	Origin            string
}

// ToolCall is a call the model makes. Arguments is the JSON text as the model wrote it: it may be empty (no
// arguments) and, when the output was cut, invalid.
type ToolCall struct {
	ID        string
	Name      string
	Arguments string
	// Custom marks a call of a free-text tool: Arguments is then plain text.
	Custom bool
	// Legacy marks a call that the client wants in the form of chat completions before tools.
	Legacy bool
}

// ToolResult is the answer to a [ToolCall]. Name is the tool's name where the dialect states it or the decoder could
// look it up from the call.
type ToolResult struct {
	CallID  string
	Name    string
	Content []Block
	IsError bool
}

// Tool is a function that the model may call, or a vendor's own server-side tool (Raw set, Name the vendor's type).
type Tool struct {
	Name        string
	Description string
	Schema      json.RawMessage // JSON Schema of the parameters; nil means none
	Strict      *bool
	// Custom marks a free-text tool, whose input is plain text and no JSON. Where a dialect has none it is given as a
	// function with one text; see [FreeTextSchema] and [Rewrites.FreeText].
	Custom bool
	// Grammar restricts the input of a Custom tool; nil leaves it free.
	Grammar *Grammar
	Cache   *CacheMark
	// Raw is a server-side or otherwise vendor-bound tool as Origin wrote it.
	Raw    json.RawMessage
	Origin string
}

// Grammar is a formal description of texts. Syntax is "lark" or "regex".
type Grammar struct{ Syntax, Definition string }

// CustomTools are the names of the free-text tools among others.
func CustomTools(tools []Tool) map[string]bool {
	var names map[string]bool
	for i := range tools {
		if !tools[i].Custom {
			continue
		}
		if names == nil {
			names = make(map[string]bool)
		}
		names[tools[i].Name] = true
	}
	return names
}

// ChoiceMode says how freely the model may call tools.
type ChoiceMode uint8

// The modes of tool choice.
const (
	ChoiceUnset ChoiceMode = iota
	ChoiceAuto
	ChoiceNone
	ChoiceRequired // any tool
	ChoiceTool     // the one named
)

// ToolChoice steers tool calls. Name belongs to ChoiceTool; Allowed restricts ChoiceAuto and ChoiceRequired.
type ToolChoice struct {
	Mode    ChoiceMode
	Name    string
	Allowed []string
}

// Allows returns what tells whether a tool may be called: one of those allowed, or any where none is.
func (c *ToolChoice) Allows() func(tool string) bool {
	if len(c.Allowed) == 0 {
		return func(string) bool { return true }
	}
	set := make(map[string]struct{}, len(c.Allowed))
	for _, name := range c.Allowed {
		set[name] = struct{}{}
	}
	return func(tool string) bool {
		_, ok := set[tool]
		return ok
	}
}

// Format asks for structured output: JSON of any shape (Schema nil), or JSON of Schema.
type Format struct {
	Name        string
	Description string
	Schema      json.RawMessage
	Strict      *bool
}

// Reasoning controls thinking. At most one of Effort and Budget is set; Off turns thinking off.
type Reasoning struct {
	Off      bool
	Effort   string // "none", "minimal", "low", "medium", "high", "xhigh", "max"
	Budget   *int64 // tokens
	Adaptive bool   // the model decides (Anthropic "adaptive", Gemini budget -1)
	Summary  string // "auto", "concise", "detailed", "none": whether thoughts are to be shown
}

// StopReason says why a response ended.
type StopReason uint8

// The stop reasons.
const (
	StopUnknown StopReason = iota
	StopEnd
	StopSequence
	StopLength
	StopToolCalls
	StopFiltered
	StopRefusal
	StopPause
	StopError
)

// Response is a complete answer.
type Response struct {
	ID      string // as the provider named it
	Model   string // the model that answered
	Created int64  // Unix seconds; 0 when the dialect has none
	Choices []Choice
	Usage   Usage
	// UsageKnown is false when the provider reported no usage at all. Zero is not missing.
	UsageKnown  bool
	ServiceTier string
	Origin      string
}

// Choice is one of the answers of a [Response]; almost always there is exactly one.
type Choice struct {
	Blocks       []Block
	Stop         StopReason
	StopSequence string          // which stop sequence matched
	StopDetail   string          // a sentence about a refusal or filter
	Logprobs     json.RawMessage // in chat completions' shape
}

// Usage counts tokens in disjoint classes: what a request cost is the sum of each class times its price. It has the
// same fields as accounting.Usage, so that one converts to the other.
type Usage struct {
	Input        int64 // text input that was neither read from nor written to a cache
	CacheRead    int64
	CacheWrite   int64 // written with the default or five-minute lifetime
	CacheWrite1h int64 // written with a one-hour lifetime
	InputAudio   int64
	InputImage   int64
	InputVideo   int64
	// What of the input read from a cache was audio or pictures; CacheRead is the rest of it.
	CacheReadAudio int64
	CacheReadImage int64
	Output         int64 // visible output
	Reasoning      int64 // output spent on thinking
	OutputAudio    int64
	OutputImage    int64
	WebSearches    int64 // calls of a server-side search tool
}

// TotalInput is every input token whatever its class.
func (u Usage) TotalInput() int64 {
	return u.Input + u.CacheRead + u.CacheWrite + u.CacheWrite1h + u.InputAudio + u.InputImage + u.InputVideo +
		u.CacheReadAudio + u.CacheReadImage
}

// TotalCacheRead is all input read from a cache, whatever it was.
func (u Usage) TotalCacheRead() int64 { return u.CacheRead + u.CacheReadAudio + u.CacheReadImage }

// TotalOutput is every output token whatever its class.
func (u Usage) TotalOutput() int64 { return u.Output + u.Reasoning + u.OutputAudio + u.OutputImage }
