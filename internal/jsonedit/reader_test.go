package jsonedit

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

// tree reads what comes next the way encoding/json does, with numbers as they stand.
func tree(r *Reader) any {
	switch c := r.Peek(); c {
	case '{':
		m := map[string]any{}
		for ok := r.Object(); ok; ok = r.Next() {
			key := r.Key()
			m[key] = tree(r)
		}
		return m
	case '[':
		list := []any{}
		for ok := r.Array(); ok; ok = r.Next() {
			list = append(list, tree(r))
		}
		return list
	case '"':
		m := r.Mark()
		n, _ := r.TextLen()
		end := r.Mark()
		r.Seek(m)
		if s, _ := r.Text(); len(s) == n && r.Mark() == end {
			return s
		}
		return "another length"
	case '0':
		return json.Number(r.Raw())
	default:
		r.Skip()
		return map[byte]any{'t': true, 'f': false, 'n': nil}[c]
	}
}

// checkReader compares with encoding/json; of a document that is not valid it only demands that reading it ends.
func checkReader(t *testing.T, doc []byte) {
	t.Helper()
	r := NewReader(doc)
	got := tree(&r)
	again := NewReader(doc)
	if again.Skip(); again.at > len(doc) {
		t.Fatalf("skipped to %d of %d in %q", again.at, len(doc), doc)
	}
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	var want any
	if !json.Valid(doc) || dec.Decode(&want) != nil {
		return
	}
	// encoding/json replaces what is no UTF-8, and the reader leaves it alone.
	if bytes.Equal(bytes.ToValidUTF8(doc, nil), doc) && !reflect.DeepEqual(got, want) {
		t.Fatalf("got %#v, want %#v of %s", got, want, doc)
	}
	if rest := bytes.TrimSpace(doc[again.at:]); len(rest) > 0 || !bytes.Equal(bytes.TrimSpace(doc[r.at:]), rest) {
		t.Fatalf("skipped to %d and read to %d of %s", again.at, r.at, doc)
	}
}

func TestReaderReadsAsEncodingJSONDoes(t *testing.T) {
	for _, doc := range []string{
		`{}`, `[]`, `""`, `0`, `null`, ` [ ] `, `{"a":{}}`, `[[[],{}],[{}]]`, `{"a" : [ 1 , -2.5e3 , true , false , null ] , "b" : "" }`,
		"[\n\t1,\r\n\t{\n\t\t\"a\": \"b\"\n\t}\n]\n", `{"\u0061\n":1}`, `["\\","\"","\\\"","a\\"]`, `{"a":"}","b":"]","c":"\"}"}`,
	} {
		checkReader(t, []byte(doc))
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 10_000 {
		doc := []byte(randomValue(rnd, 0))
		checkReader(t, doc)
		doc[rnd.IntN(len(doc))] = fragments[rnd.IntN(len(fragments))][0]
		checkReader(t, doc)
		checkReader(t, doc[:rnd.IntN(len(doc))])
		checkReader(t, randomJunk(rnd))
	}
}

func FuzzReader(f *testing.F) {
	for _, fragment := range fragments {
		f.Add([]byte(`[{"k":` + fragment + `,"l":[]},"` + fragment + `"]`))
	}
	f.Add(chatBody(5_000, mixedSentence))
	f.Fuzz(checkReader)
}

func TestReaderReadsEscapesWhereverTheyStand(t *testing.T) {
	pieces := []string{`\n`, `\"`, `\\`, `\/`, `\b\f`, `\u00e9`, `\uD83D\uDE00`, `\ud800`, `\ud800\u0041`, `\ud800\n`, `é`, `日`, `😀`, `a`}
	rnd := rand.New(rand.NewPCG(7, 8))
	for n := range 40 { // text before, between and after escapes
		for _, piece := range pieces {
			x := strings.Repeat("x", n)
			checkReader(t, []byte(`["`+x+piece+`"]`))
			checkReader(t, []byte(`"`+piece+x+pieces[rnd.IntN(len(pieces))]+`"`))
		}
	}
}

// Texts with escapes share their memory. None may reach into another, however long they are and whatever the order.
func TestReaderKeepsTextsApart(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 10))
	var want []string
	for range 300 {
		n := rnd.IntN(400)
		if rnd.IntN(10) == 0 {
			n = rnd.IntN(2 * textChunk)
		}
		want = append(want, strings.Repeat(strconv.Itoa(rnd.IntN(10)), n)+"\n"+strings.Repeat("é\t", n/8)+"end")
	}
	doc, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	var marks []Mark
	r := NewReader(doc)
	for ok := r.Array(); ok; ok = r.Next() {
		marks = append(marks, r.Mark())
		s, _ := r.Text()
		got = append(got, s)
	}
	if !reflect.DeepEqual(got, want) {
		t.Error("texts differ")
	}
	for _, i := range rnd.Perm(len(marks)) {
		r.Seek(marks[i])
		if s, _ := r.Text(); s != want[i] {
			t.Errorf("text %d differs", i)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Error("texts changed")
	}
}

func TestReaderAllocatesInLargePieces(t *testing.T) {
	doc := []byte(`[` + strings.Repeat(`"line\nline",`, 10_000) + `"","plain"]`)
	if n := testing.AllocsPerRun(20, func() {
		r := NewReader(doc)
		for ok := r.Array(); ok; ok = r.Next() {
			if _, ok := r.Text(); !ok {
				t.Fatal("not a string")
			}
		}
	}); n > 5 {
		t.Errorf("%v allocations for %d bytes", n, len(doc))
	}
	small := []byte(`"a\nb"`)
	r := NewReader(small)
	if s, _ := r.Text(); s != "a\nb" || len(r.free) > 2*textSlack {
		t.Errorf("%q took %d bytes more", s, len(r.free))
	}
}

func TestAResetReaderUsesItsMemoryAgain(t *testing.T) {
	docs := []struct{ doc, want string }{
		{`"a\nb"`, "a\nb"}, {` "c\nd" `, "c\nd"}, {`{}`, ""}, {`"a long text\nthat needs more room"`, "a long text\nthat needs more room"},
	}
	var r Reader
	step := func() {
		for _, d := range docs {
			r.Reset(unsafe.Slice(unsafe.StringData(d.doc), len(d.doc)))
			if s, _ := r.Text(); s != d.want {
				t.Fatalf("got %q of %s", s, d.doc)
			}
		}
	}
	step()
	if n := testing.AllocsPerRun(20, step); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestNextSkipsWhatWasNotRead(t *testing.T) {
	doc := []byte(` { "a" : { "b" : [1,{"c":"}"}] } , "d" : "x\"]" , "e" : -1e5, "f":[] , "g" : null , "h" : true } `)
	r := NewReader(doc)
	var keys []string
	for ok := r.Object(); ok; ok = r.Next() {
		keys = append(keys, r.Key()+string(r.Peek()))
	}
	if got := strings.Join(keys, " "); got != `a{ d" e0 f[ gn ht` {
		t.Errorf("got %s", got)
	}
	if r.Peek() != ' ' {
		t.Errorf("stopped before %q", doc[r.at:])
	}
}

func TestWhatIsNotThereIsNotRead(t *testing.T) {
	r := NewReader([]byte(`{"a":1}`))
	if _, ok := r.Text(); ok || r.Array() {
		t.Error("an object was taken for a string or an array")
	}
	if m := r.Get("b"); m != 0 {
		t.Errorf("found a missing member at %d", m)
	}
	r.Seek(0)
	if s, ok := r.Text(); ok || s != "" || r.Peek() != 0 || r.Object() || r.Array() || r.Next() || r.Raw() != nil {
		t.Error("found something nowhere")
	}
	r.Skip()
}

func TestSeekGoesBackToAMark(t *testing.T) {
	doc := []byte(`{"late":{"k":"first","k":"second"},"kind":"x","list":[1,2]}`)
	r := NewReader(doc)
	start := r.Mark()
	late := r.Get("late")
	end := r.Mark()
	r.Seek(late)
	r.Seek(r.Get("k"))
	if s, _ := r.Text(); s != "second" {
		t.Errorf("got %q, want the last of two members", s)
	}
	if r.Seek(end); r.Peek() != 0 || r.at != len(doc) {
		t.Errorf("the object ends at %d", r.at)
	}
	if r.Seek(start); string(r.Raw()) != string(doc) {
		t.Error("the document is not read again")
	}
}

func TestStopEndsAllLoops(t *testing.T) {
	r := NewReader([]byte(`[[1,2],[3,4],[5,6]]`))
	m := r.Mark()
	n := 0
	for ok := r.Array(); ok; ok = r.Next() {
		for ok := r.Array(); ok; ok = r.Next() {
			if n++; n == 3 {
				r.Stop()
			}
		}
	}
	if n != 3 {
		t.Errorf("read %d elements, want 3", n)
	}
	if r.Seek(m); r.Array() {
		t.Error("went on after a seek")
	}
}

func BenchmarkReader(b *testing.B) {
	for name, doc := range benchDocs(b) {
		for _, skip := range [...]bool{false, true} {
			verb := "read "
			if skip {
				verb = "skip "
			}
			b.Run(verb+name, func(b *testing.B) {
				b.SetBytes(int64(len(doc)))
				b.ReportAllocs()
				for b.Loop() {
					r := NewReader(doc)
					if skip {
						r.Skip()
					} else {
						readAll(&r)
					}
				}
			})
		}
	}
}

// readAll reads every text of what comes next.
func readAll(r *Reader) {
	switch r.Peek() {
	case '{':
		for ok := r.Object(); ok; ok = r.Next() {
			r.Key()
			readAll(r)
		}
	case '[':
		for ok := r.Array(); ok; ok = r.Next() {
			readAll(r)
		}
	case '"':
		r.Text()
	default:
		r.Skip()
	}
}
