package llmgateway

import (
	"context"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/providers"
)

// brokenAfter is a body that breaks after some text.
func brokenAfter(text string) func(context.Context) io.ReadCloser {
	return func(context.Context) io.ReadCloser {
		return io.NopCloser(io.MultiReader(strings.NewReader(text), failingReader{syscall.ECONNRESET}))
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

func TestEveryOutcomeOfAnAttemptIsAccountedFor(t *testing.T) {
	const noUsage = `{"id":"c1","object":"chat.completion","model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}`
	lowerUsage := strings.NewReplacer(`"prompt_tokens":10`, `"prompt_tokens":1`, `"total_tokens":15`, `"total_tokens":6`).Replace(chatUsage)
	usage := func(u string) string { return strings.Replace(noUsage, `]}`, `],"usage":`+u+`}`, 1) }
	for _, tc := range []struct {
		name      string
		body      string
		answer    answer
		certainty accounting.Certainty
		input     bool // some input is charged
		output    bool // some output is charged
	}{
		{"a success with usage is what the provider reported", ask("up/m"), respond(200, chatAnswer), accounting.Reported, true, true},
		{"usage of zero is reported and not estimated", ask("up/m"), respond(200, usage(`{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}`)), accounting.Reported, false, false},
		{"a success without usage is estimated", ask("up/m"), respond(200, noUsage), accounting.Estimated, true, true},
		{"negative usage is not believed", ask("up/m"), respond(200, usage(`{"prompt_tokens":-10,"completion_tokens":-5}`)), accounting.Estimated, true, true},
		{"absurd usage is not believed", ask("up/m"), respond(200, usage(`{"prompt_tokens":9000000000000000000,"completion_tokens":5}`)), accounting.Estimated, true, true},
		{"cached input that is more than the input is not believed", ask("up/m"), respond(200, usage(`{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":11}}`)), accounting.Estimated, true, true},
		{"usage that is no number is not believed", ask("up/m"), respond(200, usage(`{"prompt_tokens":"many","completion_tokens":true}`)), accounting.Estimated, true, true},
		{"usage that falls within a stream is not believed", askStream("up/m"), stream(chatRole + chatDelta + chatUsage + lowerUsage + chatDone), accounting.Estimated, true, true},
		{"a stream with usage is what the provider reported", askStream("up/m"), stream(chatStream), accounting.Reported, true, true},
		{"a stream without usage is estimated", askStream("up/m"), stream(chatRole + chatDelta + chatFinish + chatDone), accounting.Estimated, true, true},
		{"a stream that breaks in the middle is estimated", askStream("up/m"), streamFrom(brokenAfter(chatRole + chatDelta)), accounting.Estimated, true, true},
		{"a stream that ends with an error event in the middle is estimated", askStream("up/m"), stream(chatRole + chatDelta + "data: " + serverError + "\n\n"), accounting.Estimated, true, true},
		{"a stream that ends without its end marker is estimated", askStream("up/m"), stream(chatRole + chatDelta), accounting.Estimated, true, true},
		{"a refusal costs nothing", ask("up/m"), respond(400, `{"error":{"message":"no","type":"invalid_request_error"}}`), accounting.Void, false, false},
		{"a rate limit costs nothing", ask("up/m"), respond(429, rateLimited), accounting.Void, false, false},
		{"an overload costs nothing", ask("up/m"), respond(529, `{}`), accounting.Void, false, false},
		{"a server error may have cost something", ask("up/m"), respond(500, serverError), accounting.Unknown, false, false},
		{"a refused connection costs nothing", ask("up/m"), refuse(refused), accounting.Void, false, false},
		{"a reset after the request was sent may have cost something", ask("up/m"), refuse(syscall.ECONNRESET), accounting.Unknown, false, false},
		{"an error inside a success may have cost something", ask("up/m"), respond(200, serverError), accounting.Unknown, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			none := 0
			g := newGateway(t, withProvider("up", tc.answer), withPrice("up/*", "1", "2"),
				with(func(h *Handler) { h.LoadBalancing = &LoadBalancing{Retries: &none} }))
			g.post(chatPath, tc.body)
			if n := len(g.entries()); n != 1 {
				t.Fatalf("%d entries for one attempt", n)
			}
			e := g.entries()[0]
			if e.Certainty != tc.certainty {
				t.Errorf("certainty is %s, want %s", e.Certainty, tc.certainty)
			}
			if invalid := strings.Contains(tc.name, "is not believed"); e.UsageInvalid != invalid {
				t.Errorf("the usage is marked as invalid: %v", e.UsageInvalid)
			}
			if in, out := e.Usage.TotalInput() > 0, e.Usage.TotalOutput() > 0; in != tc.input || out != tc.output {
				t.Errorf("usage is %+v", e.Usage)
			}
			if (e.Cost > 0) != (tc.input || tc.output) || !e.Priced {
				t.Errorf("cost is %s (priced %v) for %+v", e.Cost, e.Priced, e.Usage)
			}
		})
	}
}

func TestAReportedCostIsExact(t *testing.T) {
	g := newGateway(t, withProvider("up", respond(200, chatAnswer)), withPrice("up/m", "2.50", "10"))
	w := g.post(chatPath, ask("up/m"))
	const want = 10*2500 + 5*10_000 // nano-dollars
	if e := g.entries()[0]; e.Cost != want || e.Usage != (accounting.Usage{Input: 10, Output: 5}) {
		t.Errorf("cost %d of %+v, want %d", e.Cost, e.Usage, want)
	}
	if got := w.Header().Get("X-Llm-Gateway-Cost-Usd"); got != accounting.Money(want).String() {
		t.Errorf("the cost header says %q", got)
	}
}

func TestAnUnknownPriceIsNotACostOfZero(t *testing.T) {
	g := newGateway(t, withProvider("up", respond(200, chatAnswer)))
	w := g.post(chatPath, ask("up/m"))
	if e := g.entries()[0]; e.Priced || e.Cost != 0 {
		t.Errorf("priced %v at %s", e.Priced, e.Cost)
	}
	if _, ok := w.Header()["X-Llm-Gateway-Cost-Usd"]; ok {
		t.Error("a cost was claimed in the header")
	}
}

func TestEveryAttemptOfARequestIsChargedAndRecordedOnce(t *testing.T) {
	broken := streamFrom(brokenAfter(chatRole))
	g := newGateway(t, withProvider("a", broken), withProvider("b", respond(429, rateLimited)), withProvider("c", stream(chatStream)),
		withModel("m", "a/x", "b/x", "c/x"), withPrice("*/x", "1", "2"))
	w := g.post(chatPath, askStream("m"))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "[DONE]") {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	var got []string
	ids := map[string]bool{}
	for i, e := range g.entries() {
		got = append(got, e.Provider+" "+e.Certainty.String()+" "+e.ErrorClass)
		ids[e.AttemptID] = true
		if e.Attempt != i+1 || e.RequestID != w.Header().Get("X-Request-Id") || e.Model != "m" || e.UpstreamModel != "x" {
			t.Errorf("entry %d is %+v", i, e)
		}
	}
	if want := "a estimated server_error|b void rate_limit|c reported "; strings.Join(got, "|") != want {
		t.Errorf("entries are %q, want %q", strings.Join(got, "|"), want)
	}
	if len(ids) != 3 || ids[""] {
		t.Errorf("attempt ids are %v", ids)
	}
}

func TestAClientThatLeavesBeforeTheFirstByteIsChargedForItsInput(t *testing.T) {
	g := newGateway(t, withPrice("up/*", "1", "2"), withProvider("up", silent))
	ctx, cancel := context.WithCancel(t.Context())
	g.up["up"].answers[0] = func(r *http.Request) (*http.Response, error) {
		cancel()
		return silent(r)
	}
	g.do(newRequest(http.MethodPost, chatPath, strings.NewReader(askStream("up/m"))).WithContext(ctx))
	if n := len(g.entries()); n != 1 {
		t.Fatalf("%d entries", n)
	}
	if e := g.entries()[0]; e.Certainty != accounting.Estimated || e.Usage.Input == 0 || e.ErrorClass != string(providers.ClassCanceled) {
		t.Errorf("%s %+v %s", e.Certainty, e.Usage, e.ErrorClass)
	}
}

func TestCountingTokensIsFree(t *testing.T) {
	g := newGateway(t, withProviderConfig("up", `{"speaks":["messages"]}`, nil, respond(200, `{"input_tokens":12}`)), withPrice("up/*", "1", "2"))
	w := g.post("/v1/messages/count_tokens", `{"model":"up/m","messages":[{"role":"user","content":"hi"}]}`)
	if e := g.entries(); w.Code != 200 || len(e) != 1 || e[0].Certainty != accounting.Void || e[0].Cost != 0 {
		t.Errorf("%d %+v", w.Code, e)
	}
}

func TestAnAttemptWithoutAPriceIsUnpricedUnlessItWasRefused(t *testing.T) {
	target := &target{provider: &provider{}}
	a := &attempt{choice: choice{target: target}}
	if a.price() != nil || a.priced() {
		t.Error("an attempt at a target without a price has one")
	}
	a.certainty = accounting.Void
	if !a.priced() {
		t.Error("the cost of a refused attempt is unknown")
	}
}

func TestTheTotalOfARequestIsOnlyAsCertainAsItsLeastCertainAttempt(t *testing.T) {
	for _, tc := range []struct {
		attempts []accounting.Certainty
		want     accounting.Certainty
	}{
		{[]accounting.Certainty{accounting.Reported}, accounting.Reported},
		{[]accounting.Certainty{accounting.Void, accounting.Reported}, accounting.Reported},
		{[]accounting.Certainty{accounting.Estimated, accounting.Reported}, accounting.Estimated},
		{[]accounting.Certainty{accounting.Unknown, accounting.Reported}, accounting.Unknown},
		{[]accounting.Certainty{accounting.Unknown, accounting.Estimated}, accounting.Unknown},
		{[]accounting.Certainty{accounting.Void, accounting.Void}, accounting.Void},
	} {
		x := &exchange{keep: new(summary)}
		for _, c := range tc.attempts {
			x.attempts = append(x.attempts, attempt{choice: choice{target: &target{provider: &provider{}}}, certainty: c, usage: accounting.Usage{Input: 1}})
		}
		if x.total(); x.keep.Certainty != tc.want || x.keep.Usage.Input != int64(len(tc.attempts)) {
			t.Errorf("%v add up to %s, %d tokens", tc.attempts, x.keep.Certainty, x.keep.Usage.Input)
		}
	}
}
