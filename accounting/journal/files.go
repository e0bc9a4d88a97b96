package journal

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// errLocked says that somebody else holds a lock.
var errLocked = errors.New("it is in use")

// files is what a journal needs of a file system. Tests have one that loses power.
type files interface {
	MkdirAll(dir string) error
	ReadDir(dir string) (names []string, err error)
	// Create makes a new file for reading and writing.
	Create(name string) (file, error)
	Open(name string) (f file, size int64, err error)
	// Append adds to a file, which it makes if there is none, and returns when that is durable.
	Append(name string, b []byte) error
	Rename(from, to string) error
	Remove(name string) error
	// SyncDir makes the names in a folder durable.
	SyncDir(dir string) error
	// Lock takes the lock that a file stands for, or fails with errLocked. The end of the process ends it.
	Lock(name string) (locked, error)
}

// file is an open file. Its methods may be called at the same time.
type file interface {
	io.ReaderAt
	io.WriterAt
	// Sync makes everything durable that was written before.
	Sync() error
	// Punch gives up what a range holds, which then reads as zeros, for the space that it takes on the disk.
	Punch(offset, n int64) error
	Close() error
}

// locked is a lock that is held.
type locked interface {
	// Release gives it up. With remove its file and the folder that the file is in go, too, unless something else is in there.
	Release(remove bool) error
}

// disk is the file system of the machine.
type disk struct{}

func (disk) MkdirAll(dir string) error { return os.MkdirAll(dir, 0o700) }

func (disk) ReadDir(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}

func (disk) Create(name string) (file, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (disk) Open(name string) (file, int64, error) {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return diskFile{f}, info.Size(), nil
}

func (d disk) Append(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return d.SyncDir(filepath.Dir(name))
}

func (disk) Rename(from, to string) error { return os.Rename(from, to) }

func (disk) Remove(name string) error { return os.Remove(name) }

// diskFile is an open file of the machine.
type diskFile struct{ *os.File }

func (f diskFile) Sync() error { return datasync(f.File) }

func (f diskFile) Punch(offset, n int64) error { return punch(f.File, offset, n) }

// Interface guards.
var (
	_ files = disk{}
	_ file  = diskFile{}
)
