package sdk

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// object is a JSON object.
type object = map[string]any

// What every answer of an upstream is said to have used.
const (
	inputTokens  = 11
	outputTokens = 7
)

// question is what an upstream was asked, in whatever dialect.
type question struct {
	model, prompt string
	stream        bool
	wantsUsage    bool     // of a stream, where the dialect leaves the choice
	tools         []string // offered
	// calls are the tool calls that the conversation holds, in order, and results what came back, by the id of the call.
	// A dialect whose ids are optional has the tool's name in their place.
	calls   []toolCall
	results map[string]string
}

type toolCall struct{ id, name, arguments string }

// reply is what an upstream answers, whatever its dialect.
type reply struct {
	text []string // one event each when it is streamed
	call *toolCall

	refusal *refusal // instead of an answer, or, with text, in the middle of a stream

	// step, when it is not nil, is received from before each piece of text after the first.
	step <-chan struct{}
	// end is how a stream ends. One that is held is so until the gateway hangs up, which closes left.
	end  ending
	left chan<- struct{}
}

// ending is how a stream ends.
type ending int

const (
	whole   ending = iota // as it should, or with the refusal
	held                  // not at all
	stopped               // properly as HTTP, without what the dialect ends a stream with
	cut                   // with a broken connection
)

// refusal is an error of an upstream.
type refusal struct {
	status        int
	kind, message string
	code          string
	retryAfter    string
}

// dialect is how an upstream speaks. Events are whole frames.
type dialect struct {
	name  string // in the Caddyfile
	kind  string // of provider
	parse func(r *http.Request, body []byte) (question, error)
	unary func(q question, r reply) object
	// A stream is opening, then one delta per piece of text or the call, then ending; or breaking in its place.
	opening  func(q question) string
	delta    func(piece string) string
	calling  func(c *toolCall) string
	ending   func(q question, r reply) string
	refusing func(f *refusal) object
	breaking func(f *refusal) string
}

// upstream is a provider that the test plays.
type upstream struct {
	*httptest.Server
	dialect   *dialect
	mu        sync.Mutex
	questions []question
}

// startUpstream plays a provider that answers as script says.
func startUpstream(t *testing.T, d *dialect, script func(question) reply) *upstream {
	t.Helper()
	u := &upstream{dialect: d}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		checkCredentials(t, r)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("reading the gateway's request: %v", err)
			return
		}
		q, err := d.parse(r, body)
		if err != nil {
			t.Errorf("the gateway sent %s %s, which %s would not take: %v\n%s", r.Method, r.URL, d.name, err, body)
			http.Error(w, "{}", http.StatusTeapot)
			return
		}
		u.mu.Lock()
		u.questions = append(u.questions, q)
		u.mu.Unlock()
		u.answer(w, r, q, script(q))
	}))
	t.Cleanup(u.Close)
	return u
}

// asked returns what the upstream was asked so far.
func (u *upstream) asked() []question {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]question(nil), u.questions...)
}

// provider is the Caddyfile's line for the upstream.
func (u *upstream) provider() string {
	return fmt.Sprintf("provider up %s %s %s {\n dialect %s\n}\n", u.dialect.kind, u.URL, upstreamKey, u.dialect.name)
}

// checkCredentials sees to it that the upstream gets its own credential and never the client's.
func checkCredentials(t *testing.T, r *http.Request) {
	found := false
	for name, values := range r.Header {
		for _, v := range values {
			found = found || strings.Contains(v, upstreamKey)
			if strings.Contains(v, clientKey) {
				t.Errorf("the header %s carried the client's key to the upstream", name)
			}
		}
	}
	if !found {
		t.Error("the upstream was not given its key")
	}
	if strings.Contains(r.URL.String(), clientKey) {
		t.Error("the URL carried the client's key to the upstream")
	}
}

func (u *upstream) answer(w http.ResponseWriter, r *http.Request, q question, a reply) {
	d := u.dialect
	switch {
	case a.refusal != nil && a.text == nil:
		if a.refusal.retryAfter != "" {
			w.Header().Set("Retry-After", a.refusal.retryAfter)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(a.refusal.status)
		io.WriteString(w, marshal(d.refusing(a.refusal)))
	case !q.stream:
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, marshal(d.unary(q, a)))
	default:
		u.stream(w, r, q, a)
	}
}

func (u *upstream) stream(w http.ResponseWriter, r *http.Request, q question, a reply) {
	d, rc := u.dialect, http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	send := func(frames string) {
		io.WriteString(w, frames)
		rc.Flush()
	}
	send(d.opening(q))
	for i, piece := range a.text {
		if i > 0 && a.step != nil {
			select {
			case <-a.step:
			case <-r.Context().Done():
				return
			}
		}
		send(d.delta(piece))
	}
	if a.call != nil {
		send(d.calling(a.call))
	}
	switch {
	case a.end == held:
		<-r.Context().Done()
		close(a.left)
	case a.end == stopped:
	case a.end == cut:
		panic(http.ErrAbortHandler)
	case a.refusal != nil:
		send(d.breaking(a.refusal))
	default:
		send(d.ending(q, a))
	}
}

// marshal encodes what the tests made themselves, which cannot fail.
func marshal(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// frame is one server-sent event; the name may be empty.
func frame(name string, data any) string {
	if name != "" {
		name = "event: " + name + "\n"
	}
	return name + "data: " + marshal(data) + "\n\n"
}
