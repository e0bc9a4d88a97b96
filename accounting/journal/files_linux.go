package journal

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// datasync leaves out the times of the file. Its size never changes.
func datasync(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}

func punch(f *os.File, offset, n int64) error {
	return os.NewSyscallError("fallocate",
		unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, offset, n))
}
