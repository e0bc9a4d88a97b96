package jsonedit

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestAppendTextReadsAsEncodingJSONDoes(t *testing.T) {
	dst := []byte("before ")
	for _, raw := range []string{
		`""`, `"a"`, `"plain text"`, `"\n"`, `"a\nb"`, `"\"quoted\" and \\"`, `"\u00fc\ud83d\ude00 x"`, `"ü \/ 日本"`,
		`"` + strings.Repeat(`ab\n`, 100) + `"`, `"` + strings.Repeat("long ", 100) + `\t"`,
	} {
		var want string
		if err := json.Unmarshal([]byte(raw), &want); err != nil {
			t.Fatal(err)
		}
		if got := string(AppendText(dst, raw)); got != "before "+want {
			t.Errorf("%s: got %q", raw, got)
		}
	}
	for _, raw := range []string{``, `"`, `1`, `null`, `{"a":"b"}`} {
		if got := string(AppendText(dst, raw)); got != "before " {
			t.Errorf("%s: got %q", raw, got)
		}
	}
}

func TestAppendTextDoesNotPanic(t *testing.T) {
	for _, raw := range []string{`"a`, `"\`, `"\u`, `"\u12"`, `"\ud83d"`, `"a\`, `""""`} {
		AppendText(nil, raw)
	}
}

func TestAppendTextDoesNotAllocate(t *testing.T) {
	dst := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() { dst = AppendText(dst[:0], `"a few words,\nand a line"`) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
