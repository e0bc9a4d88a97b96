package accounting

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Override is a price line of the configuration. It replaces the whole price of the models it matches, so that what
// it leaves out falls back within the line and never to the book.
//
// The amounts are in US dollars per million tokens, or per call for web_search and request.
type Override struct {
	// Match is "<provider>/<model>", in which * stands for any characters. The provider is the name of a configured
	// one or the vendor's name in the price book. Without a slash it matches the model of every provider. Of several
	// that match, the one with the most literal characters wins, then the last.
	Match string `json:"match"`
	FileRates
	// Tiers are long-context prices.
	Tiers []FileTier `json:"tiers,omitempty"`
	// ServiceTiers are the prices of service tiers: batch, flex, priority. A tier without one has an unknown price.
	ServiceTiers map[string]FileServiceTier `json:"service_tiers,omitempty"`
}

// ParseOverride reads the arguments of a price line: the pattern, then pairs of a class and an amount, with or without
// a dollar sign. What follows `tier <name>` is for that service tier, and what follows `above <tokens>` for requests
// with more input:
//
//	openai/gpt-5* input 1.25 output 10 cache_read 0.125 above 272000 input 2.5 output 15 tier flex input 0.6 output 5
func ParseOverride(args []string) (Override, error) {
	if len(args) < 3 || len(args)%2 == 0 {
		return Override{}, errors.New("a price needs a <provider>/<model> pattern and pairs of a class and an amount in dollars")
	}
	l := lineParser{Override: Override{Match: args[0]}}
	l.rates = &l.FileRates
	for i := 1; i < len(args); i += 2 {
		if err := l.pair(args[i], args[i+1]); err != nil {
			return Override{}, err
		}
	}
	l.closeTier()
	if _, err := l.compile(0); err != nil {
		return Override{}, err
	}
	return l.Override, nil
}

// lineParser reads a price line pair by pair.
type lineParser struct {
	Override
	rates   *FileRates      // that the next pair is for
	service string          // the service tier that the next pair is for
	tier    FileServiceTier // its prices so far
}

func (l *lineParser) pair(word, value string) error {
	switch word {
	case "tier":
		l.closeTier()
		if _, taken := l.ServiceTiers[value]; taken || value == "" || value != ServiceTier(value) {
			return fmt.Errorf("tier '%s': expected one service tier after the other, such as %s, %s and %s", value, TierBatch, TierFlex, TierPriority)
		}
		l.service, l.tier = value, FileServiceTier{}
		l.rates = &l.tier.FileRates
		return nil
	case "above":
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n <= 0 {
			return fmt.Errorf("above '%s': expected a number of input tokens", value)
		}
		tiers := &l.Tiers
		if l.service != "" {
			tiers = &l.tier.Tiers
		}
		if slices.ContainsFunc(*tiers, func(t FileTier) bool { return t.Above == n }) {
			return fmt.Errorf("above %d already specified", n)
		}
		*tiers = append(*tiers, FileTier{Above: n})
		l.rates = &(*tiers)[len(*tiers)-1].FileRates
		return nil
	}
	c := slices.Index(classNames[:], word)
	if c < 0 {
		return fmt.Errorf("unrecognized price '%s': expected one of %s, above or tier", word, strings.Join(classNames[:], ", "))
	}
	field := l.rates.Field(Class(c))
	if *field != "" {
		return fmt.Errorf("price of %s already specified", word)
	}
	m, err := ParseMoney(value)
	if err != nil {
		return fmt.Errorf("price of %s: %w", word, err)
	}
	*field = json.Number(m.String())
	return nil
}

// closeTier keeps the service tier that was read.
func (l *lineParser) closeTier() {
	if l.service == "" {
		return
	}
	if l.ServiceTiers == nil {
		l.ServiceTiers = map[string]FileServiceTier{}
	}
	l.ServiceTiers[l.service] = l.tier
}

// override is an Override made ready for lookups.
type override struct {
	pattern string // lower case, with a slash
	name    string // of the model, where the line is about one model of one provider
	literal int    // characters that are not *
	order   int    // higher goes first among equals
	periods []period
}

func (o *Override) compile(order int) (override, error) {
	pattern := strings.ToLower(o.Match)
	if pattern == "" {
		return override{}, errors.New("a price needs a <provider>/<model> pattern")
	}
	if !strings.Contains(pattern, "/") {
		pattern = "*/" + pattern
	}
	var name string
	if !strings.Contains(pattern, "*") {
		_, name, _ = strings.Cut(o.Match, "/")
	}
	p := FilePrice{FileRates: o.FileRates, Tiers: o.Tiers, ServiceTiers: o.ServiceTiers}
	price, err := p.Price()
	if err != nil {
		return override{}, fmt.Errorf("price of %s: %w", o.Match, err)
	}
	return override{
		pattern: pattern,
		name:    name,
		literal: len(pattern) - strings.Count(pattern, "*"),
		order:   order,
		periods: []period{{price: price}},
	}, nil
}

// model is what the line makes of a model, of which the price files may know something, too. The name it was looked for by
// says nothing: it may be any that a client has made up.
func (o *override) model(vendor string, known *Model) *Model {
	out := &Model{Info: Info{ID: o.name, Vendor: vendor}, periods: o.periods, line: o.pattern}
	if known != nil {
		out.Info = known.Info
	}
	return out
}

// With returns a book in which overrides go before everything that b knows.
func (b *Book) With(overrides ...Override) (*Book, error) {
	if len(overrides) == 0 {
		return b, nil
	}
	compiled := make([]override, len(overrides))
	for i := range overrides {
		var err error
		if compiled[i], err = overrides[i].compile(i); err != nil {
			return nil, err
		}
	}
	text, err := json.Marshal(overrides)
	if err != nil {
		return nil, fmt.Errorf("prices: %w", err)
	}
	return &Book{
		version:   b.version + "+" + digest(text),
		layers:    b.layers,
		overrides: mergeOverrides(b.overrides, compiled),
	}, nil
}

// mergeOverrides puts later on top of earlier and sorts the most specific to the front.
func mergeOverrides(earlier, later []override) []override {
	all := slices.Concat(earlier, later)
	for i := range all {
		if i >= len(earlier) {
			all[i].order += len(earlier)
		}
	}
	slices.SortFunc(all, func(a, b override) int {
		return cmp.Or(cmp.Compare(b.literal, a.literal), cmp.Compare(b.order, a.order))
	})
	return all
}

// findOverride returns the most specific override for any of the names.
func findOverride(sorted []override, names ...string) *override {
	for i := range sorted {
		for _, name := range names {
			if globMatch(sorted[i].pattern, name) {
				return &sorted[i]
			}
		}
	}
	return nil
}

// globMatch reports whether name matches a pattern in which * stands for any characters, including none. It backtracks
// only to the last star, so it takes at most len(pattern) × len(name) steps.
func globMatch(pattern, name string) bool {
	star, retry := -1, 0
	p, n := 0, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, retry = p, n
			p++
		case p < len(pattern) && pattern[p] == name[n]:
			p++
			n++
		case star >= 0:
			retry++
			p, n = star+1, retry
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
