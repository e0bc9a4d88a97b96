package jsonedit

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func FuzzScan(f *testing.F) {
	for _, fragment := range fragments {
		f.Add([]byte(`{"k":` + fragment + `}`))
		f.Add([]byte(`{"k":"` + fragment + `","` + fragment + `":[` + fragment + `]}`))
	}
	f.Add(chatBody(5_000, mixedSentence))
	f.Add([]byte(strings.Repeat(`{"a":[`, 400)))
	f.Fuzz(agree)
}

func FuzzAppendString(f *testing.F) {
	for _, fragment := range fragments {
		f.Add(fragment)
	}
	f.Fuzz(checkAppendString)
}

func FuzzSplice(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":[2],"c":{"a":3}}`), uint64(1))
	f.Add([]byte(" {\n \"a\" : 1 ,\n \"b\" : null\n}\n"), uint64(2))
	f.Fuzz(func(t *testing.T, doc []byte, seed uint64) { checkSplice(t, doc, rand.New(rand.NewPCG(seed, 0))) })
}
