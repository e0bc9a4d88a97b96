package usertimeout

import (
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const supported = true

// unsent is how much waits in the kernel for a client that reads slowly, in bytes. Without a limit it is up to several MiB
// for each, by which time the provider has long been asked for all of it; and a write that waits for room is told of it only
// when a third of that has left, which over a slow line looks like no progress at all.
const unsent = 64 << 10

// set sets TCP_USER_TIMEOUT and TCP_NOTSENT_LOWAT.
func set(conn net.Conn, timeout time.Duration) error {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return fmt.Errorf("a connection of type %T has no socket", conn)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(timeout.Milliseconds()))
		if failed == nil {
			failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsent)
		}
	}); err != nil {
		return err
	}
	return failed
}
