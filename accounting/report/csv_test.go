package report

import (
	"encoding/csv"
	"strings"
	"testing"
)

func TestCellsThatSpreadsheetsWouldRun(t *testing.T) {
	for cell, want := range map[string]string{
		"=cmd|' /C calc'!A0":             "'=cmd|' /C calc'!A0",
		"=1+1":                           "'=1+1",
		"=HYPERLINK(\"http://x\",\"y\")": "'=HYPERLINK(\"http://x\",\"y\")",
		"+1":                             "'+1",
		"-2+3":                           "'-2+3",
		"@SUM(1)":                        "'@SUM(1)",
		"\t=1":                           "'\t=1",
		"\r=1":                           "'\r=1",
		"\n=1":                           "'\n=1",
		"  =1":                           "'  =1",
		"\x00=1":                         "'\x00=1",
		"\ufeff=1":                       "'\ufeff=1",
		"＝1":                             "'＝1",
		"alice":                          "alice",
		"a=b":                            "a=b",
		"bob@example.com":                "bob@example.com",
		"gpt-5":                          "gpt-5",
		"":                               "",
		"say \"hi\", they\nsaid;":        "say \"hi\", they\nsaid;",
		" lead and trail ":               " lead and trail ",
		"\xff":                           "\uFFFD",
		"x\",\"=1":                       "x\",\"=1",
		"x\n=1":                          "x\n=1",
	} {
		line := append(AppendCell([]byte("first,"), cell), ",last\n"...)
		got, err := csv.NewReader(strings.NewReader(string(line))).ReadAll()
		if err != nil || len(got) != 1 || len(got[0]) != 3 || got[0][1] != want {
			t.Errorf("%q is written %q and read %q %v", cell, line, got, err)
		}
	}
}

// FuzzCells holds that every cell is read as one cell, that it says the same, and that it is never a formula.
func FuzzCells(f *testing.F) {
	for _, s := range []string{"=1", "a,b", "\"", "\r\n", "'=", "\t", "é＝"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		line := append(AppendCell([]byte("a,"), cell), ",z\n"...)
		got, err := csv.NewReader(strings.NewReader(string(line))).ReadAll()
		if err != nil || len(got) != 1 || len(got[0]) != 3 {
			t.Fatalf("%q is written %q and read %q %v", cell, line, got, err)
		}
		value := got[0][1]
		// The reader makes one line break of two characters.
		want := strings.ReplaceAll(strings.ToValidUTF8(cell, "\uFFFD"), "\r\n", "\n")
		if strings.TrimPrefix(value, "'") != strings.TrimPrefix(want, "'") {
			t.Fatalf("%q is read as %q", cell, value)
		}
		if strings.ContainsAny(value[:min(len(value), 1)], "=+-@\t\r\n") {
			t.Fatalf("%q is a formula", value)
		}
	})
}
