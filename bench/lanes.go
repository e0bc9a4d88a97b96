package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// laneID is one way from the load generator to the fake provider.
type laneID int

const (
	direct       laneID = iota // no process between
	reverseProxy               // Caddy's reverse_proxy
	gatewayQuiet               // the gateway without usage lines, metrics and ledger
	gatewayFull                // the gateway as it comes
)

var laneNames = [...]string{"direct", "reverse_proxy", "gateway quiet", "gateway full"}

func (id laneID) String() string { return laneNames[id] }

// isGateway reports whether the lane can translate.
func (id laneID) isGateway() bool { return id == gatewayQuiet || id == gatewayFull }

// lane is a running lane.
type lane struct {
	id    laneID
	addr  string   // where clients connect
	admin string   // Caddy's admin endpoint; empty for direct
	proc  *process // nil for direct
}

// start starts the fake provider and finds out which lanes there are.
func (b *bench) start(ctx context.Context) error {
	if err := b.startProvider(ctx); err != nil {
		return err
	}
	b.laneIDs = []laneID{direct, reverseProxy}
	modules, err := exec.CommandContext(ctx, b.binary, "list-modules").Output()
	if err != nil {
		return fmt.Errorf("asking %s for its modules: %w", b.binary, err)
	}
	if bytes.Contains(modules, []byte("http.handlers.llm_gateway\n")) {
		b.laneIDs = append(b.laneIDs, gatewayQuiet, gatewayFull)
	} else {
		fmt.Fprintln(b.progress, "this Caddy has no llm_gateway: measuring without the gateway")
	}
	return nil
}

// startProvider runs this program again as the fake provider. It inherits an open listener, so that nothing has to be
// guessed, and ends when its standard input does.
func (b *bench) startProvider(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { _ = ln.Close() }()
	tcp, ok := ln.(*net.TCPListener)
	if !ok {
		return errors.New("the listener is no TCP listener")
	}
	file, err := tcp.File()
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	cmd := exec.Command(self, providerCommand)
	cmd.ExtraFiles = []*os.File{file}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if b.provider, err = b.launch("provider", b.cores.load, cmd); err != nil {
		return err
	}
	b.providerStdin = stdin
	b.providerAddr = ln.Addr().String()
	b.control = control{base: "http://" + b.providerAddr}
	return b.provider.awaitListener(ctx, b.providerAddr)
}

// startLane starts the process of a lane. Each call starts a new one.
func (b *bench) startLane(ctx context.Context, id laneID) (*lane, error) {
	if id == direct {
		return &lane{id: id, addr: b.providerAddr}, nil
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	l := &lane{id: id, addr: fmt.Sprintf("127.0.0.1:%d", ports[0]), admin: fmt.Sprintf("127.0.0.1:%d", ports[1])}
	b.started++
	name := fmt.Sprintf("%02d-%s", b.started, strings.ReplaceAll(id.String(), " ", "-"))
	config := filepath.Join(b.dir, name+".caddyfile")
	if err := os.WriteFile(config, []byte(caddyfile(l, ports[0], b.providerAddr, b.extra)), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(b.binary, "run", "--config", config, "--adapter", "caddyfile")
	if l.proc, err = b.launch(name, b.cores.gateway, cmd); err != nil {
		return nil, err
	}
	if err := l.proc.awaitListener(ctx, l.addr); err != nil {
		l.proc.stop()
		return nil, fmt.Errorf("starting lane %s: %w", id, err)
	}
	b.lanes = append(b.lanes, l)
	return l, nil
}

// stopLanes stops the Caddy processes and forgets them.
func (b *bench) stopLanes() {
	b.load.closeAll()
	for _, l := range b.lanes {
		l.proc.stop()
	}
	b.lanes = nil
}

// close stops everything.
func (b *bench) close() {
	b.stopLanes()
	if b.provider != nil {
		_ = b.providerStdin.Close()
		b.provider.stop()
	}
}

// caddyfile renders the configuration of a lane. The lanes differ in nothing but the directive.
func caddyfile(l *lane, port int, providerAddr, extra string) string {
	var w strings.Builder
	fmt.Fprintf(&w, `{
	admin %s
	persist_config off
	auto_https off
	log {
		output stderr
		format json
	}
}
http://:%d {
	bind 127.0.0.1
`, l.admin, port)
	if l.id == reverseProxy {
		fmt.Fprintf(&w, "\treverse_proxy %s\n", providerAddr)
	} else {
		writeGateway(&w, l.id, providerAddr, extra)
	}
	w.WriteString("}\n")
	return w.String()
}

func writeGateway(w io.Writer, id laneID, providerAddr, extra string) {
	fmt.Fprintf(w, `	llm_gateway {
		provider openai {
			base_url http://%[1]s/v1
			api_key sk-bench-openai
		}
		provider anthropic {
			base_url http://%[1]s
			api_key sk-bench-anthropic
		}
`, providerAddr)
	if id == gatewayQuiet {
		fmt.Fprint(w, "\t\tusage_log off\n\t\tmetrics off\n\t\tledger off\n")
	}
	for line := range strings.Lines(extra) {
		fmt.Fprintf(w, "\t\t%s\n", strings.TrimSpace(line))
	}
	fmt.Fprint(w, "\t}\n")
}
