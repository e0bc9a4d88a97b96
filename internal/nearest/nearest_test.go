package nearest

import (
	"strings"
	"testing"
)

func TestNearestNames(t *testing.T) {
	names := []string{"gpt-5", "gpt-5-mini", "claude-opus-5", "gemini-2.5-pro", "llama"}
	for _, tc := range []struct {
		name string
		n    int
		want string
	}{
		{"gpt5", 1, "gpt-5"},
		{"GPT-5", 1, "gpt-5"},
		{"claude-opus", 1, "claude-opus-5"},
		{"gpt-5", 2, "gpt-5 gpt-5-mini"},
		{"zzzzzz", 3, ""},
		{"", 1, ""},
		{strings.Repeat("x", maxLength+1), 3, ""},
		{"lama", 3, "llama"},
	} {
		if got := strings.Join(Names(tc.name, names, tc.n), " "); got != tc.want {
			t.Errorf("%.20q: %q, want %q", tc.name, got, tc.want)
		}
	}
	if got := DidYouMean("gpt5", names); got != `; did you mean "gpt-5"?` {
		t.Error(got)
	}
	if got := distance("kitten", "sitting", 9); got != 3 {
		t.Errorf("distance is %d", got)
	}
	if got := distance("kitten", "sitting", 2); got <= 2 {
		t.Errorf("distance is %d", got)
	}
}

func TestOneWrongLetterIsASlip(t *testing.T) {
	names := []string{"user", "model", "hour"}
	for name, want := range map[string]string{
		"usr": "user", "users": "user", "modal": "model", "user": "", "host": "", "project": "", "ur": "", "": "",
	} {
		if got := Slip(name, names); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
