package llmgateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
)

// journalLedger is a ledger that is told of attempts before they are made. It notes what happens in order.
type journalLedger struct {
	mu     sync.Mutex
	log    []string
	intent map[string]accounting.Entry // by attempt
	final  map[string]accounting.Entry
	twice  int
	holds  int
	down   bool
}

type journalIntent struct {
	l  *journalLedger
	id string
}

func (l *journalLedger) note(format string, args ...any) {
	l.log = append(l.log, fmt.Sprintf(format, args...))
}

func (l *journalLedger) Intend(_ context.Context, e *accounting.Entry) (accounting.Intent, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return nil, accounting.ErrUnavailable
	}
	l.note("intend %s", e.Provider)
	l.intent[e.AttemptID] = *e
	return &journalIntent{l, e.AttemptID}, nil
}

func (l *journalLedger) keep(e *accounting.Entry) {
	if _, known := l.final[e.AttemptID]; known {
		l.twice++
	}
	l.final[e.AttemptID] = *e
}

func (i *journalIntent) Settle(e *accounting.Entry) {
	i.l.mu.Lock()
	defer i.l.mu.Unlock()
	if i.id != e.AttemptID {
		panic("an intent was settled with another's entry")
	}
	i.l.note("settle %s %s", e.Provider, e.Certainty)
	i.l.keep(e)
}

func (i *journalIntent) Withdraw() { panic("attempts that are not made have no intent") }

func (l *journalLedger) Record(_ context.Context, entries []accounting.Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range entries {
		l.note("record %s", entries[i].Provider)
		l.keep(&entries[i])
	}
	return nil
}

func (l *journalLedger) Hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holds++
}

func (l *journalLedger) Release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holds--
}

// journaled gives a gateway a ledger with a journal, which is checked when the test ends.
func journaled(t *testing.T, g *gateway) *journalLedger {
	l := &journalLedger{intent: map[string]accounting.Entry{}, final: map[string]accounting.Entry{}}
	g.books = openBooks(l)
	t.Cleanup(func() {
		if l.holds != 0 || l.twice != 0 || len(l.intent) != len(l.final) {
			t.Errorf("%d holds are left, %d entries came twice, %d intents became %d entries", l.holds, l.twice, len(l.intent), len(l.final))
		}
	})
	return l
}

// calling notes when a provider is called.
func calling(l **journalLedger, name string, a answer) answer {
	return func(r *http.Request) (*http.Response, error) {
		(*l).mu.Lock()
		(*l).note("call %s", name)
		(*l).mu.Unlock()
		return a(r)
	}
}

func TestAnAttemptIsKnownToTheLedgerBeforeItLeavesAndSettledBeforeTheNext(t *testing.T) {
	var l *journalLedger
	g := newGateway(t,
		withProvider("one", calling(&l, "one", respond(500, serverError))), withProvider("two", calling(&l, "two", respond(200, chatAnswer))),
		withModel("m", "one/x", "two/x"), withPrice("*/x", "2", "10"))
	l = journaled(t, g)
	if w := g.post(chatPath, ask("m")); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	want := []string{"intend one", "call one", "settle one unknown", "intend two", "call two", "settle two reported"}
	if !slices.Equal(l.log, want) {
		t.Errorf("%q, want %q", l.log, want)
	}
	for id, i := range l.intent {
		f := l.final[id]
		if i.Certainty != accounting.Unknown || i.Usage.Input == 0 || i.Cost != accounting.Money(i.Usage.Input)*2000 || i.Usage.Output != 0 {
			t.Errorf("the intent of %s is %+v", i.Provider, i)
		}
		if f.Attempt != i.Attempt || f.RequestID != i.RequestID || f.Time != i.Time || f.PriceVersion == "" || f.PriceVersion != i.PriceVersion {
			t.Errorf("intent %+v became %+v", i, f)
		}
		switch {
		case f.Provider == "one" && (f.Cost != 0 || f.AtRisk != i.Cost):
			t.Errorf("a failure that may have been billed costs %s and risks %s, want 0 and %s", f.Cost, f.AtRisk, i.Cost)
		case f.Provider == "two" && (f.Cost != 10*2000+5*10000 || f.AtRisk != 0):
			t.Errorf("an answer costs %s and risks %s", f.Cost, f.AtRisk)
		}
	}
}

func TestNothingIsSentThatTheLedgerCannotAccountFor(t *testing.T) {
	for path, body := range map[string]string{
		chatPath: ask("m"), "/v1/messages": `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`, "/v1/responses": `{"model":"m","input":"hi"}`, "/v1beta/models/m:generateContent": geminiBody,
	} {
		g := newGateway(t, withProvider("one", respond(200, chatAnswer)), withProvider("two", respond(200, chatAnswer)), withModel("m", "one/x", "two/x"))
		l := journaled(t, g)
		l.down = true
		w := g.post(path, body)
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "cannot record") {
			t.Errorf("%s: %d %v %s", path, w.Code, w.Header(), w.Body)
		}
		if n := g.up["one"].count() + g.up["two"].count(); n != 0 || len(l.log) != 0 {
			t.Errorf("%s: %d calls, ledger %q", path, n, l.log)
		}
		l.down = false
		if w := g.post(path, body); w.Code != 200 {
			t.Errorf("%s: %d %s once the ledger is back", path, w.Code, w.Body)
		}
	}
}

func TestBothAttemptsOfARaceAreSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := hedgePair(t, later(10*time.Second, respond(200, chatAnswer)), later(time.Second, respond(200, chatAnswer)))
		l := journaled(t, g)
		if w := g.post(chatPath, ask("m")); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		slices.Sort(l.log)
		want := []string{"intend one", "intend two", "settle one estimated", "settle two reported"}
		if !slices.Equal(l.log, want) {
			t.Errorf("%q, want %q", l.log, want)
		}
	})
}

// endWatcher fails the test when the end of an answer is written before the ledger has the attempt.
type endWatcher struct {
	*httptest.ResponseRecorder
	t    *testing.T
	l    *journalLedger
	end  string
	seen bool
}

func (w *endWatcher) Write(b []byte) (int, error) {
	if strings.Contains(string(b), w.end) {
		w.seen = true
		if w.l.mu.Lock(); len(w.l.final) != 1 {
			w.t.Errorf("the client has %q, and the ledger %q", b, w.l.log)
		}
		w.l.mu.Unlock()
	}
	return w.ResponseRecorder.Write(b)
}

func TestWhatTheClientHasTheLedgerHasToo(t *testing.T) {
	unended := strings.TrimSuffix(chatStream, chatDone)
	for name, c := range map[string]struct {
		answer          answer
		path, body, end string
	}{
		"unary":               {respond(200, chatAnswer), chatPath, ask("m"), "hello"},
		"stream":              {stream(chatStream), chatPath, askStream("m"), "[DONE]"},
		"translated stream":   {stream(chatStream), "/v1/messages", `{"model":"m","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`, "message_stop"},
		"stream without DONE": {stream(unended), "/v1/messages", `{"model":"m","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`, "message_stop"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, withProvider("one", c.answer), withModel("m", "one/x"))
			w := &endWatcher{ResponseRecorder: httptest.NewRecorder(), t: t, l: journaled(t, g), end: c.end}
			if err := g.serve(w, newRequest(http.MethodPost, c.path, strings.NewReader(c.body))); err != nil || w.Code != 200 || !w.seen {
				t.Errorf("%v %d %s", err, w.Code, w.Body)
			}
			for _, e := range w.l.final {
				if e.Certainty != accounting.Reported || e.Usage.Output != 5 || e.Status != 200 {
					t.Errorf("the entry is %+v", e)
				}
			}
		})
	}
}

// startable is a ledger that has to be opened.
type startable struct {
	noLedger
	err     error
	started int
}

func (s *startable) Start(context.Context) error {
	s.started++
	return s.err
}

func TestALedgerThatDoesNotOpenKeepsTheConfigurationFromRunning(t *testing.T) {
	good, bad := new(startable), &startable{err: errors.New("the disk is full")}
	a := &app{starters: []accounting.Starter{good, bad}}
	if err := a.Start(); !errors.Is(err, bad.err) || good.started != 1 || bad.started != 1 {
		t.Errorf("start: %v, after %d and %d starts", err, good.started, bad.started)
	}
}

// aborting is a client's connection that a handler in front of the gateway gives up on.
type aborting struct{ *httptest.ResponseRecorder }

func (w aborting) Write([]byte) (int, error) { panic(http.ErrAbortHandler) }

func TestAHandlerThatIsAbortedDoesNotMakeTheAttemptFree(t *testing.T) {
	for name, body := range map[string]string{"a stream": askStream("m"), "one piece": ask("m")} {
		t.Run(name, func(t *testing.T) {
			answer := respond(200, chatAnswer)
			if name == "a stream" {
				answer = stream(chatStream)
			}
			g := newGateway(t, withProvider("one", answer), withModel("m", "one/x"), withPrice("*/x", "2", "10"))
			l := journaled(t, g)
			func() {
				defer func() {
					if recover() == nil {
						t.Error("the handler was not aborted")
					}
				}()
				_ = g.serve(aborting{httptest.NewRecorder()}, newRequest(http.MethodPost, chatPath, strings.NewReader(body)))
			}()
			for _, e := range l.final {
				if e.Certainty == accounting.Void || e.Cost+e.AtRisk == 0 {
					t.Errorf("the entry is %s, costs %s and risks %s", e.Certainty, e.Cost, e.AtRisk)
				}
			}
			if len(l.final) != 1 {
				t.Errorf("%d entries, want 1", len(l.final))
			}
		})
	}
}
