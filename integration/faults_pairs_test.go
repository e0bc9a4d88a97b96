package integration

import "fmt"

// faultPairs are client dialects and the kinds of provider that answer them: each dialect spoken natively, and two
// that are translated.
var faultPairs = []struct {
	name   string
	client *gwClient
	kind   string
}{
	{"chat", gwChat, "openai"},
	{"messages", gwMessages, "anthropic"},
	{"responses", gwResponses, "openai"},
	{"gemini", gwGemini, "gemini"},
	{"messages over openai", gwMessages, "openai"},
	{"chat over anthropic", gwChat, "anthropic"},
}

// pairs runs a part of the row for every pair, streaming and not; under the race detector one or the other, which of them
// takes turns from row to row.
func (f *fault) pairs(test func(f *fault, d *gwClient, kind string, stream bool)) {
	for i, p := range faultPairs {
		for _, stream := range []bool{false, true} {
			if faultRace && !faultsFull && stream != ((i+f.row)%2 == 0) {
				continue
			}
			f.run(fmt.Sprintf("%s stream %v", p.name, stream), func(f *fault) { test(f, p.client, p.kind, stream) })
		}
	}
}

// streams runs a part of the row for every pair, streaming; under the race detector for every other one.
func (f *fault) streams(test func(f *fault, d *gwClient, kind string)) {
	for i, p := range faultPairs {
		if faultRace && !faultsFull && (i+f.row)%2 != 0 {
			continue
		}
		f.run(p.name, func(f *fault) { test(f, p.client, p.kind) })
	}
}
