package dialects

import (
	"strconv"
	"strings"
	"testing"
)

func TestEveryCallHasAnIDOfItsOwn(t *testing.T) {
	// A step is a call (+id:name) or a result (-id:name) and the ID that it is given.
	for name, steps := range map[string]string{
		"their own":                       "+a:f=a +b:g=b -b:g=b -a:f=a",
		"made up where there are none":    "+:f=t_1 +:g=t_2 -:g=t_2 -:f=t_1 +:f=t_3 -:=t_3",
		"counted anew in every turn":      "+c0:f=c0 -c0:f=c0 +c0:f=c0_2 -c0:f=c0_2 +c0:f=c0_3 -c0:f=c0_3",
		"the same twice in one turn":      "+c:f=c +c:g=c_2 -c:f=c -c:g=c_2",
		"one that looks as if made":       "+c_2:f=c_2 +c:f=c +c:f=c_3 -c_2:=c_2 -c:=c -c:=c_3",
		"one that looks as if made first": "+t_1:f=t_1 +:f=t_1_2 -:f=t_1_2 -t_1:f=t_1",
		"a result of nothing":             "+a:f=a -b:f=b -:f=",
	} {
		ids := CallIDs{Prefix: "t_"}
		for step := range strings.FieldsSeq(steps) {
			asked, want, _ := strings.Cut(step, "=")
			id, tool, _ := strings.Cut(asked[1:], ":")
			got := ids.Call
			if asked[0] == '-' {
				got = ids.Result
			}
			if got := got(id, tool); got != want {
				t.Errorf("%s: %s is %q", name, step, got)
			}
		}
	}
}

func TestManyCallsTakeNoLongerEachThanFew(t *testing.T) {
	ids, seen := CallIDs{Prefix: "t_"}, map[string]bool{}
	for i := range 20_000 {
		id := []string{"same", "", "same_" + strconv.Itoa(i)}[i%3]
		if id = ids.Call(id, "f"); seen[id] {
			t.Fatalf("%s came twice", id)
		}
		seen[id] = true
	}
	for i := range 20_000 {
		ids.Result(strconv.Itoa(i), "f")
	}
}
