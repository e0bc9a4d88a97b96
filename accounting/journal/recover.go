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

// recover takes over the folders of journals that are not running anymore.
func (j *Journal) recover() error {
	names, err := j.files.ReadDir(j.options.Dir)
	if err != nil {
		return err
	}
	var f found
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
		if err != nil {
			return err
		}
		dir := &folder{path: path, lock: lock}
		list, err := j.recoverFolder(dir, &f, moved)
		if err != nil {
			dir.keep = true
			j.leave(dir)
			return err
		}
		if intents = append(intents, list...); dir.segments.Load() == 0 {
			j.leave(dir)
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
	return nil
}

// recoverFolder reads the segments of one folder. It returns the intents without an outcome.
func (j *Journal) recoverFolder(dir *folder, f *found, moved map[string]bool) (intents []kept, err error) {
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
			list, err := j.recoverSegment(dir, name, f, moved)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			intents = append(intents, list...)
		case name != lockName: // a segment whose making was interrupted: nothing was in it
			if err := j.files.Remove(path); err != nil {
				return nil, err
			}
		}
	}
	return intents, nil
}

// recoverSegment reads one segment. What has an outcome is made ready for the sink.
func (j *Journal) recoverSegment(dir *folder, name string, f *found, moved map[string]bool) (intents []kept, err error) {
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
	s.recovered = true
	s.seal()
	b := make([]byte, size)
	if err = s.readAt(b, 0); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	f.files++
	dir.segments.Add(1)
	j.bytes.Add(size)
	j.segments = append(j.segments, s)
	return j.scan(s, b, f, moved)
}

// scan looks for regions in the content b of a segment.
func (j *Journal) scan(s *segment, b []byte, f *found, moved map[string]bool) (intents []kept, err error) {
	for at := int64(unit); at+unit <= s.size; {
		r, ok := parseRegion(b[at:], s.id, at, s.size)
		if !ok {
			at = s.skip(b, at, f)
			continue
		}
		body := b[at : at+int64(r.size)]
		offset := at
		at += int64(r.size)
		if r.done {
			continue
		}
		record := r.payload(body)
		whole := record != nil
		outcome := record
		if whole && r.kind == kindIntent {
			outcome, whole = r.outcome(body)
		}
		if !whole {
			s.broke(torn(body, offset), f)
		}
		if record == nil {
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

// skip steps over what is no region, from an offset to the next unit that may be one, or behind the last.
func (s *segment) skip(b []byte, at int64, f *found) int64 {
	if isZero(b[at : at+unit]) {
		return at + unit
	}
	// The rest of a region whose first sector is missing begins with a sector.
	s.broke(at%sectorSize == 0, f)
	for at += unit; at+unit <= s.size && !isZero(b[at:at+unit]); at += unit {
		if _, ok := parseRegion(b[at:], s.id, at, s.size); ok {
			break
		}
	}
	return at
}

// broke counts a place that cannot be read.
func (s *segment) broke(torn bool, f *found) {
	if torn {
		f.torn++
		return
	}
	f.damaged++
	s.damaged = true
}
