package jsonedit

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// Eight bytes are looked at together in one 64-bit word ("SIMD within a register"). The tests for a byte equal to,
// or less than, a constant are those of Bit Twiddling Hacks by Sean Eron Anderson
// (https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord).
const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
	spaces   = ' ' * lowBits
)

// special marks, with its high bit, the first byte of w that cannot simply be skipped inside a JSON string: a quote, a
// backslash, a control character, or a byte of a multi-byte UTF-8 sequence. Marks above the first one may be false,
// since a subtraction borrows from the next byte where it hits.
//
// Flipping bit 1 swaps the quote (0x22) with the space (0x20) and leaves the control characters below both, so that
// one comparison with 0x21 finds them all.
func special(w uint64) uint64 {
	return (((w ^ 0x02*lowBits) - 0x21*lowBits) | ((w ^ '\\'*lowBits) - lowBits) | w) & highBits
}

// textEnd marks, in the same way, the first byte of w that is a quote or a backslash. Bytes from 0x80 on, which are less
// than any constant when their high bit is taken for a borrow, are left out.
func textEnd(w uint64) uint64 {
	return (((w ^ '"'*lowBits) - lowBits) | ((w ^ '\\'*lowBits) - lowBits)) &^ w & highBits
}

// notDigit marks, in the same way, the first byte of w that is not a decimal digit. Flipping the bits of '0' makes the
// digits 0 to 9, and leaves all else at 10 or more.
func notDigit(w uint64) uint64 {
	w ^= '0' * lowBits
	return (w | (w + (0x80-10)*lowBits)) & highBits
}

// firstByte is the index of the first marked byte of a non-zero mask.
func firstByte(mask uint64) int { return bits.TrailingZeros64(mask) >> 3 }

// load64 reads doc[i:i+8]; the caller has checked that 0 <= i <= len(doc)-8. The compiler cannot prove the check
// because i takes data-dependent steps, and the bounds check it would add is a third of the work of a step.
func load64(doc []byte, i int) uint64 {
	return binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(doc)), i))[:])
}

// store64 writes w to dst[i:i+8]; the caller has checked that 0 <= i <= len(dst)-8.
func store64(dst []byte, i int, w uint64) {
	binary.LittleEndian.PutUint64((*[8]byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(dst)), i))[:], w)
}

// load32 reads doc[i:i+4], or as many bytes as there are and zeros for the others.
func load32(doc []byte, i int) uint32 {
	if tail := doc[i:]; len(tail) >= 4 {
		return binary.LittleEndian.Uint32(tail)
	}
	var w uint32
	for k, c := range doc[i:] {
		w |= uint32(c) << (8 * k)
	}
	return w
}

// runeLen is the length of the multi-byte UTF-8 sequence at doc[i], or 0 when it is not a valid one: a stray
// continuation byte, a sequence that is cut short or longer than need be, a surrogate, or beyond U+10FFFF
// (table 3-7 of the Unicode standard).
func runeLen(doc []byte, i int) int {
	w := load32(doc, i)
	switch {
	case isThreeBytes(w):
		return 3
	case w&0xC0E0 == 0x80C0:
		if w&0x1E == 0 {
			return 0
		}
		return 2
	case w&0xC0C0C0F8 == 0x808080F0:
		lead, second := w&7, w>>8&0x30
		if lead == 0 && second == 0 || lead == 4 && second != 0 || lead > 4 {
			return 0
		}
		return 4
	}
	return 0
}

// isThreeBytes reports whether w, of which the lowest byte comes first, begins with a valid sequence of three bytes. The
// bit 0x20 of the second byte must be set after E0, or the form is overlong, and clear after ED, or it is a surrogate.
func isThreeBytes(w uint32) bool {
	p := w & 0x200F
	return w&0x00C0C0F0 == 0x008080E0 && p != 0 && p != 0x200D
}
