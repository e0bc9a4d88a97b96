package wiretest

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
)

// frame is one event of a stream. Its name is the event field of a server-sent event or the type of an AWS frame.
type frame struct{ name, data string }

// isStream tells the content types of streams.
func isStream(contentType string) bool {
	for _, word := range []string{"event-stream", "eventstream", "ndjson", "stream+json"} {
		if strings.Contains(contentType, word) {
			return true
		}
	}
	return false
}

// split cuts a stream into its frames and says what is wrong with the framing.
func split(contentType string, body []byte) (frames []frame, breaches []string) {
	switch {
	case strings.Contains(contentType, "vnd.amazon.eventstream"):
		frames, err := splitBinary(body)
		if err != nil {
			return frames, []string{err.Error()}
		}
		return frames, nil
	case strings.Contains(contentType, "ndjson"), strings.Contains(contentType, "stream+json"):
		return splitLines(string(body))
	}
	return splitEvents(string(body))
}

// splitEvents reads server-sent events as the HTML standard has it.
func splitEvents(body string) (frames []frame, breaches []string) {
	body = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimPrefix(body, "\ufeff"))
	var (
		name string
		data []string
	)
	lines := strings.Split(body, "\n")
	if rest := lines[len(lines)-1]; rest != "" {
		breaches = append(breaches, "the stream ends inside of a line")
	}
	for _, line := range lines[:len(lines)-1] {
		if line == "" {
			if data != nil {
				frames = append(frames, frame{name, strings.Join(data, "\n")})
			}
			name, data = "", nil
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "", "id", "retry": // comments, and fields about reconnecting
		case "event":
			name = value
		case "data":
			data = append(data, value)
		default:
			breaches = append(breaches, fmt.Sprintf("field %q in the event stream", field))
		}
	}
	if data != nil {
		breaches = append(breaches, "the stream ends inside of an event")
	}
	return frames, breaches
}

func splitLines(body string) (frames []frame, breaches []string) {
	if body != "" && !strings.HasSuffix(body, "\n") {
		breaches = append(breaches, "the stream ends inside of a line")
	}
	for line := range strings.SplitSeq(body, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			frames = append(frames, frame{"", line})
		}
	}
	return frames, breaches
}

// Sizes of the parts of a frame of AWS's event stream: two lengths and their checksum, then headers and payload, then
// the checksum of everything before.
const (
	preludeSize  = 12
	checksumSize = 4
)

func splitBinary(body []byte) (frames []frame, err error) {
	for number := 0; len(body) > 0; number++ {
		if len(body) < preludeSize+checksumSize {
			return frames, fmt.Errorf("frame %d: only %d bytes", number, len(body))
		}
		total, headers := binary.BigEndian.Uint32(body), binary.BigEndian.Uint32(body[4:])
		if crc32.ChecksumIEEE(body[:8]) != binary.BigEndian.Uint32(body[8:]) {
			return frames, fmt.Errorf("frame %d: wrong checksum of the lengths", number)
		}
		if uint64(total) > uint64(len(body)) || uint64(headers)+preludeSize+checksumSize > uint64(total) {
			return frames, fmt.Errorf("frame %d: %d bytes and %d of headers in %d", number, total, headers, len(body))
		}
		end := total - checksumSize
		if crc32.ChecksumIEEE(body[:end]) != binary.BigEndian.Uint32(body[end:]) {
			return frames, fmt.Errorf("frame %d: wrong checksum", number)
		}
		named, err := binaryHeaders(body[preludeSize : preludeSize+headers])
		if err != nil {
			return frames, fmt.Errorf("frame %d: %w", number, err)
		}
		name := named[":event-type"]
		if named[":message-type"] == "exception" {
			name = named[":exception-type"]
		}
		frames = append(frames, frame{name, string(body[preludeSize+headers : end])})
		body = body[total:]
	}
	return frames, nil
}

// stringHeader is the only type of header that model APIs send.
const stringHeader = 7

func binaryHeaders(b []byte) (map[string]string, error) {
	out := map[string]string{}
	for len(b) > 0 {
		n := int(b[0])
		if len(b) < 1+n+3 {
			return nil, fmt.Errorf("a header of %d bytes in %d", n, len(b))
		}
		name := string(b[1 : 1+n])
		if b[1+n] != stringHeader {
			return nil, fmt.Errorf("header %s has type %d", name, b[1+n])
		}
		size := int(binary.BigEndian.Uint16(b[2+n:]))
		if b = b[4+n:]; len(b) < size {
			return nil, fmt.Errorf("header %s has %d bytes of %d", name, len(b), size)
		}
		out[name], b = string(b[:size]), b[size:]
	}
	return out, nil
}
