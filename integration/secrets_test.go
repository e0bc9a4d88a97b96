package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// Canaries: none of them may turn up where it does not belong.
const (
	gwProviderKey = "canary4provider4key0123456789"
	gwClientKey   = "canary4client4key0123456789"
	gwPrompt      = "canary4prompt"
)

// clean fails the test when text holds a canary.
func gwClean(t *testing.T, where, text string, canaries ...string) {
	t.Helper()
	for _, canary := range canaries {
		if i := strings.Index(text, canary); i >= 0 {
			t.Errorf("%s holds %s: …%s…", where, canary, text[max(0, i-200):min(len(text), i+100)])
		}
	}
}

func TestClientCredentialsNeverReachTheProvider(t *testing.T) {
	headers := []string{
		"Authorization", "Bearer " + gwClientKey, "X-Api-Key", gwClientKey, "X-Goog-Api-Key", gwClientKey, "Api-Key", gwClientKey,
		"Cookie", "session=" + gwClientKey, "Proxy-Authorization", "Basic " + gwClientKey, "X-Forwarded-For", "203.0.113.7",
		"X-Amz-Security-Token", gwClientKey, "Ocp-Apim-Subscription-Key", gwClientKey, "Openai-Organization", gwClientKey,
		"X_Api_Key", gwClientKey, "X-Portkey-Custom-Host", gwClientKey, "Forwarded", "for=203.0.113.7",
	}
	gwEach(t, gwAllClients, func(t *testing.T, d *gwClient, stream bool) {
		up := gwServe(t, d.ok(stream))
		t.Setenv("GW_PROVIDER_KEY", gwProviderKey)
		c := gwStart(t, gwSite("allow_anonymous 203.0.113.0/24\nprovider p {{kind}} {env.GW_PROVIDER_KEY} {{up}}"), "{{up}}", up.url, "{{kind}}", d.kind)
		path := d.at("p--up-1", stream)
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		a := c.post(path+sep+"key="+gwClientKey, d.request("p/up-1", stream, gwPrompt), headers...)
		if a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		s := up.last()
		gwClean(t, "the request to the provider", fmt.Sprint(s.uri, s.header, s.body), gwClientKey, "203.0.113.7")
		if !strings.Contains(fmt.Sprint(s.header), gwProviderKey) {
			t.Errorf("the provider's own key is missing: %v", s.header)
		}
		usage := c.usage(a)
		gwClean(t, "the usage line", usage.Raw, gwProviderKey, gwClientKey, gwPrompt)
	})
}

func TestSecretsShowUpNowhere(t *testing.T) {
	gwEach(t, gwAllClients, func(t *testing.T, d *gwClient, stream bool) {
		t.Setenv("GW_PROVIDER_KEY", gwProviderKey)
		// Good, refused with an echo of the key, broken before and broken during the answer.
		up := gwScript(t, func(s *gwSeen) gwReply {
			switch s.n {
			case 1:
				return d.fails(401, "Incorrect API key provided: "+gwProviderKey+". Your headers: "+fmt.Sprint(s.header), "X-Echo", gwProviderKey)
			default:
				return d.ok(stream)
			}
		})
		bad := gwServe(t, d.fails(500, "internal: key "+gwProviderKey+" in "+gwPrompt, "X-Echo", gwProviderKey))
		invalid := gwServe(t, d.fails(400, "invalid request from "+gwProviderKey))
		reset := gwServe(t, gwReset)
		c := gwStart(t, gwSite(`
			provider good {{kind}} {env.GW_PROVIDER_KEY} second-key {{up}}
			provider bad {{kind}} {env.GW_PROVIDER_KEY} {{bad}}
			provider invalid {{kind}} {env.GW_PROVIDER_KEY} {{invalid}}
			provider reset {{kind}} {env.GW_PROVIDER_KEY} {{reset}}
			provider closed {{kind}} {env.GW_PROVIDER_KEY} {{closed}}
			model all bad/m reset/m good/m
			model none bad/m reset/m closed/m`),
			"{{up}}", up.url, "{{bad}}", bad.url, "{{invalid}}", invalid.url, "{{reset}}", reset.url, "{{closed}}", gwClosedPort(t), "{{kind}}", d.kind)
		for _, model := range []string{"good--m", "good--m", "all", "none", "invalid--m", "bad--m", "nobody"} {
			a := c.post(d.at(model, stream), d.request(model, stream, gwPrompt), "Authorization", "Bearer "+gwClientKey)
			gwClean(t, "the answer for "+model, fmt.Sprint(a.header, a.body), gwProviderKey, gwClientKey)
			c.usage(a)
		}
		gwClean(t, "a log", c.log.text(), gwProviderKey, gwClientKey, gwPrompt)
		gwClean(t, "/config", c.adminGet("/config/"), gwProviderKey)
		gwClean(t, "/metrics", c.adminGet("/metrics"), gwProviderKey, gwClientKey, gwPrompt)
		gwClean(t, "/llm_gateway/targets", c.adminGet("/llm_gateway/targets"), gwProviderKey)
	})
}

func TestAKeyThatAProviderEchoesInsideAnAnswerIsRedacted(t *testing.T) {
	for _, d := range gwAllClients {
		for _, when := range []string{"200", "first event", "after content"} {
			t.Run(d.name+" "+when, func(t *testing.T) {
				t.Setenv("GW_PROVIDER_KEY", gwProviderKey)
				echo := strings.NewReplacer("stream failed", "bad key "+gwProviderKey, "Overloaded", "bad key "+gwProviderKey).Replace(d.errorFrame)
				reply := gwStream(d.start, d.text("x"), echo)
				switch when {
				case "200":
					reply = d.fails(200, "bad key "+gwProviderKey)
				case "first event":
					reply = gwStream(d.start, echo)
				}
				up := gwServe(t, reply)
				c := gwStart(t, gwSite("lb_retries 0\nprovider p {{kind}} {env.GW_PROVIDER_KEY} {{up}}"), "{{up}}", up.url, "{{kind}}", d.kind)
				a := d.send(c, "p--m", when != "200")
				if !strings.Contains(a.body, "bad key") {
					t.Errorf("the message is gone: %s", a.body)
				}
				gwClean(t, "the answer", a.body, gwProviderKey)
				c.usage(a)
				gwClean(t, "a log", c.log.text(), gwProviderKey)
			})
		}
	}
}

// Caddy copies a request for its access log before any handler sees it, and masks only Authorization and Cookie. The
// documentation says how to leave out the rest.
func TestClientCredentialsStayOutOfTheAccessLogAsDocumented(t *testing.T) {
	filter := gwSnippet(t, "../docs/security.md", "log {")
	up := gwServe(t, gwGemini.ok(false))
	site := strings.Replace(gwSite("provider gemini up-key {{up}}"), "\tlog\n", strings.Replace(filter, "log {", "log {\noutput gw_memory", 1), 1)
	c := gwStart(t, site, "{{up}}", up.url)
	for _, header := range []string{"Authorization", "X-Api-Key", "X-Goog-Api-Key", "Api-Key", "Cookie"} {
		a := gwGemini.send(c, "gemini--m", false, header, gwClientKey)
		line := c.accessLine(a)
		gwClean(t, "the access log, with "+header, line.Raw, gwClientKey)
	}
	a := c.post("/v1beta/models/gemini--m:generateContent?key="+gwClientKey, gwGemini.request("", false, "x"))
	gwClean(t, "the access log, with ?key=", c.accessLine(a).Raw, gwClientKey)
}

// gwSnippet returns the block of a documentation page that begins with a line.
func gwSnippet(t *testing.T, page, begin string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\n\t"+begin+"\n")
	if !ok {
		t.Fatalf("%s has no %q", page, begin)
	}
	block, _, _ := strings.Cut(rest, "\n\t}\n")
	return "\t" + begin + "\n" + block + "\n\t}\n"
}

// accessLine waits for the access log's line about a request.
func (c *gwCaddy) accessLine(a gwAnswer) gjson.Result {
	c.t.Helper()
	id := a.header.Get("X-Request-Id")
	return c.log.wait(c.t, func(l gjson.Result) bool {
		return strings.HasPrefix(l.Get("logger").Str, "http.log.access") && l.Get("resp_headers.X-Request-Id.0").Str == id
	})
}
