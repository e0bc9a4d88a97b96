package dialecttest

import (
	"encoding/json"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// ClientDecoder is a dialect that clients speak and that can be translated from.
type ClientDecoder interface {
	dialects.ClientCodec
	dialects.Decoder
}

// Scan scans a request body, which has to be one.
func Scan(t testing.TB, c dialects.ClientCodec, doc string) *jsonedit.Object {
	t.Helper()
	var obj jsonedit.Object
	if err := jsonedit.Scan([]byte(doc), c.KnownKeys(), jsonedit.Limits{}, &obj); err != nil {
		t.Fatal(err)
	}
	return &obj
}

// Head scans a request body and reads its head, as the gateway does.
func Head(c dialects.ClientCodec, doc []byte) (*jsonedit.Object, dialects.Head, error) {
	obj := new(jsonedit.Object)
	if err := jsonedit.Scan(doc, c.KnownKeys(), jsonedit.Limits{}, obj); err != nil {
		return nil, dialects.Head{}, err
	}
	h, err := c.Head(doc, obj)
	return obj, h, err
}

// Decode runs a request through Scan, Head and DecodeRequest, as the gateway does.
func Decode(c ClientDecoder, doc string) (*conversation.Request, error) {
	_, h, err := Head(c, []byte(doc))
	if err != nil {
		return nil, err
	}
	return c.DecodeRequest([]byte(doc), h)
}

// MustDecode is Decode for what can be decoded.
func MustDecode(t testing.TB, c ClientDecoder, doc string) *conversation.Request {
	t.Helper()
	r, err := Decode(c, doc)
	if err != nil {
		t.Fatalf("decoding %s: %v", doc, err)
	}
	return r
}

// MustEncode encodes what can be encoded, to valid JSON.
func MustEncode(t testing.TB, c dialects.Encoder, r *conversation.Request, o dialects.EncodeOptions) (string, []string) {
	t.Helper()
	out, notes, err := c.EncodeRequest(nil, r, o)
	if err != nil {
		t.Fatalf("encoding: %v", err)
	}
	if !json.Valid(out) {
		t.Fatalf("the encoded request is not JSON: %s", out)
	}
	return string(out), notes
}

// User makes a message of the user's.
func User(blocks ...conversation.Block) conversation.Message {
	return conversation.Message{Role: conversation.User, Blocks: blocks}
}

// Assistant makes a message of the model's.
func Assistant(blocks ...conversation.Block) conversation.Message {
	return conversation.Message{Role: conversation.Assistant, Blocks: blocks}
}

// Text makes a block of text.
func Text(s string) conversation.Block {
	return conversation.Block{Kind: conversation.Text, Text: s}
}

// Call makes a call of a tool.
func Call(id, name, arguments string) conversation.Block {
	return conversation.Block{Kind: conversation.Call, Call: &conversation.ToolCall{ID: id, Name: name, Arguments: arguments}}
}

// Result makes the result of the call id of the tool name.
func Result(id, name string, content ...conversation.Block) conversation.Block {
	return conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{CallID: id, Name: name, Content: content}}
}
