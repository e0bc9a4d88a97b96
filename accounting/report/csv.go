package report

import (
	"strings"
	"unicode/utf8"
)

// AppendCell appends text as a cell of CSV (RFC 4180). Programs for spreadsheets take a cell that begins with one of = + - @, a
// tab or a line break for a formula, quoted or not, and formulas can call programs; users, models and tags are what clients say
// they are. So such a cell gets an apostrophe in front, which makes it text.
func AppendCell(dst []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	prefix := ""
	if formula(s) {
		prefix = "'"
	}
	if !strings.ContainsAny(s, ",\"\r\n\t; ") {
		return append(append(dst, prefix...), s...)
	}
	dst = append(append(dst, '"'), prefix...)
	for {
		i := strings.IndexByte(s, '"')
		if i < 0 {
			break
		}
		dst = append(append(dst, s[:i]...), `""`...)
		s = s[i+1:]
	}
	return append(append(dst, s...), '"')
}

// formula reports whether a spreadsheet may take text for a formula. Some pass over spaces in front, and some know the wide forms
// of the signs.
func formula(s string) bool {
	s = strings.TrimLeft(s, " \u00a0\u3000\ufeff\x00")
	if s == "" {
		return false
	}
	r, _ := utf8.DecodeRuneInString(s)
	return strings.ContainsRune("=+-@\t\r\n＝＋－＠", r)
}
