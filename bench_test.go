package llmgateway

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// sink is a response writer without a memory.
type sink struct{ header http.Header }

func (w *sink) Header() http.Header       { return w.header }
func (*sink) WriteHeader(int)             {}
func (*sink) Write(b []byte) (int, error) { return len(b), nil }
func (*sink) FlushError() error           { return nil }
func (w *sink) reset()                    { clear(w.header) }

// rewound is a request body that can be read again.
type rewound struct{ *strings.Reader }

func (rewound) Close() error { return nil }

// client sends the same request over and over, with as little work of its own as possible.
type client struct {
	context.Context // of the request, with a new replacer for each
	repl            *caddy.Replacer

	h *Handler
	w *sink
	r *http.Request
	b rewound
}

// Value implements [context.Context].
func (c *client) Value(key any) any {
	if key == caddy.ReplacerCtxKey {
		return c.repl
	}
	return c.Context.Value(key)
}

func newClient(tb testing.TB, h *Handler, path, text string) *client {
	tb.Helper()
	c := &client{h: h, w: &sink{header: http.Header{}}, b: rewound{strings.NewReader(text)}}
	r := newRequest(http.MethodPost, path, nil)
	r.Body, r.ContentLength = c.b, int64(len(text))
	c.repl = caddy.NewReplacer()
	r = caddyhttp.PrepareRequest(r, c.repl, c.w, &caddyhttp.Server{})
	c.Context = r.Context()
	c.r = r.WithContext(c)
	return c
}

func (c *client) send(tb testing.TB) {
	_, _ = c.b.Seek(0, io.SeekStart)
	c.repl = caddy.NewEmptyReplacer()
	c.w.reset()
	if err := c.h.ServeHTTP(c.w, c.r, nil); err != nil {
		tb.Fatal(err)
	}
}

// repeated is a stream of one event n times between a head and a tail. Reading it allocates nothing.
type repeated struct {
	head, event, tail string
	n                 int
	rest              string
}

func (s *repeated) Read(p []byte) (int, error) {
	if s.rest == "" {
		switch {
		case s.head != "":
			s.rest, s.head = s.head, ""
		case s.n > 0:
			s.rest = s.event
			s.n--
		case s.tail != "":
			s.rest, s.tail = s.tail, ""
		default:
			return 0, io.EOF
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func benchGateway(tb testing.TB, speaks string, a answer) *Handler {
	tb.Helper()
	id := tb.Name()
	scripts.Store(id, quiet{a})
	tb.Cleanup(func() { scripts.Delete(id) })
	h := &Handler{
		UsageLogOff: true, Models: []*ModelConfig{model("m", "up/x")},
		Providers: []*ProviderConfig{{Name: "up", ProviderRaw: []byte(`{"kind":"scripted","script":"` + id + `","speaks":["` + speaks + `"]}`)}},
	}
	if err := provision(tb, h); err != nil {
		tb.Fatal(err)
	}
	return h
}

// quiet answers without keeping a record.
type quiet struct{ answer answer }

func (q quiet) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	return q.answer(r)
}

const messagesAnswer = `{"id":"msg_1","type":"message","role":"assistant","model":"m-1","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":5}}`

// messagesStream are the events of a stream in the Messages dialect before, at and after its deltas.
const (
	messagesHead = "event: message_start\ndata: " + `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m-1","content":[],"stop_reason":null,"usage":{"input_tokens":10,"output_tokens":1}}}` + "\n\n" +
		"event: content_block_start\ndata: " + `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}` + "\n\n"
	messagesDelta = "event: content_block_delta\ndata: " + `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hello"}}` + "\n\n"
	messagesTail  = "event: content_block_stop\ndata: " + `{"type":"content_block_stop","index":0}` + "\n\n" +
		"event: message_delta\ndata: " + `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":5}}` + "\n\n" +
		"event: message_stop\ndata: " + `{"type":"message_stop"}` + "\n\n"
)

func BenchmarkServeUnarySplice(b *testing.B) {
	c := newClient(b, benchGateway(b, "chat", respond(200, chatAnswer)), chatPath, ask("m"))
	b.ReportAllocs()
	for b.Loop() {
		c.send(b)
	}
}

func BenchmarkServeUnaryTranslate(b *testing.B) {
	c := newClient(b, benchGateway(b, "messages", respond(200, messagesAnswer)), chatPath, ask("m"))
	b.ReportAllocs()
	for b.Loop() {
		c.send(b)
	}
}

// benchStream measures one event of a long stream.
func benchStream(b *testing.B, speaks string, s repeated) {
	s.n = b.N
	h := benchGateway(b, speaks, streamFrom(func(context.Context) io.ReadCloser { return io.NopCloser(&s) }))
	c := newClient(b, h, chatPath, askStream("m"))
	b.ReportAllocs()
	b.SetBytes(int64(len(s.event)))
	b.ResetTimer()
	c.send(b)
}

func BenchmarkStreamEventSplice(b *testing.B) {
	benchStream(b, "chat", repeated{head: chatRole, event: chatDelta, tail: chatFinish + chatUsage + chatDone})
}

func BenchmarkStreamEventTranslate(b *testing.B) {
	benchStream(b, "messages", repeated{head: messagesHead, event: messagesDelta, tail: messagesTail})
}

func TestAnEventOfAStreamAllocatesNothing(t *testing.T) {
	for speaks, s := range map[string]repeated{
		"chat":     {head: chatRole, event: chatDelta, tail: chatFinish + chatUsage + chatDone},
		"messages": {head: messagesHead, event: messagesDelta, tail: messagesTail},
	} {
		h := benchGateway(t, speaks, streamFrom(func(context.Context) io.ReadCloser { copied := s; return io.NopCloser(&copied) }))
		c := newClient(t, h, chatPath, askStream("m"))
		of := func(events int) float64 {
			s.n = events
			return testing.AllocsPerRun(10, func() { c.send(t) })
		}
		const events = 2000
		if few, many := of(1), of(1+events); many-few > events/100 { // the pools may be emptied in between
			t.Errorf("from %s: %v allocations with one event, %v with %d", speaks, few, many, events+1)
		}
	}
}

func BenchmarkPlan(b *testing.B) {
	h := benchGateway(b, "chat", respond(200, chatAnswer))
	c := newClient(b, h, chatPath, ask("m"))
	b.ReportAllocs()
	for b.Loop() {
		c.repl = caddy.NewEmptyReplacer()
		x := h.newExchange(c.w, c.r, endpoint{dialect: "chat"})
		x.head.Model = "m"
		x.identify()
		if err := x.plan(); err != nil {
			b.Fatal(err)
		}
		x.recycle()
	}
}

// finished is an exchange as finish sees it.
func finished(tb testing.TB) *exchange {
	tb.Helper()
	h := benchGateway(tb, "chat", respond(200, chatAnswer))
	c := newClient(tb, h, chatPath, ask("m"))
	x := h.newExchange(c.w, c.r, endpoint{dialect: "chat"})
	x.head.Model = "m"
	x.identify()
	if err := x.plan(); err != nil {
		tb.Fatal(err)
	}
	t := x.route.tiers[0][0]
	x.attempts = append(x.attempts, attempt{choice: choice{target: t, slot: t.slots[0]}, dialect: "chat", start: x.start, ttft: time.Millisecond})
	x.keep.Attempts, x.keep.Status, x.keep.Provider, x.keep.TTFT = 1, 200, "up", time.Millisecond
	return x
}

func BenchmarkLogUsage(b *testing.B) {
	x := finished(b)
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(io.Discard), zap.InfoLevel)
	x.h.logger = zap.New(core)
	b.ReportAllocs()
	for b.Loop() {
		x.logUsage(x.keep)
	}
}

func BenchmarkMeasure(b *testing.B) {
	x := finished(b)
	b.ReportAllocs()
	for b.Loop() {
		x.measure(&x.attempts[0], &x.attempts[0])
	}
}
