//go:build !unix

package pgtest

import (
	"errors"
	"os/exec"
	"path/filepath"
	"testing"
)

// supported is false where processes cannot be paused and given to others: tests are skipped there.
const supported = false

var errUnsupported = errors.New("servers for tests are not supported here")

type guard struct{}

func own(string) error              { return errUnsupported }
func watch(*Server) (*guard, error) { return nil, errUnsupported }
func gone(*exec.Cmd) bool           { return true }
func (*guard) end()                 {}
func (*Server) kill()               {}
func (s *Server) command(program string, args ...string) *exec.Cmd {
	return exec.Command(filepath.Join(s.programs, program), args...)
}

// Stop stops the server: connections break at once, and the next start recovers.
func (*Server) Stop(tb testing.TB) { tb.Fatal(errUnsupported) }

// Kill kills all processes of the server at once.
func (*Server) Kill(tb testing.TB) { tb.Fatal(errUnsupported) }

// Pause stops the time of all processes of the server.
func (*Server) Pause(tb testing.TB) { tb.Fatal(errUnsupported) }

// Resume undoes Pause.
func (*Server) Resume(tb testing.TB) { tb.Fatal(errUnsupported) }
