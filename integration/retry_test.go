package integration

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// gwTwo is a model with two providers of one kind, tried in order.
const gwTwo = "provider one {{kind}} key-one {{one}}\nprovider two {{kind}} key-two {{two}}\nmodel m one/up-1 two/up-2\n"

func (d *gwClient) startTwo(t *testing.T, one, two, more string) *gwCaddy {
	t.Helper()
	return gwStart(t, gwSite(gwTwo+more), "{{one}}", one, "{{two}}", two, "{{kind}}", d.kind)
}

// good checks that the client got the ordinary answer, with so many attempts.
func (d *gwClient) good(t *testing.T, a gwAnswer, stream bool, attempts int, target string) {
	t.Helper()
	if a.status != 200 || a.err != nil {
		t.Fatalf("%d %v %s", a.status, a.err, a.body)
	}
	if stream {
		if got := gwStreamText(d, a.body); got != "Hello there" || !strings.Contains(a.body, d.terminal) {
			t.Errorf("text %q of %s", got, a.body)
		}
	} else if a.body != d.unary {
		t.Errorf("body %s", a.body)
	}
	if got := a.header.Get("X-Llm-Gateway-Attempts"); got != fmt.Sprint(attempts) {
		t.Errorf("%s attempts, not %d", got, attempts)
	}
	if got := a.header.Get("X-Llm-Gateway-Target"); target != "" && got != target {
		t.Errorf("target %s, not %s", got, target)
	}
}

func TestAFailureBeforeTheContentIsRepairedByTheNextTarget(t *testing.T) {
	gwEach(t, gwAllClients, func(t *testing.T, d *gwClient, stream bool) {
		faults := map[string]gwReply{
			"status 500": d.fails(500, "oops"), "status 503": d.fails(503, "busy"), "a web page": gwPage(502),
			"a reset": gwReset, "a redirect": gwRedirect("http://127.0.0.1:1/"), "too many requests": d.fails(429, "slow down", "Retry-After", "100"),
			"cut headers": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "100")
				w.WriteHeader(200)
				gwBreak(w)
			},
		}
		if stream {
			faults["an error event first"] = gwStream(d.errorFrame)
			faults["an error event before content"] = gwStream(d.start, d.errorFrame)
			faults["a clean end before content"] = gwStream(d.start)
			faults["a reset before content"] = gwStream(d.start, gwCut{})
		} else {
			faults["an error in a 200"] = d.fails(200, "oops")
			faults["half a document"] = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "1000")
				_, _ = w.Write([]byte(d.unary[:50]))
			}
		}
		for name, fault := range faults {
			t.Run(name, func(t *testing.T) {
				one, two := gwServe(t, fault), gwServe(t, d.ok(stream))
				c := d.startTwo(t, one.url, two.url, "")
				a := d.send(c, "m", stream)
				d.good(t, a, stream, 2, "two/up-2")
				one.expect(1)
				two.expect(1)
				if u := c.usage(a); u.Get("attempts").Int() != 2 || u.Get("provider").Str != "two" || u.Get("upstream_model").Str != "up-2" || u.Get("error").Exists() {
					t.Errorf("usage line %s", u.Raw)
				}
				if n := c.metric("caddy_llm_gateway_fallbacks_total", `model="m"`, `provider="two"`); n < 1 {
					t.Errorf("%v fallbacks counted", n)
				}
			})
		}
		t.Run("connection refused", func(t *testing.T) {
			two := gwServe(t, d.ok(stream))
			c := d.startTwo(t, gwClosedPort(t), two.url, "")
			d.good(t, d.send(c, "m", stream), stream, 2, "two/up-2")
		})
	})
}

func gwPage(status int) gwReply {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		_, _ = w.Write([]byte("<html><body>Bad Gateway</body></html>"))
	}
}

func gwRedirect(to string) gwReply {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusTemporaryRedirect)
	}
}

func TestASingleTargetIsAskedAgainAfterAServerError(t *testing.T) {
	gwEach(t, gwBasicClients, func(t *testing.T, d *gwClient, stream bool) {
		up := gwSequence(t, d.fails(500, "oops"), d.ok(stream))
		c := gwStart(t, gwSite("lb_try_interval 1ms\nprovider p {{kind}} key {{up}}"), "{{up}}", up.url, "{{kind}}", d.kind)
		d.good(t, d.send(c, "p/m", stream), stream, 2, "p/m")
		up.expect(2)
		if a, b := up.journal()[0], up.journal()[1]; a.body != b.body {
			t.Errorf("the second body differs: %s, then %s", a.body, b.body)
		}
	})
}

func TestAKeyThatIsRateLimitedRestsAndTheOtherGetsAll(t *testing.T) {
	gwEach(t, gwBasicClients, func(t *testing.T, d *gwClient, stream bool) {
		byKey := func(s *gwSeen) string {
			return strings.TrimPrefix(s.header.Get("Authorization"), "Bearer ") + s.header.Get("X-Api-Key")
		}
		up := gwScript(t, func(s *gwSeen) gwReply {
			if byKey(s) == "key-a" {
				return d.fails(429, "slow down", "Retry-After", "120")
			}
			return d.ok(stream)
		})
		c := gwStart(t, gwSite("provider p {{kind}} key-a key-b {{up}}"), "{{up}}", up.url, "{{kind}}", d.kind)
		for range 10 {
			if a := d.send(c, "p/m", stream); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
		asked := map[string]int{}
		for _, s := range up.journal() {
			asked[byKey(s)]++
		}
		if asked["key-a"] != 1 || asked["key-b"] != 10 {
			t.Errorf("asked %v", asked)
		}
		// The cooldown outlives a reload of the configuration.
		c.load(gwSite("provider p {{kind}} key-a key-b {{up}}\nmax_body 1MiB"), "{{up}}", up.url, "{{kind}}", d.kind)
		for range 4 {
			d.good(t, d.send(c, "p/m", stream), stream, 1, "p/m")
		}
		if !strings.Contains(c.adminGet("/llm_gateway/targets"), `"cooldown"`) {
			t.Errorf("targets %s", c.adminGet("/llm_gateway/targets"))
		}
	})
}

func TestWhenAllKeysAreRateLimitedTheClientIsToldWhenToComeBack(t *testing.T) {
	gwEach(t, gwAllClients, func(t *testing.T, d *gwClient, stream bool) {
		up := gwServe(t, d.fails(429, "slow down", "Retry-After", "120"))
		c := gwStart(t, gwSite("provider p {{kind}} key-a key-b {{up}}"), "{{up}}", up.url, "{{kind}}", d.kind)
		for i := range 3 {
			a := d.send(c, "p--m", stream)
			if a.status != 429 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			d.errorMessage(t, a.body)
			var seconds int
			if _, err := fmt.Sscan(a.header.Get("Retry-After"), &seconds); err != nil || seconds < 110 || seconds > 120 {
				t.Errorf("answer %d: retry-after %q", i, a.header.Get("Retry-After"))
			}
		}
		up.expect(2)
	})
}

func TestExhaustionNamesEveryAttemptAndForbidsRepetition(t *testing.T) {
	gwEach(t, gwAllClients, func(t *testing.T, d *gwClient, stream bool) {
		one, two := gwServe(t, d.fails(500, "first broke")), gwServe(t, d.fails(503, "second is busy"))
		c := gwStart(t, gwSite(gwTwo+"provider three {{kind}} key {{closed}}\nmodel all one/a two/b three/c"),
			"{{one}}", one.url, "{{two}}", two.url, "{{kind}}", d.kind, "{{closed}}", gwClosedPort(t))
		a := d.send(c, "all", stream)
		d.refused(t, a, 502, "one/a (500 server_error)", "two/b (503 overloaded)", "three/c (connect)")
		if got := a.header.Get("X-Llm-Gateway-Attempts"); got != "3" || a.header.Get("X-Should-Retry") != "false" {
			t.Errorf("%s attempts, %v", got, a.header)
		}
		u := c.usage(a)
		if u.Get("attempts").Int() != 3 || u.Get("status").Int() != 502 || u.Get("error").Str != "connect" {
			t.Errorf("usage line %s", u.Raw)
		}
	})
}

func TestAContextThatIsTooLongIsCarriedOnOnlyWhenAskedFor(t *testing.T) {
	tooLong := map[*gwClient]string{
		gwChat:     `{"error":{"message":"This model's maximum context length is 8 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`,
		gwMessages: `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 250000 tokens > 200000 maximum"}}`,
	}
	gwEach(t, gwBasicClients, func(t *testing.T, d *gwClient, stream bool) {
		one, two := gwServe(t, gwJSON(400, tooLong[d])), gwServe(t, d.ok(stream))
		c := d.startTwo(t, one.url, two.url, "")
		a := d.send(c, "m", stream)
		if a.status != 400 || a.body != tooLong[d] {
			t.Errorf("%d %s", a.status, a.body)
		}
		two.expect(0)
		c.load(gwSite(gwTwo+"retry_on server_error context_length"), "{{one}}", one.url, "{{two}}", two.url, "{{kind}}", d.kind)
		d.good(t, d.send(c, "m", stream), stream, 2, "two/up-2")
	})
}

func TestARefusedKeyIsNotTheClientsBusiness(t *testing.T) {
	gwEach(t, gwAllClients, func(t *testing.T, d *gwClient, stream bool) {
		refuse := d.fails(401, "invalid key")
		up := gwScript(t, func(s *gwSeen) gwReply {
			if strings.Contains(fmt.Sprint(s.header), "key-bad") {
				return refuse
			}
			return d.ok(stream)
		})
		c := gwStart(t, gwSite("provider both {{kind}} key-bad key-good {{up}}\nprovider alone {{kind}} key-bad-too {{up}}"), "{{up}}", up.url, "{{kind}}", d.kind)
		for range 4 {
			if a := d.send(c, "both--m", stream); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
		up.expect(5) // the bad key just once
		a := d.send(c, "alone--m", stream)
		d.refused(t, a, 502, "credential")
		if strings.Contains(a.body, "invalid key") {
			t.Errorf("the provider's words about the key: %s", a.body)
		}
		if d == gwChat && a.get("error.code").Str != "upstream_credential" {
			t.Errorf("code %s", a.body)
		}
	})
}

func TestARedirectIsNeverFollowed(t *testing.T) {
	gwEach(t, gwBasicClients, func(t *testing.T, d *gwClient, stream bool) {
		sink := gwServe(t, d.ok(stream))
		for _, status := range []int{301, 302, 303, 307, 308} {
			up := gwServe(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", sink.url+"/v1/chat/completions")
				w.WriteHeader(status)
			})
			c := gwStart(t, gwSite("lb_retries 0\nprovider p {{kind}} key {{up}}"), "{{up}}", up.url, "{{kind}}", d.kind)
			a := d.send(c, "p/m", stream)
			d.refused(t, a, 502)
			if a.header.Get("Location") != "" {
				t.Errorf("%d: the client is sent to %s", status, a.header.Get("Location"))
			}
		}
		if n := sink.connections(); n != 0 {
			t.Errorf("%d connections to the place that redirects point to", n)
		}
	})
}

func TestAProtocolSwitchOfAProviderFailsAtOnce(t *testing.T) {
	up := gwServe(t, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Errorf("hijack: %v", err)
			return
		}
		defer conn.Close()
		_, _ = conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"))
		_, _ = conn.Read(make([]byte, 1)) // until the gateway closes
	})
	c := gwStart(t, gwSite("lb_retries 0\nrequest_timeout 2s\nprovider openai key {{up}}"), "{{up}}", up.url)
	a := gwChat.send(c, "openai/m", false)
	gwChat.refused(t, a, 502)
}

func TestAClientsMistakeIsPassedOnAsItIsAndNotRepeated(t *testing.T) {
	gwEach(t, gwAllClients, func(t *testing.T, d *gwClient, stream bool) {
		for _, status := range []int{400, 422} {
			one, two := gwServe(t, d.fails(status, "no such thing")), gwServe(t, d.ok(stream))
			c := d.startTwo(t, one.url, two.url, "")
			a := d.send(c, "m", stream)
			if a.status != status || a.body != d.failure(status, "no such thing") {
				t.Errorf("%d %s", a.status, a.body)
			}
			two.expect(0)
			if c.usage(a).Get("error").Str != "invalid" {
				t.Errorf("usage line %s", c.usage(a).Raw)
			}
		}
	})
}

func TestErrorsInsideA200OfConcurrentRequestsAreNotMixedUp(t *testing.T) {
	gwEach(t, gwAllClients, func(t *testing.T, d *gwClient, stream bool) {
		up := gwScript(t, func(s *gwSeen) gwReply {
			i := strings.Index(s.body, "marker-")
			marker := s.body[i : i+12]
			if stream {
				frame := strings.NewReplacer("stream failed", marker, "Overloaded", marker).Replace(d.errorFrame)
				return gwStream(d.start, frame)
			}
			return d.fails(200, marker)
		})
		c := gwStart(t, gwSite("lb_retries 0\nmax_fails 100000\nfail_duration 1s\nprovider p {{kind}} key {{up}}"), "{{up}}", up.url, "{{kind}}", d.kind)
		done := make(chan error)
		const workers, each = 8, 20
		for w := range workers {
			go func() {
				for i := range each {
					marker := fmt.Sprintf("marker-%d%04d", w, i)
					resp, err := c.try(t.Context(), http.MethodPost, c.url(d.at("p--m", stream)), d.request("p/m", stream, marker))
					if err != nil {
						done <- err
						return
					}
					body := gwReadAll(resp)
					if resp.StatusCode < 400 || !strings.Contains(gjson.Get(body, "error.message").Str, marker) {
						done <- fmt.Errorf("%s got %d %q", marker, resp.StatusCode, body)
						return
					}
				}
				done <- nil
			}()
		}
		for range workers {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}
