// Package ollama is the dialect of Ollama's own API, /api/chat, on the side of providers: no client speaks it. Clients of
// Chat Completions need no translation, because Ollama speaks their dialect as well.
//
// A stream is a sequence of lines, each of them a JSON document of the same form as a whole response. Calls of tools come
// in one piece, from older versions without IDs; and an answer that calls tools stops like any other.
package ollama
