package sqliteledger

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
)

var (
	errDamaged = errors.New("it is damaged")
	errForeign = errors.New("it is not a SQLite database")
)

// SQLite's primary result codes.
const (
	codePerm     = 3
	codeBusy     = 5
	codeLocked   = 6
	codeReadOnly = 8
	codeIO       = 10
	codeCorrupt  = 11
	codeFull     = 13
	codeCantOpen = 14
	codeNotADB   = 26
)

// hints say what to do about an error.
const (
	hintWritable = "the user that Caddy runs as has to be able to write to the file and to its folder, %s"
	hintReadOnly = "it is on a file system, or has permissions, that do not allow writing; make it writable with its folder, %s, or name another path"
	hintLocked   = "another program has locked it for more than 5 s; end that program's transaction, and do not use the exclusive locking mode"
	hintDamaged  = "it was left as it is. Restore a backup, or save what can be read with the sqlite3 program's .recover command; " +
		"or move it away, with its -wal and -shm files, to begin with an empty one. Entries that it did not have yet are in %s.intents and will be added"
	hintForeign = "it was left as it is; name another path"
	hintFull    = "the disk of %s is full; what could not be written is when there is space"
	hintIO      = "the disk reports errors; look at the system's log, and do not use a network's file system"
)

// explain adds to an error about the file what the operator can do.
func explain(path string, err error) error {
	if err == nil {
		return nil
	}
	hint := hintOf(path, err)
	if hint == "" {
		return fmt.Errorf("the usage database %s: %w", path, err)
	}
	return fmt.Errorf("the usage database %s: %w; %s", path, err, hint)
}

func hintOf(path string, err error) string {
	folder := filepath.Dir(path)
	switch {
	case errors.Is(err, errDamaged):
		return fmt.Sprintf(hintDamaged, path)
	case errors.Is(err, errForeign):
		return hintForeign
	case errors.Is(err, syscall.EROFS):
		return fmt.Sprintf(hintReadOnly, folder)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Sprintf(hintFull, folder)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
		return fmt.Sprintf(hintWritable, folder)
	}
	if e, ok := errors.AsType[interface {
		error
		Code() int
	}](err); ok {
		return hintOfCode(path, e.Code()&0xff)
	}
	return ""
}

func hintOfCode(path string, code int) string {
	folder := filepath.Dir(path)
	switch code {
	case codeBusy, codeLocked:
		return hintLocked
	case codeReadOnly:
		return fmt.Sprintf(hintReadOnly, folder)
	case codePerm, codeCantOpen:
		return fmt.Sprintf(hintWritable, folder)
	case codeCorrupt, codeNotADB: // it begins as one
		return fmt.Sprintf(hintDamaged, path)
	case codeFull:
		return fmt.Sprintf(hintFull, folder)
	case codeIO:
		return hintIO
	}
	return ""
}
