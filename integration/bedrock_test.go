package integration

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net/http"
	"strings"
	"testing"
)

// gwBedrockFrame is a frame of application/vnd.amazon.eventstream: kind is "event" or "exception", name its type.
func gwBedrockFrame(kind, name, payload string) string {
	var h []byte
	for _, pair := range [][2]string{{":" + kind + "-type", name}, {":content-type", "application/json"}, {":message-type", kind}} {
		h = append(append(h, byte(len(pair[0]))), pair[0]...)
		h = binary.BigEndian.AppendUint16(append(h, 7), uint16(len(pair[1])))
		h = append(h, pair[1]...)
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(12+len(h)+len(payload)+4))
	b = binary.BigEndian.AppendUint32(b, uint32(len(h)))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(append(b, h...), payload...)
	return string(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)))
}

// gwBedrockStream answers with a stream of frames, or of the pieces that they are cut into.
func gwBedrockStream(pieces ...string) gwReply {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		rc := http.NewResponseController(w)
		for _, p := range pieces {
			_, _ = w.Write([]byte(p))
			_ = rc.Flush()
		}
	}
}

var (
	gwBedrockStart = gwBedrockFrame("event", "messageStart", `{"role":"assistant","p":"ab"}`)
	gwBedrockText  = gwBedrockFrame("event", "contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"Hello "}}`) +
		gwBedrockFrame("event", "contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"there"}}`)
	gwBedrockEnd = gwBedrockFrame("event", "contentBlockStop", `{"contentBlockIndex":0}`) +
		gwBedrockFrame("event", "messageStop", `{"stopReason":"end_turn"}`) +
		gwBedrockFrame("event", "metadata", `{"usage":{"inputTokens":11,"outputTokens":5,"totalTokens":16},"metrics":{"latencyMs":1}}`)
	gwBedrockSlow = gwBedrockFrame("exception", "throttlingException", `{"message":"Too many requests"}`)
)

const gwBedrockUnary = `{"output":{"message":{"role":"assistant","content":[{"text":"Hello there"}]}},"stopReason":"end_turn","usage":{"inputTokens":11,"outputTokens":5,"totalTokens":16}}`

// gwBedrock is a model id that has to be escaped.
const gwBedrock = "us.amazon.nova-lite-v1:0"

// gwBedrockSite has a provider for Bedrock, and one for chat completions to fall back to.
func gwBedrockSite(t *testing.T, bedrock, chat string) *gwCaddy {
	t.Helper()
	return gwStart(t, gwSite("provider b bedrock up-key {{b}}\nprovider c openai up-key {{c}}\nmodel fast {\nto b/"+gwBedrock+"\nfallback c/up-1\n}\nlb_try_interval 1ms"),
		"{{b}}", bedrock, "{{c}}", chat)
}

func gwBedrockReply(stream bool) gwReply {
	if !stream {
		return gwJSON(200, gwBedrockUnary)
	}
	all := gwBedrockStart + gwBedrockText + gwBedrockEnd
	return gwBedrockStream(all[:20], all[20:133], all[133:])
}

func TestClientsOfEveryDialectReachBedrock(t *testing.T) {
	gwEach(t, gwAllClients, func(t *testing.T, d *gwClient, stream bool) {
		up, other := gwServe(t, gwBedrockReply(stream)), gwServe(t, gwJSON(200, gwChatUnary))
		c := gwBedrockSite(t, up.url, other.url)
		a := d.send(c, "fast", stream)
		if a.status != 200 || !strings.Contains(a.body, "there") || !strings.Contains(a.body, d.terminal) && stream {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if text := gwStreamText(d, a.body); stream && text != "Hello there" {
			t.Errorf("text %q", text)
		}
		s, operation := up.last(), "converse"
		if stream {
			operation = "converse-stream"
		}
		if want := "/model/us.amazon.nova-lite-v1%3A0/" + operation; s.uri != want {
			t.Errorf("sent to %s, not %s", s.uri, want)
		}
		if s.header.Get("Authorization") != "Bearer up-key" || !strings.Contains(s.body, `{"role":"user","content":[{"text":"Say hello"}]}`) {
			t.Errorf("sent %s with %v", s.body, s.header)
		}
		other.expect(0)
		u := c.usage(a)
		if u.Get("input_tokens").Int() != 11 || u.Get("output_tokens").Int() != 5 || u.Get("usage").Str != "reported" {
			t.Errorf("usage line %s", u.Raw)
		}
	})
}

func TestBedrocksErrorsBeforeTheFirstContentFallBack(t *testing.T) {
	for name, reply := range map[string]gwReply{
		"a refusal":             gwJSON(429, `{"message":"Too many requests"}`, "X-Amzn-Errortype", "ThrottlingException:http://internal.amazon.com/"),
		"an exception":          gwBedrockStream(gwBedrockSlow),
		"an exception later on": gwBedrockStream(gwBedrockStart, gwBedrockSlow),
		"a damaged frame":       gwBedrockStream(gwBedrockStart, strings.Replace(gwBedrockText, "Hello", "Jello", 1)),
		"half a frame":          gwBedrockStream(gwBedrockStart, gwBedrockText[:30]),
	} {
		t.Run(name, func(t *testing.T) {
			up, other := gwServe(t, reply), gwServe(t, gwChat.ok(true))
			c := gwBedrockSite(t, up.url, other.url)
			a := gwChat.send(c, "fast", true)
			if a.status != 200 || gwStreamText(gwChat, a.body) != "Hello there" {
				t.Errorf("%d %s", a.status, a.body)
			}
			other.expect(1)
		})
	}
}

func TestAnExceptionInTheMiddleOfAStreamIsAnErrorEvent(t *testing.T) {
	for _, d := range gwAllClients {
		t.Run(d.name, func(t *testing.T) {
			up, other := gwServe(t, gwBedrockStream(gwBedrockStart+gwBedrockText, gwBedrockSlow)), gwServe(t, gwChat.ok(true))
			c := gwBedrockSite(t, up.url, other.url)
			a := d.send(c, "fast", true)
			if a.status != 200 || gwStreamText(d, a.body) != "Hello there" || !strings.Contains(a.body, "Too many requests") {
				t.Errorf("%d %s", a.status, a.body)
			}
			d.brokenStream(t, a.body)
			other.expect(0)
			if u := c.usage(a); u.Get("error").Str != "rate_limit" {
				t.Errorf("usage line %s", u.Raw)
			}
		})
	}
}

func TestAStreamOfBedrocksThatIsCutAfterItsContentIsBroken(t *testing.T) {
	for i, cut := range []string{gwBedrockText, gwBedrockText + gwBedrockEnd[:40]} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			up, other := gwServe(t, gwBedrockStream(gwBedrockStart, cut)), gwServe(t, gwChat.ok(true))
			c := gwBedrockSite(t, up.url, other.url)
			a := gwMessages.send(c, "fast", true)
			gwMessages.brokenStream(t, a.body)
			other.expect(0)
		})
	}
}

func TestBedrockIsAskedForTheTokensOfARequest(t *testing.T) {
	up, other := gwServe(t, gwJSON(200, `{"inputTokens":375}`)), gwServe(t, gwJSON(200, gwChatUnary))
	c := gwBedrockSite(t, up.url, other.url)
	a := c.post("/v1/messages/count_tokens", `{"model":"fast","system":"Be brief.","messages":[{"role":"user","content":"Say hello"}]}`)
	if a.status != 200 || a.get("input_tokens").Int() != 375 || a.header.Get("X-Llm-Gateway-Estimated") != "" {
		t.Errorf("%d %s %v", a.status, a.body, a.header)
	}
	s := up.last()
	if want := "/model/amazon.nova-lite-v1%3A0/count-tokens"; s.uri != want {
		t.Errorf("sent to %s, not %s", s.uri, want)
	}
	if want := `{"input":{"converse":{"system":[{"text":"Be brief."}],"messages":[{"role":"user","content":[{"text":"Say hello"}]}]}}}`; s.body != want {
		t.Errorf("sent %s, not %s", s.body, want)
	}
}
