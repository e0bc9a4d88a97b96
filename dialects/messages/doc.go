// Package messages is the Anthropic Messages dialect: POST /v1/messages and /v1/messages/count_tokens.
//
// What does not survive the way through package conversation, and how it comes out on the other side:
//
//   - A content given as a string and one text block are the same thing. One plain text block is written as a string.
//   - Consecutive messages of one role become one, tool results first in it; text blocks without any visible
//     character, and messages left empty, are dropped: the API refuses both.
//   - The system prompt is always written as blocks, except for one plain text block.
//   - Defaults are left out: is_error false, disable_parallel_tool_use false, strict false, an empty description.
//   - Members of a tool that other dialects lack (defer_loading and the like) are named in Request.Extra as
//     "tools.<member>", so that dropping them is seen.
//   - Blocks that only this dialect has, but that say something to any model (tool references, search results,
//     compactions), are texts for the others, with the block itself in Raw.
//   - A signature that another vendor made travels to Anthropic clients as "~<dialect>:<signature>" and finds its way
//     back to its maker when the client replays the block. That of a call stands in a thinking block of its own.
package messages
