package claude

import "testing"

func TestNamesTellTheVersion(t *testing.T) {
	for name, want := range map[string]Version{
		"claude-2.1":                                   21,
		"anthropic.claude-v2:1":                        21,
		"anthropic.claude-instant-v1":                  10,
		"anthropic.claude-opus-5-v1:0":                 50,
		"claude-3-haiku-20240307":                      30,
		"claude-3-7-sonnet-20250219":                   37,
		"claude-sonnet-4-20250514":                     40,
		"claude-opus-4-6":                              46,
		"us.anthropic.claude-sonnet-4-5-20250929-v1:0": 45,
		"anthropic/Claude-Opus-4.6@fast":               46,
		"claude-":                                      0,
		"glm-4.6":                                      0,
	} {
		if got := VersionOf(name); got != want {
			t.Errorf("%s: got %d, want %d", name, got, want)
		}
	}
}

func TestAnEffortSurvivesBeingABudget(t *testing.T) {
	for _, effort := range []string{"low", "medium", "high", "xhigh"} {
		if got := EffortOf(BudgetOf(effort)); got != effort {
			t.Errorf("%s became %s", effort, got)
		}
	}
	if got := EffortOf(BudgetOf("minimal")); got != "low" {
		t.Errorf("minimal became %s", got)
	}
}

func TestEffortsAreThoseThatTheModelKnows(t *testing.T) {
	for _, c := range []struct {
		version      Version
		effort, want string
	}{
		{WithoutTunings, "minimal", "low"},
		{WithoutTunings, "xhigh", "xhigh"},
		{WithAdaptive, "xhigh", "high"},
		{WithAdaptive, "max", "max"},
		{0, "medium", "medium"},
	} {
		if got := c.version.Level(c.effort); got != c.want {
			t.Errorf("%s for %d: got %s, want %s", c.effort, c.version, got, c.want)
		}
	}
}
