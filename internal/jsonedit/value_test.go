package jsonedit

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

// only returns the document {"v":value} and its member.
func only(t *testing.T, value string) ([]byte, Member) {
	t.Helper()
	doc := []byte(`{"v":` + value + `}`)
	var o Object
	if err := Scan(doc, nil, Limits{}, &o); err != nil {
		t.Fatal(err)
	}
	return doc, o.Members[0]
}

func TestIntReadsWholeNumbersHoweverTheyAreWritten(t *testing.T) {
	zeros := strings.Repeat("0", 400)
	for _, tt := range []struct {
		value string
		want  int64
		ok    bool
	}{
		{"0", 0, true},
		{"-0", 0, true},
		{"0.000", 0, true},
		{"0e99999999999999999999", 0, true},
		{"-7", -7, true},
		{"1000", 1000, true},
		{"1e3", 1000, true},
		{"1E+3", 1000, true},
		{"1.0", 1, true},
		{"1.50e1", 15, true},
		{"100e-2", 1, true},
		{"1200.00", 1200, true},
		{"1005", 1005, true},
		{"10.05e2", 1005, true},
		{"0.0000000000000000000000007e25", 7, true},
		{"1" + zeros + "e-400", 1, true},
		{"0." + zeros + "1e401", 1, true},
		{"9223372036854775807", math.MaxInt64, true},
		{"-9223372036854775808", math.MinInt64, true},
		{"9223372036854775807.0", math.MaxInt64, true},
		{"922337203685477580.7e1", math.MaxInt64, true},
		{"9223372036854775808", 0, false},
		{"-9223372036854775809", 0, false},
		{"1e19", 0, false},
		{"18446744073709551617", 0, false},
		{"99999999999999999999", 0, false},
		{"1e99999999999999999999", 0, false},
		{"1" + zeros, 0, false},
		{"1.5", 0, false},
		{"15e-1", 0, false},
		{"1e-99999999999999999999", 0, false},
		{"0.1", 0, false},
		{`"7"`, 0, false},
		{"null", 0, false},
		{"true", 0, false},
		{"[1]", 0, false},
		{"{}", 0, false},
	} {
		doc, m := only(t, tt.value)
		got, ok := m.Int(doc)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("%.40s: got %d, %v; want %d, %v", tt.value, got, ok, tt.want, tt.ok)
		}
	}
}

func TestStringReadsTextAsEncodingJSONDoes(t *testing.T) {
	for _, value := range []string{
		`""`, `"a"`, `"日本"`, `"\"\\\/\b\f\n\r\t"`, `"\u0041\u00e9\u65E5"`, `"\ud83d\ude00"`, `"a\ud83d"`, `"\ud83dx"`, `"\ude00"`,
		`"\ud83d\ud83d\ude00"`, `"\ud83d\n"`, `"\ud83d\u0041"`, `"\u0000"`, `"\\u0041"`,
	} {
		doc, m := only(t, value)
		var want string
		if err := json.Unmarshal([]byte(value), &want); err != nil {
			t.Fatal(err)
		}
		if got, ok := m.String(doc); !ok || got != want {
			t.Errorf("%s: got %q, want %q", value, got, want)
		}
	}
	for _, value := range []string{"1", "null", "true", "{}", `["a"]`} {
		if doc, m := only(t, value); true {
			if s, ok := m.String(doc); ok {
				t.Errorf("%s was taken for the string %q", value, s)
			}
		}
	}
}

func TestBoolAndNullAreNothingElse(t *testing.T) {
	for _, tt := range []struct {
		value         string
		v, ok, isNull bool
	}{
		{"true", true, true, false},
		{"false", false, true, false},
		{"null", false, false, true},
		{"1", false, false, false},
		{`"true"`, false, false, false},
		{"{}", false, false, false},
		{"[]", false, false, false},
	} {
		doc, m := only(t, tt.value)
		if v, ok := m.Bool(doc); v != tt.v || ok != tt.ok || m.IsNull(doc) != tt.isNull {
			t.Errorf("%s: bool %v, %v, null %v", tt.value, v, ok, m.IsNull(doc))
		}
	}
}

func TestReadersDoNotAllocate(t *testing.T) {
	doc, m := only(t, `"gpt-5 – mini"`)
	number, n := only(t, `4096.0`)
	if allocs := testing.AllocsPerRun(100, func() {
		s, _ := m.String(doc)
		i, _ := n.Int(number)
		if len(s) != 14 || i != 4096 {
			t.Fatal(s, i)
		}
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
