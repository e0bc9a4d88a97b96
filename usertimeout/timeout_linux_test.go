package usertimeout

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// timeoutOf asks the socket.
func timeoutOf(t *testing.T, conn net.Conn) time.Duration {
	t.Helper()
	return time.Duration(option(t, conn, unix.TCP_USER_TIMEOUT)) * time.Millisecond
}

// unsentOf asks the socket.
func unsentOf(t *testing.T, conn net.Conn) int {
	t.Helper()
	return option(t, conn, unix.TCP_NOTSENT_LOWAT)
}

func option(t *testing.T, conn net.Conn, name int) int {
	t.Helper()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var value int
	var failed error
	if err := raw.Control(func(fd uintptr) { value, failed = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, name) }); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	return value
}
