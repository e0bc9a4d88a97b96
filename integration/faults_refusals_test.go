package integration

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/internal/faultllm"
)

// Group B, third part: refusals and what is no answer.

var (
	faultLong = map[string]faultllm.Script{
		"openai":    {Status: 400, Body: `{"error":{"message":"This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`},
		"anthropic": {Status: 400, Body: `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 250000 tokens > 200000 maximum"}}`},
		"gemini":    {Status: 400, Body: `{"error":{"code":400,"message":"The input token count (1300000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}`},
	}
	faultPolicy = map[string]faultllm.Script{
		"openai":    {Status: 400, Body: `{"error":{"message":"The response was filtered.","type":"invalid_request_error","param":"prompt","code":"content_filter"}}`},
		"anthropic": {Status: 400, Body: `{"type":"error","error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"}}`},
		"gemini":    {Status: 400, Body: `{"error":{"code":400,"message":"prohibited","status":"PROHIBITED_CONTENT"}}`},
	}
)

func TestFaults_T17_ContextLength(t *testing.T) {
	faultTest(t, 17, func(f *fault) { faultOptIn(f, faultLong, "context_length") })
}

func TestFaults_T18_ContentPolicy(t *testing.T) {
	faultTest(t, 18, func(f *fault) { faultOptIn(f, faultPolicy, "content_filter") })
}

func faultOptIn(f *fault, scripts map[string]faultllm.Script, class string) {
	mapped := 0
	f.pairs(func(f *fault, d *gwClient, kind string, stream bool) {
		r := f.rig()
		r.up("small", kind, faultllm.Always(scripts[kind]))
		large := r.up("large", kind, faultllm.Always(faultllm.Script{}))
		r.start("model m small/a large/b\nmodel carried small/a large/b {\nretry_on server_error " + class + "\n}")
		h := r.ask(d, "m", stream)
		f.must(h.status == 400 && h.Failed && large.Len() == 0, "passed on", "%s", &h)
		rows := r.rows(func(e *accounting.Entry) bool { return e.ErrorClass == class && e.Certainty == accounting.Void })
		f.must(len(rows) == 1, "class", "%+v", faultBooks.all())
		h = r.ask(d, "carried", stream)
		f.must(h.good() && h.tries() == 2, "carried on", "%s", &h)
		mapped++
	})
	f.figure("%d cases", mapped)
}

func TestFaults_T19_MistakesOfTheCaller(t *testing.T) {
	faultTest(t, 19, func(f *fault) {
		f.pairs(func(f *fault, d *gwClient, kind string, stream bool) {
			for _, status := range []int{400, 404, 413, 422} {
				f.run(strconv.Itoa(status), func(f *fault) {
					r := f.rig()
					one := r.up("one", kind, faultllm.Always(faultllm.Fail(status)))
					two := r.up("two", kind, faultllm.Always(faultllm.Script{}))
					r.start("model m one/a two/b")
					h := r.ask(d, "m", stream)
					f.must(h.Failed && h.status/100 == 4 && h.status != 401 && h.status != 429, "4xx", "%s", &h)
					f.must(strings.Contains(h.Error, "made to fail"), "the provider's words", "%s", &h)
					f.must(one.Len() == 1 && two.Len() == 0, "one attempt", "%d and %d requests", one.Len(), two.Len())
				})
			}
		})
		f.figure("attempts = 1")
	})
}

func TestFaults_T20_TimeoutsAndConflicts(t *testing.T) {
	faultTest(t, 20, func(f *fault) {
		f.pairs(func(f *fault, d *gwClient, kind string, stream bool) {
			for _, status := range []int{408, 409} {
				f.run(strconv.Itoa(status), func(f *fault) {
					r := f.rig()
					once := r.up("once", kind, faultllm.InTurn(faultllm.Fail(status), faultllm.Script{}))
					always := r.up("always", kind, faultllm.Always(faultllm.Fail(status)))
					r.start("lb_try_interval 1ms")
					h := r.ask(d, "once/x", stream)
					f.must(h.good() && once.Len() == 2, "one retry", "%d requests, %s", once.Len(), &h)
					h = r.ask(d, "always/x", stream)
					f.must(h.Failed && always.Len() == 2, "not more", "%d requests, %s", always.Len(), &h)
				})
			}
		})
		f.figure("attempts ≤ 2")
	})
}

func TestFaults_T21_Redirects(t *testing.T) {
	faultTest(t, 21, func(f *fault) {
		followed := 0
		f.pairs(func(f *fault, d *gwClient, kind string, stream bool) {
			sink, err := faultllm.NewUpstream(faultllm.Always(faultllm.Script{}), faultllm.Options{})
			if err != nil {
				f.Fatal(err)
			}
			defer sink.Close()
			r := f.rig()
			targets := []string{sink.URL() + "/v1/chat/completions", "//" + sink.Addr() + "/", "http://169.254.169.254/latest/meta-data/", "/v1/elsewhere"}
			statuses := []int{301, 302, 303, 307, 308}
			up := r.up("p", kind, func(q *faultllm.Request) faultllm.Script {
				s := faultllm.Script{Status: statuses[q.N%len(statuses)], Body: "moved"}
				s.Header = http.Header{"Location": {targets[q.N%len(targets)]}, "Content-Type": {"text/plain"}}
				return s
			})
			r.start("lb_retries 0\nmax_fails 1000\nfail_duration 1s")
			const n = 10
			for range n {
				h := r.ask(d, "p/x", stream)
				f.must(h.status == 502 && h.Failed && h.header.Get("Location") == "", "502", "%s %v", &h, h.header)
			}
			accepted, _ := sink.Connections()
			followed += accepted
			f.must(accepted == 0 && up.Len() == n, "not followed", "%d connections to the other place, %d requests", accepted, up.Len())
		})
		f.figure("%d connections to where they point", followed)
	})
}

func TestFaults_T22_InformationalStatuses(t *testing.T) {
	faultTest(t, 22, func(f *fault) {
		f.pairs(func(f *fault, d *gwClient, kind string, stream bool) {
			r := f.rig()
			r.up("p", kind, faultllm.Always(faultllm.Script{Inform: []int{100, 103, 102}}))
			r.up("switches", kind, faultllm.Always(faultllm.Script{Inform: []int{101}}))
			r.start("lb_retries 0")
			h := r.ask(d, "p/x", stream)
			f.must(h.good(), "ignored", "%s", &h)
			h = r.ask(d, "switches/x", stream)
			f.must(h.status == 502 && h.Failed && h.took < 5*time.Second, "101", "%s", &h)
		})
		f.figure("100, 102, 103 ignored; 101 is a 502")
	})
}
