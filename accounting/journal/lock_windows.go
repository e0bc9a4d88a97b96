package journal

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// SyncDir does nothing: NTFS keeps its names in a journal, and folders cannot be synced.
func (disk) SyncDir(string) error { return nil }

// Lock takes a lock on the first byte of a file.
func (disk) Lock(name string) (locked, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = windows.LockFileEx(windows.Handle(f.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		err = errLocked
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return lockedFile{f}, nil
}

type lockedFile struct{ *os.File }

// Release closes the file first: an open one cannot be removed here, and neither can one that somebody else has just
// locked.
func (l lockedFile) Release(remove bool) error {
	err := l.Close()
	if remove && err == nil {
		if err = os.Remove(l.Name()); err == nil {
			err = os.Remove(filepath.Dir(l.Name()))
		}
	}
	return err
}

// Interface guard.
var _ locked = lockedFile{}
