package sdk

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"net/http"
	"strings"
)

// converseDialect is Amazon Bedrock's.
var converseDialect = &dialect{
	name: "converse", kind: "bedrock", model: "us.anthropic.claude-sonnet-4-5", media: "application/vnd.amazon.eventstream",
	parse:    parseConverse,
	unary:    converseAnswer,
	stream:   converseStream,
	refusing: func(f *refusal) object { return object{"__type": "com.amazon.coral#" + f.kind, "message": f.message} },
	breaking: func(f *refusal) string {
		return amazonFrame("exception", strings.ToLower(f.kind[:1])+f.kind[1:], object{"message": f.message})
	},
}

// amazonFrame is one message of an event stream: lengths of all and of the headers, the checksum of these, the headers,
// the payload, and the checksum of everything. A header is a name and a string, each after its length.
func amazonFrame(messageType, name string, payload object) string {
	var headers []byte
	for _, h := range [][2]string{{":message-type", messageType}, {":" + messageType + "-type", name}, {":content-type", "application/json"}} {
		headers = append(append(headers, byte(len(h[0]))), h[0]...)
		headers = binary.BigEndian.AppendUint16(append(headers, 7), uint16(len(h[1]))) // 7 is a string
		headers = append(headers, h[1]...)
	}
	body := marshal(payload)
	f := binary.BigEndian.AppendUint32(nil, uint32(4*4+len(headers)+len(body)))
	f = binary.BigEndian.AppendUint32(f, uint32(len(headers)))
	f = binary.BigEndian.AppendUint32(f, crc32.ChecksumIEEE(f))
	f = append(append(f, headers...), body...)
	return string(binary.BigEndian.AppendUint32(f, crc32.ChecksumIEEE(f)))
}

func parseConverse(r *http.Request, body []byte) (question, error) {
	var in struct {
		ToolConfig struct {
			Tools []struct{ ToolSpec struct{ Name string } }
		}
		OutputConfig struct {
			TextFormat struct {
				Structure struct{ JSONSchema struct{ Schema string } }
			}
		}
		AdditionalModelRequestFields struct{ Thinking struct{ Type string } }
		Messages                     []struct {
			Role    string
			Content []converseBlock
		}
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return question{}, err
	}
	model, verb, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/model/"), "/")
	q := question{
		model: model, stream: verb == "converse-stream", wantsUsage: true, thinks: in.AdditionalModelRequestFields.Thinking.Type == "enabled",
		schema: in.OutputConfig.TextFormat.Structure.JSONSchema.Schema, results: map[string]string{},
	}
	if !ok || !q.stream && verb != "converse" {
		return q, errors.New("unknown path")
	}
	for _, t := range in.ToolConfig.Tools {
		q.tools = append(q.tools, t.ToolSpec.Name)
	}
	for _, m := range in.Messages {
		for _, b := range m.Content {
			if err := q.readConverse(m.Role, b); err != nil {
				return q, err
			}
		}
	}
	return q, nil
}

type converseBlock struct {
	Text  string
	Image *struct {
		Format string
		Source struct{ Bytes string }
	}
	ReasoningContent *struct {
		ReasoningText struct{ Text, Signature string }
	}
	ToolUse *struct {
		ToolUseID, Name string
		Input           json.RawMessage
	}
	ToolResult *struct {
		ToolUseID string
		Content   json.RawMessage
	}
}

func (q *question) readConverse(role string, b converseBlock) error {
	switch {
	case b.Image != nil:
		q.images = append(q.images, "image/"+b.Image.Format+";"+b.Image.Source.Bytes)
	case b.ReasoningContent != nil:
		q.thoughts = append(q.thoughts, b.ReasoningContent.ReasoningText.Text)
		q.signatures = append(q.signatures, b.ReasoningContent.ReasoningText.Signature)
	case b.ToolUse != nil:
		q.calls = append(q.calls, toolCall{b.ToolUse.ToolUseID, b.ToolUse.Name, string(b.ToolUse.Input)})
	case b.ToolResult != nil:
		return q.result(b.ToolResult.ToolUseID, textOf(b.ToolResult.Content))
	case role == "user":
		q.prompt = b.Text
	}
	return nil
}

var converseReasons = map[stop]string{atWill: "end_turn", atLimit: "max_tokens", filtered: "guardrail_intervened", calling: "tool_use"}

// converseUsage counts what came out of the cache apart from the input.
func converseUsage() object {
	return object{
		"inputTokens": inputTokens - cachedTokens, "outputTokens": outputTokens, "totalTokens": inputTokens + outputTokens,
		"cacheReadInputTokens": cachedTokens, "cacheWriteInputTokens": 0,
	}
}

func converseAnswer(_ question, r reply) object {
	var content []object
	if r.thought != "" {
		content = append(content, object{"reasoningContent": object{"reasoningText": object{"text": r.thought, "signature": r.signature}}})
	}
	if r.text != nil {
		content = append(content, object{"text": joined(r.text)})
	}
	for _, c := range r.calls {
		content = append(content, object{"toolUse": object{"toolUseId": c.id, "name": c.name, "input": json.RawMessage(c.arguments)}})
	}
	return object{
		"output":     object{"message": object{"role": "assistant", "content": content}},
		"stopReason": converseReasons[r.why()], "usage": converseUsage(), "metrics": object{"latencyMs": 1},
	}
}

// converseStream announces calls only: texts and thoughts begin with their first piece.
func converseStream(_ question, r reply) streamed {
	index := 0
	event := func(name string, payload object) string { return amazonFrame("event", name, payload) }
	delta := func(d object) string {
		return event("contentBlockDelta", object{"contentBlockIndex": index, "delta": d})
	}
	end := func() string {
		index++
		return event("contentBlockStop", object{"contentBlockIndex": index - 1})
	}
	s := streamed{opening: event("messageStart", object{"role": "assistant"})}
	if r.thought != "" {
		for _, half := range halves(r.thought) {
			s.opening += delta(object{"reasoningContent": object{"text": half}})
		}
		s.opening += delta(object{"reasoningContent": object{"signature": r.signature}}) + end()
	}
	if r.text != nil {
		for _, piece := range r.text {
			s.pieces = append(s.pieces, delta(object{"text": piece}))
		}
		s.closing += end()
	}
	for _, c := range r.calls {
		s.closing += event("contentBlockStart", object{"contentBlockIndex": index, "start": object{"toolUse": object{"toolUseId": c.id, "name": c.name}}})
		for _, half := range halves(c.arguments) {
			s.closing += delta(object{"toolUse": object{"input": half}})
		}
		s.closing += end()
	}
	s.ending = event("messageStop", object{"stopReason": converseReasons[r.why()]}) +
		event("metadata", object{"usage": converseUsage(), "metrics": object{"latencyMs": 1}})
	return s
}
