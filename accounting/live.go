package accounting

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// LiveInterval is how often a [LiveBook] looks whether its files have changed, at most.
const LiveInterval = 2 * time.Second

// LiveBook is a price book on top of files that may change while it is used. A book that was taken out of it never
// changes: whoever keeps it keeps its prices.
type LiveBook struct {
	base  *Book
	files []*priceFile
	lines []Override
	// report is told of every change and every failure, each once.
	report func(b *Book, err error)

	current atomic.Pointer[Book]
	next    atomic.Int64 // when to look at the files again, in Unix nanoseconds
	mu      sync.Mutex   // held while files are read
}

// priceFile is one file and the last state of it that was looked at.
type priceFile struct {
	path   string
	seen   os.FileInfo // nil when it could not be looked at
	unread string      // why it could not be read the last time; empty when it could
	book   *Book       // the last that was sound
	load   func(path string) ([]byte, error)
}

// NewLiveBook reads the files, the last of which goes first, on top of base, and puts price lines before all. Report is
// called, not concurrently, with the new book after a change, and with an error when a changed file cannot be read or
// has a mistake; the prices from before are kept then.
func NewLiveBook(base *Book, files []string, lines []Override, report func(b *Book, err error)) (*LiveBook, error) {
	l := &LiveBook{base: base, lines: lines, report: report}
	for _, path := range files {
		f := &priceFile{path: path, load: os.ReadFile}
		if _, err := f.read(); err != nil {
			return nil, err
		}
		l.files = append(l.files, f)
	}
	b, err := l.compose()
	if err != nil {
		return nil, err
	}
	l.current.Store(b)
	l.next.Store(time.Now().Add(LiveInterval).UnixNano())
	return l, nil
}

// compose stacks the files.
func (l *LiveBook) compose() (*Book, error) {
	b := l.base
	for _, f := range l.files {
		b = f.book.Over(b)
	}
	return b.With(l.lines...)
}

// Book returns the prices as the files have them now. Whoever finds that it is time to look at the files does so, while
// all others go on with the book there is; without files it costs nothing.
func (l *LiveBook) Book() *Book {
	if len(l.files) > 0 {
		l.poll(time.Now())
	}
	return l.current.Load()
}

func (l *LiveBook) poll(now time.Time) {
	next := l.next.Load()
	wait := next - now.UnixNano()
	if wait > 0 && wait <= int64(LiveInterval) { // it is more where the clock was set back
		return
	}
	if !l.next.CompareAndSwap(next, now.Add(LiveInterval).UnixNano()) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	changed := false
	for _, f := range l.files {
		c, err := f.read()
		if err != nil {
			l.report(nil, err)
		}
		changed = changed || c
	}
	if !changed {
		return
	}
	b, err := l.compose()
	if err != nil { // the lines were fine before, and so are the files
		l.report(nil, err)
		return
	}
	l.current.Store(b)
	l.report(b, nil)
}

// read reads the file if it is another than the last time, and reports whether its prices are others. An error is
// returned once for every state of the file.
func (f *priceFile) read() (bool, error) {
	info, err := os.Stat(f.path)
	if err != nil {
		missed := f.seen == nil && f.book != nil
		f.seen = nil
		if missed {
			return false, nil // which was reported
		}
		return false, fmt.Errorf("prices: %w", err)
	}
	if f.seen != nil && os.SameFile(f.seen, info) && f.seen.ModTime().Equal(info.ModTime()) && f.seen.Size() == info.Size() {
		return false, nil
	}
	f.seen = info // from before it is read: what is written meanwhile is a change
	if info.Size() > maxPriceFile {
		return false, fmt.Errorf("prices: %s: %w", f.path, errPriceFileSize)
	}
	data, err := f.load(f.path)
	if err != nil {
		f.seen = nil // when it may be read, it need not look any different
		if f.unread == err.Error() {
			return false, nil // which was reported
		}
		f.unread = err.Error()
		return false, fmt.Errorf("prices: %w", err)
	}
	f.unread = ""
	b, err := ParseBook(data)
	if err != nil {
		return false, fmt.Errorf("prices: %s: %w", f.path, err)
	}
	same := f.book != nil && f.book.version == b.version
	f.book = b.Named(f.path)
	return !same, nil
}

// maxPriceFile is far more than all prices there are.
const maxPriceFile = 64 << 20

var errPriceFileSize = errors.New("larger than 64 MiB")
