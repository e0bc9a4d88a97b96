package integration

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/internal/faultllm"
)

// Group D, third part: what clients do with HTTP.

func (r *faultRig) overTLS(a *faultllm.Authority) (site, addr string) {
	r.Helper()
	cert, key, err := a.Pair()
	if err != nil {
		r.Fatal(err)
	}
	dir := r.TempDir()
	for name, pem := range map[string][]byte{"cert.pem": cert, "key.pem": key} {
		if err := os.WriteFile(filepath.Join(dir, name), pem, 0o600); err != nil {
			r.Fatal(err)
		}
	}
	return "https://127.0.0.1:{{port2}} {\n\ttls " + filepath.Join(dir, "cert.pem") + " " + filepath.Join(dir, "key.pem") + "\n\tllm_gateway {\nledger fault_memory\n" + r.text.String() + "\n}\n}\n", net.JoinHostPort("127.0.0.1", r.c.port2)
}

func gwLoadText(c *gwCaddy, text string) error {
	raw, err := c.adapt(text)
	if err != nil {
		return err
	}
	c.loaded, c.reloaded = true, true
	err = gwLoad(raw)
	c.client.CloseIdleConnections()
	return err
}

var faultHeaders = []string{
	"Accept", "Accept-Encoding", "Anthropic-Beta", "Anthropic-Version", "Authorization", "Content-Length", "Content-Type", "Openai-Beta", "Traceparent", "Tracestate", "User-Agent", "X-Api-Key",
	"X-Goog-Api-Key",
}

func TestFaults_T58_SmuggledHeaders(t *testing.T) {
	faultTest(t, 58, func(f *fault) {
		passed, refused := 0, 0
		for _, d := range gwAllClients {
			f.run(d.name, func(f *fault) {
				r := f.rig()
				up := r.up("p", d.kind, faultllm.Always(faultllm.Script{}))
				r.start("")
				good, path := d.request("p/x", false, "x"), d.at("p--x", false)
				chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(good), good)
				for name, text := range map[string]string{
					"TE and CL":             faultllm.Post(path, chunked, "Transfer-Encoding", "chunked", "Content-Length", "5"),
					"two CL":                faultllm.Post(path, good, "Content-Length", fmt.Sprint(len(good)), "Content-Length", "5"),
					"TE twice":              faultllm.Post(path, chunked, "Transfer-Encoding", "chunked", "Transfer-Encoding", "identity"),
					"obs-fold":              faultllm.Post(path, good, "X-Folded", "a\r\n Authorization: Bearer sneaky"),
					"Connection names":      faultllm.Post(path, good, "Connection", "Authorization, X-Api-Key, Content-Type"),
					"Upgrade":               faultllm.Post(path, good, "Connection", "Upgrade", "Upgrade", "websocket"),
					"Trailer":               faultllm.Post(path, strings.TrimSuffix(chunked, "\r\n")+"Authorization: Bearer sneaky\r\n\r\n", "Transfer-Encoding", "chunked", "Trailer", "Authorization"),
					"a large header":        faultllm.Post(path, good, "X-Large", strings.Repeat("a", 64<<10)),
					"identities":            faultllm.Post(path, good, "X-Forwarded-For", "127.0.0.1", "X-Forwarded-User", "root", "X-Real-Ip", "127.0.0.1", "Forwarded", "for=127.0.0.1", "X-User", "root"),
					"aliases":               faultllm.Post(path, good, "X_Api_Key", "sneaky", "X.Api.Key", "sneaky", "Remote_User", "root", "Api-Key", "sneaky"),
					"other vendors' own":    faultllm.Post(path, good, "Openai-Organization", "org", "Openai-Project", "p", "X-Stainless-Retry-Count", "1", "Cookie", "a=b", "Proxy-Authorization", "Basic x", "Host", "elsewhere"),
					"a space in the name":   faultllm.Post(path, good, "Content-Length ", "5"),
					"a bare line feed":      strings.Replace(faultllm.Post(path, good), "\r\n", "\n", 1),
					"a value with controls": faultllm.Post(path, good, "X-Odd", "a\x01b\x7f"),
					"HTTP/1.0":              strings.Replace(faultllm.Post(path, good), "HTTP/1.1", "HTTP/1.0", 1),
				} {
					c := r.dial(0)
					if err := c.Send(text); err != nil {
						f.Fatal(err)
					}
					_ = c.CloseWrite()
					resp, err := c.Response(gwPatience)
					if err != nil {
						f.must(false, "answered", "%s: %v", name, err)
						continue
					}
					switch {
					case resp.StatusCode == 200:
						passed++
					case resp.StatusCode >= 400 && resp.StatusCode < 600:
						refused++
					default:
						f.must(false, "answered", "%s: %d", name, resp.StatusCode)
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					c.Close()
				}
				r.finished()
				for _, e := range up.All() {
					for name, values := range e.Header {
						f.must(slices.Contains(faultHeaders, name) && !strings.Contains(fmt.Sprint(values), "sneaky"), "allowlist", "%s: %v", name, values)
					}
					f.must(e.Credential == faultKey("p"), "credential", "another credential")
				}
			})
		}
		f.figure("%d passed with headers of the allowlist only, %d refused", passed, refused)
	})
}

func TestFaults_T63_TricksWithPaths(t *testing.T) {
	faultTest(t, 63, func(f *fault) {
		r := f.rig()
		up := r.up("p", "openai", faultllm.Always(faultllm.Script{}))
		r.start("")
		good := gwChat.request("p/x", false, "x")
		cases := 0
		for _, target := range []string{
			"/V1/chat/completions", "/v1/chat%2fcompletions", "/v1%2fchat%2fcompletions", "/v1/chat/completions/", "/v1/..;/v1/chat/completions/x", "/v1/chat/completions%00", "/v1/chat/completions;x",
			"/config/", "/v1/../config/", "/load", "/llm_gateway/targets", "/v1/chat/completions/../../../load", "/%2e%2e/load", "/metrics", "/debug/pprof/", "/id/", "/stop", "/adapt", "/v1/chat",
			"/v1/chat/completions/extra", "//load", "/.//load",
		} {
			for _, host := range []string{"127.0.0.1", "localhost:2019", r.c.admin, "[::1]", "a\tb"} {
				c := r.dial(0)
				text := strings.Replace(strings.Replace(faultllm.Post("TARGET", good), "TARGET", target, 1), "Host: 127.0.0.1", "Host: "+host, 1)
				if err := c.Send(text); err != nil {
					f.Fatal(err)
				}
				resp, err := c.Response(gwPatience)
				if err != nil {
					f.must(false, "answered", "%s: %v", target, err)
					continue
				}
				body, _ := io.ReadAll(resp.Body)
				// A path that is not the gateway's goes on to the site, which has nothing here.
				f.must(resp.StatusCode >= 400 && resp.StatusCode < 500 || resp.StatusCode == 200 && len(body) == 0, "nothing there", "%s, host %q: %d %s", target, host, resp.StatusCode, gwClip(string(body), 200))
				c.Close()
				cases++
			}
		}
		c := r.dial(0)
		if err := c.Send(strings.Replace(faultllm.Post("TARGET", good), "TARGET", "http://"+r.c.admin+"/config/", 1)); err != nil {
			f.Fatal(err)
		}
		resp, err := c.Response(gwPatience)
		if err != nil {
			f.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		f.must(!strings.Contains(string(body), "llm_gateway"), "absolute URI", "%s", body)
		c.Close()
		calls := len(r.c.log.all(func(l gjson.Result) bool {
			return l.Get("logger").Str == "admin.api" && l.Get("msg").Str == "received request" && l.Get("method").Str == http.MethodPost
		}))
		f.must(calls == 0 && up.Len() == 0, "no admin call", "%d calls, %d requests to the provider", calls, up.Len())
		f.figure("%d requests: admin handler calls %d, requests to providers %d", cases+1, calls, up.Len())
	})
}

func TestFaults_T64_RapidReset(t *testing.T) {
	faultTest(t, 64, func(f *fault) {
		a, err := faultllm.NewAuthority()
		if err != nil {
			f.Fatal(err)
		}
		r := f.rig()
		r.up("p", "openai", faultllm.Always(faultllm.Script{}))
		r.start("")
		site, addr := r.overTLS(a)
		if err := gwLoadText(r.c, r.site("")+site); err != nil {
			f.Fatal(err)
		}
		quiet := faultTook(r.load(faultN(40, 2000), 1, r.mixed("p/x")))
		stop, done := make(chan struct{}), make(chan int)
		go func() {
			opened := 0
			for ended := false; !ended; {
				n, err := faultllm.RapidReset(addr, a.PEM(), 2000, stop)
				opened += n
				select {
				case <-stop:
					ended = true
				case <-time.After(50 * time.Millisecond): // the attacker has the same processors as everybody here
					ended = err != nil && n == 0
				}
			}
			done <- opened
		}()
		busy := faultTook(r.load(faultN(40, 2000), 1, r.mixed("p/x")))
		close(stop)
		opened := <-done
		p, q := faultQuantile(quiet, 0.99), faultQuantile(busy, 0.99)
		f.must(opened > 1000, "the fault happens", "%d streams", opened)
		f.must(q <= p+p/5+faultLate(50*time.Millisecond), "healthy traffic", "p99 %v, %v before", q, p)
		f.figure("%d streams opened and reset: p99 of the others %v, before %v", opened, q.Round(10*time.Microsecond), p.Round(10*time.Microsecond))
	})
}

func TestFaults_T65_IdempotencyKey(t *testing.T) {
	faultTest(t, 65, func(f *fault) {
		r := f.rig()
		hold := make(chan struct{})
		once := sync.OnceFunc(func() { close(hold) })
		f.Cleanup(once)
		up := r.up("p", "openai", faultllm.Always(faultllm.Hangup(faultllm.FIN)))
		held := r.up("held", "openai", faultllm.Always(faultllm.Script{Hold: hold}))
		r.start("lb_try_interval 1ms\nmax_fails 1000000\nfail_duration 1s")
		attempts := 0
		for i := range 4 {
			h := r.ask(gwChat, "p/x", i%2 == 0, "Idempotency-Key", fmt.Sprint("key-", i), "X-Idempotency-Key", "key")
			attempts += h.tries()
		}
		f.must(up.Len() == attempts, "no replay", "%d requests for %d attempts", up.Len(), attempts)
		for _, e := range up.All() {
			f.must(e.Header.Get("Idempotency-Key") == "" && e.Header.Get("X-Idempotency-Key") == "", "not forwarded", "%v", e.Header)
		}
		first := make(chan heard)
		go func() { first <- r.ask(gwChat, "held/x", false, "Idempotency-Key", "twice") }()
		if !held.Wait(gwPatience, func(j []faultllm.Entry) bool { return len(j) == 1 }) {
			f.Fatal("T65: the request did not arrive")
		}
		ctx, cancel := context.WithTimeout(f.Context(), time.Second)
		h := r.askFor(ctx, gwChat, "held/x", false, gwPrompt, "Idempotency-Key", "twice")
		cancel()
		f.must(h.status == http.StatusConflict, "in-flight duplicate 409", "%s", &h)
		once()
		<-first
		f.figure("%d attempts, %d requests; the header stays here", attempts, up.Len())
	})
}
