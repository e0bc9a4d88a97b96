package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// process is a child with its log file.
type process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has ended
}

// launch starts a child on one CPU with an environment that holds nothing of the user's. Its output goes to a file,
// opened for appending as a service manager does it.
func (b *bench) launch(name string, cpu int, cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, log: filepath.Join(b.dir, name+".log"), done: make(chan struct{})}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.dir, "GOMAXPROCS=1"}
	cmd.Dir = b.dir
	if err := startPinned(cmd, cpu, b.cores.load); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		_ = cmd.Wait() // it is killed in the end: its status says nothing
		close(p.done)
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop kills the process and waits for its end. A graceful stop would wait for streams that nobody reads any more.
func (p *process) stop() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// awaitListener waits until the process accepts connections.
func (p *process) awaitListener(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		if nc, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			return nc.Close()
		}
		select {
		case <-poll.C:
		case <-p.done:
			return fmt.Errorf("it ended at once:\n%s", p.logTail())
		case <-ctx.Done():
			return fmt.Errorf("%s does not accept connections: %w\n%s", addr, ctx.Err(), p.logTail())
		}
	}
}

// logTail returns the end of what the process wrote.
func (p *process) logTail() []byte {
	const most = 2000
	text, err := os.ReadFile(p.log)
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(text[max(0, len(text)-most):])
}

// freePorts returns loopback ports that were free a moment ago. All are open at once, so that they differ.
func freePorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range n {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = ln.Close() }()
		addr, ok := ln.Addr().(*net.TCPAddr)
		if !ok {
			return nil, errors.New("the listener has no TCP address")
		}
		ports = append(ports, addr.Port)
	}
	return ports, nil
}
