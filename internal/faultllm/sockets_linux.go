package faultllm

import (
	"fmt"
	"net"
	"syscall"
	"time"
	"unsafe"
)

// receiveBuffer sets the size of a socket's receive buffer before it connects, which is when TCP's window is agreed on.
func receiveBuffer(n int) func(_, _ string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, n) }); e != nil {
			return e
		}
		return err
	}
}

// drain waits until the other side's kernel has everything that was written, so that a reset does not take it along. It
// gives up after a second.
func drain(c syscall.Conn) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	for range 1000 {
		var queued int32
		err := raw.Control(func(fd uintptr) {
			_, _, _ = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&queued))) // not acknowledged yet
		})
		if err != nil || queued == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// Vanish makes the kernel throw away every packet that comes for this connection, acknowledgments too: the other side
// sees what it would see if the cable were cut. There is no way back.
func (c *Conn) Vanish() error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var attached error
	drop := []syscall.SockFilter{*syscall.LsfStmt(syscall.BPF_RET|syscall.BPF_K, 0)}    //nolint:staticcheck // SA1019: the standard library has no other
	err = raw.Control(func(fd uintptr) { attached = syscall.AttachLsf(int(fd), drop) }) //nolint:staticcheck // SA1019: as above
	if err != nil {
		return err
	}
	return attached
}

// Hole is an address at which connecting takes forever.
type Hole struct {
	fd    int
	addr  string
	conns []net.Conn
}

// NewHole makes a hole: a listener that accepts nobody and whose queue is full, so that the kernel drops every SYN.
func NewHole() (*Hole, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	h := &Hole{fd: fd}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		h.Close()
		return nil, err
	}
	if err := syscall.Listen(fd, 0); err != nil {
		h.Close()
		return nil, err
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		h.Close()
		return nil, err
	}
	v4, ok := name.(*syscall.SockaddrInet4)
	if !ok {
		h.Close()
		return nil, fmt.Errorf("no IPv4 address: %T", name)
	}
	h.addr = fmt.Sprintf("127.0.0.1:%d", v4.Port)
	for range 8 {
		c, err := net.DialTimeout("tcp", h.addr, 100*time.Millisecond)
		if err != nil {
			return h, nil //nolint:nilerr // it is full, as it should be
		}
		h.conns = append(h.conns, c)
	}
	h.Close()
	return nil, fmt.Errorf("the queue of %s never fills", h.addr)
}

// URL is a base URL in the hole.
func (h *Hole) URL() string { return "http://" + h.addr }

// Close closes the hole.
func (h *Hole) Close() {
	for _, c := range h.conns {
		_ = c.Close()
	}
	_ = syscall.Close(h.fd)
}
