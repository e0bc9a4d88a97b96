package fakellm

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// paths are the endpoint of each dialect, unary and streaming.
var paths = map[string][2]string{
	Chat:      {"/v1/chat/completions", "/v1/chat/completions"},
	Responses: {"/v1/responses", "/v1/responses"},
	Messages:  {"/v1/messages", "/v1/messages"},
	Gemini:    {"/v1beta/models/m:generateContent", "/v1beta/models/m:streamGenerateContent?alt=sse"},
}

// bodyOf is a request with one message.
func bodyOf(dialect, prompt string, stream bool, more string) string {
	switch dialect {
	case Chat:
		return fmt.Sprintf(`{"model":"m","stream":%v,"messages":[{"role":"user","content":%q}]%s}`, stream, prompt, more)
	case Responses:
		return fmt.Sprintf(`{"model":"m","stream":%v,"input":[{"role":"user","content":[{"type":"input_text","text":%q}]}]%s}`, stream, prompt, more)
	case Messages:
		return fmt.Sprintf(`{"model":"m","stream":%v,"max_tokens":1000,"messages":[{"role":"user","content":%q}]%s}`, stream, prompt, more)
	}
	return fmt.Sprintf(`{"contents":[{"role":"user","parts":[{"text":%q}]}]%s}`, prompt, more)
}

func do(t *testing.T, s *Server, path, body string) (*http.Response, string) {
	t.Helper()
	method := http.MethodPost
	if body == "" {
		method = http.MethodGet
	}
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	resp, err := s.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// events are the data of a stream's events, without [DONE].
func events(t *testing.T, stream string) []gjson.Result {
	t.Helper()
	var out []gjson.Result
	scan := bufio.NewScanner(strings.NewReader(stream))
	scan.Buffer(nil, 1<<20)
	name := ""
	for scan.Scan() {
		line := scan.Text()
		if n, ok := strings.CutPrefix(line, "event: "); ok {
			name = n
		}
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok || data == "[DONE]" {
			continue
		}
		if !gjson.Valid(data) {
			t.Fatalf("invalid event %s", data)
		}
		e := gjson.Parse(data)
		if name != "" && e.Get("type").String() != name {
			t.Errorf("event %s has the type %s", name, e.Get("type"))
		}
		out = append(out, e)
	}
	return out
}

// said is what a response says in one dialect: text, tool arguments, tokens in and out, why it ended.
type said struct {
	text, tool, arguments, finish string
	input, output                 int64
}

func readUnary(dialect, body string) said {
	d := gjson.Parse(body)
	switch dialect {
	case Chat:
		call := d.Get("choices.0.message.tool_calls.0.function")
		return said{
			d.Get("choices.0.message.content").String(), call.Get("name").String(), call.Get("arguments").String(),
			d.Get("choices.0.finish_reason").String(), d.Get("usage.prompt_tokens").Int(), d.Get("usage.completion_tokens").Int(),
		}
	case Responses:
		item := d.Get("output.0")
		return said{
			item.Get("content.0.text").String(), item.Get("name").String(), item.Get("arguments").String(),
			d.Get("status").String(), d.Get("usage.input_tokens").Int(), d.Get("usage.output_tokens").Int(),
		}
	case Messages:
		block := d.Get("content.0")
		return said{
			block.Get("text").String(), block.Get("name").String(), block.Get("input").Raw,
			d.Get("stop_reason").String(), d.Get("usage.input_tokens").Int(), d.Get("usage.output_tokens").Int(),
		}
	}
	part := d.Get("candidates.0.content.parts.0")
	return said{
		part.Get("text").String(), part.Get("functionCall.name").String(), part.Get("functionCall.args").Raw,
		d.Get("candidates.0.finishReason").String(), d.Get("usageMetadata.promptTokenCount").Int(),
		d.Get("usageMetadata.candidatesTokenCount").Int(),
	}
}

func readStream(t *testing.T, dialect, stream string) said {
	t.Helper()
	var s said
	for i, e := range events(t, stream) {
		switch dialect {
		case Chat:
			delta := e.Get("choices.0.delta")
			s.text += delta.Get("content").String()
			s.tool += delta.Get("tool_calls.0.function.name").String()
			s.arguments += delta.Get("tool_calls.0.function.arguments").String()
			s.finish += e.Get("choices.0.finish_reason").String()
			s.input += e.Get("usage.prompt_tokens").Int()
			s.output += e.Get("usage.completion_tokens").Int()
		case Responses:
			if e.Get("sequence_number").Int() != int64(i) {
				t.Errorf("event %d has the sequence number %s", i, e.Get("sequence_number"))
			}
			switch e.Get("type").String() {
			case "response.output_text.delta":
				s.text += e.Get("delta").String()
			case "response.function_call_arguments.delta":
				s.arguments += e.Get("delta").String()
			case "response.completed", "response.incomplete":
				whole := readUnary(Responses, e.Get("response").Raw)
				if whole.text != s.text || whole.arguments != s.arguments {
					t.Errorf("the last event says %q, the stream %q", whole.text+whole.arguments, s.text+s.arguments)
				}
				s = whole
			}
		case Messages:
			s.text += e.Get("delta.text").String()
			s.arguments += e.Get("delta.partial_json").String()
			s.tool += e.Get("content_block.name").String()
			s.finish += e.Get("delta.stop_reason").String()
			if u := e.Get("usage"); u.Exists() {
				s.input, s.output = u.Get("input_tokens").Int(), u.Get("output_tokens").Int()
			}
		default:
			part := readUnary(Gemini, e.Raw)
			s.text += part.text
			s.tool, s.arguments, s.finish, s.input, s.output = part.tool, part.arguments, part.finish, part.input, part.output
		}
	}
	return s
}
