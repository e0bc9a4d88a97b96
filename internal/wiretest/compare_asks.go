package wiretest

import (
	"fmt"
	"slices"
	"strings"
)

// CompareAsks lists what a provider was asked other than the client said, and where its request breaks the rules of the
// provider's dialect.
func CompareAsks(want, got *Ask) []string {
	var f findings
	provider := got.Endpoint
	if cannot(provider, lossSystemPlace) {
		want = want.hoisted()
	}
	got = got.withoutHelp(want)
	f.conversation(want, got)
	f.tools(want, got)
	f.choice(want, got)
	f.format(want, got)
	loop := want.inLoop() && cannot(provider, lossLoop)
	if want.Thinking != got.Thinking && want.Thinking != "" && !loop && !cannot(provider, lossThinking) {
		f.add("thinking", "want %s, got %q", want.Thinking, got.Thinking)
	}
	f.limit(want.MaxTokens, got.MaxTokens, provider, got.Thinking == "on")
	f.equal("temperature", want.Temperature, got.Temperature)
	f.equal("top_p", want.TopP, got.TopP)
	if !cannot(provider, lossStop) {
		stop := want.Stop
		if cannot(provider, lossBlankStop) {
			stop = slices.DeleteFunc(slices.Clone(stop), blank)
		}
		f.equal("stop", strings.Join(stop, "\x00"), strings.Join(got.Stop, "\x00"))
	}
	if want.Stream != got.Stream {
		f.add("stream", "want %v, got %v", want.Stream, got.Stream)
	}
	if want.Caches != got.Caches && !cannot(provider, lossCaches) {
		f.add("caches", "want %d marks, got %d", want.Caches, got.Caches)
	}
	for _, b := range got.Breaches {
		f.add("breach", "%s", b)
	}
	return f.list
}

// inLoop reports whether the last thing said is the result of a call.
func (a *Ask) inLoop() bool {
	n := len(a.Turns)
	return n > 0 && slices.ContainsFunc(a.Turns[n-1].Parts, func(p Part) bool { return p.Kind == kindResult })
}

// limit compares output limits. Messages demands one, and Responses no small one.
func (f *findings) limit(want, got, provider string, thinks bool) {
	switch {
	case want == "" && (provider == Messages || provider == Converse && thinks): // a budget has to be below a limit
	case want != "" && provider == Responses && lessNumber(want, minOutput) && got == minOutput:
	case want != got:
		f.add("max tokens", "want %q, got %q", want, got)
	}
}

// said is one thing that was said, in the form that it is compared in: texts in a row are one, in pieces.
type said struct {
	role, kind string
	texts      []string // of texts and results
	value      string   // of everything else, and of the calls that results answer
	mime       string   // of media, where it is said
	other      string   // of results without a text: what they hold
}

func (f *findings) conversation(want, got *Ask) {
	if len(want.Turns) == 0 && len(got.System) == 0 { // there has to be a conversation
		want = &Ask{Endpoint: want.Endpoint, Turns: []Turn{{roleUser, systemParts(want.System)}}}
	}
	if !sameTexts(want.System, f.system(want, got)) {
		f.equal("system", strings.Join(want.System, "|"), strings.Join(got.System, "|"))
	}
	w, g := want.normal(got.Endpoint, want.Endpoint), got.normal(got.Endpoint, want.Endpoint)
	for i := range max(len(w), len(g)) {
		switch {
		case i >= len(g):
			f.add("conversation", "want %d parts, got %d: %s %s is missing", len(w), len(g), w[i].role, w[i].show())
		case i >= len(w):
			f.add("conversation", "want %d parts, got %d: %s %s is extra", len(w), len(g), g[i].role, g[i].show())
		case w[i].role != g[i].role || w[i].kind != g[i].kind || w[i].value != g[i].value || !sameType(w[i].mime, g[i].mime):
			f.add("conversation", "part %d: want %s %s, got %s %s", i, w[i].role, w[i].show(), g[i].role, g[i].show())
		case w[i].other == "" && !sameTexts(w[i].texts, g[i].texts):
			f.equal("words", strings.Join(w[i].texts, "|"), strings.Join(g[i].texts, "|"))
		case w[i].other != "" && w[i].other != g[i].other && blank(strings.Join(g[i].texts, "")):
			f.add("words", "nothing is left of a result that is %s", w[i].other)
		default:
			continue
		}
		return
	}
}

func (s said) show() string {
	return short(strings.Join([]string{s.kind, s.mime, s.value, strings.Join(s.texts, "|")}, " "))
}

// system is the system prompt less what asks for a format that the dialect has no other word for.
func (f *findings) system(want, got *Ask) []string {
	if n := len(got.System); want.Format != "" && got.Format == "" && n > len(want.System) && strings.Contains(got.System[n-1], "JSON") {
		return got.System[:n-1]
	}
	return got.System
}

func systemParts(system []string) (out []Part) {
	for _, s := range system {
		out = append(out, Part{Kind: kindText, Text: s})
	}
	return out
}

// hoisted is a conversation with its system prompts before it.
func (a *Ask) hoisted() *Ask {
	out := *a
	out.System, out.Turns = slices.Clone(a.System), nil
	for _, t := range a.Turns {
		if t.Role != roleSystem {
			out.say(t.Role, t.Parts...)
			continue
		}
		for _, p := range t.Parts {
			out.System = append(out.System, p.Text)
		}
	}
	return &out
}

// normal is a conversation as it is compared for a provider: results come first, in the order of their calls, then the
// media that they held, then the rest. Thoughts are left out: they go back only to whom they came from.
func (a *Ask) normal(provider, from string) (out []said) {
	for _, t := range a.Turns {
		var results, media, words, calls []said
		for _, p := range t.Parts {
			switch p.Kind {
			case kindThinking, kindOther:
			case kindCall:
				calls = append(calls, said{role: t.Role, kind: p.Kind, value: p.Name + " " + p.Args})
			case kindResult:
				if p.Answers < 0 {
					continue // of a call that only its vendor understands
				}
				results = append(results, p.result(t.Role, provider, from))
				for _, in := range p.Inner {
					if in.isMedia() {
						media = addSaid(media, in.plain(t.Role))
					}
				}
			default:
				if cannot(provider, lossOrder) {
					words = addSaid(words, p.plain(t.Role))
				} else {
					calls = addSaid(calls, p.plain(t.Role))
				}
			}
		}
		slices.SortStableFunc(results, func(a, b said) int { return strings.Compare(a.value, b.value) })
		for _, s := range slices.Concat(results, media, words, calls) {
			out = addSaid(out, s)
		}
	}
	return out
}

// addSaid adds to what was said. Texts in a row become one, and empty ones none.
func addSaid(list []said, s said) []said {
	if s.kind == kindText && blank(strings.Join(s.texts, "")) {
		return list
	}
	if n := len(list); n > 0 && s.kind == kindText && list[n-1].kind == kindText && list[n-1].role == s.role {
		list[n-1].texts = append(slices.Clip(list[n-1].texts), s.texts...)
		return list
	}
	return append(list, s)
}

func (p *Part) plain(role string) said {
	m := p.Media
	switch {
	case !p.isMedia():
		return said{role: role, kind: kindText, texts: []string{p.Text}} // refusals too
	case m.Text != "":
		return said{role: role, kind: kindText, texts: []string{m.Text}}
	case strings.HasPrefix(m.MIME, "text/") && m.Data != "":
		text, _ := decodeBase64(m.Data)
		return said{role: role, kind: kindText, texts: []string{string(text)}}
	}
	return said{role: role, kind: p.Kind, value: m.identity(), mime: m.MIME}
}

// result is a result with the number of its call.
func (p *Part) result(role, provider, from string) said {
	var texts []string
	other := ""
	for _, in := range p.Inner {
		if in.Kind == kindOther {
			other = in.Name
			continue
		}
		s := in.plain(role)
		if texts = append(texts, s.texts...); s.kind != kindText {
			other = s.kind
		}
	}
	text := plainResult(strings.Join(texts, "\n"))
	value := fmt.Sprintf("of call %04d", p.Answers)
	if p.IsError && !cannot(provider, lossErrorFlag) && !cannot(from, lossErrorFlag) {
		value += " failed"
	}
	if !blank(text) {
		other = ""
	}
	return said{role: role, kind: kindResult, texts: []string{text}, value: value, other: other}
}

// sameType compares media types, which have several names. Where one side does not say, the bytes do.
func sameType(a, b string) bool {
	plain := strings.NewReplacer("image/jpg", "image/jpeg", "audio/mp3", "audio/mpeg", "audio/x-wav", "audio/wav", "audio/wave", "audio/wav")
	return a == "" || b == "" || plain.Replace(a) == plain.Replace(b)
}

// sameTexts compares texts that may have been joined: each piece has to be there as it is, and nothing but white space
// between them.
func sameTexts(want, got []string) bool {
	rest := strings.Join(got, "")
	for _, w := range want {
		w = strings.TrimSpace(w)
		var ok bool
		if rest, ok = strings.CutPrefix(strings.TrimSpace(rest), w); !ok {
			return false
		}
	}
	return blank(rest)
}

func (f *findings) tools(want, got *Ask) {
	provider := got.Endpoint
	tools := want.Tools
	if allowed := want.Choice.Allowed; len(allowed) > 0 && len(got.Tools) < len(tools) && cannot(got.Endpoint, lossAllowed) {
		tools = slices.DeleteFunc(slices.Clone(tools), func(t Tool) bool { return !slices.Contains(allowed, t.Name) })
	}
	if want.Choice.Mode == "none" && len(got.Tools) == 0 && cannot(got.Endpoint, lossNoneChoice) {
		return
	}
	if want.Choice.Mode == "tool" && len(got.Tools) == 1 && cannot(got.Endpoint, lossNamed) {
		tools = slices.DeleteFunc(slices.Clone(tools), func(t Tool) bool { return t.Name != want.Choice.Name })
	}
	if len(tools) != len(got.Tools) {
		f.add("tools", "want %d, got %d", len(tools), len(got.Tools))
		return
	}
	have := byName(got.Tools)
	for i, w := range byName(tools) {
		g := have[i]
		f.equal("tool name", w.Name, g.Name)
		f.equal("tool description", strings.TrimSpace(w.Description), strings.TrimSpace(g.Description))
		if g.Strict && (provider == Messages || provider == Converse) { // which want it said
			w.Schema, g.Schema = held(w.Schema), held(g.Schema)
		}
		if !w.Custom {
			f.equal("tool schema", w.Schema, g.Schema)
		}
		if g.Strict && !w.Strict {
			f.add("tool strict", "%s is strict, but was not", w.Name)
		}
	}
	if got.ServerTools > want.ServerTools || got.ServerTools < want.ServerTools && !cannot(got.Endpoint, lossServerTools) {
		f.add("server tools", "want %d, got %d", want.ServerTools, got.ServerTools)
	}
}

// byName sorts tools: their order says nothing.
func byName(tools []Tool) []Tool {
	return slices.SortedStableFunc(slices.Values(tools), func(a, b Tool) int { return strings.Compare(a.Name, b.Name) })
}

func (f *findings) choice(want, got *Ask) {
	w, g, provider := want.Choice, got.Choice, got.Endpoint
	if len(w.Allowed) > 0 && cannot(provider, lossAllowed) {
		w.Allowed = nil
	}
	if w.Mode == "auto" && len(w.Allowed) == 0 {
		w.Mode = ""
	}
	if g.Mode == "auto" && len(g.Allowed) == 0 {
		g.Mode = ""
	}
	switch {
	case w.Mode == "none" && cannot(provider, lossNoneChoice):
	case w.Mode == "tool" && g.Mode == "any" && cannot(provider, lossNamed):
	case cannot(provider, lossChoice):
	case g.Mode == "" && got.Thinking == "on" && (provider == Messages || provider == Converse): // all that thinking allows
	case w.Mode != g.Mode || w.Name != g.Name || !slices.Equal(w.Allowed, g.Allowed):
		f.add("tool choice", "want %+v, got %+v", w, g)
	}
}

func (f *findings) format(want, got *Ask) {
	w, g := want.Format, got.Format
	if got.Endpoint == Messages || got.Endpoint == Converse {
		w, g = held(w), held(g)
	}
	if g == "" && w != "" && (cannot(got.Endpoint, lossFormat) || len(got.Tools) > 0 && cannot(got.Endpoint, lossBoth)) {
		if !strings.Contains(strings.Join(got.System, ""), "JSON") {
			f.add("format", "nothing asks for JSON")
		}
		return
	}
	f.equal("format", w, g)
}
