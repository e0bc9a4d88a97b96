package llmgateway

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestARequestIsNotMadeTwiceAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, withProvider("up", later(10*time.Second, respond(200, chatAnswer))))
		send := func(key, from string) *httptest.ResponseRecorder {
			r := newRequest(http.MethodPost, chatPath, strings.NewReader(ask("up/m")))
			if key != "" {
				r.Header.Set("Idempotency-Key", key)
			}
			r.RemoteAddr = from + ":1000"
			return g.do(r)
		}
		first := make(chan *httptest.ResponseRecorder)
		go func() { first <- send("a", "127.0.0.1") }()
		time.Sleep(time.Second) // virtual
		if w := send("a", "127.0.0.1"); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "idempotency_key_in_use") || w.Header().Get("X-Should-Retry") == "false" {
			t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
		}
		for _, other := range [][2]string{{"b", "127.0.0.1"}, {"a", "127.0.0.2"}, {"", "127.0.0.1"}, {strings.Repeat("x", 300), "127.0.0.1"}} {
			if w := send(other[0], other[1]); w.Code != 200 {
				t.Errorf("%.10q from %s: %d %s", other[0], other[1], w.Code, w.Body)
			}
		}
		if w := <-first; w.Code != 200 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if w := send("a", "127.0.0.1"); w.Code != 200 {
			t.Errorf("after the end of the first: %d %s", w.Code, w.Body)
		}
		if h := g.up["up"].last(t).header; h.Get("Idempotency-Key") != "" {
			t.Error("the key reaches the provider")
		}
	})
}
