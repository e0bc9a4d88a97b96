package wiretest

import (
	"encoding/json"
	"slices"
	"strings"
)

// withoutHelp is a request less what a translation may add to it, so that a model of another vendor can do what was asked:
// short answers and captions that the API demands, words in place of what only one vendor understands, tools that stand
// for a format or that earlier calls were made of.
func (a *Ask) withoutHelp(want *Ask) *Ask {
	if cannot(a.Endpoint, lossWait) {
		a = a.withoutWait(want)
	}
	if n := len(want.Turns); cannot(a.Endpoint, lossFirst) && n > 0 && len(a.Turns) > n && want.Turns[0].Role == roleAssistant && a.Turns[0].Role == roleUser {
		first := *a
		first.Turns = a.Turns[1:]
		a = &first
	}
	if cannot(a.Endpoint, lossCaption) {
		a = a.withoutCaptions(want)
	}
	out := *a
	out.Turns = nil
	kinds := want.others()
	for _, t := range a.Turns {
		parts := slices.Clone(t.Parts)
		for i := range parts {
			if parts[i].Kind == kindText {
				parts[i].Text = withoutNotes(parts[i].Text, kinds)
			}
		}
		out.say(t.Role, parts...)
	}
	out.formatTool(want)
	if cannot(a.Endpoint, lossDeclared) && len(want.Tools) == 0 {
		out.Tools = slices.DeleteFunc(slices.Clone(out.Tools), func(t Tool) bool { return want.calls(t.Name) })
	}
	return &out
}

// others are the kinds of parts that only one vendor understands.
func (a *Ask) others() (kinds []string) {
	for _, t := range a.Turns {
		for _, p := range t.Parts {
			if p.Kind == kindOther && p.Name != "" {
				kinds = append(kinds, p.Name)
			}
		}
	}
	return kinds
}

func (a *Ask) calls(name string) bool {
	for _, t := range a.Turns {
		if slices.ContainsFunc(t.Parts, func(p Part) bool { return p.Kind == kindCall && p.Name == name }) {
			return true
		}
	}
	return false
}

// withoutNotes is a text less the notes in it about what only one vendor understands, such as [web_search_call {…}].
func withoutNotes(text string, kinds []string) string {
	for _, kind := range kinds {
		for {
			before, rest, ok := strings.Cut(text, "["+kind+" ")
			if !ok {
				break
			}
			d := json.NewDecoder(strings.NewReader(rest))
			var note any
			if d.Decode(&note) != nil || !strings.HasPrefix(rest[d.InputOffset():], "]") {
				break
			}
			text = before + rest[d.InputOffset()+1:]
		}
	}
	return text
}

// formatTool takes a tool away that stands for the format of the answer, with the choice that forces it.
func (a *Ask) formatTool(want *Ask) {
	if want.Format == "" || a.Format != "" || !cannot(a.Endpoint, lossFormat) {
		return
	}
	for i, t := range a.Tools {
		if closed(t.Schema, true) == closed(want.Format, true) && !slices.ContainsFunc(want.Tools, func(w Tool) bool { return w.Name == t.Name }) {
			a.Tools = slices.Delete(slices.Clone(a.Tools), i, i+1)
			a.Format, a.Choice = want.Format, want.Choice
			return
		}
	}
}

// withoutWait is a request without the short answers that have to stand between results and what the user says next.
func (a *Ask) withoutWait(want *Ask) *Ask {
	out := *a
	out.Turns = nil
	for i, t := range a.Turns {
		at := len(out.Turns) - 1
		if t.Role == roleAssistant && len(t.Parts) == 1 && t.Parts[0].Kind == kindText && at >= 0 && i+1 < len(a.Turns) && at < len(want.Turns) {
			said, due := out.Turns[at].Parts, want.Turns[at].Parts
			if said[len(said)-1].Kind == kindResult && slices.ContainsFunc(due, goesOn) {
				continue
			}
		}
		out.say(t.Role, slices.Clone(t.Parts)...)
	}
	return &out
}

// goesOn reports whether a part of a turn with results has to follow them as a message of its own.
func goesOn(p Part) bool {
	return p.Kind != kindResult || slices.ContainsFunc(p.Inner, func(in Part) bool { return in.isMedia() })
}

// withoutCaptions is a request without the texts of turns with a document that had none.
func (a *Ask) withoutCaptions(want *Ask) *Ask {
	out := *a
	out.Turns = slices.Clone(a.Turns)
	for i, t := range out.Turns {
		if i >= len(want.Turns) || slices.ContainsFunc(want.Turns[i].Parts, func(p Part) bool { return p.Kind == kindText }) ||
			!slices.ContainsFunc(t.Parts, func(p Part) bool { return p.Kind == kindDocument }) {
			continue
		}
		out.Turns[i].Parts = slices.DeleteFunc(slices.Clone(t.Parts), func(p Part) bool { return p.Kind == kindText })
	}
	return &out
}
