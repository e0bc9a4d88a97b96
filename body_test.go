package llmgateway

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidwall/gjson"
)

// deadlined is a body with a read deadline, as newer versions of Caddy have it: the deadline is lifted only when a read
// has returned io.EOF.
type deadlined struct {
	io.Reader
	lifted bool
	reads  int
}

func (b *deadlined) Read(p []byte) (int, error) {
	b.reads++
	n, err := b.Reader.Read(p)
	b.lifted = b.lifted || err == io.EOF
	return n, err
}

func (*deadlined) Close() error { return nil }

func TestABodyIsReadToItsEndSoThatItsDeadlineIsLifted(t *testing.T) {
	for _, declared := range []bool{true, false} {
		g := newGateway(t, withProvider("up", respond(200, chatAnswer)))
		text := ask("up/m")
		body := &deadlined{Reader: strings.NewReader(text)}
		g.up["up"].answers[0] = func(r *http.Request) (*http.Response, error) {
			if !body.lifted {
				return nil, errors.New("the provider is asked while the deadline is running")
			}
			return respond(200, chatAnswer)(r)
		}
		r := newRequest(http.MethodPost, chatPath, nil)
		r.Body, r.ContentLength = body, -1
		if declared {
			r.ContentLength = int64(len(text))
		}
		if w := g.do(r); w.Code != 200 {
			t.Errorf("declared %v: %d %s", declared, w.Code, w.Body)
		}
	}
}

func TestBodiesOfEverySizeArriveUnchanged(t *testing.T) {
	for _, size := range []int{0, 1, 3 << 10, 4<<10 - 60, 4 << 10, 4<<10 + 1, 100_000, 3 << 20} {
		for _, declared := range []int64{-1, 0} { // unknown, or as long as it is
			g := newGateway(t, withProvider("up", respond(200, chatAnswer)))
			content := strings.Repeat("é", size/2)
			text := `{"model":"up/m","messages":[{"role":"user","content":"` + content + `"}]}`
			r := newRequest(http.MethodPost, chatPath, io.MultiReader(strings.NewReader(text)))
			if r.ContentLength = declared; declared == 0 {
				r.ContentLength = int64(len(text))
			}
			if w := g.do(r); w.Code != 200 {
				t.Fatalf("%d bytes: %d %s", size, w.Code, w.Body)
			}
			if got := gjson.Get(g.up["up"].last(t).body, "messages.0.content").Str; got != content {
				t.Errorf("%d bytes became %d", len(content), len(got))
			}
		}
	}
	if held := bodyMemory.Load(); held != 0 {
		t.Errorf("%d bytes are still counted", held)
	}
}

func TestBodiesThatCannotBeAccepted(t *testing.T) {
	const limit = 1 << 10
	big := ask("up/" + strings.Repeat("x", limit))
	for _, tc := range []struct {
		name     string
		body     io.Reader
		declared int64
		header   [2]string
		status   int
		code     string
	}{
		{"larger than allowed, declared", strings.NewReader(big), int64(len(big)), [2]string{}, 413, "request_too_large"},
		{"larger than allowed, chunked", strings.NewReader(big), -1, [2]string{}, 413, "request_too_large"},
		{"larger than declared and than allowed", strings.NewReader(big), 10, [2]string{}, 413, "request_too_large"},
		{"declared as enormous", strings.NewReader("{}"), 1 << 60, [2]string{}, 413, "request_too_large"},
		{"cut off", io.MultiReader(strings.NewReader(`{"model"`), failingReader{io.ErrUnexpectedEOF}), 100, [2]string{}, 400, "unreadable_body"},
		{"limited by another handler", io.MultiReader(strings.NewReader(`{"model"`), failingReader{&http.MaxBytesError{Limit: 8}}), -1, [2]string{}, 413, "request_too_large"},
		{"empty", strings.NewReader(""), 0, [2]string{}, 400, "invalid_json"},
		{"not JSON", strings.NewReader("model=m"), -1, [2]string{}, 400, "invalid_json"},
		{"two documents", strings.NewReader(ask("up/m") + ask("up/m")), -1, [2]string{}, 400, "invalid_json"},
		{"an array", strings.NewReader("[]"), -1, [2]string{}, 400, "invalid_json"},
		{"UTF-16", bytes.NewReader([]byte("\xff\xfe{\x00}\x00")), -1, [2]string{}, 400, "invalid_json"},
		{"too deep", strings.NewReader(strings.Repeat("[", 900)), -1, [2]string{}, 400, "invalid_json"},
		{"with two models", strings.NewReader(`{"model":"up/m","model":"up/dear"}`), -1, [2]string{}, 400, "duplicate_key"},
		{"with a model in another case", strings.NewReader(`{"model":"up/m","MODEL":"up/dear"}`), -1, [2]string{}, 400, "duplicate_key"},
		{"without a model", strings.NewReader(`{"messages":[]}`), -1, [2]string{}, 400, ""},
		{"compressed", strings.NewReader("\x1f\x8b"), -1, [2]string{"Content-Encoding", "gzip"}, 415, "unsupported_encoding"},
		{"of another type", strings.NewReader("{}"), -1, [2]string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newGateway(t, withProvider("up", respond(200, chatAnswer)), with(func(h *Handler) { h.MaxBody = limit }))
			r := newRequest(http.MethodPost, chatPath, tc.body)
			r.ContentLength = tc.declared
			if tc.header[0] != "" {
				r.Header.Set(tc.header[0], tc.header[1])
			}
			w := g.do(r)
			if got := gjson.Get(w.Body.String(), "error.code").Str; w.Code != tc.status || got != tc.code || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%d %q: %s", w.Code, got, w.Body)
			}
			if g.up["up"].count() != 0 || bodyMemory.Load() != 0 {
				t.Errorf("%d calls, %d bytes held", g.up["up"].count(), bodyMemory.Load())
			}
			if w.Code == 413 && w.Header().Get("Connection") != "close" {
				t.Error("the connection is kept, and the rest of the body with it")
			}
		})
	}
}

func TestErrorsAreWrittenInTheClientsDialect(t *testing.T) {
	for path, member := range map[string]string{
		chatPath: "error.message", "/v1/responses": "error.message", "/v1/messages": "error.message", "/v1beta/models/g:generateContent": "error.status",
	} {
		g := newGateway(t, withProvider("up", respond(200, chatAnswer)))
		w := g.post(path, `{`)
		if !gjson.Get(w.Body.String(), member).Exists() || w.Code != 400 || w.Header().Get("X-Should-Retry") != "false" || w.Header().Get("X-Request-Id") == "" {
			t.Errorf("%s: %d %v %s", path, w.Code, w.Header(), w.Body)
		}
		if isMessages := gjson.Get(w.Body.String(), "type").Str == "error"; isMessages != (path == "/v1/messages") {
			t.Errorf("%s: %s", path, w.Body)
		}
	}
}

func TestErrorsMayBeHandedToCaddy(t *testing.T) {
	g := newGateway(t, withProvider("up", respond(429, rateLimited)), with(func(h *Handler) { h.Errors = "caddy" }))
	for body, want := range map[string]string{`{`: "HTTP 400", ask("up/m"): "HTTP 429"} {
		w := newTimeline()
		err := g.serve(w, newRequest(http.MethodPost, chatPath, strings.NewReader(body)))
		if err == nil || !strings.Contains(err.Error(), want) || w.status != 0 || w.header.Get("X-Request-Id") == "" {
			t.Errorf("%v, status %d, %v", err, w.status, w.header)
		}
	}
}

func TestManyLargeBodiesAtOnceAreRefusedRatherThanHeld(t *testing.T) {
	g := newGateway(t, withProvider("up", respond(200, chatAnswer)))
	taken := bodyMemoryLimit() - 100<<10
	bodyMemory.Add(taken)
	defer bodyMemory.Add(-taken)
	if w := g.post(chatPath, ask("up/m")); w.Code != 200 {
		t.Errorf("a small request: %d", w.Code)
	}
	for _, declared := range []int64{-1, 300_000} {
		r := newRequest(http.MethodPost, chatPath, strings.NewReader(`{"model":"up/m","x":"`+strings.Repeat("x", 300_000)+`"}`))
		r.ContentLength = declared
		if w := g.do(r); w.Code != 503 || w.Header().Get("Retry-After") == "" || w.Header().Get("X-Should-Retry") != "" {
			t.Errorf("a large request: %d %v", w.Code, w.Header())
		}
	}
	if held := bodyMemory.Load(); held != taken {
		t.Errorf("%d bytes are counted of nothing", held-taken)
	}
}

// drip gives a byte a second.
type drip struct{ rest string }

func (d *drip) Read(p []byte) (int, error) {
	if d.rest == "" {
		return 0, io.EOF
	}
	time.Sleep(time.Second) // virtual
	p[0], d.rest = d.rest[0], d.rest[1:]
	return 1, nil
}

func TestABodyThatDripsInIsNotWaitedFor(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want int
		took time.Duration
	}{
		"a short one": {`{"model":"up/m"}`, 200, 16 * time.Second},
		"a long one":  {ask("up/m") + strings.Repeat(" ", 100), http.StatusRequestTimeout, 31 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newGateway(t, withProvider("up", respond(200, chatAnswer)))
			start := time.Now()
			r := newRequest(http.MethodPost, chatPath, &drip{c.body})
			r.ContentLength = -1
			if w := g.do(r); w.Code != c.want || time.Since(start) != c.took {
				t.Errorf("%s: %d after %s: %s", name, w.Code, time.Since(start), w.Body)
			}
		})
	}
}
