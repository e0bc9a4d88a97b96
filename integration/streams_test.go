package integration

import (
	"net/http"
	"strings"
	"testing"
)

func TestASlowFirstTokenFallsBack(t *testing.T) {
	for _, d := range gwAllClients {
		for name, slow := range map[string]gwReply{
			"no answer": gwHang, "headers only": gwStream(gwStall{}), "no content": gwStream(d.start, gwStall{}),
			"pings only": gwStream(": ping\n\n", gwStall{}),
		} {
			t.Run(d.name+" "+name, func(t *testing.T) {
				one, two := gwServe(t, slow), gwServe(t, d.ok(true))
				c := d.startTwo(t, one.url, two.url, "first_token_timeout 50ms")
				d.good(t, d.send(c, "m", true), true, 2, "two/up-2")
				gwWait(t, "canceling the slow request", one.last().gone)
			})
		}
	}
}

func TestASilentStreamEndsWithAnErrorEvent(t *testing.T) {
	for _, d := range gwAllClients {
		t.Run(d.name, func(t *testing.T) {
			one, two := gwServe(t, gwStream(d.start, d.text("Hello"), gwStall{})), gwServe(t, d.ok(true))
			c := d.startTwo(t, one.url, two.url, "idle_timeout 50ms")
			a := d.send(c, "m", true)
			if a.status != 200 || gwStreamText(d, a.body) != "Hello" {
				t.Errorf("%d %s", a.status, a.body)
			}
			d.brokenStream(t, a.body)
			two.expect(0)
			gwWait(t, "canceling the silent request", one.last().gone)
			if u := c.usage(a); u.Get("attempts").Int() != 1 || u.Get("error").Str != "timeout" || u.Get("usage").Str != "estimated" || u.Get("output_tokens").Int() < 1 {
				t.Errorf("usage line %s", u.Raw)
			}
		})
	}
}

func TestAStreamThatBreaksAfterItsContentEndsWithAnErrorEvent(t *testing.T) {
	for _, d := range gwAllClients {
		for name, tc := range map[string]struct {
			step  any
			class string
		}{
			"reset": {gwCut{}, "server_error"}, "clean end without end marker": {"", "server_error"}, "error event": {d.errorFrame, ""},
		} {
			t.Run(d.name+" "+name, func(t *testing.T) {
				gate := make(gwGate)
				one, two := gwServe(t, gwStream(d.start, d.text("Hel"), d.text("lo"), gate, tc.step)), gwServe(t, d.ok(true))
				c := d.startTwo(t, one.url, two.url, "")
				resp := c.open(t.Context(), http.MethodPost, c.url(d.at("m", true)), d.request("m", true, "Say hello"))
				s := gwReadStream(t, resp)
				var head string
				for gwStreamText(d, head) != "Hello" {
					head += s.must() + "\n"
				}
				close(gate)
				rest := s.rest()
				d.brokenStream(t, rest)
				if strings.Contains(gwStreamText(d, rest), "l") {
					t.Errorf("content was repeated: %s", rest)
				}
				two.expect(0)
				u := c.usage(gwAnswer{header: resp.Header})
				if u.Get("attempts").Int() != 1 || !u.Get("error").Exists() || tc.class != "" && u.Get("error").Str != tc.class {
					t.Errorf("usage line %s", u.Raw)
				}
				if n := c.metric("caddy_llm_gateway_streams_interrupted_total", `model="m"`, `by="upstream"`, `provider="one"`); n < 1 {
					t.Errorf("%v interrupted streams counted", n)
				}
			})
		}
	}
}

func TestNothingIsWrittenBeforeTheFirstContent(t *testing.T) {
	for _, d := range gwAllClients {
		t.Run(d.name, func(t *testing.T) {
			started, gate := make(chan struct{}), make(gwGate)
			up := gwServe(t, func(w http.ResponseWriter, r *http.Request) {
				gwStream(d.start, ": comment\n\n")(w, r)
				close(started)
				gwStream(gate, d.text("Hello"), d.end)(gwNoHeader{w}, r)
			})
			c := gwStart(t, gwSite("provider p {{kind}} key {{up}}"), "{{up}}", up.url, "{{kind}}", d.kind)
			headers := make(chan *http.Response, 1)
			go func() {
				resp, err := c.try(t.Context(), http.MethodPost, c.url(d.at("p--m", true)), d.request("p/m", true, "x"))
				if err != nil {
					t.Errorf("request: %v", err)
				}
				headers <- resp
			}()
			gwWait(t, "the start of the provider's stream", started)
			// A second request through the whole gateway gives a premature answer time to arrive.
			if a := c.get("/v1/models"); a.status != 200 {
				t.Fatalf("%d", a.status)
			}
			select {
			case <-headers:
				t.Error("the client had an answer before there was any content")
				return
			default:
			}
			close(gate)
			s := gwReadStream(t, <-headers)
			if rest := s.rest(); gwStreamText(d, rest) != "Hello" {
				t.Errorf("got %s", rest)
			}
		})
	}
}

// gwNoHeader continues a response that has begun.
type gwNoHeader struct{ http.ResponseWriter }

func (gwNoHeader) WriteHeader(int)               {}
func (w gwNoHeader) Unwrap() http.ResponseWriter { return w.ResponseWriter }
