package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
)

const (
	// syncEvery leaves room for the sync itself within the 250 ms that durability Process promises.
	syncEvery = 200 * time.Millisecond
	// retryEvery is how often it is tried to make a segment after that has failed.
	retryEvery = 500 * time.Millisecond
	// adoptEvery is how often a journal looks for what others have left behind.
	adoptEvery = 10 * time.Second
	// folderSuffix is what the names of journals' folders end in.
	folderSuffix  = ".journal"
	segmentSuffix = ".segment"
	corruptSuffix = ".corrupt"
	lockName      = "lock"
)

var (
	// errFull says that MaxSize is reached.
	errFull = errors.New("the journal has its largest size, because the ledger does not take entries")
	// errNoSpare says that a segment would have to be waited for.
	errNoSpare = errors.New("the journal has no room at the moment")
)

// newFolder makes the journal's own folder. Somebody who starts at the same time may take it for one that was left behind,
// and remove it before it is locked.
func (j *Journal) newFolder() (*folder, error) {
	var failed error
	for range 5 {
		path := filepath.Join(j.options.Dir, fmt.Sprintf("%016x%s", randomID(), folderSuffix))
		if err := j.files.MkdirAll(path); err != nil {
			return nil, err
		}
		lock, err := j.files.Lock(filepath.Join(path, lockName))
		if err == nil {
			return &folder{path: path, lock: lock}, j.files.SyncDir(j.options.Dir)
		}
		if !errors.Is(err, errLocked) && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		failed = err
	}
	return nil, failed
}

// makeSegment makes a segment in the journal's own folder unless there are too many.
func (j *Journal) makeSegment() (*segment, error) {
	if j.bytes.Load()-j.adopted.Load()+j.options.segmentSize > j.options.MaxSize {
		return nil, errFull
	}
	id := randomID()
	s, err := newSegment(j.files, j.own, fmt.Sprintf("%016x%s", id, segmentSuffix), id, j.options.segmentSize)
	if err != nil {
		return nil, err
	}
	j.grow(s, s.size)
	j.own.segments.Add(1)
	return s, nil
}

// grow counts that a segment takes n bytes more. What was taken over was there before, and is on its way to the sink: it does
// not take the room of what is to come.
func (j *Journal) grow(s *segment, n int64) {
	j.bytes.Add(n)
	if s.adopted {
		j.adopted.Add(n)
	}
}

// keeper has a spare segment made before one is needed, gives up those that are finished, and takes over what others leave behind.
func (j *Journal) keeper() {
	look := time.NewTicker(adoptEvery)
	defer look.Stop()
	for {
		var again <-chan time.Time
		j.tidy()
		if j.provide() != nil {
			again = time.After(retryEvery)
		} else {
			j.flush()
		}
		select {
		case <-j.keep:
		case <-again:
		case <-look.C:
			j.adopt()
		case <-j.closing:
			return
		}
	}
}

// provide makes a spare if there is none, and writes what waited for one.
func (j *Journal) provide() error {
	j.mu.Lock()
	enough := j.spare != nil && j.current.Load() != nil
	j.mu.Unlock()
	if enough {
		return nil
	}
	s, err := j.makeSegment()
	j.mu.Lock()
	before := j.trouble
	if j.trouble = err; err != nil && before == nil {
		j.since = time.Now()
	}
	switch {
	case err != nil:
	case j.current.Load() == nil:
		j.install(s)
		poke(j.keep) // for the next one
	case j.spare == nil:
		j.spare = s
	}
	if err == nil {
		j.since = time.Time{}
	}
	j.mu.Unlock()
	j.spared.fire()
	switch {
	case err != nil && before == nil:
		j.log.Error("the ledger's journal cannot grow", zap.String("folder", j.own.path), zap.Error(err))
	case err == nil && before != nil:
		j.log.Info("the ledger's journal grows again", zap.String("folder", j.own.path))
	}
	return err
}

// install makes a segment the current one. The caller holds j.mu.
func (j *Journal) install(s *segment) {
	if old := j.current.Load(); old != nil {
		old.seal()
	}
	j.segments = append(j.segments, s)
	j.current.Store(s)
}

// rotate puts the spare in place of a segment that is full, or nil. It waits while one is being made, if it may, and fails when
// none can be.
func (j *Journal) rotate(full *segment, wait bool) error {
	for {
		changed := j.spared.next()
		j.mu.Lock()
		if j.current.Load() != full {
			j.mu.Unlock()
			return nil
		}
		spare, err := j.spare, j.trouble
		if spare != nil {
			j.spare = nil
			j.install(spare)
		}
		j.mu.Unlock()
		switch {
		case spare != nil:
			poke(j.keep)
			return nil
		case err != nil:
			return err
		case !wait || j.closed.Load():
			return errNoSpare
		}
		poke(j.keep)
		select {
		case <-changed:
		case <-j.closing:
		}
	}
}

// retire takes a segment out of use that cannot be written.
func (j *Journal) retire(s *segment, err error) {
	s.seal()
	j.mu.Lock()
	if j.current.Load() == s {
		j.current.Store(nil)
		if j.trouble == nil {
			j.trouble, j.since = err, time.Now()
		}
	}
	j.mu.Unlock()
	if s.failed.Swap(true) {
		return
	}
	j.log.Error("the ledger's journal cannot be written", zap.String("file", s.path()), zap.Error(err))
	poke(j.keep)
}

// tidy gives up segments that are finished.
func (j *Journal) tidy() {
	j.mu.Lock()
	var finished []*segment
	j.segments = slices.DeleteFunc(j.segments, func(s *segment) bool {
		if s.finished() {
			finished = append(finished, s)
			return true
		}
		return false
	})
	j.mu.Unlock()
	for _, s := range finished {
		j.drop(s, true)
		if s.folder != j.own && s.folder.segments.Load() == 0 {
			j.leave(s.folder)
		}
	}
	j.hollow()
}

// drop closes a segment and, when it is finished, removes its file or puts it aside.
func (j *Journal) drop(s *segment, finished bool) {
	var err error
	j.syncer.exclusively(func() {
		s.closed = true
		if s.dirty.Swap(false) {
			// Somebody may rely on it, and the removal of a file is not durable at once.
			err = s.file.Sync()
		}
		err = errors.Join(err, s.file.Close())
	})
	if finished {
		s.folder.segments.Add(-1)
		j.grow(s, s.punched-s.size)
		if s.damaged {
			err = errors.Join(err, j.setAside(s.path()))
		} else {
			err = errors.Join(err, j.files.Remove(s.path()))
		}
	}
	if err != nil {
		j.log.Error("a file of the ledger's journal cannot be given up", zap.String("file", s.path()), zap.Error(err))
	}
}

// setAside keeps a damaged file out of the way of the journals.
func (j *Journal) setAside(path string) error {
	name := strings.TrimSuffix(filepath.Base(filepath.Dir(path)), folderSuffix) + "-" + filepath.Base(path) + corruptSuffix
	to := filepath.Join(j.options.Dir, name)
	j.log.Error("a damaged file of the ledger's journal is kept aside", zap.String("file", to))
	return j.files.Rename(path, to)
}

// leave gives up the lock of a folder, and removes it when it is empty.
func (j *Journal) leave(f *folder) {
	if f.lock == nil {
		return
	}
	err := f.lock.Release(f.segments.Load() == 0 && !f.keep)
	if f.lock = nil; err != nil {
		j.log.Error("a folder of the ledger's journal cannot be given up", zap.String("folder", f.path), zap.Error(err))
	}
}

// syncing keeps the promise of durability Process. It sleeps while nothing is written. A journal that is
// being closed may still wait for its sink for long.
func (j *Journal) syncing() {
	for {
		select {
		case <-j.written:
		case <-j.pumping:
			return
		}
		select {
		case <-time.After(syncEvery):
		case <-j.pumping:
			return
		}
		if err := j.syncer.wait(); err != nil {
			j.log.Error("the ledger's journal cannot be synced: what it wrote last would not survive a loss of power", zap.Error(err))
		}
	}
}

// touch sees to it that what was just written to a segment becomes durable in time.
func (j *Journal) touch(s *segment) {
	if !j.syncer.touched(s) || j.options.Durability != Process {
		return
	}
	poke(j.written)
	if j.stopped.Load() { // nobody is left to do it
		_ = j.syncer.wait()
	}
}
