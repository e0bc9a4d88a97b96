package integration

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/caddy-llm/llmgateway/internal/faultllm"
)

const bookChildFile = `{
	admin off
	persist_config off
	auto_https off
	grace_period 5s
}
http://127.0.0.1:%s {
	llm_gateway {
		%s
		provider p openai %s %s
		price p/* input 2 output 10
		identify feature {http.request.header.X-LLM-Feature}
		lb_retries 0
		max_fails 1000000
	}
}
`

// Prices of the file above, in nano-dollars per token.
const bookInput, bookOutput = 2000, 10_000

// bookRig is a gateway in a process of its own that is killed again and again, the provider behind it and what its clients
// got. Requests are told apart by a mark, which is in the prompt and in the ledger's feature.
type bookRig struct {
	*fault
	up           *faultllm.Upstream
	dir, port    string
	config       string
	cmd          *exec.Cmd
	exited       chan struct{}
	stderr       *bytes.Buffer
	client       *http.Client
	mu           sync.Mutex
	sent         map[string]*bookRequest
	kills        []time.Time
	slowestStart time.Duration
}

type bookRequest struct {
	complete bool // the client has all of the answer
	refused  bool // with a status of its own
	done     time.Time
	got      string // what came in place of an answer
}

// bookRow is a row of the ledger.
type bookRow struct {
	mark, certainty     string
	recovered           bool
	cost, input, output int64
}

// bookAnswers are answers of all sizes, at most 300 ms long.
func bookAnswers(q *faultllm.Request) faultllm.Script {
	if q.Stream {
		return faultllm.Script{Pieces: 10 + q.N%20, Gap: 10 * time.Millisecond}
	}
	return faultllm.Script{Pieces: 1 + q.N%20, Delay: time.Duration(q.N%40) * time.Millisecond}
}

// books prepares a gateway with a ledger.
func (f *fault) books(ledger string, answers faultllm.Chooser) *bookRig {
	f.Helper()
	up, err := faultllm.NewUpstream(answers, faultllm.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(up.Close)
	r := &bookRig{fault: f, up: up, dir: f.TempDir(), port: gwFreePort(f.T), sent: map[string]*bookRequest{}}
	r.client = &http.Client{Timeout: 2 * gwPatience, Transport: &http.Transport{MaxIdleConnsPerHost: 512}}
	r.config = filepath.Join(r.dir, "Caddyfile")
	text := fmt.Appendf(nil, bookChildFile, r.port, ledger, faultKey("p"), up.URL())
	if err := os.WriteFile(r.config, text, 0o600); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		r.client.CloseIdleConnections()
		if r.cmd != nil {
			_ = r.cmd.Process.Kill()
			<-r.exited
		}
	})
	return r
}

// start runs the gateway until it serves.
func (r *bookRig) start() {
	r.Helper()
	began := time.Now()
	r.cmd = exec.Command(os.Args[0], "run", "--config", r.config, "--adapter", "caddyfile")
	r.cmd.Env = append(os.Environ(), faultChildEnv+"=1", "XDG_DATA_HOME="+r.dir, "XDG_CONFIG_HOME="+r.dir)
	r.stderr = new(bytes.Buffer)
	r.cmd.Stderr = r.stderr
	if err := r.cmd.Start(); err != nil {
		r.Fatal(err)
	}
	r.exited = make(chan struct{})
	go func(cmd *exec.Cmd, exited chan struct{}) {
		_ = cmd.Wait() // its end is all that matters
		close(exited)
	}(r.cmd, r.exited)
	gwEventually(r.T, "the gateway's start", func() bool {
		select {
		case <-r.exited:
			r.Fatalf("T%d: the gateway does not start: %s", r.row, gwClip(r.stderr.String(), 3000))
		default:
		}
		c, err := net.Dial("tcp", "127.0.0.1:"+r.port)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	r.slowestStart = max(r.slowestStart, time.Since(began))
}

// end ends the gateway with a signal and waits for it.
func (r *bookRig) end(sig syscall.Signal) time.Duration {
	r.Helper()
	now := time.Now()
	r.kills = append(r.kills, now)
	if err := r.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		r.Fatal(err)
	}
	select {
	case <-r.exited:
	case <-time.After(2 * gwPatience):
		r.Fatalf("T%d: the gateway does not end", r.row)
	}
	for _, word := range []string{"panic:", "DATA RACE", "fatal error"} {
		if strings.Contains(r.stderr.String(), word) {
			r.Errorf("T%d: the gateway said %s", r.row, gwClip(r.stderr.String(), 3000))
		}
	}
	gwClean(r.T, fmt.Sprintf("T%d: the log of the gateway", r.row), r.stderr.String(), gwPrompt, faultKey("p"))
	return time.Since(now)
}

// load sends so many requests a second for some time, whether or not they are answered. wait returns when all have ended.
func (r *bookRig) load(rate int, during time.Duration) (wait func()) {
	var wg sync.WaitGroup
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for end := time.Now().Add(during); time.Now().Before(end); <-tick.C {
		r.mu.Lock()
		mark := fmt.Sprintf("mark-%06d", len(r.sent))
		q := new(bookRequest)
		r.sent[mark] = q
		n := len(r.sent)
		r.mu.Unlock()
		wg.Go(func() { r.ask(q, mark, n%10 < 3) })
	}
	return wg.Wait
}

// stream asks for a stream and does not wait for it.
func (r *bookRig) stream() {
	r.mu.Lock()
	defer r.mu.Unlock()
	mark := fmt.Sprintf("mark-%06d", len(r.sent))
	q := new(bookRequest)
	r.sent[mark] = q
	go r.ask(q, mark, true)
}

func (r *bookRig) ask(q *bookRequest, mark string, stream bool) {
	body := fmt.Sprintf(`{"model":"p/x","stream":%v,"messages":[{"role":"user","content":"%s"}]}`, stream, mark)
	req, err := http.NewRequest(http.MethodPost, "http://127.0.0.1:"+r.port+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		r.Error(err)
		return
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-LLM-Feature", mark)
	resp, err := r.client.Do(req)
	if err != nil { // killed
		r.mu.Lock()
		defer r.mu.Unlock()
		q.got = err.Error()
		return
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil || resp.StatusCode != http.StatusOK {
		q.got = fmt.Sprintf("%d %s %v", resp.StatusCode, gwClip(string(answer), 500), err)
	}
	q.done = time.Now()
	q.refused = resp.StatusCode != http.StatusOK
	q.complete = err == nil && !q.refused && (!stream || bytes.Contains(answer, []byte("[DONE]")))
}

// disappointed lists what clients got in place of answers.
func (r *bookRig) disappointed() (got []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range r.sent {
		if q.got != "" {
			got = append(got, q.got)
		}
	}
	return got
}

var bookMark = regexp.MustCompile(`mark-\d{6}`)

// rows reads the ledger from its database.
func (r *bookRig) rows(driver, source string) (rows []bookRow) {
	r.Helper()
	db, err := sql.Open(driver, source)
	if err != nil {
		r.Fatal(err)
	}
	defer db.Close()
	if rows, err = bookRows(r.Context(), db); err != nil {
		r.Fatal(err)
	}
	return rows
}

func bookRows(ctx context.Context, db *sql.DB) ([]bookRow, error) {
	found, err := db.QueryContext(ctx, `SELECT feature, certainty, recovered, cost_nano, input_tokens, output_tokens FROM usage_log`)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var rows []bookRow
	for found.Next() {
		var row bookRow
		if err := found.Scan(&row.mark, &row.certainty, &row.recovered, &row.cost, &row.input, &row.output); err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, found.Err()
}

// bookGrace is how long before a kill a client may have had the end of an answer that the ledger does not know.
const bookGrace = 2 * time.Millisecond

// compare holds the ledger against the provider's journal and what clients got.
func (r *bookRig) compare(rows []bookRow) {
	r.Helper()
	ledger := map[string]bookRow{}
	unknown, orphans := 0, 0
	var sum, want int64
	duplicates := 0
	for _, row := range rows {
		if _, twice := ledger[row.mark]; twice {
			duplicates++
		}
		ledger[row.mark] = row
		if row.certainty == "unknown" {
			unknown++
		}
	}
	seen := map[string]bool{}
	missing, wrong, late := 0, 0, 0
	for _, e := range r.up.All() {
		mark := string(bookMark.Find(e.Body))
		seen[mark] = true
		row, ok := ledger[mark]
		switch {
		case !ok:
			missing++
			r.Logf("the provider saw %s at %s (%s), the ledger has nothing of it", mark, e.Time.Format(time.RFC3339Nano), e.Outcome)
			continue
		case row.certainty == "unknown":
			if q := r.sent[mark]; q.complete && r.wellBeforeAKill(q.done) {
				late++
			}
			continue
		case row.certainty != "reported":
			continue
		}
		cost := int64(e.Input())*bookInput + int64(e.Pieces)*bookOutput
		sum, want = sum+row.cost, want+cost
		if row.cost != cost {
			wrong++
		}
	}
	for mark, row := range ledger {
		if !seen[mark] && row.certainty != "unknown" && row.certainty != "void" {
			orphans++
		}
	}
	cut := 0
	for _, q := range r.sent {
		if !q.complete && !q.refused {
			cut++
		}
	}
	r.figure("%d requests, %d seen by the provider, %d rows, %d cut off, %d kills, missing %d, duplicate %d, unknown %d, sum off by %d n$, start ≤ %d ms",
		len(r.sent), len(seen), len(rows), cut, len(r.kills), missing, duplicates, unknown, sum-want, r.slowestStart.Milliseconds())
	if missing != 0 || duplicates != 0 || wrong != 0 || sum != want || orphans != 0 || late != 0 || unknown > cut+late {
		r.Errorf("T%d: missing %d, duplicate %d, wrong %d (%d instead of %d n$), never sent %d, unknown although answered %d, unknown %d of %d cut off",
			r.row, missing, duplicates, wrong, sum, want, orphans, late, unknown, cut)
	}
}

func (r *bookRig) wellBeforeAKill(t time.Time) bool {
	for _, k := range r.kills {
		if d := k.Sub(t); d > -time.Second && d < bookGrace {
			return false
		}
	}
	return true
}

// quiet waits until the provider has nothing to do any more.
func (r *bookRig) quiet() {
	r.Helper()
	if !r.up.Wait(gwPatience, func(j []faultllm.Entry) bool {
		for _, e := range j {
			if e.Outcome == faultllm.Running {
				return false
			}
		}
		return true
	}) {
		r.Fatalf("T%d: the provider is still busy", r.row)
	}
}
