package accounting

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
}

// ParseOverride reads the arguments of a price line: the pattern, then pairs of a class and an amount, with or without
// a dollar sign.
//
//	openai/gpt-5* input 1.25 output 10 cache_read 0.125
func ParseOverride(args []string) (Override, error) {
	if len(args) < 3 || len(args)%2 == 0 {
		return Override{}, errors.New("a price needs a <provider>/<model> pattern and pairs of a class and an amount in dollars")
	}
	o := Override{Match: args[0]}
	for i := 1; i < len(args); i += 2 {
		c := slices.Index(classNames[:], args[i])
		if c < 0 {
			return Override{}, fmt.Errorf("unrecognized price '%s': expected one of %s", args[i], strings.Join(classNames[:], ", "))
		}
		field := o.Field(Class(c))
		if *field != "" {
			return Override{}, fmt.Errorf("price of %s already specified", args[i])
		}
		if _, err := ParseMoney(args[i+1]); err != nil {
			return Override{}, fmt.Errorf("price of %s: %w", args[i], err)
		}
		*field = json.Number(strings.TrimPrefix(args[i+1], "$"))
	}
	if _, err := o.compile(0); err != nil {
		return Override{}, err
	}
	return o, nil
}

// override is an Override made ready for lookups.
type override struct {
	pattern string // lower case, with a slash
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
	p := FilePrice{FileRates: o.FileRates}
	price, err := p.Price()
	if err != nil {
		return override{}, fmt.Errorf("price of %s: %w", o.Match, err)
	}
	return override{
		pattern: pattern,
		literal: len(pattern) - strings.Count(pattern, "*"),
		order:   order,
		periods: []period{{price: price}},
	}, nil
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
