package llmgateway

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
)

func TestWhatIsUnderWayAtTheExitIsToldAndRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, withProvider("up", paced(true, chatRole, chatDelta, chatDelta)), withProvider("slow", silent))
		type result struct {
			code int
			body string
		}
		results := make(chan result, 2)
		for _, body := range []string{askStream("up/m"), ask("slow/m")} {
			go func() {
				w := g.post(chatPath, body)
				results <- result{w.Code, w.Body.String()}
			}()
		}
		time.Sleep(10 * time.Second) // virtual: the stream has its content
		start := time.Now()
		underway.end(exitPatience)
		if took := time.Since(start); took != 0 {
			t.Errorf("the exit took %s", took)
		}
		for range 2 {
			switch r := <-results; {
			case !strings.Contains(r.body, "shutting down") || strings.Contains(r.body, "[DONE]"):
				t.Errorf("%d %s", r.code, r.body)
			case r.code != http.StatusOK && r.code != http.StatusServiceUnavailable:
				t.Errorf("%d %s", r.code, r.body)
			}
		}
		entries := g.entries()
		for _, e := range entries {
			if e.Provider == "up" && (e.Certainty != accounting.Estimated || e.Usage.Output == 0) {
				t.Errorf("%+v", e)
			}
		}
		if len(entries) != 2 {
			t.Errorf("%d entries", len(entries))
		}
		underway.end(exitPatience) // nothing is left
	})
}

func TestAnExitDoesNotWaitForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := new(exchange)
		underway.enter(x, func(error) {})
		defer underway.leave(x)
		start := time.Now()
		underway.end(exitPatience)
		if took := time.Since(start); took != exitPatience {
			t.Errorf("took %s", took)
		}
	})
}

func TestAClientThatLeftIsNoSuccessInTheAccessLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, withProvider("up", silent))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if w := g.do(newRequest(http.MethodPost, chatPath, strings.NewReader(ask("up/m"))).WithContext(ctx)); w.Code != statusClientClosed {
			t.Errorf("status %d", w.Code)
		}
	})
}

func TestTheLastEventOfAStreamIsMadeWhole(t *testing.T) {
	whole := chatRole + chatDelta + chatFinish + chatDone
	for name, c := range map[string]struct{ sent, want string }{
		"without its blank line":  {strings.TrimSuffix(whole, "\n"), whole},
		"without a line end":      {strings.TrimRight(whole, "\n"), whole},
		"cut off, after its stop": {chatRole + chatDelta + chatFinish + `data: {"id":"c1","cho`, chatRole + chatDelta + chatFinish},
	} {
		g := newGateway(t, withProvider("up", stream(c.sent)))
		if got := g.post(chatPath, askStream("up/m")).Body.String(); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestHalfAnAnswerIsNone(t *testing.T) {
	for _, body := range []string{chatAnswer[:len(chatAnswer)/2], chatAnswer[:len(chatAnswer)-1], `{"a":{}`, `[1,2`, `{"a":1]`} {
		g := newGateway(t, withProvider("one", respond(200, body)), withProvider("two", respond(200, chatAnswer)), withModel("m", "one/x", "two/x"))
		if w := g.post(chatPath, ask("m")); g.outcome(w.Code) != "200 one:server_error two:ok" {
			t.Errorf("%q: %s", body, g.outcome(w.Code))
		}
	}
}

func TestAStreamWithoutItsFinalUsageIsEstimated(t *testing.T) {
	const start = "event: message_start\ndata: " + `{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"m-1","content":[],"stop_reason":null,"usage":{"input_tokens":10,"output_tokens":1}}}` + "\n\n" +
		"event: content_block_start\ndata: " + `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}` + "\n\n"
	const delta = "event: content_block_delta\ndata: " + `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a text of some forty bytes, nearly a line"}}` + "\n\n"
	const end = "event: content_block_stop\ndata: " + `{"type":"content_block_stop","index":0}` + "\n\n" +
		"event: message_delta\ndata: " + `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null}}` + "\n\n" +
		"event: message_stop\ndata: " + `{"type":"message_stop"}` + "\n\n"
	g := newGateway(t, withProviderConfig("up", `{"speaks":["messages"]}`, nil, stream(start+delta+delta+end)))
	g.post("/v1/messages", `{"model":"up/no-final-usage","stream":true,"max_tokens":99,"messages":[{"role":"user","content":"hi"}]}`)
	if e := g.entries(); len(e) != 1 || e[0].Certainty != accounting.Estimated || e[0].Usage.Output < 10 || e[0].Usage.Input != 10 {
		t.Errorf("%+v", e)
	}
}
