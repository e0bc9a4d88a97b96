package sdk

import (
	"strings"
	"testing"
)

// refusals are what an upstream says in its own words, by dialect.
type refusals map[*dialect]refusal

// in returns a script that refuses in the words of a dialect, after some text if there is any.
func (r refusals) in(d *dialect, text ...string) func(question) reply {
	f := r[d]
	return func(question) reply { return reply{text: text, refusal: &f} }
}

const flewAway = "the heron flew away"

var (
	badRequest = refusals{
		chatDialect:      {status: 400, kind: "invalid_request_error", message: flewAway},
		responsesDialect: {status: 400, kind: "invalid_request_error", message: flewAway},
		messagesDialect:  {status: 400, kind: "invalid_request_error", message: flewAway},
		geminiDialect:    {status: 400, kind: "INVALID_ARGUMENT", message: flewAway},
	}
	rateLimit = refusals{
		chatDialect:      {status: 429, kind: "requests", code: "rate_limit_exceeded", message: flewAway, retryAfter: "7"},
		responsesDialect: {status: 429, kind: "requests", code: "rate_limit_exceeded", message: flewAway, retryAfter: "7"},
		messagesDialect:  {status: 429, kind: "rate_limit_error", message: flewAway, retryAfter: "7"},
		geminiDialect:    {status: 429, kind: "RESOURCE_EXHAUSTED", message: flewAway, retryAfter: "7"},
	}
	overload = refusals{
		chatDialect:      {status: 503, kind: "server_error", code: "server_is_overloaded", message: flewAway},
		responsesDialect: {status: 503, kind: "server_error", code: "server_is_overloaded", message: flewAway},
		messagesDialect:  {status: 529, kind: "overloaded_error", message: flewAway},
		geminiDialect:    {status: 503, kind: "UNAVAILABLE", message: flewAway},
	}
	wrongKey = refusals{
		chatDialect:      {status: 401, kind: "invalid_request_error", code: "invalid_api_key", message: "the key " + upstreamKey + " is wrong"},
		responsesDialect: {status: 401, kind: "invalid_request_error", code: "invalid_api_key", message: "the key " + upstreamKey + " is wrong"},
		messagesDialect:  {status: 401, kind: "authentication_error", message: "the key " + upstreamKey + " is wrong"},
		geminiDialect:    {status: 401, kind: "UNAUTHENTICATED", message: "the key " + upstreamKey + " is wrong"},
	}
)

// want is what a client is to make of a refusal. Kind and code may depend on the client; nil means anything.
type want struct {
	status     map[string]int
	kind, code map[string]string
	message    string
	retryAfter string
	final      bool // the client is told not to try again
}

func checkFailure(t *testing.T, name string, c client, err error, w want) {
	t.Helper()
	t.Logf("%s: %#v", name, err)
	f, ok := c.failure(err)
	t.Logf("%+v %v", f, ok)
}

func TestAnUpstreamsRefusalIsTheClientsTypedError(t *testing.T) {
	for _, tc := range []struct {
		name string
		said refusals
	}{
		{"a bad request", badRequest},
		{"a rate limit", rateLimit},
		{"an overload", overload},
		{"a wrong key of the gateway's", wrongKey},
	} {
		for _, stream := range []bool{false, true} {
			for _, l := range lanes {
				t.Run(tc.name+" "+l.client+" client to "+l.dialect.name+" "+map[bool]string{true: "streamed"}[stream], func(t *testing.T) {
					u := startUpstream(t, l.dialect, tc.said.in(l.dialect))
					c := clients[l.client](t, startGateway(t, u.provider()+"model bird up/heron-1\nlb_retries 0"))
					_, err := c.ask(t.Context(), turn{model: "bird", stream: stream})
					checkFailure(t, l.client, c, err, want{})
				})
			}
		}
	}
}

func TestMid(t *testing.T) {
	for _, l := range lanes {
		t.Run(l.client+" client to "+l.dialect.name, func(t *testing.T) {
			u := startUpstream(t, l.dialect, overload.in(l.dialect, pieces...))
			c := clients[l.client](t, startGateway(t, u.provider()+"model bird up/heron-1\nlb_retries 0"))
			var heard strings.Builder
			_, err := c.ask(t.Context(), turn{model: "bird", stream: true, onText: func(p string) { heard.WriteString(p) }})
			checkFailure(t, l.client, c, err, want{})
			_, err = c.ask(t.Context(), turn{model: "brid", stream: false})
			checkFailure(t, l.client, c, err, want{})
		})
	}
}
