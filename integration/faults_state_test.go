package integration

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/internal/faultllm"
)

// Group E, what of it is about configurations and the end of the process.

func readBody(resp *http.Response) (string, error) {
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func TestFaults_T72_SIGTERMWithOpenStreams(t *testing.T) {
	faultTest(t, 72, func(f *fault) {
		n := faultN(20, 200)
		u, err := faultllm.NewUpstream(func(q *faultllm.Request) faultllm.Script {
			if strings.Contains(string(q.Body), "short") { // over before the grace is
				return faultllm.Script{Pieces: 10, Gap: 100 * time.Millisecond}
			}
			return faultllm.Script{Pieces: 3_000, Gap: 100 * time.Millisecond}
		}, faultllm.Options{})
		if err != nil {
			f.Fatal(err)
		}
		f.Cleanup(u.Close)
		c := f.child("provider p openai "+faultKey("p")+" "+u.URL(), 0)
		answers := make([]heard, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				answers[i] = c.ask(context.Background(), gwAllClients[i%4], "p/x", true, []string{"short", "long"}[i%2])
			})
		}
		if !u.Wait(gwPatience, func(j []faultllm.Entry) bool {
			started := 0
			for _, e := range j {
				if e.Pieces > 0 {
					started++
				}
			}
			return started == n
		}) {
			f.Fatal("T72: the streams did not start")
		}
		stopped := make(chan time.Duration)
		go func() { stopped <- c.stop() }()
		gwEventually(f.T, "the end of the listener", func() bool {
			conn, err := net.Dial("tcp", c.addr())
			if err == nil {
				conn.Close()
			}
			return err != nil
		})
		took := <-stopped
		wg.Wait()
		finished, told := 0, 0
		for i := range answers {
			switch h := &answers[i]; {
			case h.good():
				finished++
			case h.Failed:
				told++
			}
		}
		f.must(took <= 3*time.Second+faultLate(0), "exit", "after %v, with a grace of 2s", took)
		f.must(finished >= n/2, "streams finish", "%d of %d", finished, n/2)
		f.must(told >= n/2, "error event at the end of the grace", "%d of %d", told, n/2)
		rows := len(c.attempts())
		f.must(rows == n, "all rows", "%d of %d", rows, n)
		f.figure("N=%d: %d finished, %d ended with an error event, %d rows; exit after %v", n, finished, told, rows, took.Round(10*time.Millisecond))
	})
}

func TestFaults_T73_ReloadEvery200Milliseconds(t *testing.T) {
	faultTest(t, 73, func(f *fault) {
		length, streams, rps := faultTime(4*time.Second, time.Minute), faultN(40, 200), faultN(100, 200)
		const gap = 200 * time.Millisecond
		r := f.rig()
		pieces := int((length + time.Second) / gap)
		u := r.up("p", "openai", func(q *faultllm.Request) faultllm.Script {
			if q.Stream && strings.Contains(string(q.Body), "long") {
				return faultllm.Script{Pieces: pieces, Gap: gap}
			}
			return faultllm.Script{}
		})
		limited := r.up("limited", "anthropic", faultllm.Always(faultllm.Fail(429, "Retry-After", "300")))
		r.unseen["p"] = false
		options := func(k int) string {
			return fmt.Sprintf("model m p/up\nmodel resting limited/a p/up\nmodel extra-%d p/other", k)
		}
		r.start(options(0))
		before := r.c.metric("caddy_llm_gateway_requests_total")
		h := r.ask(gwChat, "resting", false) // its first target has to rest from now on, through all reloads
		f.must(h.good() && h.tries() == 2, "fallback", "%s", &h)
		var resets, asked atomic.Int64
		ask := func(d *gwClient, model string, stream bool, prompt string) heard {
			asked.Add(1)
			for {
				h := r.steady(d, model, stream, prompt)
				if h.err == nil || h.status != 0 {
					return h
				}
				resets.Add(1) // by the kernel, from the queue of a listener that is closed: nobody accepted it
			}
		}
		long := make([]heard, streams)
		var wg, traffic sync.WaitGroup
		for i := range streams {
			wg.Go(func() { long[i] = ask(gwAllClients[i%4], "m", true, "long") })
		}
		if !u.Wait(gwPatience, func(j []faultllm.Entry) bool { return len(j) > streams }) {
			f.Fatal("T73: the streams did not start")
		}
		stop := make(chan struct{})
		var mu sync.Mutex
		var bad []string
		traffic.Go(func() {
			tick := time.NewTicker(time.Second / time.Duration(rps))
			defer tick.Stop()
			for i := 0; ; i++ {
				select {
				case <-tick.C:
					traffic.Go(func() {
						h := ask(gwAllClients[i%4], []string{"m", "resting"}[i%2], i%8 >= 4, "short")
						if !h.good() || h.tries() != 1 {
							mu.Lock()
							defer mu.Unlock()
							bad = append(bad, h.String())
						}
					})
				case <-stop:
					return
				}
			}
		})
		var reloads []time.Duration
		for start, k := time.Now(), 1; time.Since(start) < length; k++ {
			began := time.Now()
			if err := gwLoadText(r.c, r.site(options(k))); err != nil {
				f.Fatal(err)
			}
			reloads = append(reloads, time.Since(began))
			if rest := 200*time.Millisecond - time.Since(began); rest > 0 {
				<-time.After(rest)
			}
		}
		close(stop)
		traffic.Wait()
		wg.Wait()
		broken := 0
		for i := range long {
			if h := &long[i]; !h.good() || h.Pieces() != pieces {
				broken++
				f.Logf("T73: %s", h)
			}
		}
		f.must(broken == 0, "streams", "%d broken", broken)
		f.must(len(bad) == 0, "requests", "%d not 2xx or not at once, the first %s", len(bad), gwClip(strings.Join(bad, "\n"), 1500))
		f.must(limited.Len() == 1, "cooldown continues", "%d requests to the resting target", limited.Len())
		gwEventually(f.T, "the count of requests", func() bool {
			return r.c.metric("caddy_llm_gateway_requests_total")-before == float64(asked.Load()+1)
		})
		p99 := faultQuantile(reloads, 0.99)
		f.must(p99 <= 300*time.Millisecond+faultLate(0), "reload time", "%v", p99)
		f.figure("%d reloads in %v, %d streams and %d requests: %d broken, %d non-2xx, %d connections reset by the kernel before anybody accepted them, reload p99 %v; state and counters continue", len(reloads), length, streams, asked.Load()-int64(streams), broken, len(bad), resets.Load(), p99.Round(time.Millisecond))
	})
}

// steady asks on a connection of its own, which no reload finds idle.
func (r *faultRig) steady(d *gwClient, model string, stream bool, prompt string) heard {
	var h heard
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, r.c.url(d.at(model, stream)), strings.NewReader(d.request(model, stream, prompt)))
	if err != nil {
		return heard{err: err}
	}
	req.Close = true
	req.Header.Set("Content-Type", "application/json")
	// The streams of some rows last longer than the test's own client waits.
	resp, err := (&http.Client{Transport: r.c.client.Transport}).Do(req)
	if err != nil {
		return heard{err: err, header: http.Header{}}
	}
	h.body, h.err = readBody(resp)
	h.status, h.header = resp.StatusCode, resp.Header
	h.Heard = faultllm.Read(faultllm.Dialect(d.name), stream, h.status, h.header.Get("Content-Type"), []byte(h.body))
	return h
}

func TestFaults_T74_InvalidAndChangedConfiguration(t *testing.T) {
	faultTest(t, 74, func(f *fault) {
		r := f.rig()
		hold := make(chan struct{})
		once := sync.OnceFunc(func() { close(hold) })
		f.Cleanup(once)
		u := r.upstream("p", func(q *faultllm.Request) faultllm.Script {
			if strings.Contains(string(q.Body), "held") {
				return faultllm.Script{Pieces: 6, Gate: func(k int) <-chan struct{} {
					if k > 1 {
						return hold
					}
					return nil
				}}
			}
			return faultllm.Script{}
		}, faultllm.Options{})
		site := func(key, price string) string {
			return gwSite("ledger fault_memory\nprovider p openai " + key + " " + u.URL() + "\nprice p/* input " + price + " output " + price)
		}
		r.provider("p", "openai", u.URL(), 1, "")
		r.start("price p/* input 1 output 1")
		for _, wrong := range []string{
			"model m nobody/x", "allow_anonymous nonsense", "prices /does/not/exist", "lb_policy nonsense", "price p/* input -1 output 1", "ledger nonsense", "max_fails x",
		} {
			err := gwLoadText(r.c, r.site(wrong))
			h := r.ask(gwChat, "p/x", false)
			f.must(err != nil && h.good(), "old one serves", "%q: %v, %s", wrong, err, &h)
		}
		held := make(chan heard)
		go func() { held <- r.steady(gwMessages, "p/x", true, "held") }()
		if !u.Wait(gwPatience, func(j []faultllm.Entry) bool { return len(j) == 8 && j[7].Pieces == 1 }) {
			f.Fatal("T74: the stream did not start")
		}
		r.Setenv("FAULT_KEY_new", faultKey("new"))
		r.keys = append(r.keys, faultKey("new"))
		if err := gwLoadText(r.c, site("{env.FAULT_KEY_new}", "1000")); err != nil {
			f.Fatal(err)
		}
		h := r.askFor(f.Context(), gwChat, "p/x", false, gwPrompt)
		if h.err != nil { // the kernel reset a connection that the old listener had not accepted
			h = r.ask(gwChat, "p/x", false)
		}
		j := u.All()
		f.must(h.good() && j[len(j)-1].Credential == faultKey("new"), "new values", "%s", &h)
		// The module is taken out altogether while a stream runs.
		if err := gwLoadText(r.c, "http://127.0.0.1:{{port}} {\n\trespond 204\n}\n"); err != nil {
			f.Fatal(err)
		}
		once()
		h = <-held
		f.must(h.good() && h.Pieces() == 6, "running request", "%s", &h)
		gwEventually(f.T, "its row", func() bool { return faultBooks.len() == 9 })
		var costs [2]accounting.Money
		for _, e := range faultBooks.all() {
			at := 0
			if e.Cost > accounting.Money(e.Usage.TotalInput()+e.Usage.TotalOutput())*accounting.Dollar/1_000_000 {
				at = 1
			}
			costs[at]++
		}
		f.must(costs[0] == 8 && costs[1] == 1, "old price", "%d rows at the old price, %d at the new one", costs[0], costs[1])
		if err := gwLoadText(r.c, r.site("")); err != nil {
			f.Fatal(err)
		}
		f.figure("7 invalid configurations: the old one serves; a running stream keeps its key and price, also when the module is gone")
	})
}
