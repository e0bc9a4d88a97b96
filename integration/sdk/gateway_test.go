package sdk

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience is how long anything may take that happens at once unless it is broken.
const patience = 20 * time.Second

// The credentials. The clients' must not leave the gateway, and neither may stand in its log.
const (
	clientKey   = "client-key-5d1f"
	upstreamKey = "upstream-key-83ac"
)

// caddy is the path of the binary under test.
var caddy string

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// buildAndRun builds the gateway, unless LLMGATEWAY_CADDY names a binary, and runs the tests.
func buildAndRun(m *testing.M) (int, error) {
	if caddy = os.Getenv("LLMGATEWAY_CADDY"); caddy != "" {
		return m.Run(), nil
	}
	dir, err := os.MkdirTemp("", "llmgateway-sdk-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	caddy = filepath.Join(dir, "caddy")
	if out, err := exec.Command("go", "build", "-C", "../..", "-o", caddy, "./cmd/caddy").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("building the gateway: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// startGateway runs a gateway with the given options in its llm_gateway block and returns its base URL. It is stopped
// at the end of the test, which fails when the gateway does not end in peace.
//
// The gateway inherits a listener that is open already: no other process can take the port in between, and a client
// that comes too early waits in the listener's queue.
func startGateway(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(config, []byte(caddyfile(dir, options)), 0o600); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	inherited, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer inherited.Close()

	var log bytes.Buffer
	cmd := exec.Command(caddy, "run", "--config", config, "--adapter", "caddyfile")
	cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")} // no provider's key from outside
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.ExtraFiles = []*os.File{inherited} // descriptor 3
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { stopGateway(t, cmd, ended, &log) })

	base := "http://" + ln.Addr().String()
	waitUntilReady(t, base)
	return base
}

func caddyfile(dir, options string) string {
	return fmt.Sprintf(`{
	admin off
	persist_config off
	storage file_system %q
}
http:// {
	bind fd/3 {
		protocols h1
	}
	llm_gateway {
		%s
	}
}
`, dir, options)
}

// waitUntilReady waits for the answer to the first request. A gateway that could not start closes the listener, which
// ends the wait with an error.
func waitUntilReady(t *testing.T, base string) {
	t.Helper()
	client := http.Client{Timeout: patience}
	resp, err := client.Head(base + "/api/hello")
	if err != nil {
		t.Fatalf("the gateway did not start: %v", err)
	}
	resp.Body.Close()
}

// stopGateway ends the gateway and looks at what it left behind.
func stopGateway(t *testing.T, cmd *exec.Cmd, ended <-chan error, log *bytes.Buffer) {
	err := cmd.Process.Signal(os.Interrupt)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("stopping the gateway: %v", err)
	}
	select {
	case err = <-ended:
	case <-time.After(patience):
		_ = cmd.Process.Kill() // it may have ended just now
		err = errors.Join(errors.New("it still had connections"), <-ended)
	}
	if err != nil {
		t.Errorf("the gateway did not end in peace: %v", err)
	}
	for _, secret := range []string{clientKey, upstreamKey, secretPrompt} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the gateway's log holds %q", secret)
		}
	}
	if t.Failed() {
		t.Logf("the gateway's log:\n%s", log)
	}
}
