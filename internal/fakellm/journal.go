package fakellm

import (
	"slices"
	"sync"
)

// Exchange is the record of one request, as a provider's own books would have it.
type Exchange struct {
	Seq                 int
	ID                  string // the response header x-request-id
	Dialect, Model      string
	Method, Path        string
	Stream              bool
	RequestBody         []byte
	Status              int // 0 when there was no answer
	InputTokens         int // that would be billed; 0 for errors
	OutputTokens        int // made until the answer was complete, cut or abandoned
	Complete            bool
	CredentialInHeaders bool // some header held a credential
}

type journal struct {
	mu      sync.Mutex
	entries []Exchange
}

// openEntry is an entry whose outcome is not known yet. A nil one records nothing.
type openEntry struct {
	j     *journal
	index int
	input int
	once  sync.Once
}

func (j *journal) open(keep bool, q *Request) *openEntry {
	if !keep {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, Exchange{
		Seq: q.Seq, ID: q.ID, Dialect: q.Dialect, Model: q.Model, Method: q.Method, Path: q.Path,
		Stream: q.Stream, RequestBody: q.Body, CredentialInHeaders: hasCredential(q),
	})
	return &openEntry{j: j, index: len(j.entries) - 1, input: q.InputTokens}
}

func hasCredential(q *Request) bool {
	for _, name := range [...]string{"Authorization", "X-Api-Key", "X-Goog-Api-Key", "Api-Key"} {
		if q.Header.Get(name) != "" {
			return true
		}
	}
	return false
}

func (e *openEntry) close(status, output int, complete bool) {
	if e == nil {
		return
	}
	e.once.Do(func() {
		e.j.mu.Lock()
		defer e.j.mu.Unlock()
		x := &e.j.entries[e.index]
		x.Status, x.Complete = status, complete
		if status == 200 {
			x.InputTokens, x.OutputTokens = e.input, output
		}
	})
}

// Journal returns what the server saw, in the order the requests came. It is empty unless Options.Journal is set.
func (s *Server) Journal() []Exchange {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	return slices.Clone(s.journal.entries)
}
