package report

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
)

// Output is where entries are written to as they come.
type Output interface {
	io.Writer
	// Flush sends what was written on its way.
	Flush() error
}

const (
	// bufferSize is how much is kept before it is written.
	bufferSize = 32 << 10
	// flushAfter is how long it is kept while entries come in.
	flushAfter = 500 * time.Millisecond
)

// errEnough ends a reader that has more to say than was asked for.
var errEnough = errors.New("enough")

// Write writes the entries of all readers, oldest first, in memory that does not grow with their number. Nothing has been written
// to out when it fails before it could fill a buffer.
func (r *EntriesRequest) Write(ctx context.Context, readers []accounting.Reader, out Output) error {
	e := &entryWriter{request: r, out: out, flushed: time.Now()}
	if r.Format == FormatCSV {
		e.buf = append(heads(e.buf, entryColumns), '\n')
	}
	var err error
	if len(readers) == 1 {
		err = readers[0].Entries(ctx, r.Filter, e.write)
	} else {
		err = merge(ctx, readers, r.Filter, e.write)
	}
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	return e.flush()
}

// entryWriter writes entries one by one.
type entryWriter struct {
	request *EntriesRequest
	out     Output
	columns writer
	buf     []byte
	flushed time.Time
	count   int
}

func (w *entryWriter) write(e *accounting.Entry) error {
	if w.request.Format == FormatCSV {
		w.buf = append(cells(&w.columns, w.buf, entryColumns, e), '\n')
	} else {
		w.buf = append(members(&w.columns, append(w.buf, '{'), entryColumns, e), "}\n"...)
	}
	w.count++
	if w.count == w.request.Limit {
		return errEnough
	}
	if len(w.buf) < bufferSize && time.Since(w.flushed) < flushAfter {
		return nil
	}
	return w.flush()
}

func (w *entryWriter) flush() error {
	if _, err := w.out.Write(w.buf); err != nil {
		return err
	}
	w.buf, w.flushed = w.buf[:0], time.Now()
	return w.out.Flush()
}

// source is a reader whose next entry is known.
type source struct {
	next  func() (*accounting.Entry, error, bool)
	entry *accounting.Entry
}

// merge calls yield with the entries of all readers, oldest first. Each of them is read only as far as needed.
func merge(ctx context.Context, readers []accounting.Reader, f accounting.Filter, yield func(*accounting.Entry) error) error {
	var sources []*source
	for _, r := range readers {
		next, stop := iter.Pull2(entriesOf(ctx, r, f))
		defer stop()
		sources = append(sources, &source{next: next})
	}
	for i := 0; i < len(sources); {
		more, err := sources[i].advance()
		if err != nil {
			return err
		}
		if !more {
			sources = append(sources[:i], sources[i+1:]...)
			continue
		}
		i++
	}
	for len(sources) > 0 {
		oldest := 0
		for i, s := range sources {
			if s.entry.Time.Before(sources[oldest].entry.Time) {
				oldest = i
			}
		}
		if err := yield(sources[oldest].entry); err != nil {
			return err
		}
		more, err := sources[oldest].advance()
		if err != nil {
			return err
		}
		if !more {
			sources = append(sources[:oldest], sources[oldest+1:]...)
		}
	}
	return nil
}

// advance finds the next entry of a source, and reports whether there is one.
func (s *source) advance() (bool, error) {
	e, err, ok := s.next()
	s.entry = e
	return ok, err
}

// entriesOf is what a reader yields, with its error last. An entry is valid until the next one is asked for.
func entriesOf(ctx context.Context, r accounting.Reader, f accounting.Filter) iter.Seq2[*accounting.Entry, error] {
	return func(yield func(*accounting.Entry, error) bool) {
		err := r.Entries(ctx, f, func(e *accounting.Entry) error {
			if !yield(e, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(nil, err)
		}
	}
}
