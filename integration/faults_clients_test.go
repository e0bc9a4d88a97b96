package integration

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/internal/faultllm"
)

// Group D, first part: clients that leave, crawl, or vanish.

// dial connects to the gateway. A receive buffer of more than 0 bytes keeps what is under way small.
func (r *faultRig) dial(receive int) *faultllm.Conn {
	r.Helper()
	c, err := faultllm.DialConn("127.0.0.1:"+r.c.port, receive)
	if err != nil {
		r.Fatal(err)
	}
	return c
}

// send sends a streaming request on a connection of its own.
func (r *faultRig) send(c *faultllm.Conn, d *gwClient, model string, header ...string) {
	r.Helper()
	text := faultllm.Post(d.at(strings.ReplaceAll(model, "/", "--"), true), d.request(model, true, gwPrompt), append([]string{"Authorization", "Bearer " + gwClientKey}, header...)...)
	if err := c.Send(text); err != nil {
		r.Fatal(err)
	}
}

// until reads a response until it holds a text.
func until(body io.Reader, text string) error {
	var seen bytes.Buffer
	for buf := make([]byte, 4<<10); ; {
		n, err := body.Read(buf)
		seen.Write(buf[:n])
		if bytes.Contains(seen.Bytes(), []byte(text)) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w after %q", err, gwClip(seen.String(), 300))
		}
	}
}

func TestFaults_T48_ClientGoneBeforeTheFirstByte(t *testing.T) {
	faultTest(t, 48, func(f *fault) {
		var noticed []time.Duration
		left := 0
		f.streams(func(f *fault, d *gwClient, kind string) {
			r := f.rig()
			up := r.up("p", kind, faultllm.Always(faultllm.Script{Cut: &faultllm.Cut{Where: faultllm.BeforeHead, How: faultllm.Stall}}))
			r.start("")
			n := faultN(20, 170)
			conns := make([]*faultllm.Conn, n)
			for i := range conns {
				conns[i] = r.dial(0)
				r.send(conns[i], d, "p/x")
			}
			if !up.Wait(gwPatience, func(j []faultllm.Entry) bool { return len(j) == n }) {
				f.Fatal("T48: the requests did not arrive")
			}
			start := time.Now()
			for _, c := range conns {
				c.Reset()
			}
			f.must(up.Wait(gwPatience, func(j []faultllm.Entry) bool { return faultAll(j, faultllm.Gone) }), "canceled", "")
			for _, e := range up.All() {
				noticed = append(noticed, e.GoneTime.Sub(start))
			}
			r.estimated(f, n)
			lines := r.c.log.waitN(f.T, n, func(l gjson.Result) bool { return l.Get("msg").Str == "usage" && l.Get("status").Int() == 499 })
			f.must(len(lines) == n, "log status 499", "%d lines", len(lines))
			gwEventually(f.T, "no connections to the provider", func() bool { _, open := up.Connections(); return open == 0 })
			f.must(time.Since(start) < time.Second+faultLate(0), "connections", "%v", time.Since(start))
			left += n
		})
		f.must(faultQuantile(noticed, 0.99) <= faultLate(100*time.Millisecond), "on time", "%v", faultQuantile(noticed, 0.99))
		f.figure("N=%d: all canceled, p99 after %v; rows estimated, status 499", left, faultQuantile(noticed, 0.99).Round(100*time.Microsecond))
	})
}

func faultAll(j []faultllm.Entry, o faultllm.Outcome) bool {
	for i := range j {
		if j[i].Outcome != o {
			return false
		}
	}
	return true
}

func TestFaults_T49_ClientGoneInTheMiddle(t *testing.T) {
	faultTest(t, 49, func(f *fault) {
		rows, worst := 0, 0.0
		f.streams(func(f *fault, d *gwClient, kind string) {
			const pieces = 40
			r := f.rig()
			up := r.up("p", kind, func(q *faultllm.Request) faultllm.Script {
				if strings.Contains(string(q.Body), "leaves") {
					return faultllm.CutAfter(pieces, faultllm.Stall)
				}
				return faultllm.Script{Pieces: 200}
			})
			r.start("model m p/taught-" + kind + d.name)
			for range 5 { // the estimator learns how long a token is
				h := r.ask(d, "m", true)
				f.must(h.good(), "answered", "%s", &h)
			}
			n := faultN(20, 170)
			conns, ready := make([]*faultllm.Conn, n), make(chan error, n)
			for i := range conns {
				conns[i] = r.dial(0)
				text := faultllm.Post(d.at("m", true), d.request("m", true, gwPrompt+" leaves"), "Authorization", "Bearer "+gwClientKey)
				if err := conns[i].Send(text); err != nil {
					f.Fatal(err)
				}
				go func() {
					resp, err := conns[i].Response(gwPatience)
					if err == nil {
						err = until(resp.Body, faultllm.Piece(pieces))
					}
					ready <- err
				}()
			}
			for range conns {
				if err := <-ready; err != nil {
					f.Fatalf("T49: %v", err)
				}
			}
			for _, c := range conns {
				c.Reset()
			}
			f.must(up.Wait(gwPatience, func(j []faultllm.Entry) bool {
				return len(j) == n+5 && faultAll(j[5:], faultllm.Gone)
			}), "canceled", "%d requests", up.Len())
			r.finished()
			charged := r.rows(func(e *accounting.Entry) bool {
				return e.Certainty == accounting.Estimated && e.ErrorClass == "canceled"
			})
			f.must(len(charged) == n, "rows", "%d of %d", len(charged), n)
			off := 0.0
			for i := range charged {
				off += max(float64(charged[i].Usage.TotalOutput()-pieces), float64(pieces-charged[i].Usage.TotalOutput()))
			}
			off /= float64(n * pieces)
			f.must(off <= 0.02, "estimate", "%.1f %% off", 100*off)
			rows, worst = rows+len(charged), max(worst, off)
		})
		f.figure("N=%d: %d rows; estimates ≤ %.2f %% off what the provider made", rows, rows, 100*worst)
	})
}

func TestFaults_T50_HalfOpenClient(t *testing.T) {
	faultTest(t, 50, func(f *fault) {
		if !f.full() {
			return
		}
		r := f.rig()
		up := r.up("p", "openai", faultllm.Always(faultllm.Script{Pieces: 20_000, Gap: 20 * time.Millisecond}))
		r.start("")
		c := r.dial(4 << 10)
		r.send(c, gwChat, "p/x")
		resp, err := c.Response(gwPatience)
		if err == nil {
			err = until(resp.Body, faultllm.Piece(1))
		}
		if err == nil {
			err = c.Vanish()
		}
		if err != nil {
			f.Fatal(err)
		}
		start := time.Now()
		found := up.Wait(45*time.Second, func(j []faultllm.Entry) bool { return j[0].Outcome == faultllm.Gone })
		f.must(found && time.Since(start) <= 35*time.Second, "found", "not found in %v", time.Since(start))
		f.figure("found after %v: %v", time.Since(start).Round(time.Second), found)
		c.Close()
		if !found { // close sends nothing that arrives
			up.CloseConnections()
		}
	})
}

func TestFaults_T51_VerySlowReaders(t *testing.T) {
	faultTest(t, 51, func(f *fault) {
		n := faultN(20, 500)
		r := f.rig()
		endless := faultllm.Script{Body: gwChatText("a piece of a text without end "), Fill: 1 << 40, Header: http.Header{"Content-Type": {"text/event-stream"}}}
		slow := r.up("slow", "openai", faultllm.Always(endless))
		r.up("good", "openai", faultllm.Always(faultllm.Script{Pieces: 50, Gap: time.Millisecond}))
		r.start("")
		patience := faultTime(3*time.Second, 30*time.Second)
		if !faultsFull { // what an operator sets stands
			a := r.c.do(http.MethodPost, "http://"+r.c.admin+"/config/apps/http/servers/srv0/write_idle_timeout", fmt.Sprint(patience.Nanoseconds()), "Content-Type", "application/json")
			f.must(a.status == http.StatusOK, "configured", "%d %s", a.status, a.body)
			r.c.client.CloseIdleConnections()
		}
		quiet := faultQuantile(faultTook(r.load(20, 4, func(int) heard { return r.ask(gwChat, "good/x", true) })), 0.99)
		interrupted := r.c.metric("caddy_llm_gateway_streams_interrupted_total", `by="client"`)
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		stop := make(chan struct{})
		var readers sync.WaitGroup
		conns := make([]*faultllm.Conn, n)
		for i := range conns {
			conns[i] = r.dial(4 << 10)
			r.send(conns[i], gwChat, "slow/x")
			readers.Go(func() { _, _ = conns[i].Sip(1, time.Second, stop) })
		}
		if !slow.Wait(gwPatience, func(j []faultllm.Entry) bool { return len(j) == n }) {
			f.Fatal("T51: the requests did not arrive")
		}
		// Everything on the way fills up, and then the provider has to wait too.
		var taken int64
		gwEventually(f.T, "a standstill", func() bool {
			now := int64(0)
			for _, e := range slow.All() {
				now += e.Bytes
			}
			still := now == taken && now > 0
			taken = now
			<-time.After(200 * time.Millisecond)
			return still
		})
		runtime.GC()
		runtime.ReadMemStats(&after)
		grown := int64(after.HeapInuse) - int64(before.HeapInuse)
		busy := faultQuantile(faultTook(r.load(20, 4, func(int) heard { return r.ask(gwChat, "good/x", true) })), 0.99)
		f.must(taken/int64(n) < 12<<20, "back-pressure", "%d bytes for each reader", taken/int64(n))
		rig := int64(n) * 48 << 10 // what provider and client hold for each stream, most of it a block of 32 KiB
		f.must(grown <= 50<<20+rig, "memory", "the heap grew by %d MiB", grown>>20)
		f.must(busy <= quiet+quiet/5+faultLate(20*time.Millisecond), "others", "p99 %v, %v before", busy, quiet)
		f.figure("%d readers of 1 B/s: heap +%d KiB each (provider and client included), %d KiB under way each; others' p99 %v, before %v", n, grown/int64(n)>>10, taken/int64(n)>>10, busy.Round(time.Millisecond), quiet.Round(time.Millisecond))
		cut := slow.Wait(patience+15*time.Second, func(j []faultllm.Entry) bool { return faultAll(j, faultllm.Gone) })
		f.must(cut, "cut after 30 s", "the provider still waits for readers that read nothing")
		longest := time.Duration(0)
		for _, e := range slow.All() {
			longest = max(longest, e.GoneTime.Sub(e.Started))
		}
		f.must(longest <= patience+10*time.Second+faultLate(0), "cut in time", "%v", longest)
		r.finished()
		gone := r.rows(func(e *accounting.Entry) bool { return e.ErrorClass == "canceled" })
		f.must(len(gone) == n, "rows", "%d of %d", len(gone), n)
		interrupted = r.c.metric("caddy_llm_gateway_streams_interrupted_total", `by="client"`) - interrupted
		f.must(int(interrupted) == n, "interrupted by the client", "%v of %d", interrupted, n)
		f.figure("all cut: the last one %v after its first byte, %v without progress among them; %d rows", longest.Round(time.Second), patience, len(gone))
		close(stop)
		for _, c := range conns {
			c.Reset()
		}
		readers.Wait()
	})
}

func TestFaults_T52_SlowHeadersAndBodies(t *testing.T) {
	faultTest(t, 52, func(f *fault) {
		n := faultN(100, 4000)
		r := f.rig()
		up := r.up("p", "openai", faultllm.Always(faultllm.Script{}))
		r.start("")
		quiet := faultTook(r.load(100, 1, r.mixed("p/x")))
		stop := make(chan struct{})
		var crawlers sync.WaitGroup
		conns := make([]*faultllm.Conn, n)
		text := faultllm.Post("/v1/chat/completions", gwChat.request("p/x", false, strings.Repeat("slow ", 2000)), "Authorization", "Bearer "+gwClientKey)
		head := strings.Index(text, "\r\n\r\n") + 4
		for i := range conns {
			conns[i] = r.dial(0)
			start := 20 // in the middle of the headers
			if i%2 == 1 {
				start = head + 20
			}
			if err := conns[i].Send(text[:start]); err != nil {
				f.Fatal(err)
			}
			crawlers.Go(func() { conns[i].Crawl(text[start:], 1, 2*time.Second, stop) })
		}
		busy := faultTook(r.load(100, 1, r.mixed("p/x")))
		a, b := faultQuantile(quiet, 0.99), faultQuantile(busy, 0.99)
		f.must(b <= a+a/5+faultLate(5*time.Millisecond), "healthy traffic", "p99 %v, %v before", b, a)
		f.must(up.Len() == 200, "no request", "%d requests", up.Len())
		f.figure("%d connections: p99 of the others %v, before %v", n, b.Round(10*time.Microsecond), a.Round(10*time.Microsecond))
		if f.full() {
			var ended [2]atomic.Int64
			var reading sync.WaitGroup
			for i, c := range conns {
				reading.Go(func() {
					_ = c.SetReadDeadline(time.Now().Add(65 * time.Second)) // an error shows when reading
					_, err := io.Copy(io.Discard, c)
					if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() {
						ended[i%2].Add(1)
					}
				})
			}
			reading.Wait()
			f.must(int(ended[0].Load()) == n/2, "slow headers", "%d of %d were ended in 65 s", ended[0].Load(), n/2)
			f.must(int(ended[1].Load()) == n/2, "slow body", "%d of %d were ended in 65 s", ended[1].Load(), n/2)
		}
		close(stop)
		for _, c := range conns {
			c.Reset()
		}
		crawlers.Wait()
	})
}

func TestFaults_T53_BodiesTooLarge(t *testing.T) {
	faultTest(t, 53, func(f *fault) {
		const limit = 32 << 20
		clients := gwAllClients
		if faultRace {
			clients = clients[2:] // 100 MiB for each
		}
		for _, d := range clients {
			f.run(d.name, func(f *fault) {
				r := f.rig()
				up := r.up("p", d.kind, faultllm.Always(faultllm.Script{}))
				r.start("")
				path := d.at("p--x", false)
				refused := func(c *faultllm.Conn, demand string, status ...int) {
					resp, err := c.Response(gwPatience)
					if err != nil {
						f.must(false, "answered", "%v", err)
						return
					}
					defer resp.Body.Close()
					body, _ := io.ReadAll(resp.Body)
					h := faultllm.Read(faultllm.Dialect(d.name), false, resp.StatusCode, resp.Header.Get("Content-Type"), body)
					ok := false
					for _, s := range status {
						ok = ok || resp.StatusCode == s
					}
					f.must(ok && h.Failed && len(h.Broken) == 0, demand, "%d %v %s", resp.StatusCode, h.Broken, body)
				}
				// Declared: the answer comes although no byte of the body was sent.
				c := r.dial(0)
				if err := c.Send(faultllm.Post(path, "", "Content-Length", fmt.Sprint(limit+1<<20))); err != nil {
					f.Fatal(err)
				}
				refused(c, "too large", 413)
				c.Close()
				// Chunked: it comes when the limit is passed, and the connection is closed.
				c = r.dial(0)
				if err := c.Send(faultllm.Post(path, "", "Transfer-Encoding", "chunked")); err != nil {
					f.Fatal(err)
				}
				chunk := fmt.Sprintf("%x\r\n%s\r\n", 64<<10, strings.Repeat(" ", 64<<10))
				sent := 0
				for c.Send(chunk) == nil && sent < 3*limit {
					sent += 64 << 10
				}
				f.must(sent < 2*limit, "closed", "%d bytes were taken", sent)
				c.Close()
				// Less than was declared.
				c = r.dial(0)
				if err := c.Send(faultllm.Post(path, `{"model":"p/x"`, "Content-Length", "500")); err != nil {
					f.Fatal(err)
				}
				if err := c.CloseWrite(); err != nil {
					f.Fatal(err)
				}
				refused(c, "too short", 400)
				c.Close()
				// More than was declared: the rest is a request of its own, and none that HTTP knows.
				c = r.dial(0)
				if err := c.Send(faultllm.Post(path, d.request("p/x", false, "x")+"}}}}\r\n\r\n", "Content-Length", "10")); err != nil {
					f.Fatal(err)
				}
				refused(c, "too long", 400)
				c.Close()
				f.must(up.Len() == 0, "no request", "%d requests", up.Len())
			})
		}
		f.figure("declared, chunked, too short, too long × %d dialects: refused, 0 requests to providers", len(clients))
	})
}
