package sse

import "bytes"

// lines finds the ends of lines. Nothing is searched twice for the same line end, no matter in how many pieces the
// bytes arrive and which line ends they use.
type lines struct {
	pos int // where the next line begins
	// lf and cr are where the next LF and CR from pos on are, or up to where there are none.
	lf, cr int
}

// end returns the offset of the CR or LF that ends the line at pos, or len(buf) when it has not arrived.
func (l *lines) end(buf []byte) int {
	l.lf = find(buf, '\n', max(l.lf, l.pos))
	l.cr = find(buf, '\r', max(l.cr, l.pos))
	return min(l.lf, l.cr)
}

// find returns the offset of the first c at from or after it, or len(buf). It costs nothing when that was found before.
func find(buf []byte, c byte, from int) int {
	if from >= len(buf) || buf[from] == c {
		return from
	}
	if i := bytes.IndexByte(buf[from:], c); i >= 0 {
		return from + i
	}
	return len(buf)
}

// frame is the state of scanning one frame. All offsets are relative to its first byte, so that the buffer under it
// may move.
type frame struct {
	lines
	done  bool // pos is the end of the frame
	first bool // of the stream: a byte order mark may come
	// open: the line before pos ended with a CR that was the last byte there was. An LF that follows belongs to it.
	open bool

	skip       int // the byte order mark
	name, data span
	dataLines  int // data is that of the first one
}

// span is a part of a frame.
type span struct {
	start, end int
	set        bool
}

func (s span) of(raw []byte) []byte { return raw[s.start:s.end:s.end] }

// next begins the next frame. What is known about later line ends stays.
func (f *frame) next() {
	*f = frame{open: f.open, lines: lines{lf: f.lf - f.pos, cr: f.cr - f.pos}}
}

// scan goes on in buf, which begins with the frame and has at least as much of it as the last time, and reports
// whether the frame is complete.
func (f *frame) scan(buf []byte) bool {
	for !f.done && f.pos < len(buf) {
		if f.open {
			f.open = false
			if buf[f.pos] == '\n' {
				f.pos++
				f.done = f.pos == 1 // the line it belongs to was the end of the frame before
				continue
			}
		}
		begin, end := f.pos, f.end(buf)
		if end == len(buf) {
			return false
		}
		f.pos = end + 1
		if buf[end] == '\r' {
			if f.pos == len(buf) {
				f.open = true
			} else if buf[f.pos] == '\n' {
				f.pos++
			}
		}
		f.line(buf, begin, end)
	}
	return f.done
}

// line takes in the line buf[begin:end].
func (f *frame) line(buf []byte, begin, end int) {
	if f.first {
		f.first = false
		if bytes.HasPrefix(buf[begin:end], []byte("\xEF\xBB\xBF")) {
			f.skip = 3
			begin += 3
		}
	}
	if begin == end {
		f.done = true
		return
	}
	switch key, value := field(buf[begin:end]); key {
	case fieldData:
		if f.dataLines++; f.dataLines == 1 {
			f.data = span{begin + value, end, true}
		}
	case fieldEvent:
		f.name = span{begin + value, end, true}
	}
}

// finish ends the frame where the stream ends.
func (f *frame) finish(buf []byte) {
	if f.pos < len(buf) {
		f.line(buf, f.pos, len(buf))
		f.pos = len(buf)
	}
	f.done = true
}

// The fields that matter here. A client that reconnects would need "id" and "retry".
const (
	fieldOther = iota
	fieldData
	fieldEvent
)

// field says which field a line is, and where its value begins.
func field(line []byte) (key, value int) {
	switch {
	case len(line) >= 4 && string(line[:4]) == "data":
		key, value = fieldData, 4
	case len(line) >= 5 && string(line[:5]) == "event":
		key, value = fieldEvent, 5
	default:
		return fieldOther, 0
	}
	if value == len(line) {
		return key, value
	}
	if line[value] != ':' {
		return fieldOther, 0
	}
	if value++; value < len(line) && line[value] == ' ' {
		value++
	}
	return key, value
}
