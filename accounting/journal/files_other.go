//go:build !linux

package journal

import (
	"errors"
	"os"
)

func datasync(f *os.File) error { return f.Sync() }

// punch: without it, the space of finished regions comes back with that of their segment.
func punch(*os.File, int64, int64) error { return errors.ErrUnsupported }
