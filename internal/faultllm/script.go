package faultllm

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Script is what happens to one request. The zero value is an ordinary answer of three pieces.
type Script struct {
	// Name is for the journal and for people.
	Name string

	// Delay is waited before anything is answered, and Hold, if set, until it is closed.
	Delay time.Duration
	Hold  <-chan struct{}
	// Inform are statuses of 1xx that precede the answer. 101 ends it.
	Inform []int
	// Head is raw text in place of a status line and headers.
	Head string
	// Status is the HTTP status; 0 is 200. From 400 on the body is an error of the dialect with Message.
	Status  int
	Message string
	// Header is added, and replaces what would be there.
	Header http.Header

	// Pieces is the length of the answer; 0 is 3, less than 0 none.
	Pieces int
	// Usage is raw JSON in place of the usage; "none" leaves it out.
	Usage string
	// Stream, if set, answers as a stream (or not) whatever was asked for.
	Stream *bool
	// Body is sent in place of the answer; Fill repeats it up to so many bytes, less than 0 is without end.
	Body string
	Fill int64
	// Mangle changes the body before it is sent, event by event or in one piece.
	Mangle func(string) string
	// Insert is put before a piece, by its number counted from 1.
	Insert map[int]string
	// Gzip compresses the body although nobody asked for that.
	Gzip bool
	// ErrorAfter puts an error event in place of what follows so many pieces, plus 1: 1 is before all content. 0 is
	// never. Its status is ErrorStatus or 500.
	ErrorAfter, ErrorStatus int

	// Gap is waited between the events of a stream, and Gate, if set, before the k-th piece until it is closed or
	// receives.
	Gap  time.Duration
	Gate func(k int) <-chan struct{}
	// Split sends a body in writes of so many bytes; SplitAt in two, with a pause of Gap between writes.
	Split   int
	SplitAt int
	// Burst sends all of a body in one write.
	Burst bool
	// Lie is added to the length that the head announces.
	Lie int
	// BadChunk sends a chunk whose size is no number, after the first event.
	BadChunk bool

	// Cut ends the answer early.
	Cut *Cut
	// Close ends the connection that much after the answer, without having announced it; 0 keeps it.
	Close time.Duration
	// Bills says what the vendor charges where that is not clear from the answer; see [Entry].
	Bills bool
}

// Where says where an answer is cut.
type Where int

// The places.
const (
	BeforeHead  Where = iota // the request was read and nothing is answered
	AfterHead                // the head is sent
	AfterPieces              // so many pieces are sent, and all that precedes them
	AfterBytes               // so many bytes of the body are sent
)

// How says how an answer is cut.
type How int

// The ways to end.
const (
	RST   How = iota // the connection is reset
	FIN              // the connection is closed, inside of the message
	End              // the message is ended by the rules of HTTP
	Stall            // nothing happens any more until the other side gives up
)

// Cut ends an answer early.
type Cut struct {
	Where Where
	N     int // pieces or bytes
	How   How
}

// Chooser gives each request its script. It is called for one request at a time.
type Chooser func(*Request) Script

// Always is a chooser of one script.
func Always(s Script) Chooser { return func(*Request) Script { return s } }

// InTurn gives out the scripts one by one, and the last one from then on.
func InTurn(scripts ...Script) Chooser {
	return func(r *Request) Script { return scripts[min(r.N, len(scripts))-1] }
}

// Random gives a share of the requests one of the faults, and the others the good script.
func Random(seed uint64, share float64, good Script, faults ...Script) Chooser {
	rng := rand.New(rand.NewPCG(seed, seed))
	return func(*Request) Script {
		if rng.Float64() < share {
			return faults[rng.IntN(len(faults))]
		}
		return good
	}
}

// Switch is a chooser that tests change while requests run.
type Switch struct {
	mu sync.Mutex
	c  Chooser
}

// NewSwitch begins with a chooser.
func NewSwitch(c Chooser) *Switch { return &Switch{c: c} }

// Set changes what is chosen from now on.
func (s *Switch) Set(c Chooser) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.c = c
}

// Choose is the [Chooser].
func (s *Switch) Choose(r *Request) Script {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.c(r)
}

// Down fails with one script between two moments, counted from the first request, and else follows another.
func Down(from, to time.Duration, during, otherwise Script) Chooser {
	var start time.Time
	return func(r *Request) Script {
		if start.IsZero() {
			start = r.Time
		}
		if at := r.Time.Sub(start); at >= from && at < to {
			return during
		}
		return otherwise
	}
}

// The faults that tests are made of.

// Fail answers with an error of the dialect.
func Fail(status int, header ...string) Script {
	s := Script{Name: http.StatusText(status), Status: status, Message: "made to fail"}
	if len(header) > 0 {
		s.Header = http.Header{}
		for i := 0; i+1 < len(header); i += 2 {
			s.Header.Add(header[i], header[i+1])
		}
	}
	return s
}

// Hangup reads the request and ends the connection without an answer.
func Hangup(how How) Script {
	return Script{Name: "hangup", Cut: &Cut{Where: BeforeHead, How: how}}
}

// CutAfter ends an answer of so many pieces more after n of them.
func CutAfter(n int, how How) Script {
	return Script{Name: "cut", Pieces: n + 5, Cut: &Cut{Where: AfterPieces, N: n, How: how}}
}

// Page answers with a web page, as something between the gateway and the vendor might.
func Page(status int) Script {
	return Script{
		Name: "page", Status: status, Body: "<html><body><h1>Bad Gateway</h1></body></html>\n",
		Header: http.Header{"Content-Type": {"text/html"}},
	}
}
