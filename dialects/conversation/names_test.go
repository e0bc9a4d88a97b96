package conversation

import (
	"strings"
	"testing"
)

func TestNamesAreMadeAcceptable(t *testing.T) {
	long := strings.Repeat("x", 100)
	plain, short, strict := Names{Also: "-"}, Names{Limit: 64, Also: "-"}, Names{Limit: 64, Also: ".", LetterFirst: true}
	for _, c := range []struct {
		rule           Names
		name, beginsAs string
		same           bool
	}{
		{plain, "call_1-a", "", true},
		{plain, long, "", true},
		{plain, "a.b", "a_b_", false},
		{plain, "", "_", false},
		{short, long, "xxxx", false},
		{short, "ü", "___", false},
		{strict, "a.b", "", true},
		{strict, "_1", "", true},
		{strict, "1a", "_1a_", false},
		{strict, " a", "_a_", false},
		{strict, ".a", "_.a_", false},
	} {
		got := c.rule.Clean(c.name)
		if (got == c.name) != c.same || !strings.HasPrefix(got, c.beginsAs) || !c.rule.Accept(got) || got != c.rule.Clean(c.name) {
			t.Errorf("%+v made %q of %q", c.rule, got, c.name)
		}
	}
}

func TestNamesThatDifferStayDifferent(t *testing.T) {
	long := strings.Repeat("x", 100)
	n := Names{Limit: 64}
	for a, b := range map[string]string{"a.b": "a:b", long: long + "y", "": "_"} {
		if n.Clean(a) == n.Clean(b) {
			t.Errorf("%q and %q became %q", a, b, n.Clean(a))
		}
	}
}

func TestAcceptableNamesAreNotCopied(t *testing.T) {
	n := Names{Limit: 64, Also: "-"}
	if got := testing.AllocsPerRun(10, func() { n.Clean("get-weather_2") }); got > 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestAHashedIDIsAsLongAsAsked(t *testing.T) {
	for _, length := range []int{9, 12, 16} {
		got := HashID("call_1", length)
		if len(got) != length || !(Names{}).Accept(got) || got == HashID("call_2", length) {
			t.Errorf("got %q", got)
		}
	}
}

func TestAFreeTextToolSaysWhatItsInputHasToBe(t *testing.T) {
	g := &Grammar{Syntax: "lark", Definition: "start: A"}
	for _, c := range []struct {
		tool Tool
		want string
	}{
		{Tool{Description: "Patches."}, "Patches."},
		{Tool{Description: "Patches.", Grammar: g}, "Patches.\n\nThe input must match this lark grammar:\nstart: A"},
		{Tool{Grammar: g}, "The input must match this lark grammar:\nstart: A"},
	} {
		if got := FreeTextDescription(&c.tool); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
