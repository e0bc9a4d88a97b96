package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A segment is a file of fixed size that was full of zeros when it was made. It begins with a header of one unit, and what
// follows is regions, each of whole units, in the order they were asked for. A place whose writing never began or was torn is
// stepped over unit by unit.
const (
	unit         = 64
	headerSize   = 48 // of a region
	outcomeSize  = 16 // of the header of an outcome
	doneOffset   = 40 // within the header of a region
	sectorSize   = 512
	segmentMagic = "llmgwjnl"
	// segmentVersion changes with the layout of segments. The header of a segment stays as it is, so that every version can say
	// that it is too old.
	segmentVersion = 1

	regionMagic  uint32 = 0x4c4a5247
	outcomeMagic uint32 = 0x4c4a4f43
	doneMark     uint64 = 0x656e6f64_656e6f64

	kindIntent byte = 1 // an intent, with room for its outcome
	kindRecord byte = 2 // an outcome whose intent is in another region, or that never had one

	// flagMoved says of a record that there is an intent with its attempt ID in another region.
	flagMoved byte = 1

	// spareRoom is what an outcome may be longer than its intent, which has no answered model, no request ID of the provider, no
	// error class and less usage.
	spareRoom = 192
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	order      = binary.LittleEndian

	errSegment = errors.New("its header is damaged")
)

// align rounds up to whole units.
func align(n int) int { return (n + unit - 1) &^ (unit - 1) }

// outcomeOffset is where the outcome of a region begins whose intent has n bytes.
func outcomeOffset(n int) int { return (headerSize + n + 7) &^ 7 }

// region is what the header of a region says.
type region struct {
	kind, flags byte
	size        int // all of it, in bytes
	length      int // of the payload
	done        bool
}

// room is the longest outcome that an intent of n bytes leaves space for in a region.
func (r *region) room() int { return r.size - outcomeOffset(r.length) - outcomeSize }

// sealRegion writes the header of a region before its payload, for which the first [headerSize] bytes of b were left free.
func sealRegion(b []byte, segment uint64, offset int64, size int, kind, flags byte) {
	payload := b[headerSize:]
	order.PutUint32(b[0:], regionMagic)
	b[4], b[5], b[6], b[7] = kind, flags, 0, 0
	order.PutUint64(b[8:], segment)
	order.PutUint32(b[16:], uint32(offset))
	order.PutUint32(b[20:], uint32(size))
	order.PutUint32(b[24:], uint32(len(payload)))
	order.PutUint32(b[28:], crc32.Checksum(payload, castagnoli))
	order.PutUint32(b[32:], crc32.Checksum(b[:32], castagnoli))
	order.PutUint32(b[36:], 0)
	order.PutUint64(b[doneOffset:], 0)
}

// parseRegion reads the header at the beginning of b, which belongs at an offset of a segment. It fails for anything
// else.
func parseRegion(b []byte, segment uint64, offset, limit int64) (r region, ok bool) {
	if len(b) < headerSize || order.Uint32(b) != regionMagic ||
		order.Uint32(b[32:]) != crc32.Checksum(b[:32], castagnoli) ||
		order.Uint64(b[8:]) != segment || int64(order.Uint32(b[16:])) != offset {
		return r, false
	}
	r = region{
		kind: b[4], flags: b[5],
		size: int(order.Uint32(b[20:])), length: int(order.Uint32(b[24:])),
		done: order.Uint64(b[doneOffset:]) == doneMark,
	}
	ok = r.size > 0 && r.size%unit == 0 && offset+int64(r.size) <= limit && headerSize+r.length <= r.size
	return r, ok
}

// payload is the intent or record of a region with its header, or nil.
func (r *region) payload(b []byte, offset int64) ([]byte, state) {
	p := b[headerSize : headerSize+r.length]
	if crc32.Checksum(p, castagnoli) != order.Uint32(b[28:]) {
		return nil, broken(b[:headerSize+r.length], offset)
	}
	return p, whole
}

// sealOutcome writes the header of an outcome before its record, for which the first [outcomeSize] bytes of b were left
// free.
func sealOutcome(b []byte) {
	order.PutUint32(b[0:], outcomeMagic)
	order.PutUint32(b[4:], uint32(len(b)-outcomeSize))
	order.PutUint32(b[8:], crc32.Checksum(b[outcomeSize:], castagnoli))
	order.PutUint32(b[12:], crc32.Checksum(b[:12], castagnoli))
}

// outcome is the record of the outcome in an intent's region b. Without one it is nil, and state says why.
func (r *region) outcome(b []byte, offset int64) (record []byte, state state) {
	at := outcomeOffset(r.length)
	if r.size-at < outcomeSize {
		return nil, whole
	}
	b, offset = b[at:r.size], offset+int64(at)
	if isZero(b) {
		return nil, whole
	}
	n := int(order.Uint32(b[4:]))
	if order.Uint32(b) != outcomeMagic || order.Uint32(b[12:]) != crc32.Checksum(b[:12], castagnoli) || n > len(b)-outcomeSize {
		return nil, broken(b[:outcomeSize], offset)
	}
	record = b[outcomeSize : outcomeSize+n]
	if crc32.Checksum(record, castagnoli) != order.Uint32(b[8:]) {
		return nil, broken(b[:outcomeSize+n], offset)
	}
	return record, whole
}

// segmentHeader is the first unit of a segment.
func segmentHeader(id uint64, size int64) []byte {
	b := make([]byte, unit)
	copy(b, segmentMagic)
	order.PutUint32(b[8:], segmentVersion)
	order.PutUint64(b[16:], id)
	order.PutUint64(b[24:], uint64(size))
	order.PutUint32(b[unit-4:], crc32.Checksum(b[:unit-4], castagnoli))
	return b
}

// parseSegment reads the first unit of a segment.
func parseSegment(b []byte) (id uint64, size int64, err error) {
	if len(b) < unit || string(b[:8]) != segmentMagic ||
		order.Uint32(b[unit-4:]) != crc32.Checksum(b[:unit-4], castagnoli) {
		return 0, 0, errSegment
	}
	if v := order.Uint32(b[8:]); v != segmentVersion {
		return 0, 0, fmt.Errorf("segment format %d: %w", v, errVersion)
	}
	return order.Uint64(b[16:]), int64(order.Uint64(b[24:])), nil
}

func isZero(b []byte) bool {
	return len(b) == 0 || b[0] == 0 && bytes.Equal(b[:len(b)-1], b[1:])
}

// state is what became of something that was written.
type state int

const (
	whole   state = iota
	torn          // it was never whole
	damaged       // it was whole once, or so it seems
)

// broken says what is the matter with something that begins at an offset of its file and cannot be read. Disks write whole
// sectors, so a write that a loss of power cut short left some sector as it was before: zero. If none is, something has damaged
// it later.
func broken(b []byte, offset int64) state {
	for len(b) > 0 {
		n := min(int(sectorSize-offset%sectorSize), len(b))
		if isZero(b[:n]) {
			return torn
		}
		b, offset = b[n:], offset+int64(n)
	}
	return damaged
}
