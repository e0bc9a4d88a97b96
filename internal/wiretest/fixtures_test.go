package wiretest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The fixtures say the same in every dialect: a request with all that most of them have, and a response.

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fixtureAsk reads the request of an endpoint.
func fixtureAsk(t *testing.T, endpoint string) *Ask {
	t.Helper()
	return ReadAsk(endpoint, true, fixture(t, "asks/"+endpoint+".json"))
}

// poorer is the request less what an endpoint has no word for at all: there are no documents for Cohere and Ollama.
func (a *Ask) poorer(endpoint string) *Ask {
	if endpoint != Cohere && endpoint != Ollama {
		return a
	}
	out := *a
	out.Turns = nil
	for _, t := range a.Turns {
		out.say(t.Role, slices.DeleteFunc(slices.Clone(t.Parts), func(p Part) bool { return p.Kind == kindDocument })...)
	}
	return &out
}

// fixtureFrames are the frames of an endpoint's stream, and their content type.
func fixtureFrames(t *testing.T, endpoint string) (frames []string, contentType string) {
	t.Helper()
	doc := string(fixture(t, "replies/"+endpoint+".stream"))
	switch endpoint {
	case Converse:
		for line := range strings.Lines(doc) {
			name, payload, _ := strings.Cut(strings.TrimSpace(line), " ")
			frames = append(frames, string(binaryFrame("event", name, payload)))
		}
		return frames, "application/vnd.amazon.eventstream"
	case Ollama:
		return slices.Collect(strings.Lines(doc)), "application/x-ndjson"
	case Gemini:
		return slices.DeleteFunc(strings.SplitAfter(doc, "\r\n\r\n"), func(s string) bool { return s == "" }), "text/event-stream"
	}
	return slices.DeleteFunc(strings.SplitAfter(doc, "\n\n"), func(s string) bool { return s == "" }), "text/event-stream"
}

// fixtureReply reads the response of an endpoint.
func fixtureReply(t *testing.T, endpoint string, stream bool) *Reply {
	t.Helper()
	if stream {
		frames, contentType := fixtureFrames(t, endpoint)
		return ReadReply(endpoint, 200, contentType, []byte(strings.Join(frames, "")))
	}
	return ReadReply(endpoint, 200, "application/json", fixture(t, "replies/"+endpoint+".json"))
}

// binaryFrame writes a frame of AWS's event stream.
func binaryFrame(kind, name, payload string) []byte {
	var headers bytes.Buffer
	for _, h := range [][2]string{{":message-type", kind}, {":" + kind + "-type", name}, {":content-type", "application/json"}} {
		headers.WriteByte(byte(len(h[0])))
		headers.WriteString(h[0])
		headers.WriteByte(stringHeader)
		headers.Write(binary.BigEndian.AppendUint16(nil, uint16(len(h[1]))))
		headers.WriteString(h[1])
	}
	total := preludeSize + headers.Len() + len(payload) + checksumSize
	b := binary.BigEndian.AppendUint32(nil, uint32(total))
	b = binary.BigEndian.AppendUint32(b, uint32(headers.Len()))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(append(b, headers.Bytes()...), payload...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// mutation is a document with one thing changed, and where: indices of arrays are written as *.
type mutation struct {
	where string
	doc   []byte
}

// mutations changes every leaf of a document in turn, and then leaves out every member and element.
func mutations(t *testing.T, doc []byte) (out []mutation) {
	t.Helper()
	root, err := parse(doc)
	if err != nil {
		t.Fatal(err)
	}
	add := func(where, how string) {
		b, err := json.Marshal(root.value)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, mutation{strings.TrimPrefix(where, ".") + how, b})
	}
	var walk func(where string, v any, set func(any))
	walk = func(where string, v any, set func(any)) {
		switch v := v.(type) {
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(v)) {
				before := v[k]
				walk(where+"."+k, before, func(x any) { v[k] = x })
				delete(v, k)
				add(where+"."+k, " left out")
				v[k] = before
			}
		case []any:
			for i, item := range v {
				walk(where+".*", item, func(x any) { v[i] = x })
				set(slices.Delete(slices.Clone(v), i, i+1))
				add(where+".*", " left out")
				set(v)
			}
		case string:
			set(v + "x")
			add(where, " changed")
			set(v)
		case json.Number:
			set(json.Number("7" + string(v)))
			add(where, " changed")
			set(v)
		case bool:
			set(!v)
			add(where, " changed")
			set(v)
		}
	}
	walk("", root.value, func(any) {})
	return out
}
