package sdk

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// object is a JSON object.
type object = map[string]any

// What every answer of an upstream is said to have used. The cached tokens are part of the input, and told where the
// dialect has a word for them.
const (
	inputTokens  = 11
	cachedTokens = 3
	outputTokens = 7
)

// question is what an upstream was asked, in whatever dialect.
type question struct {
	model, prompt string
	stream        bool
	wantsUsage    bool     // of a stream, where the dialect leaves the choice
	thinks        bool     // was asked to
	tools         []string // offered
	images        []string // as "type;base64"
	schema        string   // of the answer
	// calls are the tool calls that the conversation holds, in order, and results what came back, by the id of the call.
	calls   []toolCall
	results map[string]string
	// thoughts and signatures are those of earlier answers, in order.
	thoughts, signatures []string
}

type toolCall struct{ id, name, arguments string }

// reply is what an upstream answers, whatever its dialect. A thought comes first, calls come last.
type reply struct {
	thought, signature string
	text               []string // one event each when it is streamed
	calls              []toolCall
	stop               stop // where there are no calls

	refusal *refusal // instead of an answer, or, with text, in the middle of a stream

	// step, when it is not nil, is received from before each piece of text after the first.
	step <-chan struct{}
	// end is how a stream ends. One that is held is so until the gateway hangs up, which closes left.
	end  ending
	left chan<- struct{}
}

// stop is why an answer ends, in words that no dialect has.
type stop string

const (
	atWill   stop = "at will"
	atLimit  stop = "at the limit of tokens"
	filtered stop = "by a filter" // or a refusal, where the dialect has that instead
	calling  stop = "to have tools called"
)

// why is the reason of the reply's end.
func (r *reply) why() stop {
	switch {
	case r.calls != nil:
		return calling
	case r.stop == "":
		return atWill
	}
	return r.stop
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

// dialect is how an upstream speaks.
type dialect struct {
	name  string // in the Caddyfile
	kind  string // of provider
	model string // that the provider has, since what a model can do is known by its name
	media string // type of streams; empty means server-sent events

	parse    func(r *http.Request, body []byte) (question, error)
	unary    func(q question, r reply) object
	stream   func(q question, r reply) streamed
	refusing func(f *refusal) object
	breaking func(f *refusal) string // a frame
}

// streamed is an answer as the frames of a stream. The opening holds the thought, the closing the calls.
type streamed struct {
	opening string
	pieces  []string
	closing string
	ending  string
}

// upstream is what one test sees of a provider that the tests play: its own model.
type upstream struct {
	dialect   *dialect
	model     string // as clients ask for it
	script    func(question) reply
	mu        sync.Mutex
	questions []question
}

// asked returns what the upstream was asked so far.
func (u *upstream) asked() []question {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]question(nil), u.questions...)
}

// reply notes a question and answers it.
func (u *upstream) reply(w http.ResponseWriter, r *http.Request, q question) {
	u.mu.Lock()
	u.questions = append(u.questions, q)
	u.mu.Unlock()
	d, a := u.dialect, u.script(q)
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
	rc := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	if u.dialect.media != "" {
		w.Header().Set("Content-Type", u.dialect.media)
	}
	send := func(frames string) {
		io.WriteString(w, frames)
		rc.Flush()
	}
	s := u.dialect.stream(q, a)
	send(s.opening)
	for i, piece := range s.pieces {
		if i > 0 && a.step != nil {
			select {
			case <-a.step:
			case <-r.Context().Done():
				return
			}
		}
		send(piece)
	}
	switch {
	case a.end == held:
		<-r.Context().Done()
		close(a.left)
	case a.end == stopped:
	case a.end == cut:
		panic(http.ErrAbortHandler)
	case a.refusal != nil:
		send(u.dialect.breaking(a.refusal))
	default:
		send(s.closing)
		send(s.ending)
	}
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
