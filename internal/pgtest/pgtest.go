// Package pgtest gives tests PostgreSQL servers of their own: private clusters in temporary folders, on loopback ports that
// were free, with a password. It needs PostgreSQL's programs and nothing that runs already.
//
// [Start] is for tests that want a database; all of a test process share one server. [New] is for tests that want to break
// one. Both skip the test where PostgreSQL is not installed. A cluster ends with the process that made it, however that ends.
package pgtest

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Password is the password of every server's only role. Tests look for it where it must not be.
const Password = "canary-pa55-0f-p0stgres"

const role = "gateway"

var shared struct {
	sync.Mutex
	server *Server
}

// Start returns the connection URL of an empty database, which is dropped with the process.
func Start(tb testing.TB) (dsn string) {
	tb.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		s, err := create(tb, "fsync=off")
		if err != nil {
			tb.Fatal(err)
		}
		shared.server = s
	}
	return shared.server.Database(tb)
}

// New starts a server that ends with the test. Parameters are settings such as "max_connections=5". It writes to disk
// as a real one does, unless fsync=off is among them.
func New(tb testing.TB, parameters ...string) *Server {
	tb.Helper()
	s, err := create(tb, parameters...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.remove)
	return s
}

// programs returns the folder of the newest PostgreSQL that is installed, or "".
func programs() string {
	patterns := []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql*/bin"}
	patterns = append(patterns, filepath.SplitList(os.Getenv("PATH"))...)
	newest, best := "", -1.0
	for _, pattern := range patterns {
		folders, err := filepath.Glob(pattern)
		if err != nil {
			continue
		}
		for _, folder := range folders {
			// A folder of links, such as /usr/local/bin, does not have what the programs look for next to themselves.
			initdb, err := filepath.EvalSymlinks(filepath.Join(folder, "initdb"))
			if err != nil {
				continue
			}
			if version := versionOf(filepath.Dir(initdb)); version > best {
				newest, best = filepath.Dir(initdb), version
			}
		}
	}
	return newest
}

// versionOf reads a folder's PostgreSQL's version, and is negative when it does not work.
func versionOf(folder string) float64 {
	for _, program := range []string{"postgres", "initdb", "psql"} {
		if _, err := os.Stat(filepath.Join(folder, program)); err != nil {
			return -1
		}
	}
	said, err := output(folder, "postgres", "--version") // postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)
	if err != nil {
		return -1
	}
	fields := strings.Fields(said)
	if len(fields) < 3 {
		return -1
	}
	version, err := strconv.ParseFloat(strings.TrimRight(fields[2], "abcdefghijklmnopqrstuvwxyz"), 64)
	if err != nil {
		return 0 // a development version
	}
	return version
}
