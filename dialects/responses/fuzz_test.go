package responses

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

func FuzzMeter(f *testing.F) {
	for _, s := range meterStreams {
		f.Add([]byte(s.stream))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		m := Codec{}.NewMeter()
		defer m.Release()
		var all dialects.Signal
		eachFrame(t, bytes.NewReader(stream), func(ev sse.Event) { all |= m.Event(ev) })
		all |= m.Body(stream)
		o := m.Observation()
		for _, n := range []int64{o.Usage.Input, o.Usage.CacheRead, o.Usage.CacheWrite, o.Usage.Output, o.Usage.Reasoning, o.Usage.WebSearches, o.OutputBytes} {
			if n < 0 {
				t.Fatalf("a negative count in %+v", o)
			}
		}
		if all&dialects.SignalError != 0 && m.Err() == nil {
			t.Fatal("an error was signalled, and there is none")
		}
	})
}

// FuzzEachMember compares the scanner with gjson on valid documents; on others it must only come to an end.
func FuzzEachMember(f *testing.F) {
	f.Add([]byte(`{"a":"\\\"","b":[{"c":"}"}], "d" : -1e3 ,"e":null}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		var got []string
		eachMember(string(doc), func(key, raw string) bool {
			got = append(got, key, raw)
			return true
		})
		if !json.Valid(doc) {
			return
		}
		var want []string
		if r := gjson.ParseBytes(doc); r.IsObject() {
			r.ForEach(func(key, v gjson.Result) bool {
				want = append(want, key.Raw[1:len(key.Raw)-1], v.Raw)
				return true
			})
		}
		if len(got) != len(want) {
			t.Fatalf("got %q, want %q", got, want)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("got %q, want %q", got[i], want[i])
			}
		}
	})
}

// FuzzTextLen compares lengths with what encoding/json makes of the string: the same, but for halves of surrogate pairs
// that stand alone.
func FuzzTextLen(f *testing.F) {
	f.Add(`a\n\u00e9\\\"\ud83d\ude00\ud83d`)
	f.Fuzz(func(t *testing.T, inner string) {
		raw := `"` + inner + `"`
		n := textLen(raw)
		if n < 0 || n > int64(len(raw)) {
			t.Fatalf("%d for %q", n, raw)
		}
		var s string
		if !utf8.ValidString(raw) || json.Unmarshal([]byte(raw), &s) != nil {
			return
		}
		if lack := int64(len(s)) - n; lack < 0 || lack > int64(strings.Count(s, "\uFFFD")) {
			t.Fatalf("%d for %q, which has %d bytes", n, raw, len(s))
		}
	})
}
