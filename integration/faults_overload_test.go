package integration

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-llm/llmgateway/internal/faultllm"
)

// Group F: too much of everything.

func TestFaults_T82_ManyStreams(t *testing.T) {
	faultTest(t, 82, func(f *fault) {
		n, events, gap := faultN(200, 9000), faultN(8, 30), faultTime(200*time.Millisecond, time.Second)
		a, err := faultllm.NewAuthority()
		if err != nil {
			f.Fatal(err)
		}
		config, err := a.TLS(faultllm.Flawless)
		if err != nil {
			f.Fatal(err)
		}
		release := make(chan struct{})
		// All wait after their first event. When all are there they go on, evenly spread over the time between two events.
		script := func(q *faultllm.Request) faultllm.Script {
			own := make(chan struct{})
			go func() {
				<-release
				<-time.After(gap * time.Duration(q.N) / time.Duration(n))
				close(own)
			}()
			return faultllm.Script{Pieces: events, Gap: gap, Gate: func(k int) <-chan struct{} {
				if k == 2 {
					return own
				}
				return nil
			}}
		}
		u, err := faultllm.NewUpstream(script, faultllm.Options{TLS: config, HTTP2: true})
		if err != nil {
			f.Fatal(err)
		}
		f.Cleanup(u.Close)
		c := f.child("provider p openai "+faultKey("p")+" "+u.URL()+" {\n"+(&faultRig{fault: f}).trusting(a)+"\n}", 0)
		if h := c.ask(context.Background(), gwChat, "p/x", false, "x"); !h.good() {
			close(release)
			f.Fatalf("T82: %s", &h)
		}
		before := c.rss()
		var wg sync.WaitGroup
		var complete, lost atomic.Int64
		var mu sync.Mutex
		var gaps []time.Duration
		dialing := make(chan struct{}, 64)
		for i := range n {
			wg.Go(func() {
				text, waits, err := faultWatch(c.addr(), gwAllClients[i%4], dialing)
				h := faultllm.Read(faultllm.Dialect(gwAllClients[i%4].name), true, 200, "text/event-stream", []byte(text))
				mu.Lock()
				defer mu.Unlock()
				gaps = append(gaps, waits...)
				if err == nil && h.Complete && h.Pieces() == events && len(h.Broken) == 0 {
					complete.Add(1)
				} else {
					lost.Add(1)
					f.Logf("T82: %v, %d pieces, %v", err, h.Pieces(), h.Broken)
				}
			})
		}
		if !u.Wait(2*time.Minute, func(j []faultllm.Entry) bool { return len(j) == n+1 && faultStarted(j) == n+1 }) {
			f.Errorf("T82: %d of %d streams came", u.Len()-1, n)
		}
		held := c.rss() - before
		close(release)
		wg.Wait()
		perStream := held / int64(n)
		p99 := faultQuantile(gaps, 0.99) - gap
		f.must(lost.Load() == 0, "complete", "%d of %d lost", lost.Load(), n)
		f.must(!f.full() || faultRace || perStream <= 100<<10, "memory", "%d KiB for each stream", perStream>>10)
		// Provider and clients take most of the processors. With few of them the gaps say nothing about the gateway.
		f.must(runtime.NumCPU() < 8 || p99 <= 1500*time.Millisecond-gap+faultLate(gap), "gaps", "99th percentile %v late", p99)
		f.figure("%d streams over HTTP/2: %d complete, %d KiB of RSS each, gap p99 +%v on %d processors, shared with provider and clients", n, complete.Load(), perStream>>10, max(p99, 0).Round(time.Millisecond), runtime.NumCPU())
	})
}

func faultStarted(j []faultllm.Entry) (n int) {
	for i := range j {
		if j[i].Pieces > 0 {
			n++
		}
	}
	return n
}

// faultWatch reads one stream on a connection of its own: its text and the waits after the second event.
func faultWatch(addr string, d *gwClient, dialing chan struct{}) (text string, gaps []time.Duration, err error) {
	dialing <- struct{}{}
	c, err := faultllm.DialConn(addr, 0)
	<-dialing
	if err != nil {
		return "", nil, err
	}
	defer c.Close()
	if err := c.Send(faultllm.Post(d.at("p--x", true), d.request("p/x", true, "x"), "Authorization", "Bearer "+gwClientKey)); err != nil {
		return "", nil, err
	}
	resp, err := c.Response(5 * time.Minute)
	if err != nil {
		return "", nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return "", nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	var b strings.Builder
	last := time.Time{}
	for buf := make([]byte, 4<<10); ; {
		k, err := resp.Body.Read(buf)
		b.Write(buf[:k])
		now := time.Now()
		if !last.IsZero() {
			gaps = append(gaps, now.Sub(last))
		}
		if strings.Contains(b.String(), faultllm.Piece(2)) {
			last = now
		}
		if err != nil {
			if err.Error() == "EOF" {
				err = nil
			}
			return b.String(), gaps, err
		}
	}
}

func TestFaults_T83_FiveTimesTheCapacity(t *testing.T) {
	faultTest(t, 83, func(f *fault) {
		const slots, work = 10, 50 * time.Millisecond // 200 requests a second
		length := faultTime(3*time.Second, time.Minute)
		r := f.rig()
		r.up("p", "openai", faultllm.Always(faultllm.Script{Delay: work}))
		r.start(fmt.Sprintf("unhealthy_request_count %d\nlb_retries 0", slots))
		start := time.Now()
		peakN := faultN(200, 2000)
		bad, first := faultBad(r.load(peakN, slots, func(int) heard { return r.ask(gwChat, "p/x", false) }))
		f.must(bad == 0, "peak", "%d errors, the first %s", bad, first)
		peak := float64(peakN) / time.Since(start).Seconds()
		var good, shed, other atomic.Int64
		var mu sync.Mutex
		var refused []time.Duration
		var wg sync.WaitGroup
		tick := time.NewTicker(time.Second / (5 * slots * (time.Second / work)))
		start = time.Now()
		for time.Since(start) < length {
			<-tick.C
			wg.Go(func() {
				switch h := r.ask(gwChat, "p/x", false); {
				case h.good():
					good.Add(1)
				case (h.status == 503 || h.status == 429) && h.header.Get("Retry-After") != "":
					shed.Add(1)
					mu.Lock()
					refused = append(refused, h.took)
					mu.Unlock()
				default:
					other.Add(1)
				}
			})
		}
		tick.Stop()
		wg.Wait()
		goodput := float64(good.Load()) / time.Since(start).Seconds()
		over := time.Now()
		for h := r.ask(gwChat, "p/x", false); !h.good() && time.Since(over) < 10*time.Second; {
			h = r.ask(gwChat, "p/x", false)
		}
		recovered := time.Since(over)
		p99 := faultQuantile(refused, 0.99)
		f.must(goodput >= 0.8*peak, "goodput", "%.0f rps of %.0f", goodput, peak)
		f.must(other.Load() == 0, "503 or 429", "%d others", other.Load())
		f.must(p99 <= 50*time.Millisecond+faultLate(0), "refused at once", "99th percentile %v", p99)
		f.must(recovered <= 5*time.Second, "recovers", "%v", recovered)
		f.figure("%v: goodput %.0f of %.0f rps, %d shed, refusal p99 %v, back after %v", length, goodput, peak, shed.Load(), p99.Round(10*time.Microsecond), recovered.Round(time.Millisecond))
	})
}

// smallUpstream is a provider for a gateway in a process of its own.
func (f *fault) smallUpstream(choose faultllm.Chooser) *faultllm.Upstream {
	f.Helper()
	u, err := faultllm.NewUpstream(choose, faultllm.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(u.Close)
	return u
}

func TestFaults_T84_NoDescriptorsLeft(t *testing.T) {
	faultTest(t, 84, func(f *fault) {
		const files = 80
		u := f.smallUpstream(faultllm.Always(faultllm.Script{}))
		c := f.child("provider p openai "+faultKey("p")+" "+u.URL(), files)
		h := c.ask(context.Background(), gwChat, "p/x", false, "x")
		f.must(h.good(), "before", "%s", &h)
		c.client.CloseIdleConnections()
		gwEventually(f.T, "no connection to use again", func() bool {
			u.CloseConnections()
			_, open := u.Connections()
			return open == 0
		})
		var idle []net.Conn
		for range 200 { // more than the gateway can accept; the kernel keeps the rest waiting
			conn, err := net.DialTimeout("tcp", c.addr(), time.Second)
			if err != nil {
				break
			}
			idle = append(idle, conn)
		}
		gwEventually(f.T, "the last descriptor", func() bool { return c.descriptors() >= files })
		// One of those that were accepted asks: there is no descriptor left to call the provider with.
		refused := 0
		for _, conn := range idle[:5] {
			if _, err := conn.Write([]byte(faultllm.Post("/v1/chat/completions", gwChat.request("p/x", false, "x")))); err != nil {
				f.Fatal(err)
			}
			_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			b := make([]byte, 16)
			n, _ := conn.Read(b)
			if s := string(b[:n]); strings.Contains(s, " 502 ") || strings.Contains(s, " 503 ") {
				refused++
			}
		}
		f.must(refused >= 4, "502 or 503", "%d of 5", refused)
		for _, conn := range idle {
			conn.Close()
		}
		start := time.Now()
		for h = c.ask(context.Background(), gwChat, "p/x", false, "x"); !h.good() && time.Since(start) < gwPatience; {
			<-time.After(20 * time.Millisecond)
			h = c.ask(context.Background(), gwChat, "p/x", false, "x")
		}
		took := time.Since(start)
		f.must(h.good() && c.alive() && took <= 2*time.Second+faultLate(0), "recovers", "%v: %s", took, &h)
		rows := len(c.attempts())
		f.must(rows >= u.Len()+refused, "accounted", "%d rows, %d requests, %d refusals", rows, u.Len(), refused)
		f.figure("%d of 5 refused with 502 or 503, no crash, good again after %v", refused, took.Round(10*time.Millisecond))
	})
}

func TestFaults_T85_MemoryPressure(t *testing.T) {
	faultTest(t, 85, func(f *fault) {
		hold := make(chan struct{})
		once := sync.OnceFunc(func() { close(hold) })
		u := f.smallUpstream(func(q *faultllm.Request) faultllm.Script {
			if len(q.Body) > 1<<20 {
				return faultllm.Script{Hold: hold}
			}
			return faultllm.Script{}
		})
		f.Cleanup(once)
		c := f.child("provider p openai "+faultKey("p")+" "+u.URL(), 0, "GOMEMLIMIT=256MiB")
		n := faultN(8, 40)
		big := strings.Repeat("large ", faultN(2<<20, 4<<20))
		answers := make(chan heard, n)
		for range n {
			go func() { answers <- c.ask(context.Background(), gwChat, "p/x", false, big) }()
		}
		// The first come in and stay; the others are told to come back.
		shed, most := 0, int64(0)
		early := make([]heard, 0, n)
		deadline := time.After(gwPatience)
	waiting:
		for len(early)+u.Len() < n {
			select {
			case h := <-answers:
				early = append(early, h)
			case <-time.After(20 * time.Millisecond):
			case <-deadline:
				break waiting
			}
			most = max(most, c.rss())
		}
		small := c.ask(context.Background(), gwMessages, "p/x", true, "x")
		most = max(most, c.rss())
		once()
		for len(early) < n {
			early = append(early, <-answers)
		}
		good := 0
		for i := range early {
			switch h := &early[i]; {
			case h.good():
				good++
			case h.status == 503 && h.header.Get("Retry-After") != "", h.err != nil: // the connection is closed while the body is still sent
				shed++
			default:
				f.must(false, "503", "%s", h)
			}
		}
		f.must(good > 0 && shed > 0, "shed", "%d good, %d shed of %d", good, shed, n)
		f.must(small.good(), "small ones pass", "%s", &small)
		f.must(most <= 512<<20 || faultRace, "memory", "%d MiB", most>>20)
		h := c.ask(context.Background(), gwChat, "p/x", false, "x")
		f.must(h.good() && c.alive(), "alive", "%s", &h)
		f.figure("GOMEMLIMIT 256 MiB, %d bodies of %d MiB: %d answered, %d told to come back, RSS ≤ %d MiB", n, len(big)>>20, good, shed, most>>20)
	})
}

func TestFaults_T86_OneBusyProcessor(t *testing.T) {
	faultTest(t, 86, func(f *fault) {
		const timeout = 500 * time.Millisecond
		u := f.smallUpstream(func(q *faultllm.Request) faultllm.Script {
			if strings.Contains(string(q.Body), "silent") {
				return faultllm.CutAfter(2, faultllm.Stall)
			}
			return faultllm.Script{Pieces: 20}
		})
		c := f.child("idle_timeout 500ms\nfirst_token_timeout 5s\nprovider p openai "+faultKey("p")+" "+u.URL(), 0, "GOMAXPROCS=1")
		var stop atomic.Bool
		var hogs sync.WaitGroup
		for range runtime.NumCPU() {
			hogs.Go(func() {
				for !stop.Load() { // uses a processor up
				}
			})
		}
		n := faultN(60, 1000)
		var wg sync.WaitGroup
		var bad atomic.Int64
		slots := make(chan struct{}, 8)
		for i := range n {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				if h := c.ask(context.Background(), gwAllClients[i%4], "p/x", i%8 >= 4, "x"); !h.good() {
					bad.Add(1)
				}
			})
		}
		h := c.ask(context.Background(), gwChat, "p/silent", true, "silent")
		wg.Wait()
		stop.Store(true)
		hogs.Wait()
		late := h.took - h.first
		f.must(bad.Load() == 0, "healthy requests", "%d of %d failed", bad.Load(), n)
		f.must(h.Failed && late >= timeout-50*time.Millisecond && late <= 2*timeout+faultLate(0), "timers", "%v for a timeout of %v: %s", late, timeout, &h)
		f.must(!strings.Contains(c.logged(), "taken out of rotation"), "no false ejection", "the target was taken out")
		f.figure("N=%d: %d errors, a timeout of %v fired after %v, 0 false ejections", n, bad.Load(), timeout, late.Round(time.Millisecond))
	})
}
