package jsonedit

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestAppendStringEscapesWhatJSONDemandsAndNothingElse(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"nothing", "", `""`},
		{"plain text", "order <b>&</b> / it's", `"order <b>&</b> / it's"`},
		{"quotes and backslashes", `a"b\c`, `"a\"b\\c"`},
		{"line ends and tabs", "a\nb\r\tc", `"a\nb\r\tc"`},
		{"other control characters", "\x00\x1f\x08\x7f", "\"\\u0000\\u001f\\u0008\x7f\""},
		{"text beyond ASCII", "é日本😀\u2028\uFFFD", "\"é日本😀\u2028\uFFFD\""},
		{"stray bytes", "a\x80\xFFb", "\"a\uFFFD\uFFFDb\""},
		{"a sequence cut short", "日\xE6\x97", "\"日\uFFFD\uFFFD\""},
		{"a surrogate", "\xED\xA0\x80", "\"\uFFFD\uFFFD\uFFFD\""},
		{"overlong forms", "\xC0\xAF\xE0\x80\xAF", "\"\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\""},
		{"beyond Unicode", "\xF4\x90\x80\x80", "\"\uFFFD\uFFFD\uFFFD\uFFFD\""},
		{"a quote after eight bytes", `12345678"`, `"12345678\""`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(AppendString([]byte("x"), tt.in)); got != "x"+tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if got := string(AppendString(nil, json.RawMessage(tt.in))); got != tt.want {
				t.Errorf("of bytes: got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestAppendStringDoesNotAllocate(t *testing.T) {
	type name string
	text := strings.Repeat("é\n\"abc\xFF", 50)
	named, raw, dst := name(text), []byte(text), make([]byte, 0, 2000)
	if n := testing.AllocsPerRun(100, func() {
		dst = AppendString(dst[:0], text)
		dst = AppendString(dst[:0], named)
		dst = AppendString(dst[:0], raw)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// checkAppendString compares with the replacement that encoding/json makes of invalid UTF-8.
func checkAppendString(t *testing.T, s string) {
	t.Helper()
	literal := AppendString(nil, s)
	var got string
	if err := json.Unmarshal(literal, &got); err != nil {
		t.Fatalf("%q became %s: %v", s, literal, err)
	}
	want := strings.Map(func(r rune) rune { return r }, s) // each invalid byte becomes U+FFFD
	if got != want {
		t.Fatalf("%q came back as %q", s, got)
	}
	doc := append(append([]byte(`{"v":`), literal...), '}')
	var o Object
	if err := Scan(doc, nil, Limits{}, &o); err != nil {
		t.Fatalf("%q became %s: %v", s, literal, err)
	}
	if text, _ := o.Members[0].String(doc); text != want {
		t.Fatalf("%q came back as %q", s, text)
	}
}

func TestAppendStringTakesAnyTwoBytes(t *testing.T) {
	for i := range 1 << 16 {
		two := string([]byte{byte(i >> 8), byte(i)})
		checkAppendString(t, two)
		checkAppendString(t, "\xE2"+two)
		checkAppendString(t, "\xF0\x9F"+two+"seven b")
	}
}
