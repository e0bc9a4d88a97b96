package integration

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/internal/faultllm"
)

// faultRig is a gateway, the providers behind it and what is known of both.
type faultRig struct {
	*fault
	c    *gwCaddy
	ups  map[string]*faultllm.Upstream // by the name of the provider
	text strings.Builder               // the lines of providers
	keys []string

	goroutines, fds int
	// unseen are the providers whose requests may be lost on the way without an answer.
	unseen map[string]bool
	// unsettled skips the comparison of the usage, where the script lies about it.
	unsettled bool
	// odd says that the script changes the text, so that its pieces are not what they would be. raw says that it breaks
	// the dialect's own rules, which are passed on as they are.
	odd, raw bool

	mu       sync.Mutex
	attempts map[string]int // by request id, from the header of the response
	sent     int
}

// rig prepares a gateway.
func (f *fault) rig() *faultRig {
	return &faultRig{fault: f, ups: map[string]*faultllm.Upstream{}, attempts: map[string]int{}, unseen: map[string]bool{}}
}

// faultKey is the key of a provider, a canary.
func faultKey(name string) string { return "canary-key-of-" + name + "-0123456789" }

// up starts an upstream and makes a provider of it.
func (r *faultRig) up(name, kind string, choose faultllm.Chooser) *faultllm.Upstream {
	r.Helper()
	u := r.upstream(name, choose, faultllm.Options{})
	r.provider(name, kind, u.URL(), 1, "")
	return u
}

// upstream starts an upstream whose requests are those of a provider.
func (r *faultRig) upstream(name string, choose faultllm.Chooser, opts faultllm.Options) *faultllm.Upstream {
	r.Helper()
	u, err := faultllm.NewUpstream(choose, opts)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(u.Close)
	r.ups[name] = u
	return u
}

// provider adds a provider at a URL with so many keys, and lines for its block.
func (r *faultRig) provider(name, kind, url string, keys int, block string) {
	r.Helper()
	r.text.WriteString("provider " + name + " " + kind)
	for i := range keys {
		key, env := faultKey(name), "FAULT_KEY_"+name
		if i > 0 {
			key, env = faultKey(fmt.Sprint(name, i)), fmt.Sprint(env, i)
		}
		r.Setenv(env, key)
		r.keys = append(r.keys, key)
		r.text.WriteString(" {env." + env + "}")
	}
	r.text.WriteString(" " + url)
	if block != "" {
		r.text.WriteString(" {\n" + block + "\n}")
	}
	r.text.WriteString("\n")
}

// site is the configuration with the providers and these options.
func (r *faultRig) site(options string) string {
	return gwSite("ledger fault_memory\n" + r.text.String() + options)
}

// start loads the configuration, notes what the process holds, and checks the invariants when the test ends.
func (r *faultRig) start(options string) *faultRig {
	r.Helper()
	faultBooks.reset()
	r.caught()
	r.c = gwStart(r.T, r.site(options))
	r.c.get("/v1/models")
	r.c.adminGet("/llm_gateway/targets")
	r.idle()
	r.goroutines, r.fds = runtime.NumGoroutine(), faultDescriptors()
	r.later(r.check)
	return r
}

// caught brings what goes to Go's standard logger into the log of the test, where it is searched like everything else.
// net/http's client writes there. It comes before the gateway, which guards the output that it finds.
func (r *faultRig) caught() {
	before := log.Writer()
	log.SetOutput(&gwMemory)
	r.Cleanup(func() { log.SetOutput(before) })
}

// idle closes the connections that nobody uses.
func (r *faultRig) idle() {
	r.c.client.CloseIdleConnections()
	for _, u := range r.ups {
		u.CloseConnections()
	}
}

func faultDescriptors() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0 // there is no such folder on this system
	}
	return len(list)
}

// heard is an answer and how it came.
type heard struct {
	faultllm.Heard
	status      int
	header      http.Header
	body        string
	err         error // of the connection
	first, took time.Duration
}

func (h *heard) good() bool { return h.err == nil && h.status == http.StatusOK && h.Complete }

func (h *heard) tries() int { n, _ := strconv.Atoi(h.header.Get("X-Llm-Gateway-Attempts")); return n }

func (h *heard) String() string {
	return fmt.Sprintf("%d %v complete=%v failed=%v error=%q pieces=%d attempts=%s: %s", h.status, h.err, h.Complete, h.Failed, h.Error, h.Pieces(), h.header.Get("X-Llm-Gateway-Attempts"), gwClip(h.body, 600))
}

// ask sends a request and reads the answer, which has to be one of the client's dialect whatever happened.
func (r *faultRig) ask(d *gwClient, model string, stream bool, header ...string) heard {
	r.Helper()
	return r.askFor(context.Background(), d, model, stream, gwPrompt, header...)
}

func (r *faultRig) askFor(ctx context.Context, d *gwClient, model string, stream bool, prompt string, header ...string) heard {
	r.Helper()
	var h heard
	start := time.Now()
	r.mu.Lock()
	r.sent++
	r.mu.Unlock()
	resp, err := r.c.try(ctx, http.MethodPost, r.c.url(d.at(strings.ReplaceAll(model, "/", "--"), stream)), d.request(model, stream, prompt), append([]string{"Authorization", "Bearer " + gwClientKey}, header...)...)
	h.first = time.Since(start)
	if err != nil {
		h.err = err
		h.header = http.Header{}
		return h
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	_, h.err = io.Copy(&body, resp.Body)
	h.took = time.Since(start)
	h.status, h.header, h.body = resp.StatusCode, resp.Header, body.String()
	h.Heard = faultllm.Read(faultllm.Dialect(d.name), stream, h.status, h.header.Get("Content-Type"), body.Bytes())
	if ctx.Err() == nil {
		r.note(d, &h)
	}
	return h
}

// note checks what holds for every answer: the first invariant, and that no credential is in it.
func (r *faultRig) note(d *gwClient, h *heard) {
	r.Helper()
	if h.err != nil {
		r.Errorf("T%d: the connection to the client broke: %s", r.row, h)
	}
	for _, rule := range h.Broken {
		if r.raw || r.odd && strings.HasPrefix(rule, "pieces ") {
			continue
		}
		r.Errorf("T%d: not %s: %s\n%s", r.row, d.name, rule, h)
	}
	for _, key := range slices.Concat(r.keys, []string{gwClientKey}) {
		if strings.Contains(h.body, key) || strings.Contains(fmt.Sprint(h.header), key) {
			r.Errorf("T%d: a credential in the answer: %s", r.row, h)
		}
	}
	if id := h.header.Get("X-Request-Id"); id != "" && h.tries() > 0 {
		r.mu.Lock()
		r.attempts[id] = h.tries()
		r.mu.Unlock()
	}
}

// load sends n requests, so many at a time, and returns the answers.
func (r *faultRig) load(n, workers int, ask func(i int) heard) []heard {
	r.Helper()
	out := make([]heard, n)
	var wg sync.WaitGroup
	next := make(chan int)
	for range workers {
		wg.Go(func() {
			for i := range next {
				out[i] = ask(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	return out
}

// mixed asks with all dialects in turn, streaming and not.
func (r *faultRig) mixed(model string) func(i int) heard {
	return func(i int) heard {
		return r.ask(gwAllClients[i%len(gwAllClients)], model, i/len(gwAllClients)%2 == 1)
	}
}

// bad are the answers that clients would call an error.
func faultBad(answers []heard) (n int, first string) {
	for i := range answers {
		if !answers[i].good() {
			if n++; first == "" {
				first = answers[i].String()
			}
		}
	}
	return n, first
}

// faultQuantile is the q-th quantile of durations.
func faultQuantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[min(int(q*float64(len(d))), len(d)-1)]
}

// faultTook are the durations of answers.
func faultTook(answers []heard) []time.Duration {
	out := make([]time.Duration, len(answers))
	for i := range answers {
		out[i] = answers[i].took
	}
	return out
}

// journals adds up what all upstreams saw.
func (r *faultRig) journals() (n int) {
	for _, u := range r.ups {
		n += u.Len()
	}
	return n
}

// rows are the ledger's rows so far.
func (r *faultRig) rows(match func(e *accounting.Entry) bool) (out []accounting.Entry) {
	for _, e := range faultBooks.all() {
		if match(&e) {
			out = append(out, e)
		}
	}
	return out
}

// finished waits until the gateway works on no request.
func (r *faultRig) finished() {
	r.Helper()
	gwEventually(r.T, "no requests in flight", func() bool {
		for _, target := range gjson.Parse(r.c.adminGet("/llm_gateway/targets")).Array() {
			if target.Get("in_flight").Int() != 0 {
				return false
			}
		}
		return r.c.metric("caddy_llm_gateway_requests_in_flight") == 0
	})
}

// faultBooks is a ledger that can be read.
var faultBooks faultLedgerBooks

type faultLedgerBooks struct {
	mu      sync.Mutex
	entries []accounting.Entry
	ids     map[string]bool
	twice   int
}

func (b *faultLedgerBooks) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries, b.ids, b.twice = nil, map[string]bool{}, 0
}

func (b *faultLedgerBooks) all() []accounting.Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.entries)
}

func (b *faultLedgerBooks) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.entries)
}

func init() { caddy.RegisterModule(faultLedger{}) }

// faultLedger is the guest that writes into faultBooks.
type faultLedger struct{}

func (faultLedger) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.llm_gateway.ledgers.fault_memory", New: func() caddy.Module { return new(faultLedger) }}
}

func (*faultLedger) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { d.Next(); return nil }

func (faultLedger) Record(_ context.Context, entries []accounting.Entry) error {
	b := &faultBooks
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range entries {
		if b.ids[entries[i].AttemptID] {
			b.twice++
		}
		if b.ids == nil {
			b.ids = map[string]bool{}
		}
		b.ids[entries[i].AttemptID] = true
		b.entries = append(b.entries, entries[i])
	}
	return nil
}

func TestTheTableOfFaultsIsComplete(t *testing.T) {
	for n := 1; n <= 94; n++ {
		if faultRows[n] == "" {
			t.Errorf("T%d is missing", n)
		}
	}
}
