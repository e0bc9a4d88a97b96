package integration

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
)

func TestReloadsBreakNoStream(t *testing.T) {
	const streams, reloads = 8, 20
	for _, d := range gwAllClients {
		t.Run(d.name, func(t *testing.T) {
			gates := make([]gwGate, streams)
			up := gwScript(t, func(s *gwSeen) gwReply {
				i := strings.Index(s.body, "stream-")
				if i < 0 {
					return d.ok(false)
				}
				var n int
				if _, err := fmt.Sscanf(s.body[i:], "stream-%d", &n); err != nil {
					t.Errorf("%v in %s", err, s.body)
				}
				steps := []any{d.start, d.text("0 ")}
				for k := 1; k <= reloads; k++ {
					steps = append(steps, gates[n], d.text(fmt.Sprintf("%d ", k)))
				}
				return gwStream(append(steps, gates[n], d.end)...)
			})
			site := func(k int) string {
				return gwSite(fmt.Sprintf("provider p {{kind}} k {{up}}\nmodel m p/up\nmodel extra-%d p/other\nmetrics on", k))
			}
			vars := []string{"{{up}}", up.url, "{{kind}}", d.kind}
			c := gwStart(t, site(0), vars...)
			if a := d.send(c, "m", false); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			c.client.CloseIdleConnections()
			up.server.CloseClientConnections()
			labels := []string{`model="m"`, `dialect="` + d.name + `"`}
			before := c.metric("caddy_llm_gateway_requests_total", labels...)
			inFlight := c.metric("caddy_llm_gateway_requests_in_flight")
			goroutines := runtime.NumGoroutine()
			var open []*gwSSE
			for n := range streams {
				gates[n] = make(gwGate)
				resp := c.open(t.Context(), http.MethodPost, c.url(d.at("m", true)), d.request("m", true, fmt.Sprintf("stream-%d", n)))
				if resp.StatusCode != 200 {
					t.Fatalf("stream %d: %d", n, resp.StatusCode)
				}
				open = append(open, gwReadStream(t, resp))
			}
			if n := c.metric("caddy_llm_gateway_requests_in_flight"); n != inFlight+streams {
				t.Errorf("%v requests in flight, %v before", n, inFlight)
			}
			texts := make([]string, streams)
			for k := 1; k <= reloads; k++ {
				c.load(site(k), vars...)
				for n, s := range open {
					gates[n] <- struct{}{}
					for !strings.HasSuffix(texts[n], fmt.Sprintf("%d ", k)) {
						texts[n] += gwStreamText(d, s.must()+"\n")
					}
				}
				if a := d.send(c, "m", false); a.status != 200 {
					t.Errorf("after reload %d: %d %s", k, a.status, a.body)
				}
			}
			for n, s := range open {
				close(gates[n])
				rest := s.rest()
				if !strings.Contains(rest, d.terminal) || s.cut != nil {
					t.Errorf("stream %d ends with %v %q", n, s.cut, rest)
				}
			}
			for n, text := range texts {
				if len(strings.Fields(text)) != reloads+1 {
					t.Errorf("stream %d: %q", n, text)
				}
			}
			gwEventually(t, "the count of requests across reloads", func() bool {
				return c.metric("caddy_llm_gateway_requests_total", labels...)-before == streams+reloads
			})
			if n := c.metric("caddy_llm_gateway_requests_in_flight"); n != inFlight {
				t.Errorf("%v requests in flight, %v before", n, inFlight)
			}
			c.client.CloseIdleConnections()
			up.server.CloseClientConnections()
			gwEventually(t, "as many goroutines as before", func() bool { return runtime.NumGoroutine() <= goroutines+5 })
		})
	}
}

func TestTwoGatewaysShareWhatIsKnownOfAnEndpointAndKey(t *testing.T) {
	up := gwServe(t, gwChat.fails(429, "slow down", "Retry-After", "120"))
	c := gwStart(t, gwSite("provider first openai k {{up}}")+strings.Replace(gwSite("provider second openai k {{up}}\nprovider third openai other {{up}}"), "{{port}}", "{{port2}}", 1), "{{up}}", up.url)
	if a := gwChat.send(c, "first/m", false); a.status != 429 {
		t.Errorf("%d %s", a.status, a.body)
	}
	up.expect(1)
	second := "http://127.0.0.1:" + c.port2 + gwChat.path
	a := c.do(http.MethodPost, second, gwChat.request("second/m", false, "x"))
	if a.status != 429 || a.header.Get("Retry-After") == "" || a.header.Get("X-Llm-Gateway-Attempts") != "" {
		t.Errorf("the same key: %d %v %s", a.status, a.header, a.body)
	}
	gwChat.errorMessage(t, a.body)
	up.expect(1)
	c.do(http.MethodPost, second, gwChat.request("third/m", false, "x"))
	up.expect(2)
}

func TestAnInvalidConfigurationLeavesTheOldOneServing(t *testing.T) {
	up := gwServe(t, gwChat.ok(false))
	c := gwStart(t, gwSite("provider openai k {{up}}"), "{{up}}", up.url)
	for _, options := range []string{
		"provider openai k {{up}}\nmodel m nobody/x", "provider openai {env.GW_UNSET} {{up}}", "provider openai k {{up}}\nallow_anonymous nonsense",
		"provider openai k {{up}}\nprices /does/not/exist", "provider openai k {{up}}\nmodel a b\nmodel b a",
	} {
		raw, err := c.adapt(gwSite(options), "{{up}}", up.url)
		if err == nil {
			err = gwLoad(raw)
		}
		if err == nil {
			t.Errorf("%q was accepted", options)
		}
		if a := gwChat.send(c, "openai/m", false); a.status != 200 {
			t.Errorf("after %q: %d %s", options, a.status, a.body)
		}
	}
}
