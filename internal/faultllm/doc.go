// Package faultllm is a model provider that fails on purpose, and the tools to fail on purpose between a gateway and
// its two neighbors. Tests use it to prove what the gateway does under faults.
//
//   - [Upstream] speaks HTTP/1.1 byte by byte, so that it can break every rule of it: a [Script] says for each request
//     what happens, and a [Journal] keeps what was asked, what was answered and what a vendor would bill. The journal is
//     the oracle that the gateway's own books are compared with.
//   - [Proxy] sits on the way between two parties and treats their bytes badly.
//   - [Frames] speaks HTTP/2 frame by frame.
//   - [Conn] is a client that breaks off, crawls, or falls silent.
//   - [Read] says what a client of a dialect makes of an answer, and whether the answer is one of that dialect at all.
//
// Nothing here is shared with the gateway: a rig made of the code that it judges would make the same mistakes. Scripts
// that are chosen at random are chosen by a seed, and the same seed chooses the same ones for the same sequence of
// requests.
package faultllm
