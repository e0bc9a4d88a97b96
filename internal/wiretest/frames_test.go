package wiretest

import (
	"fmt"
	"strings"
	"testing"
)

func TestStreamsAreSplit(t *testing.T) {
	for name, tc := range map[string]struct{ contentType, body, want string }{
		"events": {
			"text/event-stream; charset=utf-8", "\ufeffevent: a\r\ndata: 1\r\n\r\n: comment\n\ndata:2\ndata: 3\nid: 7\n\nevent: empty\n\ndata: 4\r\rdata: 5\n\n",
			`[{a 1} { 2|3} { 4} { 5}] []`,
		},
		"an event without its end":           {"text/event-stream", "data: 1\n\ndata: 2\n", `[{ 1}] [the stream ends inside of an event]`},
		"a line of an event without its end": {"text/event-stream", "data: 1\n\ndata: 2", `[{ 1}] [the stream ends inside of a line]`},
		"a field that is none":               {"text/event-stream", "date: 1\n\ndata: 2\n\n", `[{ 2}] [field "date" in the event stream]`},
		"lines":                              {"application/x-ndjson", "{\"a\":1}\r\n\n{\"b\":2}\n", `[{ {"a":1}} { {"b":2}}] []`},
		"a line without its end":             {"application/stream+json", "1\n2", `[{ 1} { 2}] [the stream ends inside of a line]`},
		"frames": {
			"application/vnd.amazon.eventstream", string(binaryFrame("event", "messageStop", "{}")) + string(binaryFrame("exception", "throttlingException", `{"message":"x"}`)),
			`[{messageStop {}} {throttlingException {"message":"x"}}] []`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			frames, breaches := split(tc.contentType, []byte(tc.body))
			if got := strings.ReplaceAll(fmt.Sprint(frames, breaches), "\n", "|"); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

func TestEveryDamageToABinaryFrameIsFound(t *testing.T) {
	frame := binaryFrame("event", "messageStop", `{"stopReason":"end_turn"}`)
	for i := range frame {
		broken := append([]byte{}, frame...)
		broken[i] ^= 1
		if _, err := splitBinary(broken); err == nil {
			t.Errorf("byte %d of %d may be anything", i, len(frame))
		}
		if _, err := splitBinary(frame[:i]); err == nil && i > 0 {
			t.Errorf("%d of %d bytes are enough", i, len(frame))
		}
	}
}

func TestHeadersOfOtherTypesAreNotTaken(t *testing.T) {
	for name, headers := range map[string][]byte{
		"a number":           {1, 'n', 4, 0, 0, 0, 1},
		"a name cut off":     {9, 'n'},
		"a value cut off":    {1, 'n', stringHeader, 0, 9, 'v'},
		"nothing but a name": {1, 'n', stringHeader},
	} {
		if got, err := binaryHeaders(headers); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}
