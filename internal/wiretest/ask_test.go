package wiretest

import (
	"strings"
	"testing"
)

func TestTheSameRequestIsReadAlikeInEveryDialect(t *testing.T) {
	for _, endpoint := range Endpoints() {
		got := fixtureAsk(t, endpoint)
		if len(got.Breaches) > 0 {
			t.Errorf("%s: %q", endpoint, got.Breaches)
		}
		for _, client := range Clients() {
			want := fixtureAsk(t, client).poorer(endpoint)
			if client == Responses {
				want.Stop = []string{"END", "###"} // it has no word for them
			}
			if list := CompareAsks(want, got); len(list) > 0 {
				t.Errorf("%s for %s: %s", endpoint, client, strings.Join(list, "\n\t"))
			}
		}
	}
}

func TestWhatIsWrittenSaysTheSame(t *testing.T) {
	for _, endpoint := range Endpoints() {
		want := fixtureAsk(t, endpoint)
		want.Model = "m"
		for _, client := range Clients() {
			got := ReadAsk(client, true, WriteAsk(client, want))
			if list := CompareAsks(want, got); len(list) > 0 {
				t.Errorf("%s as %s: %s", endpoint, client, strings.Join(list, "\n\t"))
			}
		}
	}
}

// freeInAsks are the places of a request that comparisons do not look at, and need not.
var freeInAsks = map[string][]string{
	Chat: {
		"messages.*.content.*.file.filename", "model changed", "response_format.json_schema.name changed", "stream_options", "stream_options.include_usage",
	},
	Responses: {
		"input.*.content.*.detail", "input.*.content.*.filename", "input.*.type left out", "model", "store", "text.format.name changed",
		"tools.*.parameters left out", "tools.*.parameters.properties left out", "tools.*.parameters.type left out",
	},
	Messages: {"messages.*.content.*.title", "model", "tools.*.input_schema.properties left out"},
	Gemini:   {"contents.*.parts.*.thoughtSignature"},
	Converse: {"messages.*.content.*.document.name changed", "outputConfig.textFormat.structure.jsonSchema.name"},
	// Mistral takes types for granted, and whatever the answer says that it wants after results.
	Mistral: {"model changed", "response_format.json_schema.name", "messages.*.content changed", "messages.*.tool_calls.*.type", "tools.*.type"},
	Cohere:  {"model changed"},
	Ollama:  {"messages.*.tool_name", "model", "stream left out"}, // it streams unless told otherwise
}

func TestEveryChangeOfARequestIsFound(t *testing.T) {
	for _, endpoint := range Endpoints() {
		t.Run(endpoint, func(t *testing.T) {
			client := Messages
			if endpoint == client {
				client = Gemini
			}
			want := fixtureAsk(t, client).poorer(endpoint)
			check := missing(freeInAsks[endpoint])
			for _, m := range mutations(t, fixture(t, "asks/"+endpoint+".json")) {
				check.note(m.where, CompareAsks(want, ReadAsk(endpoint, endpoint == Gemini || endpoint == Converse, m.doc)))
			}
			check.report(t)
		})
	}
}
