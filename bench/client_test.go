package main

import (
	"bufio"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
)

// connOver returns a client that finds response already written.
func connOver(response string) *conn {
	return &conn{br: bufio.NewReader(strings.NewReader(response))}
}

func TestConnReadsResponses(t *testing.T) {
	for _, tc := range []struct {
		name, response string
		status         int
		body, wantErr  string
	}{
		{name: "with a content length", response: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", status: 200, body: "hello"},
		{name: "with an empty body", response: "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n", status: 204},
		{name: "in chunks", response: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n0A\r\nlo, world!\r\n0\r\n\r\n", status: 200, body: "hello, world!"},
		{name: "cut off", response: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", status: 200, wantErr: "unexpected EOF"},
		{name: "with an impossible chunk", response: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", status: 200, wantErr: "chunk size"},
		{name: "of unknown length", response: "HTTP/1.1 200 OK\r\n\r\n", wantErr: "neither"},
		{name: "of another protocol", response: "SSH-2.0-OpenSSH_9.9\r\n", wantErr: "status line"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := connOver(tc.response)
			status, err := c.readHead()
			var body []byte
			if err == nil {
				body, err = io.ReadAll(&c.body)
			}
			check(t, string(body), tc.body, err, tc.wantErr)
			if err == nil && status != tc.status {
				t.Errorf("status %d, want %d", status, tc.status)
			}
			if err == nil && c.br.Buffered() > 0 {
				t.Errorf("%d bytes are left before the next response", c.br.Buffered())
			}
		})
	}
}

func TestFramesCountsEventsHoweverTheyAreCut(t *testing.T) {
	const stream = "data: 1\n\ndata: 2\n\nevent: x\ndata: 3\n\ndata: [DONE]\n\n"
	for size := 1; size <= len(stream); size++ {
		var f frames
		for rest := stream; rest != ""; {
			n := min(size, len(rest))
			f.write([]byte(rest[:n]))
			rest = rest[n:]
		}
		if f.n != 4 || !f.complete() {
			t.Errorf("in pieces of %d: %d events, complete %v, want 4 and true", size, f.n, f.complete())
		}
	}
	var f frames
	f.write([]byte("data: 1\n\n"))
	if f.complete() {
		t.Error("a stream without its end marker is complete")
	}
}

func TestLoadArrivesAtTheProvider(t *testing.T) {
	p := newProvider()
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	addr := server.Listener.Addr().String()
	b := &bench{control: control{base: server.URL}, providerAddr: addr, plan: plan{deltas: 3}}
	t.Cleanup(b.load.closeAll)
	for _, s := range []scenario{
		{name: "unary", kind: unary, concurrency: 2},
		{name: "large", kind: unary, concurrency: 1, large: true},
		{name: "streams", kind: streams, concurrency: 4},
	} {
		t.Run(s.name, func(t *testing.T) {
			before := p.chat.Load()
			cell := &slot{scenario: s, lane: &lane{id: direct, addr: addr}, request: renderRequest(addr, requestBody(s))}
			if err := b.verify(t.Context(), cell); err != nil {
				t.Fatal(err)
			}
			if err := b.control.setScript(script{Deltas: b.plan.deltas}); err != nil {
				t.Fatal(err)
			}
			got, err := b.runSlot(t.Context(), cell, 1)
			if err != nil {
				t.Fatal(err)
			}
			if got.requests < s.concurrency || len(got.latencies) != got.requests {
				t.Errorf("%d requests and %d latencies on %d connections", got.requests, len(got.latencies), s.concurrency)
			}
			if want := got.requests * max(1, int(s.kind)*b.plan.deltas); got.units != want {
				t.Errorf("%d units, want %d", got.units, want)
			}
			if arrived := p.chat.Load() - before; arrived != int64(got.requests)+1 {
				t.Errorf("%d requests arrived, want %d and the verification", arrived, got.requests)
			}
		})
	}
}

func TestVerifyRefusesAWrongAnswer(t *testing.T) {
	wrong := strings.Replace(string(chatAnswers.unary), "Yes.", "No.", 1)
	text, err := unaryText([]byte(wrong))
	if err != nil || text == answerText {
		t.Errorf("got %q, %v, want another text", text, err)
	}
	if _, err := streamText([]byte("data: {}\n\n")); err == nil {
		t.Error("a stream without its end marker was accepted")
	}
	if _, err := unaryText([]byte(`{"choices":[]}`)); err == nil {
		t.Error("an answer without choices was accepted")
	}
}

func TestRequestsThatNeverArriveAreAnError(t *testing.T) {
	translated := &slot{scenario: scenario{translated: true}, lane: &lane{id: gatewayFull}}
	for _, tc := range []struct {
		name  string
		slot  *slot
		after counts
		fails bool
	}{
		{"all arrived", &slot{lane: &lane{id: gatewayFull}}, counts{Chat: 5}, false},
		{"one was sent twice", &slot{lane: &lane{id: reverseProxy}}, counts{Chat: 6}, false},
		{"one is missing", &slot{lane: &lane{id: gatewayFull}}, counts{Chat: 4}, true},
		{"translated requests arrive in the other dialect", translated, counts{Messages: 5}, false},
		{"translated requests that were not translated", translated, counts{Chat: 5}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := checkArrived(tc.slot, counts{}, tc.after, 5); (err != nil) != tc.fails {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestFreePortsDiffer(t *testing.T) {
	ports, err := freePorts(3)
	if err != nil {
		t.Fatal(err)
	}
	if len(ports) != 3 || ports[0] == ports[1] || ports[1] == ports[2] || ports[0] == ports[2] {
		t.Errorf("got %v", ports)
	}
	for _, port := range ports {
		ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			t.Fatalf("port %d is not free: %v", port, err)
		}
		_ = ln.Close()
	}
}
