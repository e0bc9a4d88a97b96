package integration

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/internal/faultllm"
)

// faultChildEnv makes the test binary a gateway.
const faultChildEnv = "LLMGATEWAY_FAULTS_CHILD"

// faultChild is a gateway in a process of its own, where limits and signals hit nobody else.
type faultChild struct {
	*fault
	cmd    *exec.Cmd
	port   string
	log    string // path of a file
	exited chan struct{}
	client *http.Client
}

const faultChildFile = `{
	admin off
	persist_config off
	auto_https off
	grace_period 2s
	log default {
		output file %s
		format json
	}
}
http://127.0.0.1:%s {
	llm_gateway {
		ledger log
		%s
	}
}
`

// child starts a gateway with these options. env are more variables of its environment; files, if not 0, is how many
// descriptors it may have.
func (f *fault) child(options string, files int, env ...string) *faultChild {
	f.Helper()
	dir := f.TempDir()
	c := &faultChild{fault: f, port: gwFreePort(f.T), log: filepath.Join(dir, "log"), exited: make(chan struct{})}
	config := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(config, fmt.Appendf(nil, faultChildFile, c.log, c.port, options), 0o600); err != nil {
		f.Fatal(err)
	}
	name, args := os.Args[0], []string{"run", "--config", config, "--adapter", "caddyfile"}
	if files > 0 {
		args = append([]string{"-c", fmt.Sprintf("ulimit -n %d; exec \"$0\" \"$@\"", files), name}, args...)
		name = "/bin/sh"
	}
	c.cmd = exec.Command(name, args...)
	c.cmd.Env = append(append(os.Environ(), faultChildEnv+"=1", "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir), env...)
	var output strings.Builder
	c.cmd.Stderr = &output
	if err := c.cmd.Start(); err != nil {
		f.Fatal(err)
	}
	go func() {
		_ = c.cmd.Wait() // its end is all that matters
		close(c.exited)
	}()
	f.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		<-c.exited
		for _, word := range []string{"panic:", "DATA RACE", "fatal error"} {
			if strings.Contains(output.String(), word) {
				f.Errorf("T%d: the gateway said %s", f.row, gwClip(output.String(), 3000))
			}
		}
		gwClean(f.T, fmt.Sprintf("T%d: the log of the gateway", f.row), output.String()+c.logged(), gwClientKey, gwPrompt, faultKey("p"))
	})
	c.client = &http.Client{Timeout: 2 * gwPatience, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	f.Cleanup(c.client.CloseIdleConnections)
	gwEventually(f.T, "the gateway's start", func() bool {
		conn, err := net.Dial("tcp", c.addr())
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return c
}

func (c *faultChild) addr() string { return "127.0.0.1:" + c.port }

// logged is the log so far.
func (c *faultChild) logged() string {
	b, _ := os.ReadFile(c.log) // there is none before the first line
	return string(b)
}

// attempts are the rows of the ledger so far.
func (c *faultChild) attempts() (rows []gjson.Result) {
	for line := range strings.SplitSeq(c.logged(), "\n") {
		if r := gjson.Parse(line); r.Get("msg").Str == "attempt" {
			rows = append(rows, r)
		}
	}
	return rows
}

// ask sends a request to the child.
func (c *faultChild) ask(ctx context.Context, d *gwClient, model string, stream bool, prompt string) heard {
	var h heard
	start := time.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.addr()+d.at(strings.ReplaceAll(model, "/", "--"), stream), strings.NewReader(d.request(model, stream, prompt)))
	if err != nil {
		return heard{err: err}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+gwClientKey)
	resp, err := c.client.Do(req)
	h.first = time.Since(start)
	if err != nil {
		h.err, h.header = err, http.Header{}
		return h
	}
	body, err := readBody(resp)
	h.took, h.err, h.status, h.header, h.body = time.Since(start), err, resp.StatusCode, resp.Header, body
	h.Heard = faultllm.Read(faultllm.Dialect(d.name), stream, h.status, h.header.Get("Content-Type"), []byte(body))
	return h
}

// rss is the memory that the child holds, in bytes.
func (c *faultChild) rss() int64 {
	var pages, resident int64
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", c.cmd.Process.Pid)) // 0 where there is no such file
	_, _ = fmt.Sscan(string(b), &pages, &resident)
	return resident * int64(os.Getpagesize())
}

// descriptors is how many descriptors the child has open.
func (c *faultChild) descriptors() int {
	list, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", c.cmd.Process.Pid)) // none where there is no such folder
	return len(list)
}

// alive reports whether the child still runs.
func (c *faultChild) alive() bool {
	select {
	case <-c.exited:
		return false
	default:
		return true
	}
}

// stop tells the child to end and returns how long that took.
func (c *faultChild) stop() time.Duration {
	c.Helper()
	start := time.Now()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.Fatal(err)
	}
	select {
	case <-c.exited:
	case <-time.After(gwPatience):
		c.Errorf("T%d: the gateway does not end", c.row)
	}
	return time.Since(start)
}
