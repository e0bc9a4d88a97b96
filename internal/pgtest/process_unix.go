//go:build unix

package pgtest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

const supported = true

// owner returns whom clusters belong to and servers run as, because PostgreSQL refuses to run as root: its own user, or one
// that owns nothing. It is nil when we are not root.
func owner() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	var err error
	for _, name := range []string{"postgres", "nobody"} {
		var u *user.User
		if u, err = user.Lookup(name); err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if uidErr == nil && gidErr == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, fmt.Errorf("PostgreSQL does not run as root: %w", err)
}

// own gives a file to whom the server runs as.
func own(path string) error {
	who, err := owner()
	if who == nil {
		return err
	}
	return os.Chown(path, int(who.Uid), int(who.Gid))
}

// command returns a command that runs in the server's folder, as its owner.
func (s *Server) command(program string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(s.programs, program), args...)
	c.Dir = s.folder
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.folder, "LC_ALL=C", "TZ=UTC"}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl+C is for the test
	if who, err := owner(); err == nil {
		c.SysProcAttr.Credential = who
	}
	return c
}

// Stop stops the server in the way that is called immediate: connections break at once, and the next start recovers.
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	if s.process == nil {
		return
	}
	if err := s.process.Process.Signal(syscall.SIGQUIT); err != nil {
		tb.Fatal(err)
	}
	_ = s.process.Wait() // its error is how it exited
	s.process = nil
}

// Kill kills all processes of the server at once.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	s.kill()
}

func (s *Server) kill() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Signal(syscall.SIGSTOP) // so that it starts no more while they are looked up
	for _, pid := range s.family() {
		_ = syscall.Kill(pid, syscall.SIGKILL) // one that ended meanwhile is no error
	}
	_ = s.process.Wait() // its error is how it exited
	s.process = nil
}

// Pause stops the time of all processes of the server: connections stay, and nothing is answered.
func (s *Server) Pause(tb testing.TB) {
	tb.Helper()
	s.signal(tb, syscall.SIGSTOP)
}

// Resume undoes Pause.
func (s *Server) Resume(tb testing.TB) {
	tb.Helper()
	s.signal(tb, syscall.SIGCONT)
}

func (s *Server) signal(tb testing.TB, which syscall.Signal) {
	tb.Helper()
	if s.process == nil {
		tb.Fatal("the server is not running")
	}
	if err := s.process.Process.Signal(which); err != nil {
		tb.Fatal(err)
	}
	for _, pid := range s.family() {
		_ = syscall.Kill(pid, which) // one that ended meanwhile is no error
	}
}

// family returns the server's processes: the first one and its children, each of which has a process group of its own.
func (s *Server) family() []int {
	first := s.process.Process.Pid
	pids := []int{first}
	for pid, parent := range parents() {
		if parent == first {
			pids = append(pids, pid)
		}
	}
	return pids
}

// parents maps all processes to their parents, as Linux's /proc or else ps tells.
func parents() map[int]int {
	found := map[int]int{}
	if stats, _ := filepath.Glob("/proc/[0-9]*/stat"); len(stats) > 0 {
		for _, stat := range stats {
			text, err := os.ReadFile(stat) // pid (name) state parent …, where the name may hold anything
			if err != nil {
				continue
			}
			var pid, parent int
			var state string
			if _, err := fmt.Sscan(string(text), &pid); err != nil {
				continue
			}
			if _, err := fmt.Sscan(string(text[bytes.LastIndexByte(text, ')')+1:]), &state, &parent); err == nil {
				found[pid] = parent
			}
		}
		return found
	}
	said, err := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
	if err != nil {
		return found
	}
	for lines := bufio.NewScanner(bytes.NewReader(said)); lines.Scan(); {
		var pid, parent int
		if _, err := fmt.Sscan(lines.Text(), &pid, &parent); err == nil {
			found[pid] = parent
		}
	}
	return found
}

// gone says whether a process that was started has ended. It stays to be waited for.
func gone(c *exec.Cmd) bool {
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(c.Process.Pid, &status, syscall.WNOHANG, nil)
	return err != nil || pid == c.Process.Pid
}

// guard is a process that ends a server when this one does, however it does: a pipe from here breaks then.
type guard struct {
	process *exec.Cmd
	pipe    io.Closer
}

// watch starts a guard. It kills by the number in the server's state file, and deletes the cluster.
func watch(s *Server) (*guard, error) {
	const script = `cat >/dev/null
kill -CONT -- -$(head -n 1 "$1/data/postmaster.pid") 2>/dev/null
kill -QUIT $(head -n 1 "$1/data/postmaster.pid") 2>/dev/null
for i in 1 2 3 4 5 6 7 8 9 10; do [ -e "$1/data/postmaster.pid" ] || break; sleep 0.1; done
rm -rf "$1"`
	c := exec.Command("/bin/sh", "-c", script, "sh", s.folder)
	c.Dir = "/"
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	pipe, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	return &guard{c, pipe}, nil
}

// end ends the guard, and with it all that it guards.
func (g *guard) end() {
	if g == nil {
		return
	}
	g.pipe.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = g.process.Wait() // its error is how it exited
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		_ = g.process.Process.Kill()
		<-done
	}
}
