package llmgateway

import (
	cryptorand "crypto/rand"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/google/uuid"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/balancing"
	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/providers"
)

// exchange is everything about one request, from its first byte to its record. It belongs to the goroutine of the
// request; only the summary in it is read later, by the access log.
type exchange struct {
	h    *Handler
	w    http.ResponseWriter
	rc   *http.ResponseController
	r    *http.Request
	repl *caddy.Replacer

	id    string
	start time.Time

	endpoint
	idempotencyKey string // noted while the request is under way
	authID         string // of the user that Caddy authenticated; empty for an anonymous client
	codec          dialects.ClientCodec
	head           dialects.Head

	body    []byte
	bodyBuf *providers.Shared
	obj     *jsonedit.Object

	route    *route
	deadline time.Time
	affinity uint64

	// inputSize is the size of the request, in bytes, for estimates of its tokens.
	inputSize int64
	conv      *conversation.Request // the request in the neutral form, decoded when first needed
	dropped   []string              // what the last translation left out
	needs     needs
	lenient   bool  // a target that does not fit, or starts slowly, is better than none
	refusal   error // why a target could not be given the request

	queued   time.Duration // spent waiting for the limits of vendors
	tried    []*slot
	triedArr [4]*slot
	pool     []balancing.Candidate // scratch of the choice among targets
	poolAt   []int
	attempts []attempt
	race     *race // of two attempts at the same time; usually nil
	// answering is the number of the attempt that the client was answered from, from 1; 0 for the last one.
	answering int

	// committed is set when the first byte of the response has been handed to the client. Before it every failure can
	// be repaired without the client noticing; after it none can.
	committed bool
	// waiting writes keep-alives until something else is written; nil for what is no stream. opened is set when it has
	// sent the header, so that all that can follow is events.
	waiting     *keepAlive
	opened      bool
	interrupted string // who broke the stream after the commit point: "client" or "upstream"
	keep        *summary
}

// summary is what is reported of a request once it has ended. It outlives the exchange in the access log.
type summary struct {
	Model, Provider, UpstreamModel, Target string
	Dialect                                providers.Dialect
	Attempts, Status                       int
	Class                                  providers.Class
	Usage                                  accounting.Usage
	Certainty                              accounting.Certainty
	Cost                                   accounting.Money
	Priced                                 bool
	TTFT, Duration                         time.Duration
	Stream                                 bool
	scopes                                 []scope
	values                                 []string // of scopes
	arr                                    [6]string
	tags                                   map[string]string // the scopes that are no columns of the ledger
}

// attempt is the record of one call to a provider.
type attempt struct {
	id     string
	number int // from 1
	choice
	dialect   providers.Dialect
	start     time.Time
	ttft      time.Duration
	latency   time.Duration
	status    int
	fault     *providers.Fault
	obs       dialects.Observation
	certainty accounting.Certainty
	usage     accounting.Usage
	cost      accounting.Money
	atRisk    accounting.Money // what it may have cost, when that is unknown
	requestID string           // the provider's
	told      bool             // its health knows that it answers
	// intent is the ledger's promise of an entry, until the attempt is entered; nil where the ledger keeps none.
	intent       accounting.Intent
	entered      bool
	priceVersion string // when it was sent
	dropped      []string
	run          *runner                // in a race of two attempts
	reserved     int64                  // of the spending, for the second one of a race
	budget       *balancing.RetryBudget // that the attempt draws on; nil once its outcome is known
}

// randomness seeds a generator per processor from the system: ids have to be unique, not secret, and asking the system for
// each of them would cost as much as the rest of the id.
var randomness = sync.Pool{New: func() any {
	var seed [32]byte
	_, _ = cryptorand.Read(seed[:]) // does not fail
	return rand.NewChaCha8(seed)
}}

// newID makes the id of a request or an attempt: a UUIDv7, which sorts by time.
func newID() string {
	r := randomness.Get().(*rand.ChaCha8)
	defer randomness.Put(r)
	id, err := uuid.NewV7FromReader(r)
	if err != nil { // a ChaCha8 always has more
		return "req-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	}
	return id.String()
}

// exchanges pools what requests need while they run. Nothing in it is used after finish but the summary, which is not
// pooled.
var exchanges = sync.Pool{New: func() any { return new(exchange) }}

func (h *Handler) newExchange(w http.ResponseWriter, r *http.Request, ep endpoint) *exchange {
	x := exchanges.Get().(*exchange)
	x.h, x.w, x.r, x.id, x.start, x.endpoint = h, w, r, newID(), time.Now(), ep
	x.repl, _ = r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if x.repl == nil {
		x.repl = caddy.NewEmptyReplacer()
	}
	x.codec = dialects.LookupClient(ep.dialect)
	x.tried = x.triedArr[:0]
	x.keep = &summary{Dialect: ep.dialect, scopes: h.scopes}
	x.repl.Map(x.keep.placeholder)
	h.books.hold()
	return x
}

// recycle gives the exchange itself back. It must be the last thing that happens to it.
func (x *exchange) recycle() {
	clear(x.attempts)
	*x = exchange{attempts: x.attempts[:0], pool: x.pool[:0], poolAt: x.poolAt[:0]}
	exchanges.Put(x)
}

// userID is what every authentication of Caddy's sets.
const userID = "http.auth.user.id"

// identify resolves who Caddy says the client is and who pays, once.
func (x *exchange) identify() {
	if x.keep.values != nil {
		return
	}
	x.authID, _ = x.repl.GetString(userID)
	x.keep.values = x.keep.arr[:0]
	for i := range x.h.scopes {
		s := &x.h.scopes[i]
		switch {
		case s.builtin && x.authID == "": // then nothing else is known about the user either
			x.keep.values = append(x.keep.values, "")
		default:
			x.keep.values = append(x.keep.values, s.value(x.repl))
		}
	}
	x.keep.tag()
}

// value returns the value of a scope.
func (k *summary) value(name string) string {
	for i := range k.values {
		if k.scopes[i].name == name {
			return k.values[i]
		}
	}
	return ""
}

// plan finds out where the request may go. Errors are *dialects.RequestError.
func (x *exchange) plan() error {
	name := strings.Clone(x.head.Model) // it outlives the body
	if name == "" {
		return &dialects.RequestError{Status: http.StatusBadRequest, Param: "model", Message: "the request names no model"}
	}
	if err := checkModelName(name); err != nil {
		return err
	}
	x.keep.Model, x.keep.Stream = name, x.head.Stream
	t := x.h.currentTable()
	x.route = t.resolve(name)
	if x.route == nil {
		return t.unknown(name)
	}
	x.dropDear()
	if len(x.route.tiers) == 0 {
		return &dialects.RequestError{
			Status: http.StatusNotFound, Param: "model", Code: "model_not_found",
			Message: "no target of the model " + strconv.Quote(name) + " may be used: its price limit excludes them all",
		}
	}
	if err := x.dropUnpriced(); err != nil {
		return err
	}
	limit := x.route.request
	if x.head.Stream {
		limit = x.route.stream
	}
	if d := x.clientTimeout(); d > 0 {
		limit = min(limit, d)
	}
	x.deadline = x.start.Add(limit)
	x.affinity = x.affinityKey()
	return nil
}

// Headers in which clients say how many seconds they wait. The official SDKs of OpenAI and Anthropic send the first one
// with every request. Of a stream it means the time to the response's header, which the gateway keeps on its own.
const (
	headerSDKTimeout     = "X-Stainless-Timeout"
	headerRequestTimeout = "X-Request-Timeout"
)

// clientTimeout is how long the client waits for the whole response; 0 when it does not say.
func (x *exchange) clientTimeout() time.Duration {
	v := x.r.Header[headerRequestTimeout]
	if len(v) == 0 && !x.head.Stream {
		v = x.r.Header[headerSDKTimeout]
	}
	if len(v) == 0 {
		return 0
	}
	seconds, err := strconv.ParseFloat(v[0], 64)
	if err != nil || !(seconds > 0) || seconds > maxClientTimeout {
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}

// maxClientTimeout is more than any client waits, in seconds.
const maxClientTimeout = 1e6

// checkModelName refuses names that are none: they would only travel through logs and caches.
func checkModelName(name string) error {
	if len(name) > maxModelName || cleanLabel(name, maxModelName) != name {
		return &dialects.RequestError{Status: http.StatusBadRequest, Param: "model", Message: "the model name is too long or holds control characters"}
	}
	return nil
}

// affinityHeaders tie the requests of one session together: Claude Code's, opencode's and Codex's.
var affinityHeaders = []string{"X-Claude-Code-Session-Id", "X-Session-Affinity", "X-Session-Id", "Session-Id"}

// affinityKey hashes the best key there is for keeping a session on one target, so that the provider's prompt cache
// stays warm.
func (x *exchange) affinityKey() uint64 {
	if key := x.affinityOf(x.route.affinity); key != 0 {
		return key
	}
	if x.head.CacheKey != "" {
		return balancing.Affinity(x.head.CacheKey)
	}
	for _, name := range affinityHeaders {
		if v := x.r.Header[name]; len(v) > 0 && v[0] != "" {
			return balancing.Affinity(v[0])
		}
	}
	if x.head.EndUser != "" {
		return balancing.Affinity(x.head.EndUser)
	}
	if u := x.keep.value("user"); u != "" {
		return balancing.Affinity(u)
	}
	return 0
}

// affinityOf hashes what a placeholder stands for; 0 when that, or the placeholder itself, is empty.
func (x *exchange) affinityOf(placeholder string) uint64 {
	if placeholder == "" {
		return 0
	}
	return balancing.Affinity(x.repl.ReplaceAll(placeholder, ""))
}

// slotAffinity is the key that keeps a session on one endpoint and key of a provider: its own policy may name another.
func (x *exchange) slotAffinity(p *provider) uint64 {
	if key := x.affinityOf(p.affinity); key != 0 {
		return key
	}
	return x.affinity
}

// last is the attempt that the response tells of: the one that answered or else the last one. There must be one.
func (x *exchange) last() *attempt {
	if x.answering > 0 {
		return &x.attempts[x.answering-1]
	}
	return &x.attempts[len(x.attempts)-1]
}

// release gives back what the exchange borrowed.
func (x *exchange) release() {
	if x.obj != nil {
		x.obj.Reset()
		objects.Put(x.obj)
		x.obj = nil
	}
	if x.bodyBuf != nil {
		x.bodyBuf.Release()
		x.bodyBuf = nil
	}
	x.body, x.head.Model = nil, x.keep.Model // views of the body must not outlive it
	x.head.CacheKey, x.head.EndUser = "", ""
}

// drop notes what a translation left out, each word once. Words may be views of the request's body, but are read when that
// is gone: headers and access logs are written after the handler returned.
func (x *exchange) drop(notes []string) {
	for _, n := range notes {
		found := false
		for _, d := range x.dropped {
			found = found || d == n
		}
		if !found {
			x.dropped = append(x.dropped, strings.Clone(n))
		}
	}
}

// targetsTried lists every attempt for an error message.
func (x *exchange) targetsTried() string {
	var b strings.Builder
	for i := range x.attempts {
		a := &x.attempts[i]
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(a.target.label)
		b.WriteString(" (")
		if a.status != 0 {
			b.WriteString(strconv.Itoa(a.status))
			b.WriteByte(' ')
		}
		if a.fault != nil {
			b.WriteString(string(a.fault.Class))
		}
		b.WriteByte(')')
	}
	return b.String()
}
