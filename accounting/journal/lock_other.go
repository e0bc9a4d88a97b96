//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package journal

import (
	"errors"
	"fmt"
)

// SyncDir does nothing.
func (disk) SyncDir(string) error { return nil }

// Lock fails: without locks nobody knows whose journals are left behind.
func (disk) Lock(name string) (locked, error) {
	return nil, fmt.Errorf("locking %s: %w", name, errors.ErrUnsupported)
}
