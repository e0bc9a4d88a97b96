package integration

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

func TestAChatRequestIsSplicedAndItsResponseUntouched(t *testing.T) {
	up := gwServe(t, gwJSON(200, gwChatUnary, "Openai-Processing-Ms", "12"))
	c := gwStart(t, gwSite("provider openai sk-up {{up}}\nmodel fast openai/up-1"), "{{up}}", up.url)
	// Odd spacing, escapes and numbers that a parser would change.
	body := "{ \"temperature\" : 1.0,\n\"model\":\"fast\", \"x\":{\"b\":1e2,\"a\":\"\\u0041\\/\"},\"messages\":[{\"role\":\"user\",\"content\":\"h\\u00e9 \u2028\"}] }"
	a := c.post("/v1/chat/completions", body)
	if a.status != 200 || a.body != gwChatUnary {
		t.Errorf("answer %d %s", a.status, a.body)
	}
	s := up.last()
	if want := strings.Replace(body, `"fast"`, `"up-1"`, 1); s.body != want {
		t.Errorf("sent %s\nwant %s", s.body, want)
	}
	if s.uri != "/v1/chat/completions" || s.header.Get("Authorization") != "Bearer sk-up" {
		t.Errorf("sent to %s with %v", s.uri, s.header)
	}
	for name, want := range map[string]string{
		"X-Llm-Gateway-Target": "openai/up-1", "X-Llm-Gateway-Attempts": "1", "Content-Type": "application/json",
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
	if id := a.header.Get("X-Request-Id"); id == "" || a.header.Get("Request-Id") != id {
		t.Errorf("request ids in %v", a.header)
	}
}

func TestTheUsageChunkIsShownOnlyToClientsThatAskedForIt(t *testing.T) {
	up := gwServe(t, gwChatStream())
	c := gwStart(t, gwSite("provider openai sk-up {{up}}\nmodel fast openai/up-1"), "{{up}}", up.url)
	whole := gwChatStart + gwChatText("Hello ") + gwChatText("there") + gwChatStop + gwChatUsage + gwDone
	for _, tc := range []struct {
		name, options, sent string
		shown               bool
	}{
		{"not asked", ``, `,"stream_options":{"include_usage":true}`, false},
		{"null", `,"stream_options":null`, `,"stream_options":{"include_usage":true}`, false},
		{"refused", `,"stream_options":{"include_usage":false,"x":1}`, `,"stream_options":{"include_usage":true,"x":1}`, false},
		{"asked", `,"stream_options":{"include_usage":true}`, `,"stream_options":{"include_usage":true}`, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := c.post("/v1/chat/completions", `{"model":"fast","messages":[],"stream":true`+tc.options+`}`)
			want := whole
			if !tc.shown {
				want = strings.Replace(whole, gwChatUsage, "", 1)
			}
			if a.body != want {
				t.Errorf("got %s\nwant %s", a.body, want)
			}
			if sent := `{"model":"up-1","messages":[],"stream":true` + tc.sent + `}`; !gwEqualJSON(t, up.last().body, sent) {
				t.Errorf("sent %s\nwant %s", up.last().body, sent)
			}
			if u := c.usage(a); u.Get("input_tokens").Int() != 10 || u.Get("output_tokens").Int() != 5 || u.Get("usage").Str != "reported" {
				t.Errorf("usage line %s", u.Raw)
			}
		})
	}
}

func TestAnotherVendorsThoughtsDoNotReachAnthropic(t *testing.T) {
	up := gwServe(t, gwMessages.ok(false))
	c := gwStart(t, gwSite("provider p anthropic up-key {{up}}\nmodel fast p/up-1"), "{{up}}", up.url)
	a := c.post(gwMessages.path, `{"model":"fast","max_tokens":9,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[
		{"type":"thinking","thinking":"hm","signature":"~gemini:c2ln"},{"type":"text","text":"b"}]},{"role":"user","content":"c"}]}`)
	if dropped := a.header.Get("X-Llm-Gateway-Dropped"); a.status != 200 || dropped != "thinking" {
		t.Errorf("answer %d, dropped %q", a.status, dropped)
	}
	const want = `{"model":"up-1","max_tokens":9,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"text","text":"b"}]},{"role":"user","content":"c"}]}`
	if got := up.last().body; !gwEqualJSON(t, got, want) {
		t.Errorf("sent %s\nwant %s", got, want)
	}
}

func TestEveryDialectPassesThroughToAProviderThatSpeaksIt(t *testing.T) {
	gwEach(t, gwAllClients, func(t *testing.T, d *gwClient, stream bool) {
		up := gwServe(t, d.ok(stream))
		c := gwStart(t, gwSite("provider p {{kind}} up-key {{up}}\nmodel fast p/up-1"), "{{up}}", up.url, "{{kind}}", d.kind)
		a := d.send(c, "fast", stream)
		want := d.unary
		if stream {
			want = d.start + d.text("Hello ") + d.text("there") + d.end
			if d == gwChat {
				want = strings.Replace(want, gwChatUsage, "", 1)
			}
		}
		if a.status != 200 || a.body != want {
			t.Errorf("%d %s\nwant %s", a.status, a.body, want)
		}
		if s := up.last(); s.uri != d.at("up-1", stream) {
			t.Errorf("sent to %s", s.uri)
		}
		sent := d.request("up-1", stream, "Say hello")
		if d == gwChat && stream {
			sent = strings.TrimSuffix(sent, "}") + `,"stream_options":{"include_usage":true}}`
		}
		if !gwEqualJSON(t, up.last().body, sent) {
			t.Errorf("sent %s\nwant %s", up.last().body, sent)
		}
		u := c.usage(a)
		if u.Get("dialect").Str != d.name || u.Get("output_tokens").Int() != 5 || u.Get("usage").Str != "reported" ||
			u.Get("stream").Bool() != stream || u.Get("status").Int() != 200 {
			t.Errorf("usage line %s", u.Raw)
		}
	})
}

func TestMessagesHeadersThatChangeTheProtocolReachTheProvider(t *testing.T) {
	up := gwServe(t, gwMessages.ok(false))
	c := gwStart(t, gwSite("provider anthropic up-key {{up}}"), "{{up}}", up.url)
	gwMessages.send(c, "anthropic/claude-up", false, "Anthropic-Version", "2023-06-01", "Anthropic-Beta", "files-2025", "X-Custom", "no", "User-Agent", "someone/1")
	h := up.last().header
	if h.Get("Anthropic-Version") != "2023-06-01" || h.Get("Anthropic-Beta") != "files-2025" || h.Get("X-Api-Key") != "up-key" {
		t.Errorf("headers %v", h)
	}
	if h.Get("X-Custom") != "" || strings.Contains(h.Get("User-Agent"), "someone") {
		t.Errorf("the client's own headers went up: %v", h)
	}
}

func TestEmbeddingsAreMetered(t *testing.T) {
	const answer = `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.10,0.2]}],"model":"emb-up","usage":{"prompt_tokens":7,"total_tokens":7}}`
	up := gwServe(t, gwJSON(200, answer))
	c := gwStart(t, gwSite("provider openai sk-up {{up}}\nmodel emb openai/emb-up\nprice openai/emb-up input 2"), "{{up}}", up.url)
	a := c.post("/v1/embeddings", `{"input":["a","b"],"model":"emb"}`)
	if a.status != 200 || a.body != answer {
		t.Errorf("answer %d %s", a.status, a.body)
	}
	if s := up.last(); s.body != `{"input":["a","b"],"model":"emb-up"}` || s.uri != "/v1/embeddings" {
		t.Errorf("sent %s to %s", s.body, s.uri)
	}
	if u := c.usage(a); u.Get("input_tokens").Int() != 7 || u.Get("output_tokens").Int() != 0 || u.Get("usage").Str != "reported" || u.Get("cost_usd").Float() != 14e-6 {
		t.Errorf("usage line %s", u.Raw)
	}
}

func TestCountingTokensIsPassedOnAndFree(t *testing.T) {
	for _, tc := range []struct{ name, kind, path, up, body, sent, answer string }{
		{
			"messages", "anthropic", "/v1/messages/count_tokens", "/v1/messages/count_tokens",
			`{"model":"m","messages":[]}`, `{"model":"up-1","messages":[]}`, `{"input_tokens":14}`,
		},
		{
			"gemini", "gemini", "/v1beta/models/m:countTokens", "/v1beta/models/up-1:countTokens",
			`{"contents":[]}`, `{"contents":[]}`, `{"totalTokens":14}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			up := gwServe(t, gwJSON(200, tc.answer))
			c := gwStart(t, gwSite("provider p {{kind}} up-key {{up}}\nmodel m p/up-1\nprice p/* input 1000 output 1000"), "{{up}}", up.url, "{{kind}}", tc.kind)
			a := c.post(tc.path, tc.body)
			if a.status != 200 || a.body != tc.answer || up.last().body != tc.sent || up.last().uri != tc.up {
				t.Errorf("%d %s; sent %s to %s", a.status, a.body, up.last().body, up.last().uri)
			}
			if u := c.usage(a); u.Get("cost_usd").Float() != 0 || u.Get("input_tokens").Int() != 0 {
				t.Errorf("usage line %s", u.Raw)
			}
		})
	}
}

func TestModelsAreListedInTheShapeOfTheClient(t *testing.T) {
	up := gwServe(t, gwHang)
	c := gwStart(t, gwSite("provider openai sk-up {{up}}\nmodel fast openai/a\nmodel team/slow openai/b\nmodels_only"), "{{up}}", up.url)
	ids := func(a gwAnswer, path string) string {
		var out []string
		for _, m := range a.get(path).Array() {
			out = append(out, m.Str)
		}
		return strings.Join(out, " ")
	}
	a := c.get("/v1/models")
	if a.status != 200 || a.get("object").Str != "list" || ids(a, "data.#.id") != "fast team/slow" || a.get("data.0.object").Str != "model" {
		t.Errorf("openai: %d %s", a.status, a.body)
	}
	a = c.get("/v1/models", "Anthropic-Version", "2023-06-01")
	if ids(a, "data.#.id") != "fast team/slow" || a.get("data.0.type").Str != "model" || a.get("has_more").Raw != "false" || a.get("last_id").Str != "team/slow" {
		t.Errorf("anthropic: %d %s", a.status, a.body)
	}
	a = c.get("/v1beta/models")
	if ids(a, "models.#.name") != "models/fast models/team--slow" || !strings.Contains(a.get("models.0.supportedGenerationMethods").Raw, "streamGenerateContent") {
		t.Errorf("gemini: %d %s", a.status, a.body)
	}
	if a = c.get("/v1/models/fast"); a.status != 200 || a.get("id").Str != "fast" {
		t.Errorf("one model: %d %s", a.status, a.body)
	}
	if a = c.get("/v1/models/fst"); a.status != 404 || !strings.Contains(a.get("error.message").Str, "fast") {
		t.Errorf("no such model: %d %s", a.status, a.body)
	}
	up.expect(0)
}

func TestAGatewayBelowAPathLeavesOtherPathsAlone(t *testing.T) {
	up := gwServe(t, gwChat.ok(false))
	c := gwStart(t, `http://127.0.0.1:{{port}} {
		handle_path /llm/* {
			route {
				llm_gateway {
					provider openai sk-up {{up}}
				}
				respond "inner" 418
			}
		}
		respond "outer" 418
	}`, "{{up}}", up.url)
	if a := c.post("/llm/v1/chat/completions", gwChat.request("openai/up-1", false, "x")); a.status != 200 || a.body != gwChatUnary {
		t.Errorf("%d %s", a.status, a.body)
	}
	for path, want := range map[string]string{"/llm/v1/other": "inner", "/v1/chat/completions": "outer", "/": "outer", "/llm/v1%2fchat/completions": "inner"} {
		if a := c.post(path, "{}"); a.status != 418 || a.body != want {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	up.expect(1)
}

func TestAProviderPathMayHoldAnything(t *testing.T) {
	up := gwServe(t, gwGemini.ok(false))
	c := gwStart(t, gwSite("provider gemini up-key {{up}}"), "{{up}}", up.url)
	for path, want := range map[string]string{
		"/v1beta/models/gemini--a%3Fb:generateContent":           "/v1beta/models/a%3Fb:generateContent",
		"/v1beta/models/gemini/a%2Fb:generateContent":            "",
		"/v1beta/models/gemini%2Fgemini-2.5-pro:generateContent": "/v1beta/models/gemini-2.5-pro:generateContent",
	} {
		n := len(up.journal())
		a := c.post(path, gwGemini.request("", false, "x"))
		if want == "" {
			continue
		}
		if a.status != 200 || len(up.journal()) != n+1 || up.last().uri != want {
			t.Errorf("%s: %d %s, sent to %s", path, a.status, a.body, up.last().uri)
		}
	}
}

func TestProbesOfClientsAreAnswered(t *testing.T) {
	up := gwServe(t, gwHang)
	c := gwStart(t, gwSite("provider openai sk-up {{up}}"), "{{up}}", up.url)
	if a := c.do(http.MethodHead, c.url("/api/hello"), ""); a.status != 200 {
		t.Errorf("HEAD /api/hello: %d", a.status)
	}
	a := c.get("/v1/responses", "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	if a.status != http.StatusUpgradeRequired {
		t.Errorf("websocket: %d", a.status)
	}
	up.expect(0)
}

func TestAJSONAnswerToAStreamRequestIsTurnedIntoAStream(t *testing.T) {
	for _, d := range gwBasicClients {
		for _, up := range gwBasicClients {
			t.Run(d.name+" from "+up.name, func(t *testing.T) {
				u := gwServe(t, gwJSON(200, up.unary))
				c := gwStart(t, gwSite("provider p {{kind}} up-key {{up}}"), "{{up}}", u.url, "{{kind}}", up.kind)
				a := d.send(c, "p/m", true)
				if a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/event-stream") || !strings.Contains(a.body, d.terminal) {
					t.Fatalf("%d %s %s", a.status, a.header.Get("Content-Type"), a.body)
				}
				if got := gwStreamText(d, a.body); !strings.HasPrefix(got, "Hello") {
					t.Errorf("text %q", got)
				}
			})
		}
	}
}

// gwStreamText joins the text of a stream.
func gwStreamText(d *gwClient, stream string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(stream, "\n") {
		data, ok := strings.CutPrefix(strings.TrimRight(line, "\r"), "data: ")
		if !ok || !gjson.Valid(data) {
			continue
		}
		switch d {
		case gwChat:
			b.WriteString(gjson.Get(data, "choices.0.delta.content").Str)
		case gwMessages:
			b.WriteString(gjson.Get(data, "delta.text").Str)
		case gwResponses:
			b.WriteString(gjson.Get(data, "delta").Str)
		case gwGemini:
			b.WriteString(gjson.Get(data, "candidates.0.content.parts.0.text").Str)
		}
	}
	return b.String()
}

func TestAGeminiStreamWithoutSSEIsAnArray(t *testing.T) {
	for name, reply := range map[string]gwReply{
		"complete": gwGemini.ok(true), "broken": gwStream(gwGemini.text("Hello "), gwGemini.text("there"), gwCut{}),
	} {
		t.Run(name, func(t *testing.T) {
			up := gwServe(t, reply)
			c := gwStart(t, gwSite("provider gemini k {{up}}"), "{{up}}", up.url)
			a := c.post("/v1beta/models/gemini--m:streamGenerateContent", gwGemini.request("", true, "x"))
			if a.status != 200 || a.header.Get("Content-Type") != "application/json" || !gjson.Valid(a.body) {
				t.Fatalf("%d %v %s", a.status, a.header, a.body)
			}
			elements := gjson.Parse(a.body).Array()
			var text strings.Builder
			for _, e := range elements {
				text.WriteString(e.Get("candidates.0.content.parts.0.text").Str)
			}
			last := elements[len(elements)-1]
			if text.String() != "Hello there" || last.Get("error").Exists() != (name == "broken") {
				t.Errorf("%s", a.body)
			}
			if up.last().uri != "/v1beta/models/m:streamGenerateContent?alt=sse" {
				t.Errorf("sent to %s", up.last().uri)
			}
		})
	}
}
