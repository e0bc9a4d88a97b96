package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/tidwall/gjson"

	_ "github.com/caddy-llm/llmgateway"
)

// gwPatience is how long a test waits for something that has to happen. Nothing waits this long when all is well.
const gwPatience = 20 * time.Second

// gwCaddy is the one Caddy of the process with a configuration loaded for a test. Tests that use it do not run in
// parallel.
type gwCaddy struct {
	t      *testing.T
	port   string // of the first site
	port2  string // of a second site, for configurations that have one
	admin  string // address of the admin endpoint
	client *http.Client
	log    *gwLog
	// reloaded is set once the configuration was replaced.
	reloaded, loaded bool
}

// gwGlobal precedes every configuration. Every log goes to memory, and 127.0.0.1 is believed about the addresses of
// clients, so that tests can come from elsewhere.
const gwGlobal = `{
	admin %s
	persist_config off
	auto_https off
	log default {
		output gw_memory
		format json
		level DEBUG
	}
	servers {
		trusted_proxies static 127.0.0.0/8
		listener_wrappers {
			tcp_user_timeout 30s
		}
	}
	metrics
}
`

// gwStart loads a Caddyfile without global options. In it {{port}} and {{port2}} stand for free ports, and gwExpand's
// names for whatever vars hold. Caddy is stopped when the test ends.
func gwStart(t *testing.T, sites string, vars ...string) *gwCaddy {
	t.Helper()
	c := &gwCaddy{t: t, port: gwFreePort(t), port2: gwFreePort(t), admin: "127.0.0.1:" + gwFreePort(t), log: &gwMemory}
	tr := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64, ExpectContinueTimeout: gwPatience}
	c.client = &http.Client{Transport: tr, Timeout: 2 * gwPatience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	c.log.reset()
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping: %v", err)
		}
	})
	c.load(sites, vars...)
	return c
}

// gwSite is a configuration with one site that is nothing but a gateway with these options.
func gwSite(options string) string {
	return "http://127.0.0.1:{{port}} {\n\tlog\n\tllm_gateway {\n" + options + "\n\t}\n}\n"
}

// load replaces the configuration, as a reload does.
func (c *gwCaddy) load(sites string, vars ...string) {
	c.t.Helper()
	raw, err := c.adapt(sites, vars...)
	if err != nil {
		c.t.Fatalf("adapting: %v", err)
	}
	if err := caddy.Load(raw, true); err != nil {
		c.t.Fatalf("loading: %v", err)
	}
	// The old server closes its idle connections; a request on one of them would fail.
	c.client.CloseIdleConnections()
	c.loaded, c.reloaded = true, c.loaded
}

func (c *gwCaddy) adapt(sites string, vars ...string) ([]byte, error) {
	r := strings.NewReplacer(append([]string{"{{port}}", c.port, "{{port2}}", c.port2}, vars...)...)
	text := fmt.Sprintf(gwGlobal, c.admin) + r.Replace(sites)
	raw, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	return raw, err
}

// gwPorts are the ports that were given out. Nobody gets one again: Caddy can share a port with itself, and two servers
// of one configuration on the same port would both answer.
var gwPorts sync.Map

func gwFreePort(t *testing.T) string {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, err := net.SplitHostPort(l.Addr().String())
		l.Close()
		if err != nil {
			t.Fatal(err)
		}
		if _, given := gwPorts.LoadOrStore(port, true); !given {
			return port
		}
	}
}

// url is the address of a path on the first site.
func (c *gwCaddy) url(path string) string { return "http://127.0.0.1:" + c.port + path }

// gwAnswer is a response that was read to its end.
type gwAnswer struct {
	status int
	header http.Header
	body   string
	err    error // of reading the body
}

func (a gwAnswer) get(path string) gjson.Result { return gjson.Get(a.body, path) }

// do sends a request. Headers are pairs of name and value.
func (c *gwCaddy) do(method, url, body string, header ...string) gwAnswer {
	c.t.Helper()
	resp := c.open(c.t.Context(), method, url, body, header...)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return gwAnswer{resp.StatusCode, resp.Header, string(b), err}
}

// post sends JSON to a path of the first site.
func (c *gwCaddy) post(path, body string, header ...string) gwAnswer {
	c.t.Helper()
	return c.do(http.MethodPost, c.url(path), body, header...)
}

func (c *gwCaddy) get(path string, header ...string) gwAnswer {
	c.t.Helper()
	return c.do(http.MethodGet, c.url(path), "", header...)
}

// open sends a request and leaves the body of its response unread.
func (c *gwCaddy) open(ctx context.Context, method, url, body string, header ...string) *http.Response {
	c.t.Helper()
	resp, err := c.try(ctx, method, url, body, header...)
	// While Caddy replaces its listeners, the kernel may put a new connection into the queue of the old one, which is
	// then reset. The gateway never sees such a connection.
	for tries := 0; err != nil && c.reloaded && tries < 10; tries++ {
		resp, err = c.try(ctx, method, url, body, header...)
	}
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, url, err)
	}
	return resp
}

func (c *gwCaddy) try(ctx context.Context, method, url, body string, header ...string) (*http.Response, error) {
	var rd io.Reader
	if body != "" {
		rd = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, url, rd)
	if err != nil {
		return nil, err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return c.client.Do(r)
}

// adminGet reads from Caddy's admin endpoint.
func (c *gwCaddy) adminGet(path string) string {
	c.t.Helper()
	a := c.do(http.MethodGet, "http://"+c.admin+path, "")
	if a.status != http.StatusOK {
		c.t.Fatalf("admin %s: %d %s", path, a.status, a.body)
	}
	return a.body
}

// metric adds up the samples of a metric whose labels include all of these, each written as name="value".
func (c *gwCaddy) metric(name string, labels ...string) float64 {
	c.t.Helper()
	sum := 0.0
	for line := range strings.SplitSeq(c.adminGet("/metrics"), "\n") {
		if rest, ok := strings.CutPrefix(line, name); !ok || rest == "" || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		match := true
		for _, l := range labels {
			match = match && strings.Contains(line, l)
		}
		if !match {
			continue
		}
		var v float64
		if _, err := fmt.Sscanf(line[strings.LastIndexByte(line, ' ')+1:], "%g", &v); err != nil {
			c.t.Fatalf("metrics: %q: %v", line, err)
		}
		sum += v
	}
	return sum
}

// usage waits for the usage line of a request.
func (c *gwCaddy) usage(a gwAnswer) gjson.Result {
	c.t.Helper()
	id := a.header.Get("X-Request-Id")
	if id == "" {
		c.t.Fatalf("no request id: %d %v %s", a.status, a.header, a.body)
	}
	return c.log.wait(c.t, func(l gjson.Result) bool {
		return l.Get("msg").Str == "usage" && l.Get("request_id").Str == id
	})
}

// gwMemory receives all logs of the process.
var gwMemory = gwLog{changed: make(chan struct{})}

func init() { caddy.RegisterModule(gwWriter{}) }

// gwLog keeps log lines and tells who waits about new ones.
type gwLog struct {
	mu      sync.Mutex
	lines   []string
	changed chan struct{} // closed and replaced with every line
}

// Write implements io.Writer; zap writes whole lines.
func (l *gwLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(p))
	close(l.changed)
	l.changed = make(chan struct{})
	return len(p), nil
}

func (l *gwLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = nil
}

// text is everything that was logged.
func (l *gwLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "")
}

// all returns the lines so far that match.
func (l *gwLog) all(match func(gjson.Result) bool) []gjson.Result {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []gjson.Result
	for _, line := range l.lines {
		if r := gjson.Parse(line); match(r) {
			out = append(out, r)
		}
	}
	return out
}

// wait returns the first line that matches, now or later.
func (l *gwLog) wait(t *testing.T, match func(gjson.Result) bool) gjson.Result {
	t.Helper()
	return l.waitN(t, 1, match)[0]
}

// waitN waits until n lines match.
func (l *gwLog) waitN(t *testing.T, n int, match func(gjson.Result) bool) []gjson.Result {
	t.Helper()
	deadline := time.NewTimer(gwPatience)
	defer deadline.Stop()
	for {
		l.mu.Lock()
		changed := l.changed
		l.mu.Unlock()
		if found := l.all(match); len(found) >= n {
			return found
		}
		select {
		case <-changed:
		case <-deadline.C:
			t.Fatalf("the log line never came; %d lines were logged:\n%s", len(l.lines), gwClip(l.text(), 4000))
		}
	}
}

func gwClip(s string, n int) string {
	if len(s) > n {
		return s[:n/2] + " … " + s[len(s)-n/2:]
	}
	return s
}

// gwWriter is the log output gw_memory.
type gwWriter struct{}

func (gwWriter) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.logging.writers.gw_memory", New: func() caddy.Module { return new(gwWriter) }}
}

func (gwWriter) String() string                                   { return "gw_memory" }
func (gwWriter) WriterKey() string                                { return "gw_memory" }
func (gwWriter) OpenWriter() (io.WriteCloser, error)              { return gwNoClose{&gwMemory}, nil }
func (*gwWriter) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { d.Next(); return nil }

type gwNoClose struct{ io.Writer }

func (gwNoClose) Close() error { return nil }

// gwEqualJSON reports whether two documents have the same value; numbers keep their digits.
func gwEqualJSON(t *testing.T, a, b string) bool {
	t.Helper()
	return gwCanonical(t, a) == gwCanonical(t, b)
}

// gwCanonical writes a document with sorted keys.
func gwCanonical(t *testing.T, doc string) string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(doc))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("no JSON: %v in %s", err, gwClip(doc, 400))
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func gwLoad(raw []byte) error { return caddy.Load(raw, true) }
