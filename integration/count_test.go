package integration

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// gwCounts are questions for the number of tokens in "Hi there" by dialect, and where the answer has the number.
var gwCounts = map[string]struct{ path, body, count string }{
	"messages":  {"/v1/messages/count_tokens", `{"model":"p/counted","messages":[{"role":"user","content":"Hi there"}]}`, "input_tokens"},
	"gemini":    {"/v1beta/models/p/counted:countTokens", `{"contents":[{"role":"user","parts":[{"text":"Hi there"}]}]}`, "totalTokens"},
	"responses": {"/v1/responses/input_tokens", `{"model":"p/counted","input":"Hi there"}`, "input_tokens"},
}

func TestAQuestionForTheNumberOfTokensIsTranslated(t *testing.T) {
	for _, to := range []struct{ kind, uri, answer string }{
		{"anthropic", "/v1/messages/count_tokens", `{"input_tokens":14}`},
		{"gemini", "/v1beta/models/counted:countTokens", `{"totalTokens":14}`},
		{"openai", "/v1/responses/input_tokens", `{"object":"response.input_tokens","input_tokens":14}`},
	} {
		for from, q := range gwCounts {
			t.Run(from+" to "+to.kind, func(t *testing.T) {
				up := gwServe(t, gwJSON(200, to.answer))
				c := gwStart(t, gwSite("provider p {{kind}} up-key {{up}}\nprice p/* input 1000 output 1000"), "{{up}}", up.url, "{{kind}}", to.kind)
				a := c.post(q.path, q.body)
				if a.status != 200 || a.get(q.count).Int() != 14 || a.header.Get("X-Llm-Gateway-Estimated") != "" {
					t.Errorf("%d %v %s", a.status, a.header, a.body)
				}
				sent := up.last()
				if sent.uri != to.uri || !strings.Contains(sent.body, "Hi there") || strings.Contains(sent.body, "max_tokens") || strings.Contains(sent.body, "stream") {
					t.Errorf("sent %s to %s", sent.body, sent.uri)
				}
				if u := c.usage(a); u.Get("cost_usd").Float() != 0 || u.Get("input_tokens").Int() != 0 || u.Get("attempts").Int() != 1 {
					t.Errorf("usage line %s", u.Raw)
				}
			})
		}
	}
}

func TestWhereNobodyCountsTheAnswerIsAnEstimate(t *testing.T) {
	for name, c := range map[string]struct {
		kind  string
		reply gwReply
		calls int
	}{
		"a vendor without such an endpoint": {"mistral", gwJSON(200, `{}`), 0},
		"a server that has none":            {"openai", gwJSON(404, `{"error":{"message":"Not Found"}}`), 1},
		"a server that allows none":         {"openai", gwJSON(405, `{"error":{"message":"Method Not Allowed"}}`), 1},
		"a server that is down":             {"openai", gwJSON(500, `{"error":{"message":"oops"}}`), 2},
		"a model that has none":             {"bedrock", gwJSON(400, `{"message":"The provided model doesn't support counting tokens."}`), 1},
	} {
		for from, q := range gwCounts {
			t.Run(name+", asked in "+from, func(t *testing.T) {
				up := gwServe(t, c.reply)
				g := gwStart(t, gwSite("provider p {{kind}} up-key {{up}}\nlb_retries 1\nlb_try_interval 1ms"), "{{up}}", up.url, "{{kind}}", c.kind)
				a := g.post(q.path, q.body)
				if n := a.get(q.count).Int(); a.status != 200 || a.header.Get("X-Llm-Gateway-Estimated") != "input_tokens" || n < 5 || n > 40 {
					t.Errorf("%d %v %s", a.status, a.header, a.body)
				}
				if n := len(up.journal()); n != c.calls {
					t.Errorf("%d calls, want %d", n, c.calls)
				}
			})
		}
	}
}

func TestAnEstimateLearnsFromWhatTheProviderReports(t *testing.T) {
	const text = `{"model":"p/never-asked-elsewhere","messages":[{"role":"user","content":%q}]}`
	prompt := strings.Repeat("Zwölf Boxkämpfer jagen Viktor quer über den Sylter Deich. ", 40)
	up := gwServe(t, gwJSON(200, strings.Replace(gwChatUnary, `"prompt_tokens":10`, `"prompt_tokens":1200`, 1)))
	c := gwStart(t, gwSite("provider p mistral up-key {{up}}"), "{{up}}", up.url)
	count := func() int64 {
		a := c.post("/v1/messages/count_tokens", fmt.Sprintf(text, prompt))
		return a.get("input_tokens").Int()
	}
	before := count()
	for range 8 {
		if a := c.post("/v1/chat/completions", fmt.Sprintf(text, prompt)); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if after := count(); before > 900 || after < 1000 || after > 1300 {
		t.Errorf("estimated %d before and %d after the provider reported 1200 for it", before, after)
	}
}

func TestAQuestionThatIsWrongIsNotAnsweredWithAnEstimate(t *testing.T) {
	up := gwServe(t, gwJSON(400, `{"type":"error","error":{"type":"invalid_request_error","message":"messages: no"}}`))
	c := gwStart(t, gwSite("provider p anthropic up-key {{up}}\nprovider q mistral up-key {{up}}"), "{{up}}", up.url)
	if a := c.post("/v1/messages/count_tokens", `{"model":"p/up-1","messages":[]}`); a.status != http.StatusBadRequest || a.get("error.message").Str != "messages: no" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := c.post("/v1/messages/count_tokens", `{"model":"q/up-1","messages":7}`); a.status != http.StatusBadRequest || a.get("type").Str != "error" {
		t.Errorf("%d %s", a.status, a.body)
	}
}
