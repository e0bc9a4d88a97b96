package pgtest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// startTime is how long a server may take to be ready, also when it recovers and the machine is busy.
const startTime = time.Minute

// Server is a PostgreSQL server. Its methods are called by one goroutine at a time, and fail the test that is given.
type Server struct {
	programs  string
	folder    string // of everything it has; the cluster is in data
	port      int
	settings  []string
	process   *exec.Cmd // nil when it is not running
	guard     *guard
	databases atomic.Int64
}

// create makes a cluster and starts it.
func create(tb testing.TB, parameters ...string) (*Server, error) {
	tb.Helper()
	found := programs()
	if found == "" || !supported {
		tb.Skip("PostgreSQL is not installed")
	}
	folder, err := os.MkdirTemp("", "pgtest")
	if err != nil {
		return nil, err
	}
	s := &Server{programs: found, folder: folder, settings: parameters}
	if err := s.initialize(); err != nil {
		s.remove()
		return nil, err
	}
	// Between the moment a port is found free and the moment it is taken, it may be taken by another.
	for range 5 {
		if s.port, err = freePort(); err != nil {
			break
		}
		if err = s.start(); err == nil {
			return s, nil
		}
	}
	s.remove()
	return nil, err
}

func (s *Server) initialize() error {
	if err := own(s.folder); err != nil {
		return err
	}
	g, err := watch(s)
	if err != nil {
		return err
	}
	s.guard = g
	password := filepath.Join(s.folder, "password")
	if err := os.WriteFile(password, []byte(Password), 0o600); err != nil {
		return err
	}
	if err := own(password); err != nil {
		return err
	}
	c := s.command("initdb", "--no-sync", "--encoding=UTF8", "--no-locale", "--auth=scram-sha-256",
		"--username="+role, "--pwfile="+password, "--pgdata="+s.data())
	if said, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, said)
	}
	return nil
}

// Database creates an empty database and returns its connection URL.
func (s *Server) Database(tb testing.TB) (dsn string) {
	tb.Helper()
	name := fmt.Sprintf("test%d", s.databases.Add(1))
	s.Query(tb, "postgres", "CREATE DATABASE "+name)
	return s.DSN(name)
}

// DSN returns the connection URL of a database.
func (s *Server) DSN(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(role, Password), Host: s.Address(), Path: "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Address returns the host and port that it listens on.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Query runs SQL as the server's superuser and returns what psql prints for it: rows as lines, columns separated by |.
func (s *Server) Query(tb testing.TB, database, sql string) string {
	tb.Helper()
	said, err := s.psql(database, sql)
	if err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
	return said
}

func (s *Server) psql(database, sql string) (string, error) {
	c := s.command("psql", "--no-psqlrc", "--tuples-only", "--no-align", "--quiet", "--set=ON_ERROR_STOP=1",
		"--host=127.0.0.1", "--port="+strconv.Itoa(s.port), "--username="+role, "--dbname="+database, "--command="+sql)
	c.Env = append(c.Environ(), "PGPASSWORD="+Password, "PGCONNECT_TIMEOUT=10")
	var errs bytes.Buffer
	c.Stderr = &errs
	said, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, errs.Bytes())
	}
	return strings.TrimSpace(string(said)), nil
}

// Start starts a server that was stopped or killed, with the same data on the same port.
func (s *Server) Start(tb testing.TB) {
	tb.Helper()
	if err := s.start(); err != nil {
		tb.Fatal(err)
	}
}

func (s *Server) start() error {
	if s.process != nil {
		return errors.New("the server is running")
	}
	args := []string{"-D", s.data(), "-p", strconv.Itoa(s.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	log, err := os.OpenFile(filepath.Join(s.folder, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	c := s.command("postgres", args...)
	c.Stdout, c.Stderr = log, log
	// What is left of a server that was killed would be taken for the state of the new one.
	if err := os.Remove(s.state()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	s.process = c
	if err := s.ready(); err != nil {
		s.kill()
		said, _ := os.ReadFile(log.Name())
		return fmt.Errorf("%w: %s", err, said)
	}
	return nil
}

// ready waits until the server says in its state file that it takes connections.
func (s *Server) ready() error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(startTime); time.Now().Before(deadline); <-tick.C {
		state, err := os.ReadFile(s.state())
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		// The eighth line is the state.
		if lines := strings.Split(string(state), "\n"); len(lines) > 7 && strings.TrimSpace(lines[7]) == "ready" {
			return nil
		}
		if gone(s.process) {
			return errors.New("the server did not start")
		}
	}
	return errors.New("the server took too long to start")
}

// Log returns what the server has logged.
func (s *Server) Log(tb testing.TB) string {
	tb.Helper()
	said, err := os.ReadFile(filepath.Join(s.folder, "log"))
	if err != nil {
		tb.Fatal(err)
	}
	return string(said)
}

func (s *Server) data() string  { return filepath.Join(s.folder, "data") }
func (s *Server) state() string { return filepath.Join(s.data(), "postmaster.pid") }

// remove ends the server and deletes the cluster.
func (s *Server) remove() {
	s.kill()
	s.guard.end()
	os.RemoveAll(s.folder)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func output(folder, program string, args ...string) (string, error) {
	said, err := exec.Command(filepath.Join(folder, program), args...).Output()
	return string(said), err
}
