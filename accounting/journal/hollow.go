package journal

import (
	"errors"

	"go.uber.org/zap"
)

const (
	pageSize = 4096
	// sparse is the share of a segment that may be live at most for it to be worth giving holes.
	sparse = 8
)

// hollow gives back the space between the few regions that keep full segments: at thousands of calls per second, every
// second's segment has a call in it that takes minutes. It only does so when files take a good part of what they may.
func (j *Journal) hollow() {
	if j.bytes.Load() < j.options.hollowAbove {
		return
	}
	j.mu.Lock()
	var list []*segment
	for _, s := range j.segments {
		live := s.live.Load()
		if s.next.Load() > s.size && s.waits.Load() == 0 && live*unit*sparse < s.size && (s.seen == 0 || live <= s.seen/2) {
			list = append(list, s)
		}
	}
	j.mu.Unlock()
	for _, s := range list {
		freed, err := s.hollow()
		j.grow(s, -freed)
		if errors.Is(err, errors.ErrUnsupported) {
			return
		}
		if err != nil {
			j.log.Warn("a file of the ledger's journal cannot be given holes", zap.String("file", s.path()), zap.Error(err))
		}
	}
}

// hollow punches out the pages of a sealed segment in which no live region is. It does nothing while one of them is not
// written yet: then fewer are found than are counted, for a region is counted before it is written, and until after it is marked.
func (s *segment) hollow() (freed int64, err error) {
	counted := s.live.Load()
	b := make([]byte, s.size)
	if err = s.readAt(b, 0); err != nil {
		return 0, err
	}
	pages := make([]bool, (s.size+pageSize-1)/pageSize) // that stay
	pages[0] = true                                     // the header
	var live int64
	for at := int64(unit); at+unit <= s.size; {
		r, ok := parseRegion(b[at:], s.id, at, s.size)
		if !ok {
			at += unit
			continue
		}
		end := at + int64(r.size)
		if !r.done {
			live++
			for p := at / pageSize; p <= (end-1)/pageSize; p++ {
				pages[p] = true
			}
		}
		at = end
	}
	if live != counted {
		return 0, nil
	}
	s.seen = live
	var total int64
	for p := 0; p < len(pages); p++ {
		from := p
		for p < len(pages) && !pages[p] {
			p++
		}
		if n := int64(p-from) * pageSize; n > 0 {
			n = min(n, s.size-int64(from)*pageSize)
			if err = s.file.Punch(int64(from)*pageSize, n); err != nil {
				break
			}
			total += n
		}
	}
	freed = total - s.punched
	s.punched = total
	return freed, err
}
