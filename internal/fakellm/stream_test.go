package fakellm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

func TestTokensComeAtTheirPace(t *testing.T) {
	for dialect, path := range paths {
		t.Run(dialect, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := New(Options{Latency: 500 * time.Millisecond, TokensPerSecond: 10, Tokens: 21})
				start := time.Now()
				resp, err := s.RoundTrip(httptest.NewRequestWithContext(t.Context(), http.MethodPost, path[1], strings.NewReader(bodyOf(dialect, "x", true, ""))))
				if err != nil {
					t.Fatal(err)
				}
				if d := time.Since(start); d != 0 {
					t.Errorf("headers after %v", d)
				}
				buf := make([]byte, 64<<10)
				if _, err := resp.Body.Read(buf); err != nil || time.Since(start) != 500*time.Millisecond {
					t.Errorf("first bytes after %v, %v", time.Since(start), err)
				}
				if _, err := io.Copy(io.Discard, resp.Body); err != nil {
					t.Fatal(err)
				}
				if d := time.Since(start); d != 2500*time.Millisecond {
					t.Errorf("done after %v", d)
				}
				start = time.Now()
				do(t, s, path[0], bodyOf(dialect, "x", false, ""))
				if d := time.Since(start); d != 2500*time.Millisecond {
					t.Errorf("unary after %v", d)
				}
			})
		})
	}
}

func TestJitterVariesByThePrompt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Latency: time.Second, Jitter: 0.5})
		seen := map[time.Duration]bool{}
		for i := range 20 {
			for range 2 {
				start := time.Now()
				do(t, s, "/v1/chat/completions", bodyOf(Chat, fmt.Sprint(i), false, ""))
				d := time.Since(start)
				if d < 500*time.Millisecond || d > 1500*time.Millisecond {
					t.Errorf("took %v", d)
				}
				seen[d] = true
			}
		}
		if len(seen) < 10 || len(seen) > 20 {
			t.Errorf("%d different latencies", len(seen))
		}
	})
}

func TestALeavingClientStopsTheTokens(t *testing.T) {
	for _, stream := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := New(Options{Latency: time.Second, TokensPerSecond: 1, Tokens: 100, Journal: true})
			ctx, cancel := context.WithTimeout(t.Context(), 5500*time.Millisecond)
			defer cancel()
			resp, err := s.RoundTrip(httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/chat/completions", strings.NewReader(bodyOf(Chat, "x", stream, ""))))
			if err == nil {
				_, err = io.Copy(io.Discard, resp.Body)
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
			}
			if x := s.Journal()[0]; x.Complete || stream && x.OutputTokens != 5 {
				t.Errorf("booked %+v", x)
			}
		})
	}
}

func TestAnAbandonedStreamIsBookedOnce(t *testing.T) {
	s := New(Options{Journal: true})
	resp, err := s.RoundTrip(httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/chat/completions", strings.NewReader(bodyOf(Chat, "x", true, ""))))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := resp.Body.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := resp.Body.Read(make([]byte, 10)); n != 0 || err != io.EOF {
		t.Errorf("read after close: %d, %v", n, err)
	}
	if x := s.Journal()[0]; x.Complete || x.OutputTokens == 0 {
		t.Errorf("booked %+v", x)
	}
}

func TestStreamsCanBeReadInAnyPieces(t *testing.T) {
	s := New(Options{})
	for dialect, path := range paths {
		body := bodyOf(dialect, "x", true, "")
		_, whole := do(t, s, path[1], body)
		resp, err := s.RoundTrip(httptest.NewRequestWithContext(t.Context(), http.MethodPost, path[1], strings.NewReader(body)))
		if err != nil {
			t.Fatal(err)
		}
		if err := iotest.TestReader(resp.Body, []byte(whole)); err != nil {
			t.Errorf("%s: %v", dialect, err)
		}
	}
}

func TestAHandlerFlushesEveryToken(t *testing.T) {
	s := New(Options{TokensPerSecond: 1000, Tokens: 20})
	server := httptest.NewServer(s)
	defer server.Close()
	resp, err := http.Post(server.URL+"/v1/messages", "application/json", strings.NewReader(bodyOf(Messages, "x", true, "")))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	reads, buf, all := 0, make([]byte, 64<<10), []byte(nil)
	for {
		n, err := resp.Body.Read(buf)
		all = append(all, buf[:n]...)
		if reads++; err != nil {
			break
		}
	}
	if reads < 5 || !bytes.HasSuffix(all, []byte("\"message_stop\"}\n\n")) || resp.TransferEncoding[0] != "chunked" {
		t.Errorf("%d reads, %v, ends in %q", reads, resp.TransferEncoding, all[max(0, len(all)-40):])
	}
}
