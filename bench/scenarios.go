package main

import (
	"regexp"
	"time"
)

// kind is what a scenario does to a lane.
type kind uint8

const (
	unary   kind = iota // requests one after the other on each connection
	streams             // paced event streams
	idle                // streams that are open and silent
)

// scenario is one row group of the table: one load, sent through every lane that can take it.
type scenario struct {
	name        string
	kind        kind
	concurrency int // connections; for idle the plan says
	large       bool
	// translated scenarios ask the gateway for a model of the Anthropic provider in the chat dialect. reverse_proxy
	// cannot do that: it is compared with reverse_proxy passing the same chat request through.
	translated bool
	// The most that the gateway may cost relative to reverse_proxy; zero for no limit.
	limitQuiet, limitFull float64
}

// scenarioSets returns what is measured. The scenarios of one set are interleaved and share the lanes without a gateway.
func scenarioSets() [][]scenario {
	return [][]scenario{
		{{name: "same dialect 200 B @1", concurrency: 1}},
		{
			{name: "same dialect 200 B @16", concurrency: 16, limitQuiet: 0.8, limitFull: 1.0},
			{name: "chat to anthropic 200 B @16", concurrency: 16, translated: true, limitQuiet: 1.0, limitFull: 1.15},
		},
		{{name: "same dialect 200 B @256", concurrency: 256}},
		{
			{name: "same dialect 100 KB @16", concurrency: 16, large: true, limitQuiet: 1.15, limitFull: 1.25},
			{name: "chat to anthropic 100 KB @16", concurrency: 16, large: true, translated: true, limitQuiet: 4, limitFull: 4},
		},
		{
			{name: "stream event, same dialect", kind: streams, concurrency: 64, limitQuiet: 1.05, limitFull: 1.1},
			{name: "stream event, chat to anthropic", kind: streams, concurrency: 64, translated: true, limitQuiet: 1.3, limitFull: 1.35},
		},
		{{name: "memory per idle stream", kind: idle, limitQuiet: 0.85, limitFull: 0.9}},
	}
}

// selectScenarios keeps the scenarios whose names match; all of them when only is nil.
func selectScenarios(sets [][]scenario, only *regexp.Regexp) [][]scenario {
	if only == nil {
		return sets
	}
	var kept [][]scenario
	for _, set := range sets {
		var k []scenario
		for _, s := range set {
			if only.MatchString(s.name) {
				k = append(k, s)
			}
		}
		if len(k) > 0 {
			kept = append(kept, k)
		}
	}
	return kept
}

// plan is how long everything takes.
type plan struct {
	rounds       int           // interleaved rounds of unary slices
	slice        time.Duration // length of a unary slice
	warmup       time.Duration // unmeasured slice before the first round
	streamRounds int
	deltas       int           // content events per stream
	interval     time.Duration // between the events of one stream
	idleRounds   int
	idleStreams  int
	settle       time.Duration // memory has settled when it did not grow for this long
}

var (
	fullPlan = plan{
		rounds: 20, slice: 180 * time.Millisecond, warmup: 250 * time.Millisecond,
		streamRounds: 3, deltas: 300, interval: 10 * time.Millisecond,
		idleRounds: 3, idleStreams: 2000, settle: time.Second,
	}
	quickPlan = plan{
		rounds: 3, slice: 120 * time.Millisecond, warmup: 60 * time.Millisecond,
		streamRounds: 1, deltas: 100, interval: 10 * time.Millisecond,
		idleRounds: 1, idleStreams: 500, settle: 250 * time.Millisecond,
	}
)
