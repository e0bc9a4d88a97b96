package faultllm

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// Request is a request as the provider sees it.
type Request struct {
	N       int // of the upstream, counted from 1
	ID      string
	Time    time.Time
	Method  string
	Path    string // with the query
	Dialect Dialect
	Model   string
	Stream  bool
	// Credential is what came in the header for it, or in the query.
	Credential string
	Header     http.Header
	Body       []byte
}

// Outcome is how a request ended, seen from the provider.
type Outcome string

// The outcomes.
const (
	Running  Outcome = "running"
	Complete Outcome = "complete" // all of the answer was sent
	Broken   Outcome = "broken"   // the script ended it early
	Gone     Outcome = "gone"     // the other side ended it
)

// Entry is the journal's record of one request.
type Entry struct {
	Request
	Script   Script
	Conn     int // the connection that it came on, counted from 1
	Status   int // 0: no head was sent
	Pieces   int // that were sent
	Bytes    int64
	Started  time.Time // first byte of the answer
	Ended    time.Time
	Outcome  Outcome
	GoneTime time.Time // when the other side was seen to leave
}

// Answered reports whether the request got a successful answer, or part of one.
func (e *Entry) Answered() bool { return e.Status >= 200 && e.Status < 300 }

// Billed is what the vendor charges: the input and the pieces that were sent of an answer that began, else nothing
// unless the script says so.
func (e *Entry) Billed() (input, output int, billed bool) {
	if e.Answered() && e.Script.Body == "" {
		return e.Input(), e.Pieces, true
	}
	if e.Script.Bills {
		return e.Input(), 0, true
	}
	return 0, 0, false
}

// Input is the size of the request in tokens of four bytes.
func (e *Entry) Input() int { return inputTokens(e.Body) }

func inputTokens(body []byte) int { return len(body)/4 + 1 }

// Journal is an append-only record of requests. It is safe for concurrent use.
type Journal struct {
	mu      sync.Mutex
	entries []*Entry
	changed chan struct{}
}

func newJournal() *Journal { return &Journal{changed: make(chan struct{})} }

func (j *Journal) add(e *Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e.N = len(j.entries) + 1
	j.entries = append(j.entries, e)
	j.wake()
}

func (j *Journal) wake() {
	close(j.changed)
	j.changed = make(chan struct{})
}

// update changes an entry and wakes who waits.
func (j *Journal) update(e *Entry, f func(*Entry)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f(e)
	j.wake()
}

// All returns copies of the entries so far.
func (j *Journal) All() []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]Entry, len(j.entries))
	for i, e := range j.entries {
		out[i] = *e
	}
	return out
}

// Len is the number of requests so far.
func (j *Journal) Len() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.entries)
}

// Since returns the entries that came at t or later.
func (j *Journal) Since(t time.Time) []Entry {
	return slices.DeleteFunc(j.All(), func(e Entry) bool { return e.Time.Before(t) })
}

// Wait waits until ok is true of the entries, and reports false when that takes longer than patience.
func (j *Journal) Wait(patience time.Duration, ok func([]Entry) bool) bool {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		j.mu.Lock()
		changed := j.changed
		j.mu.Unlock()
		if ok(j.All()) {
			return true
		}
		select {
		case <-changed:
		case <-deadline.C:
			return ok(j.All())
		}
	}
}
