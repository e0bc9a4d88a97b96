package messages

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
)

// DecodeRequest reads a request body. Unlike Head it demands max_tokens, as Anthropic does: other dialects would
// otherwise answer what this one refuses.
func (Codec) DecodeRequest(doc []byte, h dialects.Head) (*conversation.Request, error) {
	d := requestDecoder{r: &conversation.Request{Model: h.Model, Stream: h.Stream, Origin: origin}}
	var system, messages gjson.Result
	gjson.Parse(view(doc)).ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "system":
			system = v
		case "messages":
			messages = v
		default:
			d.member(k.Str, v)
		}
		return d.err == nil
	})
	d.system(system)
	d.messages(messages)
	switch {
	case d.err != nil:
		return nil, d.err
	case d.r.MaxTokens == nil:
		return nil, dialects.BadRequest("max_tokens", "max_tokens: field required")
	}
	return d.r, nil
}

// requestDecoder holds the request as far as it was read, and the first error.
type requestDecoder struct {
	r     *conversation.Request
	names map[string]string // tool names by call id, for the results
	err   error
}

func (d *requestDecoder) fail(param, reason string) {
	if d.err == nil {
		d.err = dialects.BadRequest(param, "%s: %s", param, reason)
	}
}

// member reads one top-level member other than the conversation itself. What the neutral form has no field for is kept
// for targets of this dialect.
func (d *requestDecoder) member(key string, v gjson.Result) {
	if v.Type == gjson.Null {
		return
	}
	switch key {
	case "model", "stream":
	case "max_tokens":
		if d.r.MaxTokens = d.integer(key, v); d.r.MaxTokens != nil && *d.r.MaxTokens < 1 {
			d.fail(key, "input should be greater than or equal to 1")
		}
	case "temperature":
		d.r.Temperature = d.number(key, v)
	case "top_p":
		d.r.TopP = d.number(key, v)
	case "top_k":
		d.r.TopK = d.number(key, v)
	case "stop_sequences":
		d.r.Stop = d.texts(key, v)
	case "metadata":
		d.r.User = v.Get("user_id").String()
	case "service_tier":
		if d.r.ServiceTier = v.Str; v.Str == "standard_only" {
			d.r.ServiceTier = "default"
		}
	case "tools":
		d.tools(v)
	case "tool_choice":
		d.choice(v)
	case "thinking":
		d.thinking(v)
	case "output_config":
		d.outputConfig(v)
	case "output_format":
		d.format(key, v)
	default:
		d.extra(key, v)
	}
}

func (d *requestDecoder) extra(name string, v gjson.Result) {
	for _, f := range d.r.Extra {
		if f.Name == name {
			return
		}
	}
	d.r.Extra = append(d.r.Extra, conversation.Field{Name: name, Value: json.RawMessage(v.Raw)})
}

func (d *requestDecoder) number(key string, v gjson.Result) conversation.Number {
	if v.Type != gjson.Number {
		d.fail(key, "input should be a valid number")
		return ""
	}
	return conversation.Number(v.Raw)
}

func (d *requestDecoder) integer(key string, v gjson.Result) *int64 {
	n, ok := count(v.Raw)
	if !ok || v.Type != gjson.Number {
		d.fail(key, "input should be a valid integer")
		return nil
	}
	return &n
}

func (d *requestDecoder) texts(key string, v gjson.Result) (out []string) {
	if !v.IsArray() {
		d.fail(key, "input should be a valid list")
		return nil
	}
	v.ForEach(func(_, v gjson.Result) bool {
		if v.Type != gjson.String {
			d.fail(key, "input should be a list of strings")
			return false
		}
		out = append(out, v.Str)
		return true
	})
	return out
}

// system makes the top-level prompt the first message. Claude Code's billing header is no prompt.
func (d *requestDecoder) system(v gjson.Result) {
	if d.err != nil || v.Type == gjson.Null || v.Type == gjson.String && v.Str == "" {
		return
	}
	blocks := d.content("system", v)
	for i := range blocks {
		b := &blocks[i]
		if b.Kind == conversation.Text && strings.HasPrefix(b.Text, billingHeader) {
			raw := v.Raw
			if v.IsArray() {
				raw = v.Get(strconv.Itoa(i)).Raw
			} else {
				raw = `{"type":"text","text":` + raw + `}`
			}
			*b = conversation.Block{Kind: conversation.Opaque, Raw: json.RawMessage(raw), Origin: origin, Cache: b.Cache}
		}
	}
	if len(blocks) > 0 {
		d.r.Messages = append(d.r.Messages, conversation.Message{Role: conversation.System, Blocks: blocks})
	}
}

func (d *requestDecoder) messages(v gjson.Result) {
	if d.err != nil {
		return
	}
	if !v.IsArray() {
		d.fail("messages", "field required")
		return
	}
	i := 0
	v.ForEach(func(_, v gjson.Result) bool {
		d.message("messages."+strconv.Itoa(i), v)
		i++
		return d.err == nil
	})
	if i == 0 {
		d.fail("messages", "at least one message is required")
	}
}

func (d *requestDecoder) message(param string, v gjson.Result) {
	if !v.IsObject() {
		d.fail(param, "input should be an object")
		return
	}
	var m conversation.Message
	switch v.Get("role").Str {
	case "user":
	case "assistant":
		m.Role = conversation.Assistant
	case "system":
		m.Role = conversation.System
	default:
		d.fail(param+".role", "input should be 'user' or 'assistant'")
		return
	}
	m.Blocks = d.content(param+".content", v.Get("content"))
	for i := range m.Blocks {
		switch b := &m.Blocks[i]; b.Kind {
		case conversation.Call:
			if d.names == nil {
				d.names = make(map[string]string)
			}
			d.names[b.Call.ID] = b.Call.Name
		case conversation.Result:
			b.Result.Name = d.names[b.Result.CallID]
		}
	}
	d.r.Messages = append(d.r.Messages, m)
}

// content reads a string or a list of blocks.
func (d *requestDecoder) content(param string, v gjson.Result) []conversation.Block {
	if v.Type == gjson.String {
		return []conversation.Block{{Kind: conversation.Text, Text: v.Str}}
	}
	if !v.IsArray() {
		d.fail(param, "input should be a string or a list of blocks")
		return nil
	}
	var blocks []conversation.Block
	v.ForEach(func(_, v gjson.Result) bool {
		b, missing := decodeBlock(v)
		if missing != "" {
			d.fail(param+"."+strconv.Itoa(len(blocks))+"."+missing, "field required, or of the wrong type")
			return false
		}
		blocks = append(blocks, b)
		return true
	})
	return blocks
}
