package wiretest

import (
	"fmt"
	"slices"
	"strings"
)

// findings collects differences, each a name and a sentence.
type findings struct{ list []string }

func (f *findings) add(what, format string, args ...any) {
	f.list = append(f.list, what+": "+fmt.Sprintf(format, args...))
}

// equal compares two texts.
func (f *findings) equal(what, want, got string) {
	if want == got {
		return
	}
	at := 0
	for at < min(len(want), len(got)) && want[at] == got[at] {
		at++
	}
	at = max(0, at-20)
	f.add(what, "want %q, got %q (from byte %d of %d and %d)", short(want[at:]), short(got[at:]), at, len(want), len(got))
}

// CompareReplies lists what a client of a dialect was told other than the provider said, and where its response breaks
// the rules of the dialect.
func CompareReplies(want, got *Reply, client string) []string {
	var f findings
	if want.Error != "" || got.Error != "" {
		f.errors(want, got)
	} else {
		f.said(want, got, client)
		f.calls(want.Calls, got.Calls, client)
		f.stops(want, got, client)
		f.usage(want.Usage, got.Usage, client)
	}
	for _, b := range got.Breaches {
		f.add("breach", "%s", b)
	}
	return f.list
}

func (f *findings) errors(want, got *Reply) {
	switch {
	case want.Error == "" && want.Stop == "error": // said with the answer, which some dialects tell from none
	case want.Error == "":
		f.add("error", "want an answer, got %d %s", got.Status, short(got.Error))
	case got.Error == "":
		f.add("error", "want %d %s, got an answer", want.Status, short(want.Error))
	case !strings.Contains(got.Error, want.Error):
		f.add("error", "want %q, got %q", short(want.Error), short(got.Error))
	}
	if want.Status >= 400 && got.Status != want.Status {
		f.add("status", "want %d, got %d", want.Status, got.Status)
	}
}

func (f *findings) said(want, got *Reply, client string) {
	text, refusal := want.Text, want.Refusal
	if cannot(client, lossRefusal) {
		text, refusal = text+refusal, ""
	}
	f.equal("text", text, got.Text)
	if want.Stop == "refusal" && refusal == "" && !cannot(client, lossRefusal) {
		refusal = got.Refusal // the provider said so without a word, and these dialects have only words
	}
	f.equal("refusal", refusal, got.Refusal)
	if !sameTexts(want.Thinking, got.Thinking) {
		f.equal("thinking", strings.Join(want.Thinking, "|"), strings.Join(got.Thinking, "|"))
	}
	for _, w := range want.Sources {
		if cannot(client, lossPassage) {
			w.Passage = ""
		}
		if !slices.ContainsFunc(got.Sources, w.matches) {
			f.add("sources", "%+v is missing, of %d", w, len(want.Sources))
		}
	}
	if !cannot(client, lossMedia) {
		f.equal("media", strings.Join(want.Media, " "), strings.Join(got.Media, " "))
	}
}

// matches reports whether another source says at least what this one does.
func (s Source) matches(t Source) bool {
	return s.URL == t.URL && (s.Title == "" || s.Title == t.Title) && (s.Passage == "" || s.Passage == t.Passage)
}

func (f *findings) calls(want, got []Call, client string) {
	if len(want) != len(got) {
		f.add("calls", "want %d, got %d", len(want), len(got))
		return
	}
	for i, w := range want {
		g := got[i]
		if w.Name != g.Name {
			f.add("call name", "want %q, got %q", w.Name, g.Name)
		}
		if args := w.Args; !sameArguments(args, g.Args) {
			f.equal("call arguments", args, g.Args)
		}
		if w.ID != "" && w.ID != g.ID {
			f.add("call id", "want %q, got %q", w.ID, g.ID)
		}
		if g.ID == "" && !cannot(client, lossCallID) {
			f.add("call id", "call %d has none", i)
		}
	}
}

// sameArguments allows for what dialects with objects make of other arguments: they wrap them into one.
func sameArguments(want, got string) bool {
	if want == got {
		return true
	}
	n, err := parse([]byte(got))
	if err != nil || len(n.keys()) != 1 {
		return false
	}
	inner := n.get(n.keys()[0])
	plain, err := parse([]byte(want))
	if err != nil {
		return inner.str() == want // was cut off
	}
	return !plain.isObject() && (inner.canonical() == want || inner.str() == want)
}

func (f *findings) stops(want, got *Reply, client string) {
	w, g := want.Stop, got.Stop
	if w == "" { // the provider did not say
		w = "stop"
		if len(want.Calls) > 0 {
			w = "tool"
		}
	}
	switch {
	case w == "filter" && g == "refusal" && cannot(client, lossFilter), w == "refusal" && g == "filter" && cannot(client, lossRefusal):
	case w == "error" && cannot(client, lossError):
	case w == "pause" && cannot(client, lossPause) && (g == "stop" || g == "tool"):
	case w != g:
		f.add("stop", "want %s (%s), got %s (%s)", w, want.RawStop, g, got.RawStop)
	}
}

func (f *findings) usage(want, got *Usage, client string) {
	if want == nil {
		return
	}
	if got == nil {
		f.add("usage", "want %v, got none", want)
		return
	}
	w, g := *want, *got
	// Where the same tokens count as both read and written, classes that are to add up hold them once.
	w.CacheWrite = min(w.CacheWrite, w.Input-w.CacheRead)
	if cannot(client, lossCacheWrite) {
		w.CacheWrite, g.CacheWrite = 0, 0
	}
	if cannot(client, lossReasoning) {
		w.Reasoning, g.Reasoning = 0, 0
	}
	if w != g {
		f.add("usage", "want %v, got %v", w, g)
	}
}
