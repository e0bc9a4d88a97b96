package jsonedit

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

func scan(doc string, known ...string) (*Object, error) {
	var o Object
	err := Scan([]byte(doc), known, Limits{}, &o)
	return &o, err
}

func TestScanListsTheMembersOfTheTopLevelObject(t *testing.T) {
	doc := " {\"model\" : \"gpt\",\n\t\"n\":1.5e3 ,\"a\\u0062c\":[{\"model\":{}},[]], \"\":null}\r\n"
	o, err := scan(doc, "model", "n")
	if err != nil {
		t.Fatal(err)
	}
	if doc[o.Start] != '{' || doc[o.End-1] != '}' {
		t.Errorf("braces at %d and %d", o.Start, o.End)
	}
	want := [][3]string{
		{"model", `"model"`, `"gpt"`}, {"n", `"n"`, `1.5e3`}, {"abc", `"a\u0062c"`, `[{"model":{}},[]]`}, {"", `""`, `null`},
	}
	if len(o.Members) != len(want) {
		t.Fatalf("got %d members, want %d", len(o.Members), len(want))
	}
	for i, m := range o.Members {
		got := [3]string{m.Key, doc[m.KeyStart:m.KeyEnd], string(m.Raw([]byte(doc)))}
		if got != want[i] {
			t.Errorf("member %d is %q, want %q", i, got, want[i])
		}
	}
}

func TestScanSaysWhatIsWrongAndWhere(t *testing.T) {
	for _, tt := range []struct {
		name, doc string
		at        int
		reason    string
	}{
		{"nothing", "", 0, "unexpected end of the document"},
		{"white space only", " \n", 2, "unexpected end of the document"},
		{"an array", `[]`, 0, "not a JSON object"},
		{"a string", ` "a"`, 1, "not a JSON object"},
		{"a byte order mark", "\xEF\xBB\xBF{}", 0, "byte order mark"},
		{"UTF-16, little endian", "\xFF\xFE{\x00}\x00", 0, "not UTF-8"},
		{"UTF-16, big endian without mark", "\x00{\x00}", 0, "not UTF-8"},
		{"UTF-16, little endian without mark", "{\x00}\x00", 1, "expected a member name"},
		{"a second document", `{} {}`, 3, "unexpected data after the document"},
		{"a NUL at the end", "{}\x00", 2, "unexpected data after the document"},
		{"no closing brace", `{"a":1`, 6, "unexpected end of the document"},
		{"no value", `{"a":}`, 5, "invalid value"},
		{"no colon", `{"a" 1}`, 5, `expected ":"`},
		{"no comma", `{"a":1 "b":2}`, 7, `expected "," or "}"`},
		{"a comma too many", `{"a":1,}`, 7, "expected a member name"},
		{"a comma too many in an array", `{"a":[1,]}`, 8, "invalid value"},
		{"an array closed as an object", `{"a":[1}}`, 7, `expected "," or "]"`},
		{"an object closed as an array", `{"a":[{"b":1]]}`, 12, `expected "," or "}"`},
		{"an unclosed inner array", `{"a":[[1]`, 9, "unexpected end of the document"},
		{"a name without quotes", `{a:1}`, 1, "expected a member name"},
		{"a line feed in a string", "{\"a\":\"b\nc\"}", 7, `control character "\n"`},
		{"a NUL in a long string", "{\"a\":\"0123456789\x00\"}", 16, `control character "\x00"`},
		{"an unknown escape", `{"a":"\x"}`, 6, "invalid escape in a string"},
		{"a short \\u escape", `{"a":"\u12G4"}`, 6, "invalid escape in a string"},
		{"an unclosed string", `{"a":"b`, 7, "unexpected end of the document"},
		{"Latin-1", "{\"a\":\"caf\xE9\"}", 9, "invalid UTF-8"},
		{"a surrogate in UTF-8", "{\"a\":\"\xED\xA0\x80\"}", 6, "invalid UTF-8"},
		{"a leading zero", `{"a":01}`, 6, `expected "," or "}"`},
		{"a bare minus", `{"a":-}`, 6, "invalid value"},
		{"a point without digits", `{"a":1.}`, 7, "invalid value"},
		{"an exponent without digits", `{"a":1e+}`, 8, "invalid value"},
		{"a literal in capitals", `{"a":True}`, 5, "invalid value"},
		{"not a number", `{"a":NaN}`, 5, "invalid value"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, err := scan(tt.doc)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if e.Offset != tt.at || e.Reason != tt.reason {
				t.Errorf("got %q at %d, want %q at %d", e.Reason, e.Offset, tt.reason, tt.at)
			}
			if len(o.Members) != 0 {
				t.Errorf("a refused document left %d members", len(o.Members))
			}
		})
	}
}

func TestScanRefusesKnownKeysThatParsersMayReadDifferently(t *testing.T) {
	known := []string{"model", "max_tokens", "stream", "", "n"}
	for _, tt := range []struct{ name, doc, key, reason string }{
		{"twice", `{"model":"a","x":1,"model":"b"}`, "model", `duplicate member "model"`},
		{"twice with the same value", `{"n":1,"n":1}`, "n", `duplicate member "n"`},
		{"twice, once escaped", `{"model":"a","mod\u0065l":"b"}`, "model", `duplicate member "model"`},
		{"in another case", `{"Model":"a"}`, "model", `member "Model" is another spelling of "model"`},
		{"in both cases", `{"model":"a","MODEL":"b"}`, "model", `member "MODEL" is another spelling of "model"`},
		{"in another case, escaped", `{"\u004dodel":"b"}`, "model", `member "Model" is another spelling of "model"`},
		{"with the Kelvin sign", "{\"max_to\u212aens\":1}", "max_tokens", `member "max_to\u212aens" is another spelling of "max_tokens"`},
		{"with the long s in front", "{\"\u017ftream\":true}", "stream", `member "\u017ftream" is another spelling of "stream"`},
		{"with the long s, escaped", `{"\u017Ftream":true}`, "stream", `member "\u017ftream" is another spelling of "stream"`},
		{"an empty name twice", `{"":1,"":2}`, "", `duplicate member ""`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := scan(tt.doc, known...)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if e.Key != tt.key || e.Reason != tt.reason {
				t.Errorf("got key %q, reason %s; want %q, %s", e.Key, e.Reason, tt.key, tt.reason)
			}
		})
	}
	for _, doc := range []string{
		`{"x":1,"x":2,"X":3}`, `{"model":"a","messages":[{"model":1,"model":2,"Model":3}]}`, `{"model":"a","models":1,"modal":2,"N ":1}`,
	} {
		if _, err := scan(doc, known...); err != nil {
			t.Errorf("%s was refused: %v", doc, err)
		}
	}
}

func TestScanKeepsLimits(t *testing.T) {
	deep := func(n int) string { return `{"a":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + "}" }
	flat := func(n int) string { return `{"a":[` + strings.Repeat("{},", n-3) + `{}]}` }
	wide := func(n int) string { return `{` + strings.Repeat(`"":0,`, n-1) + `"":0}` }
	for _, tt := range []struct {
		name, doc string
		lim       Limits
		reason    string
	}{
		{"depth at the default", deep(128), Limits{}, ""},
		{"depth over the default", deep(129), Limits{}, "nested deeper than 128 levels"},
		{"depth at a limit of its own", deep(3), Limits{Depth: 3}, ""},
		{"depth over a limit of its own", deep(4), Limits{Depth: 3}, "nested deeper than 3 levels"},
		{"depth at the highest limit", deep(1000), Limits{Depth: 5000}, ""},
		{"depth over the highest limit", deep(1001), Limits{Depth: 5000}, "nested deeper than 1000 levels"},
		{"objects as deep as arrays", strings.Repeat(`{"a":`, 128) + "1" + strings.Repeat("}", 128), Limits{}, ""},
		{"depth 100,000", deep(100_000), Limits{}, "nested deeper than 128 levels"},
		{"values at a limit", flat(10), Limits{Values: 10}, ""},
		{"values over a limit", flat(11), Limits{Values: 10}, "more than 10 values"},
		{"values at the default", flat(1_000_000), Limits{}, ""},
		{"values over the default", flat(1_000_001), Limits{}, "more than 1000000 values"},
		{"scalars over a limit", `{"a":1,"b":2,"c":3}`, Limits{Values: 3}, "more than 3 values"},
		{"members at the default", wide(10_000), Limits{}, ""},
		{"members over the default", wide(10_001), Limits{}, "more than 10000 members"},
		{"32 MiB of empty objects", flat(11_000_000), Limits{}, "more than 1000000 values"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var o Object
			start := time.Now()
			err := Scan([]byte(tt.doc), nil, tt.lim, &o)
			if d := time.Since(start); d > 2*time.Second {
				t.Errorf("took %v", d)
			}
			if bare := Validate([]byte(tt.doc), tt.lim); !strings.HasSuffix(tt.reason, "members") && fmt.Sprint(bare) != fmt.Sprint(err) {
				t.Errorf("Validate says %v, Scan %v", bare, err)
			}
			var e *Error
			if tt.reason == "" && err != nil || tt.reason != "" && (!errors.As(err, &e) || e.Reason != tt.reason) {
				t.Errorf("got %v, want %q", err, tt.reason)
			}
		})
	}
}

// The nesting is random and deeper than one word of the stack of containers.
func TestScanTellsObjectsFromArraysAtAnyDepth(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		doc, end := `{"k":`, "}"
		for range 1 + rnd.IntN(900) {
			if rnd.IntN(2) == 0 {
				doc, end = doc+`[0,`, `]`+end
			} else {
				doc, end = doc+`{"a":[],"k":`, `}`+end
			}
		}
		good := doc + "1" + end
		var o Object
		if err := Scan([]byte(good), nil, Limits{Depth: maxDepth}, &o); err != nil {
			t.Fatalf("%v in %s", err, good)
		}
		wrong := []byte(good)
		k := len(doc) + 1 + rnd.IntN(len(end))
		wrong[k] ^= '}' ^ ']'
		if err := Scan(wrong, nil, Limits{Depth: maxDepth}, &o); err == nil {
			t.Fatalf("accepted %s with the bracket at %d turned", wrong, k)
		}
	}
}

// agree checks one document against two other implementations. Neither looks at the UTF-8 of strings.
func agree(t *testing.T, doc []byte) {
	t.Helper()
	var o Object
	err := Scan(doc, nil, Limits{Depth: maxDepth}, &o)
	var e *Error
	if errors.As(err, &e) && (strings.HasPrefix(e.Reason, "more than") || strings.HasPrefix(e.Reason, "nested")) {
		return // the others have no such limits
	}
	if bare := Validate(doc, Limits{Depth: maxDepth}); (bare == nil) != (err == nil) || bare != nil && bare.Error() != err.Error() {
		t.Fatalf("Validate says %v, Scan %v, of %q", bare, err, doc)
	}
	isObject := gjson.ParseBytes(doc).IsObject()
	want := isObject && json.Valid(doc) && utf8.Valid(doc)
	if got := err == nil; got != want {
		t.Fatalf("accepted: %v (%v), want %v for %q", got, err, want, doc)
	}
	if err != nil {
		return
	}
	if !gjson.ValidBytes(doc) {
		t.Fatalf("gjson refuses %q", doc)
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(doc, &values); err != nil {
		t.Fatal(err)
	}
	for key, value := range values {
		m, ok := o.Get(key)
		if !ok || string(m.Raw(doc)) != string(value) {
			t.Fatalf("member %q is %q, want %q in %q", key, m.Raw(doc), value, doc)
		}
		var text string
		if s, ok := m.String(doc); ok && (json.Unmarshal(value, &text) != nil || s != text) {
			t.Fatalf("string %s is %q, want %q", value, s, text)
		}
	}
}

// fragments are what documents are made of; some of them are faults.
var fragments = []string{
	`{`, `}`, `[`, `]`, `,`, `:`, `"`, `"a"`, `"b":`, `{"c":`, `"role":"user"`, `[]`, `{}`, ` `, "\n  ", "\t", "\r\n", `true`, `false`,
	`null`, `tru`, `nul`, `-`, `0`, `01`, `12`, `-3`, `4.5`, `6e7`, `8E-9`, `1.`, `.5`, `1e`, `99999999`, `\n`, `\"`, `\\`, `\u00e9`,
	`\ud83d\ude00`, `\ud800`, `\u12`, `\x`, "é", "–", "日本", "😀", "\x00", "\x1f", "\x7f", "\x80", "\xC0\x80", "\xED\xA0\x80",
	"\xF4\x90\x80\x80", "\xE2\x82", "long enough for some words of eight bytes each", `long with an escape \t in the middle`,
}

func TestScanAgreesWithOtherParsersOnRandomDocuments(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 60_000 {
		agree(t, randomJunk(rnd))
		doc := randomObject(rnd, 0)
		agree(t, []byte(doc))
		// One byte changed, taken away, or doubled.
		wrong := []byte(doc)
		k := rnd.IntN(len(wrong))
		switch rnd.IntN(3) {
		case 0:
			wrong[k] = byte(rnd.IntN(256))
		case 1:
			wrong = append(wrong[:k], wrong[k+1:]...)
		default:
			wrong = append(wrong[:k+1], doc[k:]...)
		}
		agree(t, wrong)
	}
}

func randomJunk(rnd *rand.Rand) []byte {
	doc := []byte(`{"k":`)
	for range rnd.IntN(6) {
		doc = append(doc, fragments[rnd.IntN(len(fragments))]...)
	}
	return append(doc, '}')
}

func randomObject(rnd *rand.Rand, depth int) string {
	var b strings.Builder
	b.WriteString("{")
	for i := range rnd.IntN(4) {
		if i > 0 {
			b.WriteString([]string{",", " , ", ",\n      \t"}[rnd.IntN(3)])
		}
		b.WriteString(randomString(rnd) + []string{":", ": ", " :\n"}[rnd.IntN(3)] + randomValue(rnd, depth+1))
	}
	b.WriteString("}")
	return b.String()
}

func randomValue(rnd *rand.Rand, depth int) string {
	switch n := rnd.IntN(8); {
	case n == 0 && depth < 5:
		return randomObject(rnd, depth)
	case n == 1 && depth < 5:
		items := make([]string, rnd.IntN(4))
		for i := range items {
			items[i] = randomValue(rnd, depth+1)
		}
		return "[" + strings.Join(items, ",") + "]"
	case n == 2:
		return []string{"true", "false", "null"}[rnd.IntN(3)]
	case n < 5:
		return fmt.Sprint([]any{rnd.Int64(), -rnd.Int64N(9), rnd.Float64(), rnd.ExpFloat64() * 1e30}[rnd.IntN(4)])
	}
	return randomString(rnd)
}

func randomString(rnd *rand.Rand) string {
	parts := []string{"a", "model", "é", "日本", "😀", `\n`, `\\`, `\"`, `\/`, `\u00e9`, `\uD83D\uDE00`, `\ud800`, "\x7f", " !#[]^"}
	var b strings.Builder
	for range rnd.IntN(12) {
		b.WriteString(parts[rnd.IntN(len(parts))])
	}
	return `"` + b.String() + `"`
}

func TestScanDoesNotAllocateWithAReusedObject(t *testing.T) {
	doc := chatBody(20_000, mixedSentence)
	var o Object
	if n := testing.AllocsPerRun(100, func() {
		if err := Scan(doc, knownForTest, Limits{}, &o); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestScanObjectListsANestedObject(t *testing.T) {
	doc := []byte(`{"a":1,"stream_options": {"include_usage" :true,"x":[{}]} }`)
	var o, inner Object
	if err := Scan(doc, nil, Limits{}, &o); err != nil {
		t.Fatal(err)
	}
	m, _ := o.Get("stream_options")
	if err := ScanObject(doc, m.Start, m.End, &inner); err != nil {
		t.Fatal(err)
	}
	usage, ok := inner.Get("include_usage")
	if v, isBool := usage.Bool(doc); !ok || !v || !isBool || len(inner.Members) != 2 {
		t.Errorf("got %+v", inner.Members)
	}
	got := string(Apply(nil, doc, []Edit{InsertMember(&inner, doc, "y", []byte("0"))}))
	if want := `{"a":1,"stream_options": {"include_usage" :true,"x":[{}],"y":0} }`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	a, _ := o.Get("a")
	for _, span := range [][2]int{{a.Start, a.End}, {-1, 3}, {3, 3}, {0, len(doc) + 1}, {m.Start, m.End + 2}} {
		if err := ScanObject(doc, span[0], span[1], &inner); err == nil || len(inner.Members) != 0 {
			t.Errorf("bytes %v were taken for an object", span)
		}
	}
}

func TestResetForgetsTheDocument(t *testing.T) {
	o, err := scan(`{"a":1,"b":2}`)
	if err != nil {
		t.Fatal(err)
	}
	o.Reset()
	if _, ok := o.Get("a"); ok || o.End != 0 || o.Members[:1][0].Key != "" {
		t.Errorf("still there: %+v", o.Members[:2])
	}
	if o, err = scan(`{` + strings.Repeat(`"":0,`, 999) + `"":0}`); err != nil {
		t.Fatal(err)
	}
	if o.Reset(); cap(o.Members) != 0 {
		t.Errorf("keeps room for %d members", cap(o.Members))
	}
}
