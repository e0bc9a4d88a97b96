package journal

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// simulated is a file system in memory that remembers everything that was done to it, so that the loss of power can be played
// at any moment of it.
type simulated struct {
	mu    sync.Mutex
	files map[string]*node
	dirs  map[string]bool
	locks map[string]bool
	nodes int
	log   []event
	// fail makes an operation fail: "create", "write", "sync", "append".
	fail func(op, name string) error
	// slow is how long a sync takes.
	slow time.Duration
}

// node is a file, whatever it is called.
type node struct {
	id   int
	data []byte
}

// event is something that was done, or noted by a test.
type event struct {
	at   time.Time
	op   string // write, synced, create, rename, remove, mkdir, syncdir, or note
	node int
	name string
	to   string
	off  int64
	data []byte
	from int // of "synced": the length of the log when the sync began
	note any
}

func newSimulated() *simulated {
	return &simulated{files: map[string]*node{}, dirs: map[string]bool{}, locks: map[string]bool{}}
}

func (s *simulated) add(e event) {
	e.at = time.Now()
	s.log = append(s.log, e)
}

// note remembers something of a test.
func (s *simulated) note(v any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(event{op: "note", note: v})
}

func (s *simulated) failure(op, name string) error {
	if s.fail == nil {
		return nil
	}
	return s.fail(op, name)
}

func (s *simulated) setFail(f func(op, name string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = f
}

func (s *simulated) MkdirAll(dir string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dirs[dir] = true
	s.add(event{op: "mkdir", name: dir})
	return nil
}

func (s *simulated) ReadDir(dir string) (names []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dirs[dir] {
		return nil, os.ErrNotExist
	}
	for name := range s.files {
		if filepath.Dir(name) == dir {
			names = append(names, filepath.Base(name))
		}
	}
	for name := range s.dirs {
		if filepath.Dir(name) == dir && name != dir {
			names = append(names, filepath.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

func (s *simulated) Create(name string) (file, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failure("create", name); err != nil {
		return nil, err
	}
	if s.files[name] != nil || !s.dirs[filepath.Dir(name)] {
		return nil, fmt.Errorf("%s: %w", name, os.ErrExist)
	}
	s.nodes++
	n := &node{id: s.nodes}
	s.files[name] = n
	s.add(event{op: "create", name: name, node: n.id})
	return &simulatedFile{s: s, n: n, name: name}, nil
}

func (s *simulated) Open(name string) (file, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.files[name]
	if n == nil {
		return nil, 0, os.ErrNotExist
	}
	return &simulatedFile{s: s, n: n, name: name}, int64(len(n.data)), nil
}

func (s *simulated) Append(name string, b []byte) error {
	f, size, err := s.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		f, err = s.Create(name)
	}
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(b, size); err != nil {
		return err
	}
	return errors.Join(f.Sync(), s.SyncDir(filepath.Dir(name)))
}

func (s *simulated) Rename(from, to string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files[from] == nil {
		return os.ErrNotExist
	}
	s.files[to] = s.files[from]
	delete(s.files, from)
	s.add(event{op: "rename", name: from, to: to})
	return nil
}

func (s *simulated) Remove(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files[name] == nil {
		return os.ErrNotExist
	}
	delete(s.files, name)
	s.add(event{op: "remove", name: name})
	return nil
}

func (s *simulated) SyncDir(dir string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(event{op: "syncdir", name: dir})
	return nil
}

func (s *simulated) Lock(name string) (locked, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dirs[filepath.Dir(name)] {
		return nil, os.ErrNotExist
	}
	if s.locks[name] {
		return nil, errLocked
	}
	s.locks[name] = true
	return simulatedLock{s, name}, nil
}

type simulatedLock struct {
	s    *simulated
	name string
}

func (l simulatedLock) Release(remove bool) error {
	names, err := l.s.ReadDir(filepath.Dir(l.name))
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	delete(l.s.locks, l.name)
	if err != nil || !remove {
		return err
	}
	if len(names) > 0 {
		return fmt.Errorf("not empty: %v", names)
	}
	delete(l.s.dirs, filepath.Dir(l.name))
	l.s.add(event{op: "rmdir", name: filepath.Dir(l.name)})
	return nil
}

type simulatedFile struct {
	s      *simulated
	n      *node
	name   string
	closed bool
}

func (f *simulatedFile) ReadAt(b []byte, off int64) (int, error) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if f.closed {
		return 0, os.ErrClosed
	}
	if err := f.s.failure("read", f.name); err != nil {
		return 0, err
	}
	if off >= int64(len(f.n.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.n.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *simulatedFile) WriteAt(b []byte, off int64) (int, error) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if f.closed {
		return 0, os.ErrClosed
	}
	if err := f.s.failure("write", f.name); err != nil {
		return 0, err
	}
	f.n.write(off, b)
	f.s.add(event{op: "write", node: f.n.id, off: off, data: slices.Clone(b)})
	return len(b), nil
}

func (n *node) write(off int64, b []byte) {
	if more := off + int64(len(b)) - int64(len(n.data)); more > 0 {
		n.data = append(n.data, make([]byte, more)...)
	}
	copy(n.data[off:], b)
}

func (f *simulatedFile) Sync() error {
	f.s.mu.Lock()
	from, slow := len(f.s.log), f.s.slow
	err := f.s.failure("sync", f.name)
	if f.closed {
		err = os.ErrClosed
	}
	f.s.mu.Unlock()
	if err != nil {
		return err
	}
	if slow > 0 {
		time.Sleep(slow)
	}
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	f.s.add(event{op: "synced", node: f.n.id, from: from})
	return nil
}

func (f *simulatedFile) Punch(off, n int64) error {
	_, err := f.WriteAt(make([]byte, n), off)
	return err
}

func (f *simulatedFile) Close() error {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if f.closed {
		return os.ErrClosed
	}
	f.closed = true
	return nil
}

// lose returns what is on the disk after the power was lost when the first n events had happened. Of what was not synced by
// then, every sector has its content of some moment since, chosen by itself, and of the names that were made and removed
// since a folder was last synced, some first ones are there.
func (s *simulated) lose(n int, r *rand.Rand) *simulated {
	after := newSimulated()
	content := map[int]*node{}
	unsynced := map[int][]int{} // indices of writes
	named := 0                  // names up to this event are durable
	for i, e := range s.log[:n] {
		switch e.op {
		case "create":
			content[e.node] = &node{id: e.node}
		case "write":
			unsynced[e.node] = append(unsynced[e.node], i)
		case "synced":
			rest := unsynced[e.node][:0]
			for _, w := range unsynced[e.node] {
				if w < e.from {
					content[e.node].write(s.log[w].off, s.log[w].data)
				} else {
					rest = append(rest, w)
				}
			}
			unsynced[e.node] = rest
		case "syncdir":
			named = i
		}
	}
	kept := []float64{0, 0.3, 0.7, 0.95, 1}[r.IntN(5)]
	for id, writes := range unsynced {
		cut := map[int64]int{} // by sector: writes from this one on are lost
		for _, w := range writes {
			e := s.log[w]
			for off := e.off; off < e.off+int64(len(e.data)); {
				sector := off / sectorSize
				end := min((sector+1)*sectorSize, e.off+int64(len(e.data)))
				if _, ok := cut[sector]; !ok && r.Float64() >= kept {
					cut[sector] = w
				}
				if c, ok := cut[sector]; !ok || w < c {
					content[id].write(off, e.data[off-e.off:end-e.off])
				}
				off = end
			}
		}
	}
	var names []event
	for i, e := range s.log[:n] {
		if strings.Contains("create rename remove mkdir rmdir", e.op) {
			if i > named && r.Float64() >= kept {
				break
			}
			names = append(names, e)
		}
	}
	for _, e := range names {
		switch e.op {
		case "create":
			after.files[e.name] = content[e.node]
		case "rename":
			after.files[e.to] = after.files[e.name]
			delete(after.files, e.name)
		case "remove":
			delete(after.files, e.name)
		case "mkdir":
			after.dirs[e.name] = true
		case "rmdir":
			delete(after.dirs, e.name)
		}
	}
	after.nodes = s.nodes
	return after
}

// Interface guard.
var _ files = (*simulated)(nil)
