package llmgateway

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// scribbler overwrites every pooled buffer whenever the response goes on, as concurrent requests would.
type scribbler struct{ *httptest.ResponseRecorder }

func (w scribbler) WriteHeader(status int) {
	scribble()
	w.ResponseRecorder.WriteHeader(status)
}

func (w scribbler) Write(b []byte) (int, error) {
	n, err := w.ResponseRecorder.Write(b)
	scribble()
	return n, err
}

func scribble() {
	var taken []*[]byte
	for range 32 {
		b := getBuffer()
		taken = append(taken, b)
		whole := (*b)[:cap(*b)]
		for i := range whole {
			whole[i] = 'X'
		}
		o := objects.Get().(*jsonedit.Object)
		o.Reset()
		objects.Put(o)
	}
	for _, b := range taken {
		putBuffer(b)
	}
}

func TestAnErrorInsideASuccessIsNotReadFromMemoryOfOtherRequests(t *testing.T) {
	const body = `{"error":{"message":"this is the message of the error","type":"invalid_request_error","code":"content_filter"}}`
	for request, a := range map[string]answer{ask("up/m"): respond(200, body), askStream("up/m"): stream("data: " + body + "\n\n")} {
		for range 30 { // which buffer the pool hands out is a matter of chance
			g := newGateway(t, withProvider("up", a))
			w := scribbler{httptest.NewRecorder()}
			if err := g.serve(w, newRequest(http.MethodPost, chatPath, strings.NewReader(request))); err != nil {
				t.Fatal(err)
			}
			if !gjson.Valid(w.Body.String()) || !strings.Contains(w.Body.String(), "this is the message") {
				t.Fatalf("the client got %s", w.Body)
			}
			if got := w.Header().Get("Content-Type"); got != "application/json" {
				t.Fatalf("the error is said to be %q", got)
			}
			if err := g.Cleanup(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// requests are the same one in every dialect, as a stream.
var requests = map[string]string{
	chatPath:        `{"model":"pub-name","stream":true,"user":"end-user-1","stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}`,
	"/v1/messages":  `{"model":"pub-name","stream":true,"max_tokens":9,"metadata":{"user_id":"end-user-1"},"messages":[{"role":"user","content":"hi"}]}`,
	"/v1/responses": `{"model":"pub-name","stream":true,"prompt_cache_key":"k","input":"hi"}`,
	"/v1beta/models/pub-name:streamGenerateContent?alt=sse": geminiBody,
}

func TestNothingOfARequestIsReadAfterItsMemoryWasGivenBack(t *testing.T) {
	streams := map[string]string{"chat": chatStream, "messages": messagesHead + messagesDelta + messagesTail}
	for path, request := range requests {
		for speaks, whole := range streams {
			for name, text := range map[string]string{"whole": whole, "broken": whole[:len(whole)/2]} {
				g := newGateway(t, withProviderConfig("up", `{"speaks":["`+speaks+`"]}`, nil, streamFrom(func(context.Context) io.ReadCloser {
					return io.NopCloser(&repeated{head: text[:len(text)/3], event: text[len(text)/3:], n: 1})
				})), withModel("pub-name", "up/upstream-name"))
				w := scribbler{httptest.NewRecorder()}
				if err := g.serve(w, newRequest(http.MethodPost, path, strings.NewReader(request))); err != nil {
					t.Fatal(err)
				}
				if g.up["up"].count() == 0 {
					continue // there is no translation between these two
				}
				if strings.Contains(w.Body.String(), "XX") {
					t.Errorf("%s from %s, %s: %s", path, speaks, name, w.Body)
				}
				for _, e := range g.entries() {
					if e.Model != "pub-name" || e.UpstreamModel != "upstream-name" || e.AnsweredModel != "" && e.AnsweredModel != "m-1" {
						t.Errorf("%s from %s, %s: %+v", path, speaks, name, e)
					}
				}
			}
		}
	}
}

func TestConcurrentRequestsGetTheirOwnAnswers(t *testing.T) {
	echo := func(r *http.Request) (*http.Response, error) {
		return respond(200, strings.ReplaceAll(chatAnswer, "hello", r.Header.Get("Traceparent")))(r)
	}
	g := newGateway(t, withProvider("a", respond(500, serverError), echo), withProvider("b", echo), withModel("m", "a/x", "b/x"))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				id := strings.Repeat(string(rune('a'+i)), 1+j*20)
				r := newRequest(http.MethodPost, chatPath, strings.NewReader(ask("m")))
				r.Header.Set("Traceparent", id)
				w := scribbler{httptest.NewRecorder()}
				if err := g.serve(w, r); err != nil || gjson.Get(w.Body.String(), "choices.0.message.content").Str != id {
					t.Errorf("%v: asked for %.20s, got %.200s", err, id, w.Body)
				}
			}
		})
	}
	wg.Wait()
	if held := bodyMemory.Load(); held != 0 {
		t.Errorf("%d bytes are still counted", held)
	}
}
