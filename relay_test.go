package llmgateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/providers"
)

// timeline is a response writer that notes when and what it was given.
type timeline struct {
	header  http.Header
	status  int
	start   time.Time
	writes  []string // "<seconds>:<bytes>"
	all     bytes.Buffer
	flushes int
	// onWrite may fail a write; the number of the write counts from 1.
	onWrite func(n int) error
}

func newTimeline() *timeline { return &timeline{header: http.Header{}, start: time.Now()} }

func (w *timeline) Header() http.Header    { return w.header }
func (w *timeline) WriteHeader(status int) { w.status = status }
func (w *timeline) FlushError() error      { w.flushes++; return nil }

func (w *timeline) Write(b []byte) (int, error) {
	if w.onWrite != nil {
		if err := w.onWrite(len(w.writes) + 1); err != nil {
			return 0, err
		}
	}
	w.writes = append(w.writes, strconv.Itoa(int(time.Since(w.start)/time.Second))+":"+strconv.Itoa(len(b)))
	w.all.Write(b)
	return len(b), nil
}

// pacedReader gives one piece per read, each after a second. At the end it waits for the context where hang is set.
type pacedReader struct {
	ctx    context.Context
	pieces []string
	hang   bool
}

func (r *pacedReader) Read(p []byte) (int, error) {
	if len(r.pieces) == 0 {
		if r.hang {
			<-r.ctx.Done()
			return 0, r.ctx.Err()
		}
		return 0, io.EOF
	}
	select {
	case <-time.After(time.Second):
	case <-r.ctx.Done():
		return 0, r.ctx.Err()
	}
	n := copy(p, r.pieces[0])
	if r.pieces[0] = r.pieces[0][n:]; r.pieces[0] == "" {
		r.pieces = r.pieces[1:]
	}
	return n, nil
}

func paced(hang bool, pieces ...string) answer {
	return streamFrom(func(ctx context.Context) io.ReadCloser {
		return io.NopCloser(&pacedReader{ctx: ctx, pieces: append([]string(nil), pieces...), hang: hang})
	})
}

func TestAStreamIsHeldBackUntilItsFirstContent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, withProvider("up", paced(false, chatRole, ": ping\n\n", chatDelta, chatDelta, chatFinish, chatUsage, chatDone)))
		w := newTimeline()
		if err := g.serve(w, newRequest(http.MethodPost, chatPath, strings.NewReader(askStream("up/m")))); err != nil {
			t.Fatal(err)
		}
		n := strconv.Itoa
		want := []string{"3:" + n(len(chatRole)+8+len(chatDelta)), "4:" + n(len(chatDelta)), "5:" + n(len(chatFinish)), "7:" + n(len(chatDone))}
		if strings.Join(w.writes, " ") != strings.Join(want, " ") || w.flushes < len(want) {
			t.Errorf("writes %v with %d flushes, want %v", w.writes, w.flushes, want)
		}
		if e := g.entries()[0]; e.TimeToFirstToken != 3*time.Second || e.Latency != 7*time.Second {
			t.Errorf("first token after %s, done after %s", e.TimeToFirstToken, e.Latency)
		}
	})
}

func TestTheLatencyOfATargetIsKnownFromItsFirstToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, withProvider("slow", paced(false, chatRole, chatDelta, chatDelta, chatDelta, chatFinish, chatDone)))
		done := make(chan struct{})
		go func() {
			defer close(done)
			g.post(chatPath, askStream("slow/first-token"))
		}()
		time.Sleep(3500 * time.Millisecond) // virtual: the first content came after two seconds, the end comes after six
		synctest.Wait()
		var seen *targetState
		for _, s := range targetStates(time.Now(), false) {
			if s.Model == "first-token" {
				seen = &s
			}
		}
		if seen == nil || seen.InFlight != 1 || seen.LatencyMS < 1500 || seen.LatencyMS > 2000 {
			t.Errorf("got %+v, want a request in flight and a latency of two seconds", seen)
		}
		<-done
	})
}

func TestEventsThatArriveTogetherAreFlushedOnce(t *testing.T) {
	g := newGateway(t, withProvider("up", stream(chatStream)))
	w := newTimeline()
	if err := g.serve(w, newRequest(http.MethodPost, chatPath, strings.NewReader(askStream("up/m")))); err != nil {
		t.Fatal(err)
	}
	if w.flushes > 3 { // the first content, the end of the segment, the end of the stream
		t.Errorf("%d flushes for one segment", w.flushes)
	}
}

func TestTheUsageChunkIsForTheGatewayUnlessTheClientAskedForIt(t *testing.T) {
	for _, asked := range []bool{false, true} {
		g := newGateway(t, withProvider("up", stream(chatStream)))
		body := askStream("up/m")
		if asked {
			body = strings.Replace(body, `"stream":true`, `"stream":true,"stream_options":{"include_usage":true}`, 1)
		}
		w := g.post(chatPath, body)
		want := chatStream
		if !asked {
			want = strings.Replace(chatStream, chatUsage, "", 1)
		}
		if w.Body.String() != want {
			t.Errorf("asked %v: got %s", asked, w.Body)
		}
		if !gjson.Get(g.up["up"].last(t).body, "stream_options.include_usage").Bool() {
			t.Errorf("asked %v: the provider was not asked for usage: %s", asked, g.up["up"].last(t).body)
		}
		if e := g.entries()[0]; e.Usage != (accounting.Usage{Input: 10, Output: 5}) {
			t.Errorf("asked %v: usage %+v", asked, e.Usage)
		}
	}
}

func TestABrokenStreamIsRetriedBeforeAndReportedAfterItsFirstContent(t *testing.T) {
	for _, tc := range []struct {
		name        string
		first       answer
		retried     bool
		interrupted string // in the error event
	}{
		{"reset before the first content", streamFrom(brokenAfter(chatRole)), true, ""},
		{"clean end before the first content", stream(chatRole), true, ""},
		{"error event before the first content", stream(chatRole + "data: " + serverError + "\n\n"), true, ""},
		{"reset after the first content", streamFrom(brokenAfter(chatRole + chatDelta)), false, "broke off"},
		{"clean end after the first content", stream(chatRole + chatDelta), false, "before its end marker"},
		{"error event after the first content", stream(chatRole + chatDelta + "data: " + serverError + "\n\n"), false, "it broke"},
		{"error event after the first content, then more", stream(chatRole + chatDelta + "data: " + serverError + "\n\n" + chatDelta + chatDone), false, "it broke"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newGateway(t, withProvider("a", tc.first), withProvider("b", stream(chatStream)), withModel("m", "a/x", "b/x"))
			w := g.post(chatPath, askStream("m"))
			body := w.Body.String()
			if tc.retried {
				if got := g.outcome(w.Code); got != "200 a:server_error b:ok" || body != strings.Replace(chatStream, chatUsage, "", 1) {
					t.Errorf("%s: %s", got, body)
				}
				return
			}
			if got := g.outcome(w.Code); got != "200 a:server_error" {
				t.Error(got)
			}
			rest, ok := strings.CutPrefix(body, chatRole+chatDelta)
			if !ok || strings.Contains(rest, "[DONE]") || !strings.Contains(rest, `"error"`) || !strings.Contains(rest, tc.interrupted) || strings.Contains(rest, "hello") {
				t.Errorf("got %q", body)
			}
		})
	}
}

func TestAnEventThatIsTooLargeEndsTheStream(t *testing.T) {
	endless := streamFrom(func(context.Context) io.ReadCloser {
		return io.NopCloser(io.MultiReader(strings.NewReader(chatDelta+"data: "), zeros{}))
	})
	g := newGateway(t, withProvider("up", endless))
	w := g.post(chatPath, askStream("up/m"))
	if body := w.Body.String(); !strings.HasPrefix(body, chatDelta) || !strings.Contains(body, "larger than 16 MiB") || len(body) > 4096 {
		t.Errorf("got %d bytes: %.300q", len(body), body)
	}
}

// zeros is an endless line.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

func TestAStreamThatFallsSilentIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, withProvider("up", paced(true, chatDelta, chatDelta)),
			with(func(h *Handler) { h.Timeouts = &Timeouts{Idle: caddy.Duration(20 * time.Second)} }))
		start := time.Now()
		w := g.post(chatPath, askStream("up/m"))
		if got := g.outcome(w.Code); got != "200 up:timeout" || time.Since(start) != 22*time.Second || !strings.Contains(w.Body.String(), "silent") {
			t.Errorf("%s after %s: %s", got, time.Since(start), w.Body)
		}
		if e := g.entries()[0]; e.Certainty != accounting.Estimated || e.Usage.Output == 0 {
			t.Errorf("%s %+v", e.Certainty, e.Usage)
		}
	})
}

func TestAStreamThatStaysOpenAfterItsEndMarkerIsNotAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, withProvider("up", paced(true, chatStream)))
		start := time.Now()
		w := g.post(chatPath, askStream("up/m"))
		if got := g.outcome(w.Code); got != "200 up:ok" || time.Since(start) != time.Second+lingering {
			t.Errorf("%s after %s: %s", got, time.Since(start), w.Body)
		}
	})
}

func TestAStreamThatIsKeptAliveAfterItsEndMarkerIsLeftAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pieces := []string{chatStream}
		for range 60 {
			pieces = append(pieces, ": still here\n\n")
		}
		g := newGateway(t, withProvider("up", paced(true, pieces...)))
		start := time.Now()
		w := g.post(chatPath, askStream("up/m"))
		if got := g.outcome(w.Code); got != "200 up:ok" || time.Since(start) > time.Second+2*lingering {
			t.Errorf("%s after %s", got, time.Since(start))
		}
	})
}

func TestAClientThatStopsReadingIsNoFaultOfTheTarget(t *testing.T) {
	for name, n := range map[string]int{"at the first content": 1, "in the middle": 2} {
		g := newGateway(t, withProvider("up", streamFrom(func(context.Context) io.ReadCloser {
			return io.NopCloser(&oneByOne{pieces: []string{chatRole, chatDelta, chatDelta, chatFinish, chatDone}})
		})), withModel("m", "up/x"))
		w := newTimeline()
		w.onWrite = func(i int) error {
			if i == n {
				return errors.New("broken pipe")
			}
			return nil
		}
		if err := g.serve(w, newRequest(http.MethodPost, chatPath, strings.NewReader(askStream("m")))); err != nil {
			t.Fatal(err)
		}
		e := g.entries()
		if len(e) != 1 || e[0].ErrorClass != string(providers.ClassCanceled) || e[0].Certainty != accounting.Estimated || e[0].Usage.Output == 0 {
			t.Errorf("%s: %+v", name, e)
		}
		for _, s := range targetStates(time.Now(), true) {
			if s.FailuresInRow != 0 {
				t.Errorf("%s: the target was blamed: %+v", name, s)
			}
		}
	}
}

// oneByOne gives one piece per read.
type oneByOne struct{ pieces []string }

func (r *oneByOne) Read(p []byte) (int, error) {
	if len(r.pieces) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.pieces[0])
	r.pieces = r.pieces[1:]
	return n, nil
}

func TestAnAnswerThatIsNoConversationIsPassedOnWhateverTheRequestSaysOfStreams(t *testing.T) {
	for path, body := range map[string]string{
		"/v1/embeddings":  `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1]}],"model":"m-1","usage":{"prompt_tokens":3,"total_tokens":3}}`,
		"/v1/completions": `{"object":"text_completion","choices":[{"text":"hello","index":0,"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}`,
	} {
		g := newGateway(t, withProvider("up", respond(200, body)))
		w := g.post(path, `{"model":"up/m","input":"x","prompt":"x","stream":true}`)
		if w.Code != 200 || w.Body.String() != body || len(g.entries()) != 1 {
			t.Errorf("%s: %s: %s", path, g.outcome(w.Code), w.Body)
		}
	}
}

func TestPicturesAndSpeechAreStreamedWithTheirUsage(t *testing.T) {
	for path, tc := range map[string]struct{ ask, answer string }{
		"/v1/images/generations": {`"prompt":"x","stream":true`, `data: {"type":"image_generation.partial_image","b64_json":"AAAA"}` + "\n\n" +
			`data: {"type":"image_generation.completed","b64_json":"BBBB","usage":{"input_tokens":14,"output_tokens":101,"total_tokens":115}}` + "\n\n"},
		"/v1/audio/speech": {`"input":"x","stream_format":"sse"`, `data: {"type":"speech.audio.delta","audio":"AAAA"}` + "\n\n" +
			`data: {"type":"speech.audio.done","usage":{"input_tokens":14,"output_tokens":101,"total_tokens":115}}` + "\n\n"},
	} {
		g := newGateway(t, withProvider("up", stream(tc.answer)))
		w := g.post(path, `{"model":"up/m",`+tc.ask+`}`)
		es := g.entries()
		if w.Code != 200 || w.Body.String() != tc.answer || len(es) != 1 || es[0].Certainty != accounting.Reported || es[0].Usage.Input != 14 {
			t.Errorf("%s: %s: %s %+v", path, g.outcome(w.Code), w.Body, es)
		}
	}
}

func TestAnArrayWhoseStreamWasCutOffIsJSONAllTheSame(t *testing.T) {
	const event = `{"candidates":[{"content":{"parts":[{"text":"hello"}]}}]}`
	g := newGateway(t, withProviderConfig("up", `{"speaks":["gemini"]}`, nil, stream("data: "+event+"\r\n\r\ndata: {\"candidates\":[{\"conte")))
	w := g.post("/v1beta/models/up/m:streamGenerateContent", geminiBody)
	got := gjson.Parse(w.Body.String())
	if !gjson.Valid(w.Body.String()) || got.Get("0").Raw != event || !got.Get("1.error").Exists() {
		t.Error(w.Body)
	}
}

// unflushable is the response writer of a module that knows nothing of flushing.
type unflushable struct{ *strings.Builder }

func (unflushable) Header() http.Header { return http.Header{} }
func (unflushable) WriteHeader(int)     {}

func TestAWriterThatCannotBeFlushedIsNoClientThatLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, withProvider("up", later(30*time.Second, stream(chatStream))))
		w := unflushable{new(strings.Builder)}
		if err := g.serve(w, newRequest(http.MethodPost, chatPath, strings.NewReader(askStream("up/m")))); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(w.String(), keepAliveComment) || !strings.HasSuffix(w.String(), chatDone) {
			t.Errorf("the client got %q", w)
		}
		if got := g.outcome(200); got != "200 up:ok" {
			t.Error(got)
		}
	})
}

func TestAnAnswerInTheWrongFormIsNotPassedOn(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		first      answer
	}{
		{"a stream that nobody asked for", ask("m"), stream(chatStream)},
		{"a compressed answer", ask("m"), respond(200, "\x1f\x8b\x08\x00", "Content-Encoding", "gzip")},
		{"a compressed stream", askStream("m"), respond(200, "\x1f\x8b\x08\x00", "Content-Type", "text/event-stream", "Content-Encoding", "gzip")},
		{"a web page", ask("m"), respond(200, "<html>welcome</html>", "Content-Type", "text/html")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newGateway(t, withProvider("a", tc.first), withProvider("b", respond(200, chatAnswer)), withModel("m", "a/x", "b/x"))
			if strings.Contains(tc.body, "stream") {
				g.up["b"].answers[0] = stream(chatStream)
			}
			w := g.post(chatPath, tc.body)
			if !strings.Contains(w.Body.String(), "hello") || w.Header().Get("X-Llm-Gateway-Target") != "b/x" {
				t.Errorf("%d %v %q", w.Code, w.Header(), w.Body)
			}
		})
	}
}

func TestAWebPageOfAProxyInBetweenIsNotPassedOnAsAnError(t *testing.T) {
	g := newGateway(t, withProvider("up", respond(502, "<html><script>alert(1)</script></html>", "Content-Type", "text/html")), retries(0))
	w := g.post(chatPath, ask("up/m"))
	if ct := w.Header().Get("Content-Type"); ct != "application/json" || strings.Contains(w.Body.String(), "<script>") || !gjson.Valid(w.Body.String()) {
		t.Errorf("%d %s %s", w.Code, ct, w.Body)
	}
}
