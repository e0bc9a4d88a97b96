//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package journal

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// SyncDir makes the names in a folder durable.
func (disk) SyncDir(dir string) error {
	f, err := os.Open(dir) //nolint:gosec // G304: the operator names the folder
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Lock takes a lock of flock(2), which belongs to the open file: two journals of one process keep each other out as well.
func (disk) Lock(name string) (locked, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // G304: the operator names the folder
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = errLocked
	}
	if err == nil {
		// The one who held it may have removed it meanwhile, and a lock without a name keeps nobody out.
		mine, mineErr := f.Stat()
		named, namedErr := os.Stat(name)
		if mineErr != nil || namedErr != nil || !os.SameFile(mine, named) {
			err = errLocked
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return flock{f}, nil
}

type flock struct{ *os.File }

// Release removes the file while the lock is held, for else somebody could take it in between.
func (l flock) Release(remove bool) error {
	var err error
	if remove {
		if err = os.Remove(l.Name()); err == nil {
			err = os.Remove(filepath.Dir(l.Name()))
		}
	}
	return errors.Join(err, l.Close())
}

// Interface guard.
var _ locked = flock{}
