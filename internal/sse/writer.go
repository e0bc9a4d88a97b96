package sse

import "bytes"

// AppendData appends an event without a name. Data of several lines, however they end, becomes as many data fields; a
// reader joins them with line feeds.
func AppendData(dst, data []byte) []byte {
	dst = append(dst, "data: "...)
	if bytes.IndexByte(data, '\n') < 0 && bytes.IndexByte(data, '\r') < 0 {
		dst = append(dst, data...)
		return append(dst, "\n\n"...)
	}
	for i, c := range data {
		switch {
		case c == '\r' && i+1 < len(data) && data[i+1] == '\n':
			// The LF ends the line.
		case c == '\n' || c == '\r':
			dst = append(dst, "\ndata: "...)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, "\n\n"...)
}

// AppendEvent appends an event with a name; an empty name is left out. A name has one line: the rest of it would be
// read as other fields and is cut off.
func AppendEvent(dst []byte, name string, data []byte) []byte {
	if name != "" {
		dst = append(dst, "event: "...)
		dst = append(dst, firstLine(name)...)
		dst = append(dst, '\n')
	}
	return AppendData(dst, data)
}

// AppendComment appends a comment of one line, which clients ignore, and ends the frame. A second line would not be a
// comment and is cut off.
func AppendComment(dst []byte, text string) []byte {
	dst = append(dst, ": "...)
	dst = append(dst, firstLine(text)...)
	return append(dst, "\n\n"...)
}

func firstLine(s string) string {
	for i := range len(s) {
		if s[i] == '\n' || s[i] == '\r' {
			return s[:i]
		}
	}
	return s
}
