package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
)

// codecVersion is the first byte of every record. It goes up with every change of the layout, and decoders keep reading
// the older ones.
const codecVersion = 1

var (
	errRecord  = errors.New("the record is damaged")
	errVersion = errors.New("it was written by a newer version of this program")
)

// The flags of a record.
const (
	flagUsageInvalid = 1 << iota
	flagRecovered
	flagPriced
	flagStream
)

// usageClasses is the number of counters of [accounting.Usage].
const usageClasses = 14

// usageFields lists the counters of u in the order of their bits in a record.
func usageFields(u *accounting.Usage) [usageClasses]*int64 {
	return [...]*int64{
		&u.Input, &u.CacheRead, &u.CacheWrite, &u.CacheWrite1h, &u.InputAudio, &u.InputImage, &u.InputVideo,
		&u.CacheReadAudio, &u.CacheReadImage, &u.Output, &u.Reasoning, &u.OutputAudio, &u.OutputImage, &u.WebSearches,
	}
}

// appendEntry appends the record of an entry: a version, flags, numbers as varints, texts with their lengths. Only counters
// that are not zero take room.
func appendEntry(dst []byte, e *accounting.Entry) []byte {
	dst = append(dst, codecVersion, flags(e), byte(e.Certainty))
	dst = binary.AppendVarint(dst, int64(e.Attempt))
	dst = binary.AppendVarint(dst, e.Time.Unix())
	dst = binary.AppendUvarint(dst, uint64(e.Time.Nanosecond()))
	dst = appendUsage(dst, &e.Usage)
	for _, n := range [...]int64{
		int64(e.Cost), int64(e.AtRisk), int64(e.Status), int64(e.Latency), int64(e.TimeToFirstToken),
	} {
		dst = binary.AppendVarint(dst, n)
	}
	for _, s := range [...]*string{
		&e.AttemptID, &e.RequestID, &e.Key, &e.User, &e.Team, &e.Provider, &e.Dialect, &e.Model, &e.UpstreamModel,
		&e.AnsweredModel, &e.ProviderRequestID, &e.Tier, &e.PriceVersion, &e.ErrorClass,
	} {
		dst = appendText(dst, *s)
	}
	dst = binary.AppendUvarint(dst, uint64(len(e.Tags)))
	for name, value := range e.Tags {
		dst = appendText(appendText(dst, name), value)
	}
	return dst
}

func flags(e *accounting.Entry) (f byte) {
	if e.UsageInvalid {
		f |= flagUsageInvalid
	}
	if e.Recovered {
		f |= flagRecovered
	}
	if e.Priced {
		f |= flagPriced
	}
	if e.Stream {
		f |= flagStream
	}
	return f
}

func appendUsage(dst []byte, u *accounting.Usage) []byte {
	fields := usageFields(u)
	var present uint64
	for i, n := range fields {
		if *n != 0 {
			present |= 1 << i
		}
	}
	dst = binary.AppendUvarint(dst, present)
	for _, n := range fields {
		if *n != 0 {
			dst = binary.AppendVarint(dst, *n)
		}
	}
	return dst
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// decodeEntry reads a record. All texts of the entry are parts of one copy of it.
func decodeEntry(record []byte) (e accounting.Entry, err error) {
	if len(record) < 3 {
		return e, errRecord
	}
	if v := record[0]; v > codecVersion {
		return e, fmt.Errorf("record format %d: %w", v, errVersion)
	} else if v == 0 || record[2] > byte(accounting.Void) {
		return e, errRecord
	}
	f := record[1]
	e.UsageInvalid, e.Recovered = f&flagUsageInvalid != 0, f&flagRecovered != 0
	e.Priced, e.Stream = f&flagPriced != 0, f&flagStream != 0
	e.Certainty = accounting.Certainty(record[2])

	d := decoder{rest: record[3:], text: string(record[3:])}
	e.Attempt = int(d.varint())
	seconds := d.varint()
	e.Time = time.Unix(seconds, int64(d.uvarint())).UTC()
	present := d.uvarint()
	for i, n := range usageFields(&e.Usage) {
		if present&(1<<i) != 0 {
			*n = d.varint()
		}
	}
	e.Cost, e.AtRisk = accounting.Money(d.varint()), accounting.Money(d.varint())
	e.Status = int(d.varint())
	e.Latency, e.TimeToFirstToken = time.Duration(d.varint()), time.Duration(d.varint())
	for _, s := range [...]*string{
		&e.AttemptID, &e.RequestID, &e.Key, &e.User, &e.Team, &e.Provider, &e.Dialect, &e.Model, &e.UpstreamModel,
		&e.AnsweredModel, &e.ProviderRequestID, &e.Tier, &e.PriceVersion, &e.ErrorClass,
	} {
		*s = d.string()
	}
	e.Tags = d.tags()
	if d.bad {
		return accounting.Entry{}, errRecord
	}
	return e, nil
}

// decoder reads values off the front of a record. After the first that is not there it only returns zeros.
type decoder struct {
	rest []byte
	text string // the same, as it was at the beginning
	bad  bool
}

func (d *decoder) varint() int64 {
	n, size := binary.Varint(d.rest)
	return int64(d.skip(uint64(n), size))
}

func (d *decoder) uvarint() uint64 {
	n, size := binary.Uvarint(d.rest)
	return d.skip(n, size)
}

func (d *decoder) skip(n uint64, size int) uint64 {
	if size <= 0 || d.bad {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *decoder) string() string {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.bad, d.rest = true, nil
		return ""
	}
	from := len(d.text) - len(d.rest)
	d.rest = d.rest[n:]
	return d.text[from : from+int(n)]
}

func (d *decoder) tags() map[string]string {
	n := d.uvarint()
	if n == 0 || n > uint64(len(d.rest)) {
		d.bad = d.bad || n > 0
		return nil
	}
	tags := make(map[string]string, n)
	for range n {
		name := d.string()
		tags[name] = d.string()
	}
	return tags
}
