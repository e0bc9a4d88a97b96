package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.uber.org/zap"
)

// found is what recovery counts.
type found struct {
	entries, unknown int // that go to the sink
	torn, damaged    int // places that cannot be read
	files            int
}

// adopt takes over the folders of journals that have ended since this one was opened: those of processes that died, and of
// configurations that a reload has replaced while the sink was away. While the sink is away from here, too, they are as well off
// where they are.
func (j *Journal) adopt() {
	if _, err := j.pump.failing(); err != nil {
		return
	}
	said := ""
	if err := j.recover(true); err != nil {
		said = err.Error()
	}
	if said != j.unadopted && said != "" {
		j.log.Error("what another journal left behind cannot be taken over", zap.String("folder", j.options.Dir), zap.String("error", said))
	}
	j.unadopted = said
}

// recover takes over the folders of journals that are not running anymore. A folder that cannot be taken over is an error at once
// or, with adopting, when all others are.
func (j *Journal) recover(adopting bool) error {
	names, err := j.files.ReadDir(j.options.Dir)
	if err != nil {
		return err
	}
	var f found
	var failed error
	var intents []kept         // without an outcome in their place
	moved := map[string]bool{} // attempt IDs that have one elsewhere
	for _, name := range names {
		path := filepath.Join(j.options.Dir, name)
		if !strings.HasSuffix(name, folderSuffix) || path == j.own.path {
			continue
		}
		lock, err := j.files.Lock(filepath.Join(path, lockName))
		if errors.Is(err, errLocked) || errors.Is(err, os.ErrNotExist) {
			continue // it is running, or somebody else has just finished it
		}
		if err == nil {
			dir := &folder{path: path, lock: lock}
			var list []kept
			list, err = j.recoverFolder(dir, adopting, &f, moved)
			dir.keep = err != nil
			if intents = append(intents, list...); dir.segments.Load() == 0 {
				j.leave(dir)
			}
		}
		if failed = errors.Join(failed, err); failed != nil && !adopting {
			return failed
		}
	}
	for _, k := range intents {
		e, _, err := k.segment.read(k.offset, make([]byte, 4096))
		if err == nil && moved[e.AttemptID] {
			j.finish(k.segment, k.offset)
			continue
		}
		f.unknown++
		j.ready(k.segment, k.offset)
	}
	if f.files > 0 {
		j.log.Info("the journal of a process that ended is recovered", zap.Int("files", f.files),
			zap.Int("entries", f.entries), zap.Int("unknown", f.unknown), zap.Int("torn", f.torn), zap.Int("damaged", f.damaged))
	}
	return failed
}

// recoverFolder reads the segments of one folder. It returns the intents without an outcome.
func (j *Journal) recoverFolder(dir *folder, adopting bool, f *found, moved map[string]bool) (intents []kept, err error) {
	names, err := j.files.ReadDir(dir.path)
	if err != nil {
		return nil, err
	}
	dir.segments.Add(1) // until all are counted, so that nobody takes the folder for empty
	defer dir.segments.Add(-1)
	for _, name := range names {
		path := filepath.Join(dir.path, name)
		switch {
		case strings.HasSuffix(name, segmentSuffix):
			list, err := j.recoverSegment(dir, name, adopting, f, moved)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			intents = append(intents, list...)
			if adopting {
				_ = j.provide() // calls may be waiting for a spare
			}
		case name != lockName: // a segment whose making was interrupted: nothing was in it
			if err := j.files.Remove(path); err != nil {
				return nil, err
			}
		}
	}
	return intents, nil
}

// recoverSegment reads one segment. What has an outcome is made ready for the sink.
func (j *Journal) recoverSegment(dir *folder, name string, adopting bool, f *found, moved map[string]bool) (intents []kept, err error) {
	file, size, err := j.files.Open(filepath.Join(dir.path, name))
	if err != nil {
		return nil, err
	}
	header := make([]byte, unit)
	probe := &segment{folder: dir, name: name, file: file, size: size}
	if err = probe.readAt(header, 0); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	id, size, err := parseSegment(header)
	if errors.Is(err, errVersion) {
		return nil, errors.Join(err, file.Close())
	}
	if err == nil && (size < unit || size > 1<<30) {
		err = errSegment
	}
	if err != nil {
		f.damaged++
		return nil, errors.Join(file.Close(), j.setAside(probe.path()))
	}
	s := openSegment(dir, name, file, id, size)
	s.recovered, s.adopted = true, adopting
	s.seal()
	b := make([]byte, size)
	if err = s.readAt(b, 0); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	f.files++
	dir.segments.Add(1)
	j.grow(s, size)
	j.mu.Lock()
	j.segments = append(j.segments, s)
	j.mu.Unlock()
	return j.scan(s, b, f, moved)
}

// scan looks for regions in the content b of a segment.
func (j *Journal) scan(s *segment, b []byte, f *found, moved map[string]bool) (intents []kept, err error) {
	end := int64(unit) // of the last region
	astray := false    // something was torn since
	for at := end; at+unit <= s.size; {
		r, ok := parseRegion(b[at:], s.id, at, s.size)
		if !ok {
			var state state
			if at, state = s.skip(b, at, end, astray); state != whole {
				s.count(state, f)
				astray = true
			}
			continue
		}
		offset := at
		at += int64(r.size)
		end, astray = at, false
		if r.done {
			continue
		}
		outcome, state := r.payload(b[offset:at], offset)
		lost := state != whole
		if !lost && r.kind == kindIntent {
			outcome, state = r.outcome(b[offset:at], offset)
		}
		if s.count(state, f); lost {
			continue
		}
		s.live.Add(1)
		if outcome == nil {
			intents = append(intents, kept{segment: s, offset: offset})
			continue
		}
		e, err := decodeEntry(outcome)
		if errors.Is(err, errVersion) {
			return nil, err
		}
		if r.flags&flagMoved != 0 {
			moved[e.AttemptID] = true
		}
		f.entries++
		j.ready(s, offset)
	}
	return intents, nil
}

// skip steps over what is no region, from an offset to the next unit that may be one. A region that was torn without its header
// is seen first where a sector begins, since a header is written with what follows it, but not where the last region ended,
// because its header would be there. More of it may follow: it is astray.
func (s *segment) skip(b []byte, at, end int64, astray bool) (next int64, _ state) {
	if isZero(b[at : at+unit]) {
		return at + unit, whole
	}
	found := damaged
	if astray || at%sectorSize == 0 && at != end {
		found = torn
	}
	for at += unit; at+unit <= s.size && !isZero(b[at:at+unit]); at += unit {
		if _, ok := parseRegion(b[at:], s.id, at, s.size); ok {
			break
		}
	}
	return at, found
}

// count counts places that cannot be read.
func (s *segment) count(state state, f *found) {
	switch state {
	case whole:
	case torn:
		f.torn++
	case damaged:
		f.damaged++
		s.damaged = true
	}
}
