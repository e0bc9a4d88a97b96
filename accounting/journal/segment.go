package journal

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"path/filepath"
	"sync/atomic"

	"github.com/caddy-llm/llmgateway/accounting"
)

// errTooLarge says that something fits into no segment at all.
var errTooLarge = errors.New("the entry is larger than a segment")

// folder is the folder of one journal, whose lock is held.
type folder struct {
	path     string
	lock     locked
	segments atomic.Int64 // that are left
	keep     bool         // there may be more in it
}

// segment is one file of regions. Places in it are handed out by an atomic counter, and whoever has one writes there
// without a lock.
type segment struct {
	folder *folder
	name   string // within the folder
	file   file
	id     uint64 // random; a part of every region's checksum
	size   int64

	next   atomic.Int64 // where the next region begins
	live   atomic.Int64 // regions that are not done
	dirty  atomic.Bool  // something was written since the last sync began
	failed atomic.Bool  // it could not be written once

	// ready has a bit for every unit at which a region begins that waits for the sink.
	ready  []atomic.Uint64
	waits  atomic.Int64 // how many
	closed bool         // guarded by syncer.io

	// What only the keeper knows.
	punched int64 // bytes that were given up
	seen    int64 // live regions when they were; 0: never

	// What recovery found out.
	recovered bool // regions without an outcome have an unknown one
	adopted   bool // it was taken over when the journal was open already
	damaged   bool // the file is kept aside when it is finished
}

// newSegment makes a segment of zeros under a name of its own and returns when it is durable. What is written into it later
// takes no more space.
func newSegment(fs files, dir *folder, name string, id uint64, size int64) (_ *segment, err error) {
	temporary := filepath.Join(dir.path, name+".new")
	f, err := fs.Create(temporary)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), fs.Remove(temporary))
		}
	}()
	header := segmentHeader(id, size)
	zeros := make([]byte, min(size, 1<<18))
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err = f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at); err != nil {
			return nil, err
		}
	}
	if _, err = f.WriteAt(header, 0); err != nil {
		return nil, err
	}
	if err = f.Sync(); err != nil {
		return nil, err
	}
	// A file that has its name is whole.
	if err = fs.Rename(temporary, filepath.Join(dir.path, name)); err != nil {
		return nil, err
	}
	if err = fs.SyncDir(dir.path); err != nil {
		temporary = filepath.Join(dir.path, name)
		return nil, err
	}
	return openSegment(dir, name, f, id, size), nil
}

func openSegment(dir *folder, name string, f file, id uint64, size int64) *segment {
	s := &segment{folder: dir, name: name, file: f, id: id, size: size, ready: make([]atomic.Uint64, (size/unit+63)/64)}
	s.next.Store(unit)
	return s
}

func (s *segment) path() string { return filepath.Join(s.folder.path, s.name) }

// reserve hands out n bytes, a multiple of the unit. When they do not fit, the segment is full for everybody.
func (s *segment) reserve(n int) (offset int64, ok bool) {
	s.live.Add(1)
	offset = s.next.Add(int64(n)) - int64(n)
	if offset+int64(n) <= s.size {
		return offset, true
	}
	s.live.Add(-1)
	return 0, false
}

// seal ends the handing out of places.
func (s *segment) seal() { s.next.Add(s.size) }

// finished says that nothing in a sealed segment is needed anymore. Once true it stays so: whoever finds no place takes back
// what it counted.
func (s *segment) finished() bool { return s.next.Load() > s.size && s.live.Load() == 0 }

// setReady makes a region wait for the sink.
func (s *segment) setReady(offset int64) {
	n := uint64(offset) / unit
	if s.ready[n/64].Or(1<<(n%64))&(1<<(n%64)) == 0 {
		s.waits.Add(1)
	}
}

// takeReady takes the regions that wait, in their order, until yield wants no more.
func (s *segment) takeReady(yield func(offset int64) bool) {
	if s.waits.Load() == 0 {
		return
	}
	for i := range s.ready {
		for {
			word := s.ready[i].Load()
			if word == 0 {
				break
			}
			bit := bits.TrailingZeros64(word)
			s.ready[i].And(^(uint64(1) << bit))
			s.waits.Add(-1)
			if !yield(int64(i*64+bit) * unit) {
				return
			}
		}
	}
}

// markDone says on the disk that a region is of no use anymore, and frees its place also when that fails: it would come
// back as something that the sink knows already.
func (s *segment) markDone(offset int64) error {
	b := getBuffer()
	defer putBuffer(b)
	*b = order.AppendUint64((*b)[:0], doneMark)
	_, err := s.file.WriteAt(*b, offset+doneOffset)
	return err
}

// read reads the region at an offset into b, or one that is larger, and returns its entry.
func (s *segment) read(offset int64, b []byte) (accounting.Entry, []byte, error) {
	r, b, err := s.readRegion(offset, b)
	if err != nil {
		return accounting.Entry{}, b, err
	}
	record, state := r.payload(b, offset)
	if state != whole {
		return accounting.Entry{}, b, errRecord
	}
	unknown := false
	if r.kind == kindIntent {
		outcome, _ := r.outcome(b, offset)
		switch {
		case outcome != nil:
			record = outcome
		case s.recovered:
			unknown = true
		default:
			return accounting.Entry{}, b, errRecord
		}
	}
	e, err := decodeEntry(record)
	if err == nil && unknown {
		e.Certainty, e.Recovered = accounting.Unknown, true
	}
	return e, b, err
}

// readRegion reads all of a region into b, or into something larger.
func (s *segment) readRegion(offset int64, b []byte) (region, []byte, error) {
	n := min(int64(cap(b)), s.size-offset)
	if err := s.readAt(b[:n], offset); err != nil {
		return region{}, b, err
	}
	r, ok := parseRegion(b[:n], s.id, offset, s.size)
	if !ok {
		return r, b, errRecord
	}
	if int64(r.size) > n {
		b = make([]byte, r.size)
		if err := s.readAt(b, offset); err != nil {
			return r, b, err
		}
	}
	return r, b[:r.size], nil
}

func (s *segment) readAt(b []byte, offset int64) error {
	n, err := s.file.ReadAt(b, offset)
	if n == len(b) || errors.Is(err, io.EOF) {
		clear(b[n:]) // a file that was cut off
		return nil
	}
	return fmt.Errorf("reading %s: %w", s.name, err)
}
