package usertimeout

import (
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const supported = true

// set sets TCP_USER_TIMEOUT.
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
	}); err != nil {
		return err
	}
	return failed
}
