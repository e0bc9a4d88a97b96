//go:build !linux

package faultllm

import (
	"errors"
	"syscall"
)

func receiveBuffer(int) func(_, _ string, _ syscall.RawConn) error { return nil }

func drain(syscall.Conn) {}

// Vanish works on Linux only.
func (*Conn) Vanish() error { return errors.ErrUnsupported }

// Hole is an address at which connecting takes forever.
type Hole struct{}

// NewHole works on Linux only.
func NewHole() (*Hole, error) { return nil, errors.ErrUnsupported }

// URL is a base URL in the hole.
func (*Hole) URL() string { return "" }

// Close closes the hole.
func (*Hole) Close() {}
