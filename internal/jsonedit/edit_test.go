package jsonedit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// splice is a set of edits in words: members to remove, to give the value 0, and to add.
type splice struct {
	remove, replace, add []string
}

func (s splice) edits(o *Object, doc []byte) (edits []Edit) {
	for _, key := range s.add {
		edits = append(edits, InsertMember(o, doc, key, []byte(`"new"`)))
	}
	for _, m := range o.Members {
		if slices.Contains(s.replace, m.Key) {
			edits = append(edits, ReplaceValue(m, []byte("0")))
		}
		if slices.Contains(s.remove, m.Key) {
			edits = append(edits, RemoveMember(o, doc, m))
		}
	}
	return edits
}

func apply(t *testing.T, doc []byte, edits []Edit) string {
	t.Helper()
	got := Apply([]byte("before:"), doc, edits)
	if joined := bytes.Join(Segments([][]byte{[]byte("before:")}, doc, edits), nil); !bytes.Equal(joined, got) {
		t.Fatalf("segments make %s, Apply makes %s", joined, got)
	}
	return string(got[len("before:"):])
}

func TestEditsChangeNothingElse(t *testing.T) {
	three := `{ "a" : 1 , "b":[2],"c": {} }`
	for _, tt := range []struct {
		name, doc string
		do        splice
		want      string
	}{
		{"nothing", three, splice{}, three},
		{"replace the first", three, splice{replace: []string{"a"}}, `{ "a" : 0 , "b":[2],"c": {} }`},
		{"replace all", three, splice{replace: []string{"c", "b", "a"}}, `{ "a" : 0 , "b":0,"c": 0 }`},
		{"add", three, splice{add: []string{"d"}}, `{ "a" : 1 , "b":[2],"c": {} ,"d":"new"}`},
		{"add two", three, splice{add: []string{"e", "d"}}, `{ "a" : 1 , "b":[2],"c": {} ,"e":"new","d":"new"}`},
		{"add to nothing", `{ }`, splice{add: []string{"d"}}, `{ "d":"new"}`},
		{"add two to nothing", `{}`, splice{add: []string{"d", "e"}}, `{"d":"new","e":"new"}`},
		{"add a name that needs escapes", `{}`, splice{add: []string{"\"\n"}}, `{"\"\n":"new"}`},
		{"remove the first", three, splice{remove: []string{"a"}}, `{ "b":[2],"c": {} }`},
		{"remove the middle", three, splice{remove: []string{"b"}}, `{ "a" : 1 ,"c": {} }`},
		{"remove the last", three, splice{remove: []string{"c"}}, `{ "a" : 1 , "b":[2] }`},
		{"remove the first two", three, splice{remove: []string{"a", "b"}}, `{ "c": {} }`},
		{"remove the last two", three, splice{remove: []string{"b", "c"}}, `{ "a" : 1  }`},
		{"remove both ends", three, splice{remove: []string{"a", "c"}}, `{ "b":[2] }`},
		{"remove all", three, splice{remove: []string{"a", "b", "c"}}, `{  }`},
		{"remove the only one", `{"a":1}`, splice{remove: []string{"a"}}, `{}`},
		{"remove the last and add", three, splice{remove: []string{"c"}, add: []string{"d"}}, `{ "a" : 1 , "b":[2] ,"d":"new"}`},
		{"remove all and add", three, splice{remove: []string{"a", "b", "c"}, add: []string{"d"}}, `{  "d":"new"}`},
		{"remove the only one and add two", `{"a":1}`, splice{remove: []string{"a"}, add: []string{"d", "e"}}, `{"d":"new","e":"new"}`},
		{"replace and remove the same", three, splice{replace: []string{"b"}, remove: []string{"b"}}, `{ "a" : 1 ,"c": {} }`},
		{
			"replace and remove neighbors", three,
			splice{replace: []string{"b", "c"}, remove: []string{"a", "b"}},
			`{ "c": 0 }`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var o Object
			doc := []byte(tt.doc)
			if err := Scan(doc, nil, Limits{}, &o); err != nil {
				t.Fatal(err)
			}
			edits := tt.do.edits(&o, doc)
			if got := apply(t, doc, edits); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			slices.Reverse(edits)
			if len(tt.do.add) < 2 {
				if got := apply(t, doc, edits); got != tt.want {
					t.Errorf("in reverse: got %s, want %s", got, tt.want)
				}
			}
			if string(doc) != tt.doc {
				t.Errorf("the document was changed to %s", doc)
			}
		})
	}
}

func TestRemovingTwiceRemovesOnce(t *testing.T) {
	doc := []byte(`{"a":{"x":1},"b":2}`)
	var o, inner Object
	if err := Scan(doc, nil, Limits{}, &o); err != nil {
		t.Fatal(err)
	}
	if err := ScanObject(doc, o.Members[0].Start, o.Members[0].End, &inner); err != nil {
		t.Fatal(err)
	}
	a := RemoveMember(&o, doc, o.Members[0])
	if got := apply(t, doc, []Edit{a, a, InsertMember(&inner, doc, "y", []byte("3"))}); got != `{"b":2}` {
		t.Errorf("got %s", got)
	}
}

// checkSplice applies random edits to a valid document and compares with what they mean.
func checkSplice(t *testing.T, doc []byte, rnd *rand.Rand) {
	t.Helper()
	var o Object
	if Scan(doc, nil, Limits{}, &o) != nil {
		return
	}
	want, do := map[string]string{}, splice{}
	for _, m := range o.Members {
		want[m.Key] = string(m.Raw(doc))
	}
	if len(want) != len(o.Members) {
		return // a name that stands twice: which one is meant?
	}
	for _, m := range o.Members {
		switch rnd.IntN(4) {
		case 0:
			do.remove = append(do.remove, m.Key)
			delete(want, m.Key)
		case 1:
			do.replace = append(do.replace, m.Key)
			want[m.Key] = "0"
		}
	}
	for i := range rnd.IntN(3) {
		key := fmt.Sprint("new", i)
		if _, ok := o.Get(key); !ok {
			do.add = append(do.add, key)
			want[key] = `"new"`
		}
	}
	edits := do.edits(&o, doc)
	rnd.Shuffle(len(edits), func(i, j int) { edits[i], edits[j] = edits[j], edits[i] })
	result := []byte(apply(t, doc, edits))
	var edited Object
	if err := Scan(result, nil, Limits{}, &edited); err != nil || !json.Valid(result) {
		t.Fatalf("%+v makes %s of %s: %v", do, result, doc, err)
	}
	got := map[string]string{}
	for _, m := range edited.Members {
		got[m.Key] = string(m.Raw(result))
	}
	if !maps.Equal(got, want) || len(edited.Members) != len(want) {
		t.Fatalf("%+v makes %s of %s", do, result, doc)
	}
	// What stands around the object stays too.
	if !bytes.HasPrefix(result, doc[:o.Start+1]) || !bytes.HasSuffix(result, doc[o.End-1:]) {
		t.Fatalf("%s lost what stands around the object in %s", result, doc)
	}
}

func TestRandomEditsDoWhatTheyMean(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 20_000 {
		checkSplice(t, []byte(" "+randomObject(rnd, 0)+"\n"), rnd)
	}
}

func TestSortedEditsAreAppliedWithoutAllocating(t *testing.T) {
	doc := []byte(`{"model":"a","stream":true,"messages":[]}`)
	var o Object
	if err := Scan(doc, nil, Limits{}, &o); err != nil {
		t.Fatal(err)
	}
	edits := []Edit{
		ReplaceValue(o.Members[0], []byte(`"b"`)), RemoveMember(&o, doc, o.Members[1]), InsertRaw(&o, []byte(`"n":1`)),
	}
	dst, out := make([]byte, 0, 100), make([][]byte, 0, 10)
	if n := testing.AllocsPerRun(100, func() {
		dst = Apply(dst[:0], doc, edits)
		out = Segments(out[:0], doc, edits)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if want := `{"model":"b","messages":[],"n":1}`; string(dst) != want {
		t.Errorf("got %s, want %s", dst, want)
	}
}
