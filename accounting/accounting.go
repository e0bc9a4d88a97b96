// Package accounting knows what things cost and keeps the record of it: usage in disjoint classes, money, the price
// book and the ledger contract.
package accounting

import "time"

// Money is an amount in nano-dollars: 1,000,000,000 is one US dollar. It adds exactly; prices and costs are never floats.
type Money int64

// Dollar is one US dollar.
const Dollar Money = 1_000_000_000

// Usage counts tokens in disjoint classes. It has the same fields as conversation.Usage.
type Usage struct {
	Input        int64 // text input that was neither read from nor written to a cache
	CacheRead    int64
	CacheWrite   int64 // written with the default or five-minute lifetime
	CacheWrite1h int64 // written with a one-hour lifetime
	InputAudio   int64
	InputImage   int64
	InputVideo   int64
	// What of the input read from a cache was audio or pictures; CacheRead is the rest of it.
	CacheReadAudio int64
	CacheReadImage int64
	Output         int64 // visible output
	Reasoning      int64 // output spent on thinking
	OutputAudio    int64
	OutputImage    int64
	WebSearches    int64
}

// Certainty says how well the usage of an attempt is known.
type Certainty uint8

// The certainties. Zero usage that a provider reported is Reported, not Unknown.
const (
	Unknown   Certainty = iota // the request was sent and nothing is known of what it used
	Reported                   // by the provider
	Estimated                  // by the gateway, from what went by
	Void                       // the provider refused before doing any work: nothing was used
)

func (c Certainty) String() string {
	return [...]string{"unknown", "reported", "estimated", "void"}[c]
}

// Entry is the record of one attempt: every call to a provider ends as exactly one.
type Entry struct {
	// AttemptID is a UUIDv7 and makes writing an entry idempotent.
	AttemptID string
	RequestID string
	Attempt   int // 1 for the first of the request
	Time      time.Time

	Key, User, Team string
	// Tags are the other scopes that identify names: feature, project ...
	Tags map[string]string

	Provider      string // configured name
	Dialect       string // that the provider was spoken to in
	Model         string // public name, as configured
	UpstreamModel string // that the provider was asked for
	AnsweredModel string // that the provider says answered
	// ProviderRequestID is the vendor's name for the call.
	ProviderRequestID string

	Usage     Usage
	Certainty Certainty
	// UsageInvalid says that the provider reported a usage that cannot be true: the entry has an estimate in its place.
	UsageInvalid bool
	// Recovered says that the process died before the outcome of the attempt was known.
	Recovered bool
	Cost      Money
	Priced    bool // false: something that was used has no known price, and Cost is without it: mostly 0
	// AtRisk is what an Unknown attempt may have cost besides Cost: the price of its estimated input.
	AtRisk       Money
	Tier         string // the service tier that was billed: batch, flex, priority ...; empty for the standard one
	PriceVersion string

	Status     int    // the provider's HTTP status; 0 when there was none
	ErrorClass string // empty on success
	Stream     bool
	Latency    time.Duration
	// TimeToFirstToken is 0 when no content came.
	TimeToFirstToken time.Duration
}
