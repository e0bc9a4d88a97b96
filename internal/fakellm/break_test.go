package fakellm

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestABreakComesAfterSoManyTokens(t *testing.T) {
	for dialect, path := range paths {
		synctest.Test(t, func(t *testing.T) {
			s := New(Options{
				Latency: time.Second, TokensPerSecond: 10, Tokens: 20, Journal: true,
				Behave: func(*Request) Behavior { return Behavior{Break: &Break{After: 4}} },
			})
			start := time.Now()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path[1], strings.NewReader(bodyOf(dialect, "x", true, "")))
			resp, err := s.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			// The connection breaks when the fifth token was due.
			if _, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) || time.Since(start) != 1400*time.Millisecond {
				t.Errorf("%s: %v after %v", dialect, err, time.Since(start))
			}
			if x := s.Journal()[0]; x.Complete || x.OutputTokens != 4 {
				t.Errorf("%s: booked %+v", dialect, x)
			}
		})
	}
}

func TestABreakIsOneOnARealConnection(t *testing.T) {
	for name, stream := range map[string]bool{"unary": false, "stream": true} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(New(Options{Behave: func(*Request) Behavior { return Behavior{Break: new(Break)} }}))
			defer server.Close()
			resp, err := http.Post(server.URL+"/v1/chat/completions", "application/json", strings.NewReader(bodyOf(Chat, "x", stream, "")))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if text, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) || len(text) == 0 {
				t.Errorf("%q, %v", text, err)
			}
		})
	}
}

func TestAnotherLatencyIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Latency: time.Second, Jitter: 1, Behave: func(*Request) Behavior { return Behavior{Latency: 20 * time.Second} }})
		start := time.Now()
		do(t, s, "/v1/chat/completions", bodyOf(Chat, "x", false, ""))
		if d := time.Since(start); d != 20*time.Second {
			t.Errorf("took %v", d)
		}
	})
}

func TestAnErrorCanBeGivenAsItIs(t *testing.T) {
	s := New(Options{Behave: func(*Request) Behavior { return Behavior{Status: 418, Body: []byte(`{"so":1}`)} }})
	if resp, body := do(t, s, "/v1/chat/completions", bodyOf(Chat, "x", true, "")); resp.StatusCode != 418 || body != `{"so":1}` {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}
