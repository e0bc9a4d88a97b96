package integration

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
	"golang.org/x/crypto/bcrypt"
)

// gwPublic makes a request come from a public address.
var gwPublic = []string{"X-Forwarded-For", "203.0.113.7"}

func TestAnonymousClientsFromPublicAddressesAreTurnedAway(t *testing.T) {
	gwEach(t, gwAllClients, func(t *testing.T, d *gwClient, stream bool) {
		up := gwServe(t, d.ok(stream))
		c := gwStart(t, gwSite("provider p {{kind}} k {{up}}"), "{{up}}", up.url, "{{kind}}", d.kind)
		d.refused(t, d.send(c, "p--m", stream, gwPublic...), 401, "allow_anonymous", "llm_gateway")
		// Neither a made-up credential nor a header that claims to be somebody helps.
		d.refused(t, d.send(c, "p--m", stream, append([]string{"Authorization", "Bearer x", "X-Api-Key", "y"}, gwPublic...)...), 401)
		up.expect(0)
		if a := d.send(c, "p--m", stream); a.status != 200 {
			t.Errorf("from a private address: %d %s", a.status, a.body)
		}
		c.load(gwSite("allow_anonymous 203.0.113.0/24\nprovider p {{kind}} k {{up}}"), "{{up}}", up.url, "{{kind}}", d.kind)
		if a := d.send(c, "p--m", stream, gwPublic...); a.status != 200 {
			t.Errorf("from an allowed range: %d %s", a.status, a.body)
		}
		d.refused(t, d.send(c, "p--m", stream, "X-Forwarded-For", "198.51.100.9"), 401)
		d.refused(t, d.send(c, "p--m", stream), 401) // the ranges replace the default
	})
	t.Run("the list of models", func(t *testing.T) {
		c := gwStart(t, gwSite("provider openai k http://127.0.0.1:1"))
		gwChat.refused(t, c.get("/v1/models", gwPublic...), 401, "allow_anonymous")
		gwMessages.refused(t, c.get("/v1/models", append([]string{"Anthropic-Version", "2023-06-01"}, gwPublic...)...), 401)
		gwGemini.refused(t, c.get("/v1beta/models", gwPublic...), 401)
	})
}

func TestAScopeFromAHeaderDoesNotAuthenticate(t *testing.T) {
	for _, scope := range []string{"user", "key"} {
		t.Run(scope, func(t *testing.T) {
			up := gwServe(t, gwChat.ok(false))
			c := gwStart(t, gwSite("identify "+scope+" {http.request.header.X-User}\nprovider openai k {{up}}"), "{{up}}", up.url)
			a := gwChat.send(c, "openai/m", false, append([]string{"X-User", "mallory"}, gwPublic...)...)
			gwChat.refused(t, a, 401)
			up.expect(0)
		})
	}
}

func TestUsersOfCaddysAuthenticationAreLetInAndNamed(t *testing.T) {
	gwEach(t, gwBasicClients, func(t *testing.T, d *gwClient, stream bool) {
		hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		up := gwServe(t, d.ok(stream))
		c := gwStart(t, `http://127.0.0.1:{{port}} {
			log
			basic_auth {
				alice `+string(hash)+`
			}
			llm_gateway {
				provider p {{kind}} k {{up}}
				identify feature {http.request.header.X-LLM-Feature} {http.request.header.X-Other}
			}
		}`, "{{up}}", up.url, "{{kind}}", d.kind)
		if a := d.send(c, "p/m", stream, gwPublic...); a.status != 401 {
			t.Errorf("without a password: %d", a.status)
		}
		login := []string{"Authorization", "Basic YWxpY2U6c2VjcmV0"} // alice:secret
		a := d.send(c, "p/m", stream, append(append([]string{"X-Other", "batch\tjob" + strings.Repeat("x", 200)}, login...), gwPublic...)...)
		if a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		u := c.usage(a)
		if feature := u.Get("feature").Str; u.Get("user").Str != "alice" || !strings.HasPrefix(feature, "batchjobxx") || len(feature) > 128 {
			t.Errorf("usage line %s", u.Raw)
		}
		if sent := up.last().header; strings.Contains(sent.Get("Authorization"), "Basic") || sent.Get("X-Other") != "" {
			t.Errorf("sent %v", sent)
		}
	})
}

func TestAClientThatLeavesCancelsTheProvider(t *testing.T) {
	for _, d := range gwAllClients {
		for _, tc := range []struct {
			name   string
			stream bool
			reply  func(started chan struct{}) gwReply
			output int64 // tokens, at least
		}{
			{"before the answer", false, func(started chan struct{}) gwReply {
				return func(w http.ResponseWriter, r *http.Request) { started <- struct{}{}; gwHang(w, r) }
			}, 0},
			{"before the first content", true, func(started chan struct{}) gwReply {
				return func(w http.ResponseWriter, r *http.Request) {
					gwStream(d.start)(w, r)
					started <- struct{}{}
					gwHang(w, r)
				}
			}, 0},
			{"in the middle", true, func(started chan struct{}) gwReply {
				return func(w http.ResponseWriter, r *http.Request) {
					gwStream(d.start, d.text("Hello, here is a rather long piece of text"))(w, r)
					started <- struct{}{}
					gwHang(w, r)
				}
			}, 5},
		} {
			t.Run(d.name+" "+tc.name, func(t *testing.T) {
				started := make(chan struct{})
				slow := tc.reply(started)
				up := gwScript(t, func(s *gwSeen) gwReply {
					if strings.Contains(s.body, "slow") {
						return slow
					}
					return d.ok(tc.stream)
				})
				c := gwStart(t, gwSite("provider p {{kind}} k {{up}}"), "{{up}}", up.url, "{{kind}}", d.kind)
				// More often than the failures in a row that take a target out of rotation.
				const times = 7
				for range times {
					ctx, leave := context.WithCancel(t.Context())
					left := make(chan struct{})
					reading := make(chan struct{})
					go func() {
						defer close(left)
						resp, err := c.try(ctx, http.MethodPost, c.url(d.at("p--m", tc.stream)), d.request("p/m", tc.stream, "slow"))
						if err == nil {
							close(reading)
							gwReadAll(resp)
						}
					}()
					gwWait(t, "the request at the provider", started)
					if tc.output > 0 {
						gwWait(t, "the first content", reading)
					}
					leave()
					gwWait(t, "the client's departure", left)
					gwWait(t, "the cancellation at the provider", up.last().gone)
				}
				for _, u := range c.log.waitN(t, times, func(l gjson.Result) bool { return l.Get("msg").Str == "usage" }) {
					if u.Get("status").Int() != 499 || u.Get("error").Str != "canceled" || u.Get("attempts").Int() != 1 || u.Get("usage").Str != "estimated" || u.Get("input_tokens").Int() == 0 || u.Get("output_tokens").Int() < tc.output {
						t.Errorf("usage line %s", u.Raw)
					}
				}
				if a := d.send(c, "p--m", tc.stream); a.status != 200 {
					t.Errorf("after that: %d %s", a.status, a.body)
				}
				targets := c.adminGet("/llm_gateway/targets")
				for _, target := range gjson.Parse(targets).Array() {
					if !target.Get("healthy").Bool() {
						t.Errorf("a departure counts as a failure: %s", targets)
					}
				}
				up.expect(times + 1)
			})
		}
	}
}

func TestACanceledRequestIsNotRepeated(t *testing.T) {
	for _, d := range gwBasicClients {
		t.Run(d.name, func(t *testing.T) {
			started := make(chan struct{})
			one := gwServe(t, func(w http.ResponseWriter, r *http.Request) { close(started); gwHang(w, r) })
			two := gwServe(t, d.ok(false))
			c := d.startTwo(t, one.url, two.url, "")
			ctx, leave := context.WithCancel(t.Context())
			done := make(chan error)
			go func() {
				_, err := c.try(ctx, http.MethodPost, c.url(d.path), d.request("m", false, "x"))
				done <- err
			}()
			gwWait(t, "the request at the provider", started)
			leave()
			if err := <-done; err == nil {
				t.Error("there was an answer")
			}
			c.log.wait(t, func(l gjson.Result) bool { return l.Get("msg").Str == "usage" && l.Get("status").Int() == 499 })
			two.expect(0)
		})
	}
}

func TestTheAccessLogHasOneObjectAboutTheModel(t *testing.T) {
	gwEach(t, gwAllClients, func(t *testing.T, d *gwClient, stream bool) {
		up := gwServe(t, d.ok(stream))
		c := gwStart(t, `http://127.0.0.1:{{port}} {
			log
			log_append spent {http.llm_gateway.cost_usd}
			log_append to {http.llm_gateway.target}
			header >X-Model {http.llm_gateway.model}
			llm_gateway {
				provider p {{kind}} k {{up}}
				model smart p/up-1
				price p/up-1 input 2 output 10
			}
		}`, "{{up}}", up.url, "{{kind}}", d.kind)
		inFlight := c.metric("caddy_llm_gateway_requests_in_flight")
		a := d.send(c, "smart", stream)
		line := c.accessLine(a)
		if n := strings.Count(line.Raw, `"llm":{`); n != 1 {
			t.Errorf("%d objects in %s", n, line.Raw)
		}
		in := 10.0
		if d == gwMessages && !stream {
			in = 14
		}
		cost := (10*2 + 5*10) * 1e-6
		l, u := line.Get("llm"), c.usage(a)
		for name, want := range map[string]any{
			"model": "smart", "provider": "p", "upstream_model": "up-1", "target": "p/up-1", "dialect": d.name, "stream": stream, "attempts": 1.0, "status": 200.0,
			"input_tokens": in, "output_tokens": 5.0, "usage": "reported",
		} {
			if l.Get(name).Value() != want || u.Get(name).Value() != want {
				t.Errorf("%s is %v in the access log and %v in the usage line, not %v", name, l.Get(name), u.Get(name), want)
			}
		}
		for _, name := range []string{"duration_ms", "ttft_ms"} {
			if l.Get(name).Float() <= 0 || u.Get(name).Float() <= 0 {
				t.Errorf("%s in %s", name, l.Raw)
			}
		}
		if in == 10 && (u.Get("cost_usd").Float() != cost || line.Get("spent").String() != "0.00007") {
			t.Errorf("cost %v, appended %v", u.Get("cost_usd"), line.Get("spent"))
		}
		if !stream && in == 10 && a.header.Get("X-Llm-Gateway-Cost-Usd") != "0.00007" {
			t.Errorf("cost header %q", a.header.Get("X-Llm-Gateway-Cost-Usd"))
		}
		if line.Get("to").Str != "p/up-1" {
			t.Errorf("appended %v", line.Get("to"))
		}
		if a.header.Get("X-Model") != "smart" {
			t.Errorf("a deferred header holds %q", a.header.Get("X-Model"))
		}
		labels := []string{`model="smart"`, `provider="p"`}
		if n := c.metric("caddy_llm_gateway_tokens_total", append(labels, `type="output"`)...); n < 5 {
			t.Errorf("%v tokens counted", n)
		}
		if n := c.metric("caddy_llm_gateway_requests_total", append(labels, `status="2xx"`)...); n < 1 {
			t.Errorf("%v requests counted", n)
		}
		if n := c.metric("caddy_llm_gateway_requests_in_flight"); n != inFlight {
			t.Errorf("%v requests in flight, %v before", n, inFlight)
		}
	})
}

func TestAUnaryAnswersCostIsThereForHeaders(t *testing.T) {
	up := gwServe(t, gwChat.ok(false))
	c := gwStart(t, `http://127.0.0.1:{{port}} {
		header >X-Cost {http.llm_gateway.cost_usd}
		llm_gateway {
			provider openai k {{up}}
			price openai/up-1 input 2 output 10
		}
	}`, "{{up}}", up.url)
	if a := gwChat.send(c, "openai/up-1", false); a.header.Get("X-Cost") != "0.00007" {
		t.Errorf("cost %q, own header %q", a.header.Get("X-Cost"), a.header.Get("X-Llm-Gateway-Cost-Usd"))
	}
}

func TestErrorsCanBeLeftToCaddy(t *testing.T) {
	gwEach(t, gwBasicClients, func(t *testing.T, d *gwClient, stream bool) {
		up := gwServe(t, d.fails(500, "the provider quotes the "+gwPrompt))
		c := gwStart(t, `http://127.0.0.1:{{port}} {
			log
			llm_gateway {
				provider p {{kind}} k {{up}}
				lb_retries 0
				errors caddy
				models_only
				model m p/up-1
			}
			handle_errors {
				respond "custom {err.status_code} {http.llm_gateway.error} {http.llm_gateway.model}"
			}
		}`, "{{up}}", up.url, "{{kind}}", d.kind)
		if a := d.send(c, "m", stream); a.status != 500 || a.body != "custom 500 server_error m" || a.header.Get("X-Should-Retry") != "false" {
			t.Errorf("%d %s %v", a.status, a.body, a.header)
		}
		if a := d.send(c, "nothing", stream); a.status != 404 || a.body != "custom 404 invalid nothing" {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a := d.send(c, "m", stream, gwPublic...); a.status != 401 || !strings.HasPrefix(a.body, "custom 401 ") {
			t.Errorf("%d %s", a.status, a.body)
		}
		c.log.waitN(t, 3, func(l gjson.Result) bool { return l.Get("msg").Str == "usage" })
		gwClean(t, "a log", c.log.text(), gwPrompt)
	})
}
