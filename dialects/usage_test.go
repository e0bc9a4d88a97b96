package dialects

import (
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
)

func known(in, out int64) Reported {
	return Reported{Usage: conversation.Usage{Input: in, Output: out}, UsageKnown: true}
}

func TestTheLastReportOfUsageCountsUnlessItIsLower(t *testing.T) {
	invalid := func(r Reported) Reported { r.UsageInvalid = true; return r }
	for _, tt := range []struct {
		name    string
		reports []Reported
		want    Reported
	}{
		{"none is unknown", nil, Reported{}},
		{"nothing said changes nothing", []Reported{known(3, 2), {}}, known(3, 2)},
		{"zero is known", []Reported{known(0, 0)}, known(0, 0)},
		{"the same twice is no more", []Reported{known(3, 2), known(3, 2)}, known(3, 2)},
		{"a higher one replaces", []Reported{known(3, 2), known(3, 9)}, known(3, 9)},
		{"lower output is not believed", []Reported{known(3, 9), known(3, 2)}, invalid(known(3, 9))},
		{"lower input is not believed, whatever the output", []Reported{known(3, 2), known(2, 9)}, invalid(known(3, 2))},
		{"zero after something is not believed", []Reported{known(3, 2), known(0, 0)}, invalid(known(3, 2))},
		{"an invalid one leaves what was known", []Reported{known(3, 2), {UsageInvalid: true}}, invalid(known(3, 2))},
		{"a good one after an invalid one is a better floor, and no more", []Reported{{UsageInvalid: true}, known(3, 2)}, invalid(known(3, 2))},
		{
			"tokens may move between the classes of one side",
			[]Reported{known(9, 9), {Usage: conversation.Usage{Input: 1, CacheReadImage: 8, Reasoning: 4, OutputImage: 5}, UsageKnown: true}},
			Reported{Usage: conversation.Usage{Input: 1, CacheReadImage: 8, Reasoning: 4, OutputImage: 5}, UsageKnown: true},
		},
	} {
		var got Reported
		for _, r := range tt.reports {
			got.Update(r)
		}
		if got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestAGuessMayBeTooHighAndACountMayNot(t *testing.T) {
	for _, later := range []Reported{known(9, 1), known(8, 5), known(0, 0)} {
		got := known(9, 5)
		got.Guess()
		if !got.Update(later) || got != later {
			t.Errorf("%+v: got %+v", later, got)
		}
		if got.Update(known(later.Usage.Input-1, 9)) || !got.UsageInvalid || got.Usage != later.Usage {
			t.Errorf("%+v: what was counted fell: %+v", later, got)
		}
	}
}

func TestCountsAreReadHoweverTheyAreSpelled(t *testing.T) {
	for raw, want := range map[string]int64{
		`7`: 7, `"7"`: 7, `7.0`: 7, `7e0`: 7, `1e3`: 1000, `1.5e1`: 15, `0`: 0, `-0`: 0, `"0"`: 0, `50000000`: MaxTokens, ` 7`: -1,
		`-1`: -1, `"-1"`: -1, `1.5`: -1, `50000001`: -1, `9223372036854775807`: -1, `9223372036854775808`: -1, `18446744073709551616`: -1,
		`1e999`: -1, `-1e999`: -1, `"NaN"`: -1, `"many"`: -1, `""`: -1, `"`: -1, `true`: -1, `{}`: -1, `[7]`: -1,
		`null`: -2, ``: -2,
	} {
		var c Counts
		n := int64(99)
		ok := c.Parse(raw, &n)
		switch want {
		case -1:
			if ok || !c.Invalid || n != 99 {
				t.Errorf("%s was read as %d, %+v", raw, n, c)
			}
		case -2:
			if ok || c.Invalid || n != 99 {
				t.Errorf("%q was read as %d, %+v", raw, n, c)
			}
		default:
			if !ok || c.Invalid || n != want {
				t.Errorf("%s was read as %d, %v, %+v", raw, n, ok, c)
			}
		}
	}
}

func TestSumsOfBelievableCountsMayBeTooLarge(t *testing.T) {
	var c Counts
	if r := c.Report(conversation.Usage{Input: MaxTokens, CacheRead: 1}, true); r != (Reported{UsageInvalid: true}) {
		t.Errorf("got %+v", r)
	}
	if r := c.Report(conversation.Usage{Input: MaxTokens, Output: MaxTokens}, true); !r.UsageKnown || r.UsageInvalid {
		t.Errorf("got %+v", r)
	}
}

func TestServiceTiersHaveOneNameWhateverTheVendorCallsThem(t *testing.T) {
	for word, want := range map[string]string{
		"default": "", "standard": "", "auto": "", "on_demand": "", "ON_DEMAND": "", "SERVICE_TIER_UNSPECIFIED": "",
		"flex": "flex", "FLEX": "flex", "ON_DEMAND_FLEX": "flex", "priority": "priority", "ON_DEMAND_PRIORITY": "priority", "batch": "batch",
		"scale": "scale", "PROVISIONED_THROUGHPUT": "provisioned_throughput", "Per formance\n\"x\"": "per_formance__x_",
		"größer": "gr____er", strings.Repeat("x", 99): strings.Repeat("x", maxTier),
	} {
		o := Observation{Tier: "before"}
		if o.SetTier(word); o.Tier != want {
			t.Errorf("%q became %q, want %q", word, o.Tier, want)
		}
		if n := testing.AllocsPerRun(10, func() { o.SetTier(word) }); n != 0 {
			t.Errorf("%q, said again: %v allocations", word, n)
		}
	}
	o := Observation{Tier: "flex"}
	if o.SetTier(""); o.Tier != "flex" {
		t.Errorf("nothing said made it %q", o.Tier)
	}
}
