package integration

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// gwTranslations are the pairs of client and provider that need a translation.
var gwTranslations = []struct{ client, provider *gwClient }{
	{gwChat, gwMessages}, {gwChat, gwGemini}, {gwMessages, gwChat}, {gwMessages, gwGemini},
}

// weather is a request with a tool, in the client's dialect.
func (d *gwClient) weather(model string, stream bool) string {
	if d == gwMessages {
		return fmt.Sprintf(`{"model":%q,"max_tokens":100,"stream":%v,"system":"Be brief.","messages":[{"role":"user","content":"Weather in Paris?"}],
			"tools":[{"name":"get_weather","description":"d","input_schema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}]}`, model, stream)
	}
	return fmt.Sprintf(`{"model":%q,"max_tokens":100,"stream":%v,"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Weather in Paris?"}],
		"tools":[{"type":"function","function":{"name":"get_weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}]}`, model, stream)
}

// calls is the provider's answer that calls the tool.
func (d *gwClient) calls(stream bool) gwReply {
	switch {
	case d == gwChat && !stream:
		return gwJSON(200, `{"id":"c1","object":"chat.completion","created":1,"model":"up-1","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Paris\"}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`)
	case d == gwChat:
		return gwStream(gwChatStart,
			gwChatChunk(`{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"get_weather","arguments":""}}]}`, ""),
			gwChatChunk(`{"tool_calls":[{"index":0,"function":{"arguments":"{\"city\":"}}]}`, ""),
			gwChatChunk(`{"tool_calls":[{"index":0,"function":{"arguments":"\"Paris\"}"}}]}`, ""),
			gwChatChunk(`{}`, `"tool_calls"`), gwChatUsage, gwDone)
	case d == gwMessages && !stream:
		return gwJSON(200, `{"id":"msg_1","type":"message","role":"assistant","model":"claude-up","content":[{"type":"tool_use","id":"call_1","name":"get_weather","input":{"city":"Paris"}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":5}}`)
	case d == gwMessages:
		return gwStream(gwMsgStart,
			gwEvent("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"call_1","name":"get_weather","input":{}}}`),
			gwEvent("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"city\":"}}`),
			gwEvent("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"\"Paris\"}"}}`),
			gwEvent("content_block_stop", `{"type":"content_block_stop","index":0}`),
			gwEvent("message_delta", `{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":5}}`),
			gwEvent("message_stop", `{"type":"message_stop"}`))
	}
	const body = `{"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"name":"get_weather","args":{"city":"Paris"}},"thoughtSignature":"c2ln"}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15},"modelVersion":"gemini-up","responseId":"r1"}`
	if stream {
		return gwStream("data: " + body + "\r\n\r\n")
	}
	return gwJSON(200, body)
}

// gwCall is a tool call as the client sees it.
type gwCall struct{ id, name, arguments, finish string }

// readCall reads the tool call from a response or a whole stream.
func (d *gwClient) readCall(body string, stream bool) gwCall {
	var c gwCall
	if !stream {
		if d == gwMessages {
			use := gjson.Get(body, `content.#(type=="tool_use")`)
			return gwCall{use.Get("id").Str, use.Get("name").Str, use.Get("input").Raw, gjson.Get(body, "stop_reason").Str}
		}
		call := gjson.Get(body, "choices.0.message.tool_calls.0")
		return gwCall{call.Get("id").Str, call.Get("function.name").Str, call.Get("function.arguments").Str, gjson.Get(body, "choices.0.finish_reason").Str}
	}
	for line := range strings.SplitSeq(body, "\n") {
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		paths := []string{"choices.0.delta.tool_calls.0.id", "choices.0.delta.tool_calls.0.function.name", "choices.0.delta.tool_calls.0.function.arguments", "choices.0.finish_reason"}
		if d == gwMessages {
			paths = []string{"content_block.id", "content_block.name", "delta.partial_json", "delta.stop_reason"}
		}
		for i, to := range []*string{&c.id, &c.name, &c.arguments, &c.finish} {
			*to += gjson.Get(data, paths[i]).Str
		}
	}
	return c
}

// result is the request that answers the tool call, in the client's dialect.
func (d *gwClient) result(model string, stream bool, call gwCall) string {
	first := d.weather(model, stream)
	if d == gwMessages {
		turn := fmt.Sprintf(`,{"role":"assistant","content":[{"type":"tool_use","id":%q,"name":%q,"input":%s}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":%q,"content":"sunny"}]}]`,
			call.id, call.name, call.arguments, call.id)
		return strings.Replace(first, `"Weather in Paris?"}]`, `"Weather in Paris?"}`+turn, 1)
	}
	turn := fmt.Sprintf(`,{"role":"assistant","content":null,"tool_calls":[{"id":%q,"type":"function","function":{"name":%q,"arguments":%q}}]},{"role":"tool","tool_call_id":%q,"content":"sunny"}]`,
		call.id, call.name, call.arguments, call.id)
	return strings.Replace(first, `"Weather in Paris?"}]`, `"Weather in Paris?"}`+turn, 1)
}

func TestTextIsTranslatedInBothDirections(t *testing.T) {
	for _, pair := range gwTranslations {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s to %s stream %v", pair.client.name, pair.provider.name, stream), func(t *testing.T) {
				d, p := pair.client, pair.provider
				up := gwServe(t, p.ok(stream))
				c := gwStart(t, gwSite("provider p {{kind}} up-key {{up}}\nmodel fast p/up-1"), "{{up}}", up.url, "{{kind}}", p.kind)
				a := d.send(c, "fast", stream)
				if a.status != 200 {
					t.Fatalf("%d %s", a.status, a.body)
				}
				text, model := a.get("choices.0.message.content").Str, a.get("model").Str
				if d == gwMessages {
					text = a.get("content.0.text").Str
				}
				if stream {
					text, model = gwStreamText(d, a.body), "fast"
					if !strings.Contains(a.body, d.terminal) || strings.Contains(a.body, `"model":"up-1"`) || !strings.Contains(a.body, `"model":"fast"`) {
						t.Errorf("stream %s", a.body)
					}
				}
				if strings.Join(strings.Fields(text), " ") != "Hello there" || model != "fast" {
					t.Errorf("text %q, model %q: %s", text, model, a.body)
				}
				s := up.last()
				if uri := p.at("up-1", stream); s.uri != uri {
					t.Errorf("sent to %s, not %s", s.uri, uri)
				}
				if !strings.Contains(s.body, "Say hello") {
					t.Errorf("sent %s", s.body)
				}
				u := c.usage(a)
				if u.Get("dialect").Str != d.name || u.Get("output_tokens").Int() != 5 || u.Get("usage").Str != "reported" {
					t.Errorf("usage line %s", u.Raw)
				}
			})
		}
	}
}

func TestAToolCallMakesTheRoundTripThroughATranslation(t *testing.T) {
	for _, pair := range gwTranslations {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s to %s stream %v", pair.client.name, pair.provider.name, stream), func(t *testing.T) {
				d, p := pair.client, pair.provider
				up := gwSequence(t, p.calls(stream), p.ok(stream))
				c := gwStart(t, gwSite("provider p {{kind}} up-key {{up}}\nmodel fast p/up-1"), "{{up}}", up.url, "{{kind}}", p.kind)
				a := c.post(d.path, d.weather("fast", stream))
				call := d.readCall(a.body, stream)
				finish := map[*gwClient]string{gwChat: "tool_calls", gwMessages: "tool_use"}[d]
				if a.status != 200 || call.id == "" || call.name != "get_weather" || !gwEqualJSON(t, call.arguments, `{"city":"Paris"}`) || call.finish != finish {
					t.Fatalf("%d, call %+v: %s", a.status, call, a.body)
				}
				p.sentWeather(t, up.last().body)
				a = c.post(d.path, d.result("fast", stream, call))
				if a.status != 200 {
					t.Fatalf("%d %s", a.status, a.body)
				}
				p.sentResult(t, up.last().body, call)
			})
		}
	}
}

// sentWeather checks the first request as the provider got it.
func (d *gwClient) sentWeather(t *testing.T, body string) {
	t.Helper()
	paths := map[*gwClient][]string{
		gwChat:     {"messages.0.content", "tools.0.function.name", "tools.0.function.parameters"},
		gwMessages: {"system", "tools.0.name", "tools.0.input_schema"},
		gwGemini:   {"systemInstruction.parts.0.text", "tools.0.functionDeclarations.0.name", "tools.0.functionDeclarations.0"},
	}[d]
	if got := gjson.Get(body, paths[0]); !strings.Contains(got.Raw, "Be brief.") {
		t.Errorf("no system prompt in %s", body)
	}
	if got := gjson.Get(body, paths[1]).Str; got != "get_weather" {
		t.Errorf("tool %q in %s", got, body)
	}
	if got := gjson.Get(body, paths[2]).Raw; !strings.Contains(got, `"city"`) || !strings.Contains(got, `"required"`) {
		t.Errorf("schema %s in %s", got, body)
	}
}

// sentResult checks the request with the tool's result as the provider got it.
func (d *gwClient) sentResult(t *testing.T, body string, call gwCall) {
	t.Helper()
	switch d {
	case gwChat:
		m := gjson.Get(body, "messages")
		use, result := m.Get(`#(role=="assistant").tool_calls.0`), m.Get(`#(role=="tool")`)
		if use.Get("id").Str != call.id || result.Get("tool_call_id").Str != call.id || !strings.Contains(result.Get("content").Raw, "sunny") ||
			!gwEqualJSON(t, use.Get("function.arguments").Str, `{"city":"Paris"}`) {
			t.Errorf("sent %s", body)
		}
	case gwMessages:
		m := gjson.Get(body, "messages")
		use, result := m.Get(`1.content.#(type=="tool_use")`), m.Get(`2.content.#(type=="tool_result")`)
		if use.Get("id").Str != call.id || result.Get("tool_use_id").Str != call.id || !strings.Contains(result.Raw, "sunny") || use.Get("input.city").Str != "Paris" {
			t.Errorf("sent %s", body)
		}
	case gwGemini:
		m := gjson.Get(body, "contents")
		use, result := m.Get("1.parts.0.functionCall"), m.Get("2.parts.0.functionResponse")
		if use.Get("name").Str != "get_weather" || use.Get("args.city").Str != "Paris" || result.Get("name").Str != "get_weather" || !strings.Contains(result.Raw, "sunny") {
			t.Errorf("sent %s", body)
		}
	}
}

func TestErrorsOfAProviderAreTranslated(t *testing.T) {
	for _, pair := range gwTranslations {
		t.Run(pair.client.name+" to "+pair.provider.name, func(t *testing.T) {
			d, p := pair.client, pair.provider
			up := gwServe(t, p.fails(400, "temperature is too hot"))
			c := gwStart(t, gwSite("provider p {{kind}} up-key {{up}}"), "{{up}}", up.url, "{{kind}}", p.kind)
			for _, stream := range []bool{false, true} {
				d.refused(t, d.send(c, "p/m", stream), 400, "temperature is too hot")
			}
		})
	}
}

func TestATranslatedStreamThatBreaksEndsWithAnErrorEvent(t *testing.T) {
	for _, pair := range gwTranslations {
		for name, step := range map[string]any{"reset": gwCut{}, "clean end": "", "error event": pair.provider.errorFrame} {
			t.Run(pair.client.name+" to "+pair.provider.name+" "+name, func(t *testing.T) {
				d, p := pair.client, pair.provider
				gate := make(gwGate)
				up := gwServe(t, gwStream(p.start, p.text("Hello"), gate, step))
				c := gwStart(t, gwSite("provider p {{kind}} up-key {{up}}"), "{{up}}", up.url, "{{kind}}", p.kind)
				s := gwReadStream(t, c.open(t.Context(), http.MethodPost, c.url(d.path), d.request("p/m", true, "x")))
				var head string
				for gwStreamText(d, head) != "Hello" {
					head += s.must() + "\n"
				}
				close(gate)
				d.brokenStream(t, s.rest())
				up.expect(1)
			})
		}
	}
}

// The request body goes back to a pool once a stream has begun. Whatever the translation still needs must not be in it.
func TestATranslatedStreamKeepsItsModelNameWhileOtherRequestsGoBy(t *testing.T) {
	for _, pair := range gwTranslations {
		t.Run(pair.client.name+" to "+pair.provider.name, func(t *testing.T) {
			d, p := pair.client, pair.provider
			gate := make(gwGate)
			slow := gwServe(t, gwStream(p.start, p.text("one "), gate, p.text("two "), gate, p.text("three"), p.end))
			quick := gwServe(t, p.ok(true))
			c := gwStart(t, gwSite("provider slow {{kind}} k {{slow}}\nprovider quick {{kind}} k {{quick}}\nmodel the-slow-model slow/up\nmodel another-model-00 quick/up"),
				"{{slow}}", slow.url, "{{quick}}", quick.url, "{{kind}}", p.kind)
			resp := c.open(t.Context(), http.MethodPost, c.url(d.path), d.request("the-slow-model", true, "x"))
			s := gwReadStream(t, resp)
			all := s.must() + "\n"
			for range 2 {
				for range 20 {
					if a := d.send(c, "another-model-00", true); a.status != 200 {
						t.Fatalf("%d %s", a.status, a.body)
					}
				}
				gate <- struct{}{}
			}
			all += s.rest()
			if strings.Contains(all, "another") || !strings.Contains(all, d.terminal) || gwStreamText(d, all) != "one two three" {
				t.Errorf("stream %s", all)
			}
			for line := range strings.SplitSeq(all, "\n") {
				data, _ := strings.CutPrefix(line, "data: ")
				for _, path := range []string{"model", "message.model"} {
					if m := gjson.Get(data, path); m.Exists() && m.Str != "the-slow-model" {
						t.Errorf("model %q in %s", m.Str, data)
					}
				}
			}
			if u := c.usage(gwAnswer{header: resp.Header}); u.Get("model").Str != "the-slow-model" || u.Get("upstream_model").Str != "up" {
				t.Errorf("usage line %s", u.Raw)
			}
		})
	}
}

func TestWhatATranslationCannotCarryIsNamedOrRefused(t *testing.T) {
	up := gwServe(t, gwMessages.ok(false))
	const body = `{"model":"p/m","max_tokens":10,"logit_bias":{"1":2},"messages":[{"role":"user","content":"x"}]}`
	c := gwStart(t, gwSite("provider p anthropic k {{up}}"), "{{up}}", up.url)
	if a := c.post(gwChat.path, body); a.status != 200 || !strings.Contains(a.header.Get("X-Llm-Gateway-Dropped"), "logit_bias") {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	c.load(gwSite("strict\nprovider p anthropic k {{up}}"), "{{up}}", up.url)
	gwChat.refused(t, c.post(gwChat.path, body), 400, "logit_bias", "strict")
	up.expect(1)
}

func TestAFallbackMayCrossDialects(t *testing.T) {
	gwEach(t, gwBasicClients, func(t *testing.T, d *gwClient, stream bool) {
		other := map[*gwClient]*gwClient{gwChat: gwMessages, gwMessages: gwChat}[d]
		one, two := gwServe(t, d.fails(500, "oops")), gwServe(t, other.ok(stream))
		c := gwStart(t, gwSite("provider one {{kind}} k {{one}}\nprovider two {{other}} k {{two}}\nmodel m one/a two/b"),
			"{{one}}", one.url, "{{two}}", two.url, "{{kind}}", d.kind, "{{other}}", other.kind)
		a := d.send(c, "m", stream)
		if a.status != 200 || a.header.Get("X-Llm-Gateway-Target") != "two/b" || !strings.Contains(a.body, "there") {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}

func TestAStreamForAGeminiClientIsAnArrayWhoeverAnswers(t *testing.T) {
	for _, p := range []*gwClient{gwChat, gwMessages, gwGemini} {
		for name, tt := range map[string]struct {
			reply gwReply
			tail  string // a path that only the last element has
		}{
			"complete":     {p.ok(true), "candidates.0.finishReason"},
			"in one piece": {p.ok(false), "candidates.0.finishReason"},
			"broken":       {gwStream(p.start, p.text("Hello "), p.text("there"), gwCut{}), "error.message"},
		} {
			t.Run(p.name+" "+name, func(t *testing.T) {
				up := gwServe(t, tt.reply)
				c := gwStart(t, gwSite("provider p {{kind}} k {{up}}"), "{{up}}", up.url, "{{kind}}", p.kind)
				a := c.post("/v1beta/models/p--m:streamGenerateContent", gwGemini.request("", true, "x"))
				list := gjson.Parse(a.body)
				if a.status != 200 || !gjson.Valid(a.body) || !list.IsArray() || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
					t.Fatalf("%d %s %s", a.status, a.header.Get("Content-Type"), a.body)
				}
				said := ""
				for i, chunk := range list.Array() {
					said += chunk.Get("candidates.0.content.parts.0.text").Str
					if last := int64(i) == list.Get("#").Int()-1; chunk.Get(tt.tail).Exists() != last {
						t.Errorf("element %d is %s", i, chunk.Raw)
					}
				}
				if strings.Join(strings.Fields(said), " ") != "Hello there" {
					t.Errorf("said %q in %s", said, a.body)
				}
			})
		}
	}
}
