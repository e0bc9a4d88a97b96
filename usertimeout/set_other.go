//go:build !linux

package usertimeout

import (
	"net"
	"time"
)

const supported = false

func set(net.Conn, time.Duration) error { return nil }
