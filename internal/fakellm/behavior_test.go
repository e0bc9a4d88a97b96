package fakellm

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

func TestFailuresSpeakTheDialect(t *testing.T) {
	s := New(Options{Behave: func(q *Request) Behavior {
		return Behavior{Status: 429, Message: "slow " + q.Prompt, Header: http.Header{"Retry-After": {"2"}}}
	}, Journal: true})
	for dialect, want := range map[string]string{
		Chat:      `{"error":{"message":"slow down","type":"requests","param":null,"code":"rate_limit_exceeded"}}`,
		Responses: `{"error":{"message":"slow down","type":"requests","param":null,"code":"rate_limit_exceeded"}}`,
		Messages:  `{"type":"error","error":{"type":"rate_limit_error","message":"slow down"},"request_id":"ID"}`,
		Gemini:    `{"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED"}}`,
	} {
		resp, body := do(t, s, paths[dialect][1], bodyOf(dialect, "down", true, ""))
		want = strings.Replace(want, "ID", resp.Header.Get("Request-Id"), 1)
		if resp.StatusCode != 429 || body != want || resp.Header.Get("Retry-After") != "2" || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %v %s", dialect, resp.StatusCode, resp.Header, body)
		}
	}
	for _, x := range s.Journal() {
		if x.InputTokens != 0 || x.OutputTokens != 0 || x.Status != 429 {
			t.Errorf("booked %+v", x)
		}
	}
}

func TestWrongRequestsAreRefused(t *testing.T) {
	s := New(Options{})
	for _, tc := range []struct {
		path, body string
		status     int
	}{
		{"/v1/chat/completions", `{`, 400},
		{"/v1/chat/completions", `[]`, 400},
		{"/v1/chat/completions", `{"messages":[]}`, 400},
		{"/v1/messages", `{"model":"m","messages":[]}`, 400},
		{"/v1/nothing", `{}`, 404},
		{"/v1beta/models/m:explode", `{}`, 404},
	} {
		resp, body := do(t, s, tc.path, tc.body)
		if resp.StatusCode != tc.status || !gjson.Get(body, "error.message").Exists() {
			t.Errorf("%s %s: %d %s", tc.path, tc.body, resp.StatusCode, body)
		}
	}
}

func TestAStreamCanEndEarly(t *testing.T) {
	for dialect, path := range paths {
		full := New(Options{})
		_, whole := do(t, full, path[1], bodyOf(dialect, "x", true, ""))
		for _, tc := range []struct {
			name     string
			behavior Behavior
			fails    bool
			has      string
		}{
			{name: "cut", behavior: Behavior{CutAfter: 6}},
			{name: "aborted", behavior: Behavior{CutAfter: 6, Abort: true}, fails: true},
			{name: "failed", behavior: Behavior{ErrorAfter: 6, Message: "broken"}, has: "broken"},
		} {
			t.Run(dialect+" "+tc.name, func(t *testing.T) {
				s := New(Options{Behave: func(*Request) Behavior { return tc.behavior }, Journal: true})
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path[1], strings.NewReader(bodyOf(dialect, "x", true, "")))
				resp, err := s.RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(resp.Body)
				if (err != nil) != tc.fails {
					t.Errorf("error %v", err)
				}
				common, _, _ := strings.Cut(string(got), `event: error`)
				if tc.has == "" && !strings.HasPrefix(whole, common) || !strings.Contains(string(got), tc.has) || len(got) >= len(whole)+200 {
					t.Errorf("got %s", got)
				}
				if n := len(events(t, string(got))); tc.has == "" && n != 6 || tc.has != "" && n != 7 {
					t.Errorf("%d events", n)
				}
				x := s.Journal()[0]
				if tc.has == "" && x.Complete || x.OutputTokens == 0 || x.OutputTokens > 6 {
					t.Errorf("booked %+v", x)
				}
			})
		}
	}
}

func TestTheConnectionCanBreakBeforeTheAnswer(t *testing.T) {
	s := New(Options{Behave: func(*Request) Behavior { return Behavior{Abort: true} }, Journal: true})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/chat/completions", strings.NewReader(bodyOf(Chat, "x", false, "")))
	if _, err := s.RoundTrip(r); !errors.Is(err, errConnectionCut) {
		t.Errorf("error %v", err)
	}
	server := httptest.NewServer(s)
	defer server.Close()
	resp, err := http.Post(server.URL+"/v1/chat/completions", "application/json", strings.NewReader(bodyOf(Chat, "x", false, "")))
	if err == nil {
		resp.Body.Close()
		t.Error("there was an answer")
	}
	for _, x := range s.Journal() {
		if x.Status != 0 || x.Complete {
			t.Errorf("booked %+v", x)
		}
	}
}

func TestBehaviorChangesTheAnswer(t *testing.T) {
	for name, tc := range map[string]struct {
		behavior Behavior
		text     string
		usage    bool
	}{
		"text":     {Behavior{Text: "just this"}, "just this", true},
		"echo":     {Behavior{Echo: true}, "say it", true},
		"no usage": {Behavior{OmitUsage: true, Text: "x"}, "x", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(Options{Behave: func(*Request) Behavior { return tc.behavior }})
			for dialect, path := range paths {
				_, body := do(t, s, path[0], bodyOf(dialect, "say it", false, ""))
				if got := readUnary(dialect, body); got.text != tc.text || (got.output > 0) != tc.usage {
					t.Errorf("%s said %+v", dialect, got)
				}
			}
		})
	}
}
