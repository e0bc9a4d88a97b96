package claude

import "testing"

func TestOfTwoSamplersTheOneIsLeftThatSaysSomething(t *testing.T) {
	for _, c := range []struct {
		temperature, topP string
		t, p              string
		lost              bool
	}{
		{"0.2", "0.9", "0.2", "", true},
		{"0.2", "1", "0.2", "", false},
		{"1.0", "0.9", "", "0.9", false},
		{"1", "1.0", "1", "", false},
		{"0.2", "", "0.2", "", false},
		{"", "0.9", "", "0.9", false},
	} {
		if got, p, lost := OneSampler(c.temperature, c.topP); got != c.t || p != c.p || lost != c.lost {
			t.Errorf("%s and %s: got %q, %q, %v", c.temperature, c.topP, got, p, lost)
		}
	}
}
