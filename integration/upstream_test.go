package integration

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// gwUpstream is a provider that does what a test says, and keeps a journal of what it was asked.
type gwUpstream struct {
	t      *testing.T
	url    string
	mu     sync.Mutex
	seen   []*gwSeen
	answer func(*gwSeen) gwReply
	conns  int
	server *httptest.Server
}

// gwSeen is one request as the provider saw it.
type gwSeen struct {
	n      int // counted from 1
	method string
	uri    string
	header http.Header
	body   string
	gone   chan struct{} // closed when the gateway canceled the request before its answer was complete
}

// gwReply writes the answer to one request.
type gwReply func(w http.ResponseWriter, r *http.Request)

// gwServe starts a provider that gives the same answer to everybody.
func gwServe(t *testing.T, reply gwReply) *gwUpstream {
	t.Helper()
	return gwScript(t, func(*gwSeen) gwReply { return reply })
}

// gwSequence starts a provider that gives the answers one after the other, and the last one from then on.
func gwSequence(t *testing.T, replies ...gwReply) *gwUpstream {
	t.Helper()
	return gwScript(t, func(s *gwSeen) gwReply { return replies[min(s.n, len(replies))-1] })
}

// gwScript starts a provider whose answers depend on the request.
func gwScript(t *testing.T, answer func(*gwSeen) gwReply) *gwUpstream {
	t.Helper()
	u := &gwUpstream{t: t, answer: answer}
	s := httptest.NewUnstartedServer(http.HandlerFunc(u.serve))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			u.mu.Lock()
			u.conns++
			u.mu.Unlock()
		}
	}
	s.Config.ErrorLog = nil
	s.Start()
	u.url, u.server = s.URL, s
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return u
}

func (u *gwUpstream) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s := &gwSeen{method: r.Method, uri: r.RequestURI, header: r.Header.Clone(), body: string(body), gone: make(chan struct{})}
	u.mu.Lock()
	u.seen = append(u.seen, s)
	s.n = len(u.seen)
	u.mu.Unlock()
	defer func() {
		if r.Context().Err() != nil {
			close(s.gone)
		}
	}()
	u.answer(s)(w, r)
}

// journal is what was asked so far.
func (u *gwUpstream) journal() []*gwSeen {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]*gwSeen(nil), u.seen...)
}

// last is the latest request.
func (u *gwUpstream) last() *gwSeen {
	u.t.Helper()
	j := u.journal()
	if len(j) == 0 {
		u.t.Fatal("the provider was never asked")
	}
	return j[len(j)-1]
}

// expect fails the test unless the provider was asked n times.
func (u *gwUpstream) expect(n int) {
	u.t.Helper()
	if got := len(u.journal()); got != n {
		u.t.Errorf("the provider was asked %d times, not %d", got, n)
	}
}

// connections is how many connections were ever made to the provider.
func (u *gwUpstream) connections() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.conns
}

// gwJSON answers with one document. Headers are pairs of name and value.
func gwJSON(status int, body string, header ...string) gwReply {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// gwHang answers nothing until the gateway gives up.
func gwHang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// gwReset breaks the connection before any answer.
func gwReset(w http.ResponseWriter, _ *http.Request) { gwBreak(w) }

// gwBreak ends a connection with a reset.
func gwBreak(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// Steps of a stream, besides strings, which are sent and flushed.
type (
	gwGate  chan struct{} // waits until it is closed or receives
	gwCut   struct{}      // resets the connection
	gwStall struct{}      // stays silent until the gateway gives up
)

// gwStream answers with a stream. It ends cleanly after the last step.
func gwStream(steps ...any) gwReply {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		rc := http.NewResponseController(w)
		_ = rc.Flush()
		for _, step := range steps {
			switch s := step.(type) {
			case string:
				_, _ = io.WriteString(w, s)
				_ = rc.Flush()
			case gwGate:
				select {
				case <-s:
				case <-r.Context().Done():
					return
				}
			case gwCut:
				gwBreak(w)
				return
			case gwStall:
				<-r.Context().Done()
				return
			}
		}
	}
}

// gwClosedPort is a base URL where nobody listens.
func gwClosedPort(t *testing.T) string { return "http://127.0.0.1:" + gwFreePort(t) }

// gwSSE reads a stream frame by frame.
type gwSSE struct {
	t    *testing.T
	resp *http.Response
	rd   *bufio.Reader
	cut  error // how the stream ended, nil for cleanly
}

func gwReadStream(t *testing.T, resp *http.Response) *gwSSE {
	t.Helper()
	t.Cleanup(func() { resp.Body.Close() })
	return &gwSSE{t: t, resp: resp, rd: bufio.NewReader(resp.Body)}
}

// next returns the next frame without its final blank line; false at the end.
func (s *gwSSE) next() (string, bool) {
	var b strings.Builder
	for {
		line, err := s.rd.ReadString('\n')
		if err != nil {
			if err != io.EOF {
				s.cut = err
			}
			return b.String(), b.Len() > 0
		}
		if strings.TrimRight(line, "\r\n") == "" {
			return b.String(), true
		}
		b.WriteString(line)
	}
}

// must returns the next frame.
func (s *gwSSE) must() string {
	s.t.Helper()
	f, ok := s.next()
	if !ok {
		s.t.Fatalf("the stream ended early (%v)", s.cut)
	}
	return f
}

// rest returns everything that is still to come.
func (s *gwSSE) rest() string {
	var b strings.Builder
	for {
		f, ok := s.next()
		if !ok {
			return b.String()
		}
		b.WriteString(f)
		b.WriteByte('\n')
	}
}

// gwWait waits for a channel.
func gwWait(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(gwPatience):
		t.Fatalf("%s never happened", what)
	}
}

// gwEventually polls for what no event announces.
func gwEventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(gwPatience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s never came true", what)
		}
	}
}

// What models say in these tests.

const gwChatUnary = `{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"up-1-2026","choices":[{"index":0,"message":{"role":"assistant","content":"Hello  there","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15},"x_unknown":[1.0,1e2]}`

func gwChatChunk(delta, finish string) string {
	if finish == "" {
		finish = "null"
	}
	return `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"up-1-2026","choices":[{"index":0,"delta":` +
		delta + `,"finish_reason":` + finish + "}]}\n\n"
}

func gwChatText(text string) string { return gwChatChunk(fmt.Sprintf(`{"content":%q}`, text), "") }

var (
	gwChatStart = gwChatChunk(`{"role":"assistant","content":""}`, "")
	gwChatStop  = gwChatChunk(`{}`, `"stop"`)
)

const (
	gwChatUsage = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"up-1-2026","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}` + "\n\n"
	gwDone      = "data: [DONE]\n\n"
)

// gwChatStream is a complete stream of a text in two pieces, with usage.
func gwChatStream() gwReply {
	return gwStream(gwChatStart, gwChatText("Hello "), gwChatText("there"), gwChatStop, gwChatUsage, gwDone)
}

const gwMessagesUnary = `{"id":"msg_1","type":"message","role":"assistant","model":"claude-up","content":[{"type":"text","text":"Hello there"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":10,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,"output_tokens":5}}`

func gwEvent(name, data string) string { return "event: " + name + "\ndata: " + data + "\n\n" }

var (
	gwMsgStart = gwEvent("message_start", `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-up","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":1}}}`)
	gwMsgBlock = gwEvent("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`)
	gwMsgEnd   = gwEvent("content_block_stop", `{"type":"content_block_stop","index":0}`) +
		gwEvent("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":5}}`) +
		gwEvent("message_stop", `{"type":"message_stop"}`)
)

func gwMsgText(text string) string {
	return gwEvent("content_block_delta", fmt.Sprintf(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":%q}}`, text))
}

const gwGeminiUnary = `{"candidates":[{"content":{"parts":[{"text":"Hello there"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15},"modelVersion":"gemini-up","responseId":"r1"}`

func gwGeminiChunk(text, finish string) string {
	if finish != "" {
		finish = `,"finishReason":"` + finish + `"`
	}
	return fmt.Sprintf(`data: {"candidates":[{"content":{"parts":[{"text":%q}],"role":"model"}%s,"index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15},"modelVersion":"gemini-up","responseId":"r1"}`, text, finish) + "\r\n\r\n"
}

const gwResponsesUnary = `{"id":"resp_1","object":"response","created_at":1700000000,"status":"completed","model":"up-1","output":[{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Hello there","annotations":[]}]}],"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":0},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":15}}`

// gwReadAll reads a body to its end, for goroutines that must not fail a test themselves.
func gwReadAll(resp *http.Response) string {
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return string(b) + " (" + err.Error() + ")"
	}
	return string(b)
}
