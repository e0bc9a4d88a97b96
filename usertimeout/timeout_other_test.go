//go:build !linux

package usertimeout

import (
	"net"
	"testing"
	"time"
)

func timeoutOf(*testing.T, net.Conn) time.Duration { return 0 }

func unsentOf(*testing.T, net.Conn) int { return 0 }
