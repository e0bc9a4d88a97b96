package jsonedit

import "math"

// Raw is the value as it stands in the document.
func (m Member) Raw(doc []byte) []byte { return doc[m.Start:m.End:m.End] }

// IsNull reports whether the value is null.
func (m Member) IsNull(doc []byte) bool { return doc[m.Start] == 'n' }

// Bool is the value of true and false.
func (m Member) Bool(doc []byte) (v, ok bool) {
	c := doc[m.Start]
	return c == 't', c == 't' || c == 'f'
}

// String is the text of a string value. It is a view of the document when the string has no escapes. A \u escape that
// is half of a surrogate pair becomes U+FFFD.
func (m Member) String(doc []byte) (s string, ok bool) {
	if doc[m.Start] != '"' {
		return "", false
	}
	return text(doc[m.Start+1 : m.End-1]), true
}

// Int is the value of a number that is integral and in the range of int64, however it is written: 1000, 1000.0 and 1e3
// are the same. It never goes through floating point.
func (m Member) Int(doc []byte) (n int64, ok bool) {
	raw := doc[m.Start:m.End]
	negative := raw[0] == '-'
	if negative {
		raw = raw[1:]
	}
	if !isDigit(raw[0]) {
		return 0, false
	}
	mantissa, scale := splitExponent(raw)
	var (
		digits uint64 // the digits up to the last one that is not zero
		zeros  int    // how many zeros came after that
		point  bool
	)
	for _, c := range mantissa {
		if c == '.' {
			point = true
			continue
		}
		if point {
			scale--
		}
		if c == '0' {
			zeros++
			continue
		}
		if digits, ok = timesPowerOf10(digits, zeros+1); !ok {
			return 0, false
		}
		digits, zeros = digits+uint64(c-'0'), 0
	}
	if digits == 0 {
		return 0, true
	}
	if scale += zeros; scale < 0 {
		return 0, false // the last digit that is not zero stands behind the point
	}
	if digits, ok = timesPowerOf10(digits, scale); !ok {
		return 0, false
	}
	if negative {
		return -int64(digits), digits <= 1<<63
	}
	return int64(digits), digits <= math.MaxInt64
}

// splitExponent splits a number without sign into mantissa and exponent. An exponent beyond 2^30 stays there: it is
// too large for any document that fits into memory.
func splitExponent(number []byte) (mantissa []byte, exponent int) {
	k := 0
	for k < len(number) && number[k]|0x20 != 'e' {
		k++
	}
	if k == len(number) {
		return number, 0
	}
	negative := number[k+1] == '-'
	for _, c := range number[k+1:] {
		if isDigit(c) && exponent < 1<<30 {
			exponent = min(exponent*10+int(c-'0'), 1<<30)
		}
	}
	if negative {
		exponent = -exponent
	}
	return number[:k], exponent
}

// timesPowerOf10 is n times the given power of ten, if that is at most 2^63.
func timesPowerOf10(n uint64, power int) (uint64, bool) {
	if n == 0 {
		return 0, true
	}
	for ; power > 0; power-- {
		if n > 1<<63/10 {
			return 0, false
		}
		n *= 10
	}
	return n, true
}
