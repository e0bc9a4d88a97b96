package chatcompletions

import "bytes"

// An unescaped `"name":` cannot stand inside of a JSON string, where its quotes would be escaped. So these patterns
// find members only, never text that talks about them. They leave out the first quote, which is too frequent a byte to
// search for.
var (
	usageKey  = []byte(`usage":`)
	finishKey = []byte(`finish_reason":`)
	errorKey  = []byte(`error":`)
	deltaKey  = []byte(`delta":`)
)

// maxShape is the size up to which a chunk's head and tail are remembered.
const maxShape = 1 << 10

// deltaShape recognizes the chunks that streams consist of: one choice with a delta of nothing but strings, and no
// usage, error or finish reason. All other chunks are parsed in full, which costs several times as much.
//
// The chunks of a stream are mostly the same but for the delta. So what stands before and after it in one chunk that
// was examined is remembered, and only compared in the next.
type deltaShape struct{ head, tail []byte }

// match returns how many bytes of output a chunk holds, or false if it is not of the simple kind.
func (s *deltaShape) match(data []byte) (n int64, ok bool) {
	start := len(s.head)
	if start == 0 || !bytes.HasPrefix(data, s.head) {
		i := bytes.Index(data, deltaKey)
		if start = i + len(deltaKey) + 1; i < 0 || start > len(data) || data[start-1] != '{' || !ordinary(data[:i]) {
			return 0, false
		}
	}
	n, used, ok := deltaStrings(data[start:])
	if !ok {
		return 0, false
	}
	tail := data[start+used:]
	if start == len(s.head) && bytes.Equal(tail, s.tail) {
		return n, true
	}
	if !ordinary(tail) {
		return 0, false
	}
	if start <= maxShape && len(tail) <= maxShape {
		s.head, s.tail = append(s.head[:0], data[:start]...), append(s.tail[:0], tail...)
	}
	return n, true
}

func (s *deltaShape) reset() { s.head, s.tail = s.head[:0], s.tail[:0] }

// ordinary reports whether a part of a chunk has no delta, no usage, no finish reason and no error.
func ordinary(part []byte) bool {
	return !bytes.Contains(part, deltaKey) &&
		nullOrAbsent(part, usageKey) && nullOrAbsent(part, finishKey) && nullOrAbsent(part, errorKey)
}

// nullOrAbsent reports whether no member of that key in part has a value other than null.
func nullOrAbsent(part, key []byte) bool {
	for {
		i := bytes.Index(part, key)
		if i < 0 {
			return true
		}
		part = part[i+len(key):]
		if len(part) == 0 || part[0] != 'n' {
			return false
		}
	}
}

// deltaStrings walks over the members of a delta as long as they are strings or null, without blanks between them, and
// returns the length of those that are output and the number of bytes up to the closing brace.
func deltaStrings(b []byte) (n int64, used int, ok bool) {
	i := 0
	for i < len(b) {
		if b[i] == '}' {
			return n, i + 1, true
		}
		if b[i] == ',' {
			i++
		}
		if i >= len(b) || b[i] != '"' {
			return 0, 0, false
		}
		end := bytes.IndexByte(b[i+1:], '"')
		key := b[i+1 : i+1+max(end, 0)]
		if i += end + 2; end < 0 || i >= len(b) || b[i] != ':' {
			return 0, 0, false
		}
		i++
		switch {
		case bytes.HasPrefix(b[i:], []byte("null")):
			i += 4
		case i < len(b) && b[i] == '"':
			length, size := stringLength(b[i:])
			if size == 0 {
				return 0, 0, false
			}
			i += size
			switch string(key) {
			case "content", "reasoning_content", "reasoning":
				n += length
			case "refusal":
				if length > 0 {
					return 0, 0, false // changes the stop reason
				}
			}
		default:
			return 0, 0, false
		}
	}
	return 0, 0, false
}

// stringLength measures the JSON string that b starts with: its length in UTF-8 once unescaped, and its size as
// written, quotes included; 0 when it does not end.
func stringLength(b []byte) (length int64, size int) {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '"':
			return length, i + 1
		case '\\':
			if i++; i < len(b) && b[i] == 'u' {
				length += escapedLength(b[i+1:])
				i += 4
				continue
			}
			length++
		default:
			length++
		}
	}
	return 0, 0
}

// escapedLength is the UTF-8 length of \uXXXX, of which b holds the digits. Halves of surrogate pairs count two bytes
// each, which makes the four of the pair.
func escapedLength(b []byte) int64 {
	switch {
	case len(b) < 4:
		return 0
	case b[0]|0x20 == 'd' && b[1] >= '8':
		return 2
	case b[0] != '0' || b[1] >= '8': // all digits and letters from 8 to f are above '8' in ASCII, too
		return 3
	case b[1] != '0' || b[2] >= '8':
		return 2
	}
	return 1
}
