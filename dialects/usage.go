package dialects

import (
	"strings"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// MaxTokens is the largest count that is believed, in tokens: more than any model reads or writes in one request.
const MaxTokens = 50_000_000

// Reported is what a response has said so far of its usage. The zero value is that of a response that said nothing.
type Reported struct {
	Usage conversation.Usage
	// UsageKnown says that the provider reported usage. Zero that was reported is known.
	UsageKnown bool
	// UsageInvalid says that something was reported that cannot be true: a count that is no number, negative or larger
	// than [MaxTokens], a part larger than its whole, or less than what the same response had reported before. Usage is
	// then what was believed until then: it bounds an estimate from below and is no bill.
	UsageInvalid bool

	guess bool
}

// Guess says that the usage reported so far is preliminary: there may be less in the end.
func (r *Reported) Guess() { r.guess = true }

// Update takes in a later report of the same response, which replaces what is known, and returns whether it was
// believed. A report that says less than the one before is not: what a provider has once charged for stays charged.
func (r *Reported) Update(later Reported) bool {
	r.UsageInvalid = r.UsageInvalid || later.UsageInvalid || later.UsageKnown && r.lower(later)
	return r.Raise(later)
}

// Raise is Update for reports whose counts may fall along the way: a lower one is skipped, and no fault.
func (r *Reported) Raise(later Reported) bool {
	if later.UsageInvalid {
		r.UsageInvalid = true
	}
	if later.UsageInvalid || !later.UsageKnown || r.lower(later) {
		return false
	}
	r.Usage, r.UsageKnown, r.guess = later.Usage, true, false
	return true
}

func (r *Reported) lower(later Reported) bool {
	return !r.guess && (later.Usage.TotalInput() < r.Usage.TotalInput() || later.Usage.TotalOutput() < r.Usage.TotalOutput())
}

// Counts reads the numbers of one usage report, whatever vendor wrote it, and remembers whether one of them cannot be
// true. The zero value is ready.
type Counts struct {
	Invalid bool
}

// Read reads the count that comes next into n; see [Counts.Parse].
func (c *Counts) Read(in *jsonedit.Reader, n *int64) bool {
	return c.Parse(jsonedit.View(in.Raw()), n)
}

// Parse reads a count, given as raw JSON, into n, and returns whether there was one. It may be spelled 7, 7.0, 7e0 or
// "7". What is missing or null leaves n as it is, and so does what cannot be true.
func (c *Counts) Parse(raw string, n *int64) bool {
	if raw == "" || raw == "null" {
		return false
	}
	x, ok := jsonedit.Count(raw)
	if !ok || x > MaxTokens {
		c.Invalid = true
		return false
	}
	*n = x
	return true
}

// Part returns as much of a part as there is in its whole. A part that is larger cannot be true; vendors that are known
// to count it beside the whole must not be asked this.
func (c *Counts) Part(part, whole int64) int64 {
	if part > whole {
		c.Invalid = true
	}
	return min(part, whole)
}

// Report is the outcome: the usage in disjoint classes, unless a count was invalid.
func (c *Counts) Report(u conversation.Usage, known bool) Reported {
	if c.Invalid || u.TotalInput() > MaxTokens || u.TotalOutput() > MaxTokens {
		return Reported{UsageInvalid: true}
	}
	return Reported{Usage: u, UsageKnown: known}
}

// tiers are vendors' words for service tiers. The tier that everybody gets has no name.
var tiers = [...]struct{ word, tier string }{
	{"default", ""},
	{"standard", ""},
	{"auto", ""}, // which one it became is not told
	{"on_demand", ""},
	{"service_tier_unspecified", ""},
	{"traffic_type_unspecified", ""},
	{"unspecified", ""},
	{"batch", "batch"},
	{"flex", "flex"},
	{"priority", "priority"},
	{"on_demand_flex", "flex"},
	{"on_demand_priority", "priority"},
}

// maxTier is the length of the longest name of a tier that is kept, in bytes.
const maxTier = 32

// SetTier notes the service tier that a response was served with, in the vendor's word; empty says nothing. The last one
// counts: streams may begin with the tier that was asked for.
func (o *Observation) SetTier(word string) {
	if word == "" {
		return
	}
	for i := range tiers {
		if strings.EqualFold(word, tiers[i].word) {
			o.Tier = tiers[i].tier
			return
		}
	}
	var buf [maxTier]byte
	name := buf[:0]
	for i := 0; i < len(word) && i < maxTier; i++ {
		ch := word[i]
		switch {
		case ch >= 'A' && ch <= 'Z':
			ch += 'a' - 'A'
		case ch >= 'a' && ch <= 'z', ch >= '0' && ch <= '9', ch == '-', ch == '.':
		default:
			ch = '_'
		}
		name = append(name, ch)
	}
	if o.Tier != string(name) { // said in every chunk, it is stored once
		o.Tier = string(name)
	}
}
