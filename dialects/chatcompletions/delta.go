package chatcompletions

import "bytes"

// An unescaped `"name":` cannot stand inside of a JSON string, where its quotes would be escaped. So these patterns
// find members only, never text that talks about them.
var (
	usageKey  = []byte(`"usage":`)
	finishKey = []byte(`"finish_reason":`)
	errorKey  = []byte(`"error":`)
	deltaKey  = []byte(`"delta":{`)
	quoteKey  = []byte(`":`)
)

// plainDelta recognizes the chunks that streams consist of: one choice with a delta of nothing but strings, and no
// usage, error or finish reason. It returns how many bytes of output the delta holds. Of all other chunks it returns
// false; they are parsed in full. It is there because a full parse costs four times as much.
func plainDelta(data []byte) (n int64, ok bool) {
	i := bytes.Index(data, deltaKey)
	if i < 0 {
		return 0, false
	}
	head, rest := data[:i], data[i+len(deltaKey):]
	n, used, ok := deltaStrings(rest)
	if !ok {
		return 0, false
	}
	tail := rest[used:]
	if bytes.Contains(tail, deltaKey[:8]) {
		return 0, false
	}
	for _, part := range [...][]byte{head, tail} {
		if !nullOrAbsent(part, usageKey) || !nullOrAbsent(part, finishKey) || !nullOrAbsent(part, errorKey) {
			return 0, false
		}
	}
	return n, true
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
		end := bytes.Index(b[i+1:], quoteKey)
		if end < 0 {
			return 0, 0, false
		}
		key := b[i+1 : i+1+end]
		i += end + 3
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
