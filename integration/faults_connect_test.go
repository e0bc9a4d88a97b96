package integration

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/internal/faultllm"
)

// Group A: connecting, names, TLS.

// faultLate is how much later than it has to something may happen: little in a full run, which has the machine to itself, and
// much in everyday tests, which prove that it happens and not how punctually.
func faultLate(d time.Duration) time.Duration {
	if faultsFull && !faultRace {
		return d
	}
	return d + 3*time.Second
}

// of counts the rows of a provider.
func (r *faultRig) of(provider string) int {
	return len(r.rows(func(e *accounting.Entry) bool { return e.Provider == provider }))
}

func TestFaults_T1_ConnectionRefused(t *testing.T) {
	faultTest(t, 1, func(f *fault) {
		f.pairs(func(f *fault, d *gwClient, kind string, stream bool) {
			r := f.rig()
			r.provider("dead", kind, gwClosedPort(f.T), 1, "")
			r.up("good", kind, faultllm.Always(faultllm.Script{}))
			r.start("model m dead/a good/b")
			for range 8 {
				h := r.ask(d, "m", stream)
				f.must(h.good(), "invisible", "%s", &h)
			}
			f.must(r.of("dead") <= 6, "ejected after five", "%d attempts at the dead target", r.of("dead"))
		})
		f.run("load", func(f *fault) {
			r := f.rig()
			r.provider("dead", "openai", gwClosedPort(f.T), 1, "")
			r.up("good", "openai", faultllm.Always(faultllm.Script{}))
			r.start("model m dead/a good/b\nmodel healthy good/b")
			n := faultN(300, 5000)
			healthy := faultTook(r.load(n, 1, r.mixed("healthy")))
			start := time.Now()
			answers := r.load(n, 1, r.mixed("m"))
			took := time.Since(start)
			bad, first := faultBad(answers)
			f.must(bad == 0, "invisible", "%d errors, the first %s", bad, first)
			added := faultQuantile(faultTook(answers), 0.99) - faultQuantile(healthy, 0.99)
			f.must(added <= faultLate(5*time.Millisecond), "latency", "99th percentile %v more", added)
			limit := 5 + int(took/time.Second) + 1
			f.must(r.of("dead") <= limit, "ejected after five", "%d attempts at the dead target in %v", r.of("dead"), took)
			f.figure("N=%d: %d errors, p99 +%v, %d attempts at the dead target", n, bad, max(added, 0).Round(10*time.Microsecond), r.of("dead"))
		})
	})
}

func TestFaults_T2_SYNBlackHole(t *testing.T) {
	faultTest(t, 2, func(f *fault) {
		hole, err := faultllm.NewHole()
		if err != nil {
			f.Fatal(err)
		}
		defer hole.Close()
		block, timeout := "transport http {\ndial_timeout 200ms\n}", 200*time.Millisecond
		if faultsFull {
			block, timeout = "", 3*time.Second
		}
		r := f.rig()
		r.provider("hole", "openai", hole.URL(), 1, block)
		r.up("good", "openai", faultllm.Always(faultllm.Script{}))
		r.start("model m hole/a good/b")
		var slow []time.Duration
		answers := r.load(faultN(20, 200), 1, r.mixed("m"))
		for _, h := range answers {
			f.must(h.good(), "invisible", "%s", &h)
			if h.took > timeout/2 {
				slow = append(slow, h.took)
			}
		}
		most := faultQuantile(slow, 1)
		f.must(len(slow) <= 5, "ejected after five", "%d requests waited", len(slow))
		f.must(most <= timeout+faultLate(100*time.Millisecond), "timeout", "%v", most)
		f.figure("%d of %d waited, the longest %v for a timeout of %v", len(slow), len(answers), most.Round(time.Millisecond), timeout)
	})
}

func TestFaults_T3_Names(t *testing.T) {
	faultTest(t, 3, func(f *fault) {
		dns, err := faultllm.NewDNS()
		if err != nil {
			f.Fatal(err)
		}
		f.Cleanup(dns.Close)
		before := net.DefaultResolver
		net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "udp", dns.Addr())
		}}
		f.Cleanup(func() { net.DefaultResolver = before })
		rig := func(f *fault) (r *faultRig, named *faultllm.Upstream) {
			r = f.rig()
			named = r.upstream("named", faultllm.Always(faultllm.Script{}), faultllm.Options{})
			_, port, _ := net.SplitHostPort(named.Addr())
			r.provider("named", "openai", "http://up.test.invalid.:"+port, 1, "")
			r.up("good", "openai", faultllm.Always(faultllm.Script{}))
			r.start("model m named/a good/b")
			return r, named
		}
		f.run("no such name", func(f *fault) {
			dns.Set(nil, 0)
			r, named := rig(f)
			bad, first := faultBad(r.load(8, 1, r.mixed("m")))
			f.must(bad == 0, "invisible", "%s", first)
			f.must(named.Len() == 0 && r.of("named") <= 6, "ejected after five", "%d attempts", r.of("named"))
		})
		f.run("an address that changes", func(f *fault) {
			dns.Set(net.IPv4(127, 0, 0, 1), 0)
			r, named := rig(f)
			bad, first := faultBad(r.load(4, 1, r.mixed("m")))
			f.must(bad == 0 && named.Len() == 4, "invisible", "%d requests, %s", named.Len(), first)
			_, port, _ := net.SplitHostPort(named.Addr())
			other := r.upstream("moved", faultllm.Always(faultllm.Script{}), faultllm.Options{Addr: "127.0.0.2:" + port})
			r.ups["named"], r.ups["moved"] = other, named // rows of both: compared below
			dns.Set(net.IPv4(127, 0, 0, 2), 0)
			named.CloseConnections()
			answers := r.load(4, 1, r.mixed("m"))
			bad, first = faultBad(answers)
			f.must(bad == 0, "invisible", "%s", first)
			f.must(other.Len() >= 3, "address picked up", "%d requests at the new address", other.Len())
			delete(r.ups, "named")
			delete(r.ups, "moved")
			// One of them may have met the connection that was just closed.
			lost := r.of("named") - other.Len() - named.Len()
			f.must(lost == 0 || lost == 1, "accounted", "%d and %d requests, %d rows", other.Len(), named.Len(), r.of("named"))
			f.figure("changed address used by %d of 4 requests", other.Len())
		})
		f.run("a slow resolver", func(f *fault) {
			if !f.full() {
				return
			}
			dns.Set(net.IPv4(127, 0, 0, 1), 5*time.Second)
			r, _ := rig(f)
			answers := r.load(8, 1, r.mixed("m"))
			bad, first := faultBad(answers)
			most := faultQuantile(faultTook(answers), 1)
			f.must(bad == 0 && most <= 3300*time.Millisecond, "timeout", "%v %s", most, first)
			f.figure("resolver of 5s: longest %v", most.Round(time.Millisecond))
		})
	})
}

// trusting writes the authority's certificate where a transport can be told to trust it.
func (r *faultRig) trusting(a *faultllm.Authority) string {
	r.Helper()
	path := filepath.Join(r.TempDir(), "ca.pem")
	if err := os.WriteFile(path, a.PEM(), 0o600); err != nil {
		r.Fatal(err)
	}
	return "transport http {\ntls_trust_pool file " + path + "\n}"
}

func TestFaults_T4_BadCertificates(t *testing.T) {
	faultTest(t, 4, func(f *fault) {
		a, err := faultllm.NewAuthority()
		if err != nil {
			f.Fatal(err)
		}
		keys := 0
		for flaw, name := range map[faultllm.Flaw]string{faultllm.Expired: "expired", faultllm.WrongHost: "wronghost", faultllm.SelfSigned: "selfsigned", faultllm.OldTLS: "tls11"} {
			f.run(name, func(f *fault) {
				config, err := a.TLS(flaw)
				if err != nil {
					f.Fatal(err)
				}
				r := f.rig()
				bad := r.upstream(name, faultllm.Always(faultllm.Script{}), faultllm.Options{TLS: config, Record: true})
				r.provider(name, "openai", bad.URL(), 1, r.trusting(a))
				r.up("good", "openai", faultllm.Always(faultllm.Script{}))
				r.start("model m " + name + "/a good/b")
				for i, d := range gwAllClients {
					h := r.ask(d, name+"/x", i%2 == 1)
					f.must(h.Failed && (h.status == 502 || i > 0 && h.status == 503), "502", "%s", &h)
					if d == gwChat {
						code := gwAnswer{body: h.body}.get("error.code").Str
						f.must(code == "upstream_tls" || flaw == faultllm.OldTLS, "code upstream_tls", "%s", &h)
					}
				}
				accepted, _ := bad.Connections()
				f.must(accepted <= 8, "no retry", "%d connections for 4 requests", accepted)
				for i := range 4 {
					h := r.ask(gwChat, "m", i%2 == 1)
					f.must(h.good(), "invisible", "%s", &h)
				}
				f.must(bad.Len() == 0, "no request", "%d requests", bad.Len())
				keys += strings.Count(bad.Wire(), faultKey(name))
				f.must(!strings.Contains(bad.Wire(), faultKey(name)) && !strings.Contains(bad.Wire(), "POST"), "no key on the wire", "")
			})
		}
		f.figure("4 flaws: 0 HTTP requests, %d keys on the wire", keys)
	})
}

func TestFaults_T5_TLSHandshakeStalls(t *testing.T) {
	faultTest(t, 5, func(f *fault) {
		block, timeout := "transport http {\ntls_timeout 200ms\n}", 200*time.Millisecond
		if faultsFull {
			block, timeout = "", 5*time.Second
		}
		r := f.rig()
		mute := r.upstream("mute", faultllm.Always(faultllm.Script{}), faultllm.Options{Mute: true})
		r.provider("mute", "openai", "https://"+mute.Addr(), 1, block)
		r.up("good", "openai", faultllm.Always(faultllm.Script{}))
		r.start("model m mute/a good/b")
		answers := r.load(12, 1, r.mixed("m"))
		bad, first := faultBad(answers)
		f.must(bad == 0, "invisible", "%s", first)
		took := faultTook(answers)
		f.must(faultQuantile(took, 1) <= timeout+faultLate(100*time.Millisecond), "timeout", "%v", faultQuantile(took, 1))
		f.must(r.of("mute") <= 6, "ejected after five", "%d attempts", r.of("mute"))
		f.figure("longest %v for a timeout of %v, %d attempts", faultQuantile(took, 1).Round(time.Millisecond), timeout, r.of("mute"))
	})
}

func TestFaults_T6_ReadThenClosed(t *testing.T) {
	faultTest(t, 6, func(f *fault) {
		attempts, unknown, closes := 0, 0, 0
		f.pairs(func(f *fault, d *gwClient, kind string, stream bool) {
			r := f.rig()
			up := r.up("p", kind, faultllm.Always(faultllm.Hangup(faultllm.FIN)))
			r.start("lb_try_interval 1ms\n")
			h := r.ask(d, "p/x", stream)
			f.must(h.status == 502 && h.Failed, "502", "%s", &h)
			f.must(up.Len() <= 2 && up.Len() >= 1, "at most one retry", "%d requests", up.Len())
			rows := r.rows(func(e *accounting.Entry) bool { return e.Certainty == accounting.Unknown })
			f.must(len(rows) == up.Len(), "unknown rows", "%d of %d", len(rows), up.Len())
			attempts, unknown, closes = max(attempts, up.Len()), unknown+len(rows), closes+up.Len()
		})
		f.figure("≤ %d attempts; %d closes, %d unknown rows", attempts, closes, unknown)
	})
}

func TestFaults_T7_StaleKeepAliveConnections(t *testing.T) {
	faultTest(t, 7, func(f *fault) {
		r := f.rig()
		up := r.up("p", "openai", faultllm.Always(faultllm.Script{Close: time.Millisecond}))
		r.unseen["p"] = true
		r.start("lb_try_interval 1ms\n")
		n := faultN(400, 10_000)
		ask := r.mixed("p/x")
		answers := r.load(n, 4, func(i int) heard {
			// The moment of the request and that of the close go in and out of step.
			<-time.After(time.Duration(i%20) * 100 * time.Microsecond)
			return ask(i)
		})
		bad, first := faultBad(answers)
		f.must(bad == 0, "invisible", "%d errors, the first %s", bad, first)
		rows := r.of("p")
		lost := len(r.rows(func(e *accounting.Entry) bool { return e.ErrorClass != "" && e.Certainty == accounting.Unknown }))
		twice := up.Len() - n
		f.must(twice*1000 <= n, "no duplicates", "%d requests twice", twice)
		f.must(rows-up.Len() <= lost, "accounted", "%d rows, %d requests, %d unknown", rows, up.Len(), lost)
		out := strings.Contains(r.c.log.text(), "target taken out of rotation")
		f.must(!out, "no strike", "the target was taken out of rotation")
		f.figure("N=%d: %d errors, %d met a closed connection, %d reached the provider twice", n, bad, lost, max(twice, 0))
	})
}

func TestFaults_T8_HTTP2(t *testing.T) {
	faultTest(t, 8, func(f *fault) {
		a, err := faultllm.NewAuthority()
		if err != nil {
			f.Fatal(err)
		}
		config, err := a.TLS(faultllm.Flawless)
		if err != nil {
			f.Fatal(err)
		}
		const n = 6 // its failures stay below the least budget of retries
		for name, tc := range map[string]struct {
			fault faultllm.FrameFault
			safe  bool
		}{
			"GOAWAY": {faultllm.GoAway, true}, "REFUSED_STREAM": {faultllm.Refused, true}, "reset before the body": {faultllm.ResetBefore, true}, "reset in the middle": {faultllm.ResetMiddle, false},
		} {
			f.run(name, func(f *fault) {
				r := f.rig()
				frames, err := faultllm.NewFrames(config, gwChatStart+gwChatText(faultllm.Piece(1))+gwChatText(faultllm.Piece(2))+gwChatStop+gwChatUsage+gwDone, true, func(k int) faultllm.FrameFault {
					if k%3 == 1 {
						return tc.fault
					}
					return faultllm.NoFault
				})
				if err != nil {
					f.Fatal(err)
				}
				f.Cleanup(frames.Close)
				r.provider("h2", "openai", frames.URL(), 1, r.trusting(a))
				r.start("lb_try_interval 1ms\nmax_fails 1000\nfail_duration 1s")
				f.later(frames.CloseConnections)
				good, broken := 0, 0
				defer func() {
					rows := r.rows(func(e *accounting.Entry) bool { return e.ErrorClass != "" && e.Certainty != accounting.Void })
					f.must(tc.fault != faultllm.GoAway && tc.fault != faultllm.Refused || len(rows) == 0, "void", "%d rows are not void: %+v", len(rows), rows)
				}()
				for range n {
					h := r.ask(gwChat, "h2/x", true)
					switch {
					case h.good():
						good++
					case h.status == 200 && h.Failed && h.Pieces() > 0:
						broken++
					default:
						f.must(false, "error in the dialect", "%s", &h)
					}
				}
				f.must(!tc.safe || good == n, "invisible", "%d of %d", good, n)
				f.must(tc.safe || broken > 0 && good+broken == n, "error event", "%d good, %d broken", good, broken)
				f.figure("%s: %d of %d good, %d ended with an error event", name, good, n, broken)
			})
		}
	})
}

func TestFaults_T9_Flapping(t *testing.T) {
	faultTest(t, 9, func(f *fault) {
		period, length := faultTime(200*time.Millisecond, 2*time.Second), faultTime(3*time.Second, time.Minute)
		r := f.rig()
		up := r.upstream("flaps", faultllm.Always(faultllm.Script{}), faultllm.Options{})
		proxy, err := faultllm.NewProxy(up.Addr())
		if err != nil {
			f.Fatal(err)
		}
		f.Cleanup(proxy.Close)
		r.provider("flaps", "openai", proxy.URL(), 1, "")
		r.up("good", "openai", faultllm.Always(faultllm.Script{}))
		r.unseen["flaps"] = true // the proxy resets what it holds
		r.start("model m flaps/a good/b")
		stop := make(chan struct{})
		f.later(func() {
			close(stop)
			proxy.Refuse()
		})
		proxy.Flap(period, period, stop)
		n := int(length / (5 * time.Millisecond))
		pace := time.NewTicker(5 * time.Millisecond)
		defer pace.Stop()
		ask := r.mixed("m")
		answers := r.load(n, 4, func(i int) heard { <-pace.C; return ask(i) })
		var failed, broken int
		for i := range answers {
			switch h := &answers[i]; {
			case h.good():
			case h.status == 200 && h.Pieces() > 0:
				broken++ // cut after its content: that cannot be hidden
			default:
				failed++
				f.must(false, "invisible", "%s", h)
			}
		}
		attempts := float64(faultBooks.len()) / float64(n)
		f.must(attempts <= 1.2, "no storm", "%.3f attempts for each request", attempts)
		f.figure("%v up and down for %v, N=%d: %d errors, %d cut after content, attempts %.3f×", period, length, n, failed, broken, attempts)
	})
}

func faultPercent(part, whole int) string {
	return fmt.Sprintf("%.2f %%", 100*float64(part)/float64(whole))
}
