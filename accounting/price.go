package accounting

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
)

// Class is a part of a request that has a price of its own.
type Class uint8

// The classes, in the order and with the names that price lines and price files use.
const (
	ClassInput        Class = iota // text input
	ClassCacheRead                 // input read from a cache
	ClassCacheWrite                // input written to a cache with the default lifetime
	ClassCacheWrite1h              // input written to a cache for one hour
	ClassInputAudio                // audio input
	ClassOutput                    // visible output
	ClassReasoning                 // output spent on thinking
	ClassOutputAudio               // audio output
	ClassWebSearch                 // one web search
	ClassRequest                   // one request, whatever it used

	numClasses
)

var classNames = [numClasses]string{
	"input", "cache_read", "cache_write", "cache_write_1h", "audio_input",
	"output", "reasoning", "audio_output", "web_search", "request",
}

// wholes says what a class is a part of. A part without a price of its own has the price of its whole; classes that
// are their own whole have none to fall back to. Wholes come before their parts.
var wholes = [numClasses]Class{
	ClassInput:        ClassInput,
	ClassCacheRead:    ClassInput,
	ClassCacheWrite:   ClassInput,
	ClassCacheWrite1h: ClassCacheWrite,
	ClassInputAudio:   ClassInput,
	ClassOutput:       ClassOutput,
	ClassReasoning:    ClassOutput,
	ClassOutputAudio:  ClassOutput,
	ClassWebSearch:    ClassWebSearch,
	ClassRequest:      ClassRequest,
}

// String returns the class's name in price lines and price files.
func (c Class) String() string { return classNames[c] }

// perUnit says that the class is priced per call and not per million tokens.
func (c Class) perUnit() bool { return c >= ClassWebSearch }

// Classes is a set of classes.
type Classes uint16

// Has reports whether the set contains c.
func (s Classes) Has(c Class) bool { return s>>c&1 != 0 }

func (s *Classes) add(c Class) { *s |= 1 << c }

// Rates are the prices of one request.
type Rates struct {
	// Nano-dollars per million tokens.
	Input, CacheRead, CacheWrite, CacheWrite1h, InputAudio int64
	Output, Reasoning, OutputAudio                         int64
	// WebSearch is the price of one search, Request that of one request.
	WebSearch, Request Money
	// Known are the classes that have a price. The others are unknown, which is not the same as free: see
	// [Price.Covers].
	Known Classes
}

// Set gives a class a price: nano-dollars per million tokens, or per call.
func (r *Rates) Set(c Class, nano int64) {
	*r.field(c) = nano
	r.Known.add(c)
}

// Get returns the price of a class, and whether it has one.
func (r *Rates) Get(c Class) (int64, bool) { return *r.field(c), r.Known.Has(c) }

func (r *Rates) field(c Class) *int64 {
	switch c {
	case ClassInput:
		return &r.Input
	case ClassCacheRead:
		return &r.CacheRead
	case ClassCacheWrite:
		return &r.CacheWrite
	case ClassCacheWrite1h:
		return &r.CacheWrite1h
	case ClassInputAudio:
		return &r.InputAudio
	case ClassOutput:
		return &r.Output
	case ClassReasoning:
		return &r.Reasoning
	case ClassOutputAudio:
		return &r.OutputAudio
	case ClassWebSearch:
		return (*int64)(&r.WebSearch)
	default:
		return (*int64)(&r.Request)
	}
}

// complete gives parts without a price the price of their whole.
func (r *Rates) complete() {
	for c, whole := range wholes {
		if r.Known.Has(Class(c)) || !r.Known.Has(whole) {
			continue
		}
		nano, _ := r.Get(whole)
		r.Set(Class(c), nano)
	}
}

// Limits of what a price table may ask for. A price outside of them is taken for a slip of the pen, most often of a
// unit, and rejected when it is loaded.
const (
	MaxPerMillion = 10_000 * Dollar // per million tokens
	MaxPerCall    = 100 * Dollar    // per web search or request
)

func (r *Rates) validate() error {
	for c := range numClasses {
		limit := int64(MaxPerMillion)
		if c.perUnit() {
			limit = int64(MaxPerCall)
		}
		if nano, ok := r.Get(c); ok && (nano < 0 || nano > limit) {
			return fmt.Errorf("price of %s must be from 0 to %s dollars, not %s", c, Money(limit), Money(nano))
		}
	}
	return nil
}

// Tier is a long-context price. Once the input of a request, cached or not, is larger than Above tokens, it prices all
// tokens of the request and not only those above.
type Tier struct {
	Above int64
	// Rates differ from the base price only in the classes that are known here.
	Rates Rates
}

// Price is what a model costs. It is immutable once [NewPrice] has made it; the zero Price knows no price at all.
type Price struct {
	// Rates are the base prices, with parts already fallen back to their wholes.
	Rates
	// tiers ascend by Above and are complete.
	tiers []Tier
}

var errNoPrice = errors.New("a price needs at least one of input, output or request")

// NewPrice checks prices and fills in what falls back: a part without a price of its own has the price of its whole
// (cache reads, cache writes and audio that of the input; a one-hour cache write that of a cache write; reasoning and
// audio that of the output), and a tier has the base price where it says nothing else.
func NewPrice(base Rates, tiers ...Tier) (*Price, error) {
	if !base.Known.Has(ClassInput) && !base.Known.Has(ClassOutput) && !base.Known.Has(ClassRequest) {
		return nil, errNoPrice
	}
	if err := base.validate(); err != nil {
		return nil, err
	}
	p := &Price{Rates: base, tiers: slices.Clone(tiers)}
	p.complete()
	slices.SortFunc(p.tiers, func(a, b Tier) int { return int(min(max(a.Above-b.Above, -1), 1)) })
	below := base
	for i := range p.tiers {
		t := &p.tiers[i]
		if t.Above <= 0 || i > 0 && t.Above == p.tiers[i-1].Above {
			return nil, fmt.Errorf("tiers need different positive thresholds, not %d", t.Above)
		}
		if err := t.Rates.validate(); err != nil {
			return nil, fmt.Errorf("above %d tokens: %w", t.Above, err)
		}
		for c := range numClasses {
			if nano, ok := t.Rates.Get(c); ok {
				below.Set(c, nano)
			}
		}
		t.Rates = below
		t.Rates.complete()
	}
	return p, nil
}

// Tiers returns the long-context prices, ascending and with every class filled in. Do not modify them.
func (p *Price) Tiers() []Tier { return p.tiers }

// at returns the rates of a request with so many input tokens.
func (p *Price) at(input int64) *Rates {
	for i := len(p.tiers) - 1; i >= 0; i-- {
		if input > p.tiers[i].Above {
			return &p.tiers[i].Rates
		}
	}
	return &p.Rates
}

// Cost returns what usage costs: the exact sum over all classes in 10⁻⁶ nano-dollars, rounded half up to nano-dollars
// once at the end. It saturates, is never negative and allocates nothing.
//
// Classes without a known price add nothing; [Price.Covers] tells. The price per request is added when anything was
// used at all: a call that used nothing costs nothing.
func (p *Price) Cost(u Usage) Money {
	r := &p.Rates
	if len(p.tiers) > 0 {
		r = p.at(u.TotalInput())
	}
	var tokens wide // in 10⁻⁶ nano-dollars
	tokens.addProduct(u.Input, r.Input)
	tokens.addProduct(u.Output, r.Output)
	tokens.addProduct(u.CacheRead, r.CacheRead)
	tokens.addProduct(u.Reasoning, r.Reasoning)
	if u.CacheWrite|u.CacheWrite1h|u.InputAudio|u.OutputAudio != 0 {
		tokens.addProduct(u.CacheWrite, r.CacheWrite)
		tokens.addProduct(u.CacheWrite1h, r.CacheWrite1h)
		tokens.addProduct(u.InputAudio, r.InputAudio)
		tokens.addProduct(u.OutputAudio, r.OutputAudio)
	}
	cost := tokens.divideMillion()
	if u.WebSearches > 0 && r.WebSearch > 0 {
		var calls wide
		calls.addProduct(u.WebSearches, int64(r.WebSearch))
		cost = cost.Add(calls.money())
	}
	if r.Request > 0 && u.any() {
		cost = cost.Add(r.Request)
	}
	return cost
}

// Expected returns the cost of a request that has yet to be made: input tokens, of which cached are expected to be
// read from a cache, and output tokens.
func (p *Price) Expected(input, output, cached int64) Money {
	cached = min(max(cached, 0), max(input, 0))
	return p.Cost(Usage{Input: input - cached, CacheRead: cached, Output: output})
}

// Covers reports whether everything that was used has a known price, that is, whether [Price.Cost] is the whole cost.
func (p *Price) Covers(u Usage) bool { return u.classes()&^p.Known == 0 }

// String describes the base price for people: "input 2.5 cache_read 1.25 output 10", in dollars.
func (p *Price) String() string {
	var b strings.Builder
	for c := range numClasses {
		nano, ok := p.Get(c)
		whole, _ := p.Get(wholes[c])
		if !ok || wholes[c] != c && nano == whole {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(c.String() + " " + Money(nano).String())
	}
	return b.String()
}

// TotalOutput returns all output tokens, thinking included. Negative counts are ignored, and the sum saturates.
func (u *Usage) TotalOutput() int64 {
	sum := max(u.Output, 0)
	for _, n := range [...]int64{u.Reasoning, u.OutputAudio, u.OutputImage} {
		if sum += max(n, 0); sum < 0 {
			return math.MaxInt64
		}
	}
	return sum
}

// TotalInput returns all input tokens, cached or not. Negative counts are ignored, and the sum saturates.
func (u *Usage) TotalInput() int64 {
	var sum uint64
	for _, n := range [...]int64{
		u.Input, u.CacheRead, u.CacheWrite, u.CacheWrite1h, u.InputAudio, u.InputImage, u.InputVideo, u.CacheReadAudio, u.CacheReadImage,
	} {
		var carry uint64
		sum, carry = bits.Add64(sum, uint64(max(n, 0)), 0)
		if carry != 0 {
			return math.MaxInt64
		}
	}
	return int64(min(sum, math.MaxInt64))
}

// any reports whether anything was used.
func (u *Usage) any() bool { return u.classes() != 0 }

// classes returns what was used.
func (u *Usage) classes() Classes {
	var s Classes
	for c, n := range [...]int64{
		u.Input, u.CacheRead, u.CacheWrite, u.CacheWrite1h, u.InputAudio,
		u.Output, u.Reasoning, u.OutputAudio, u.WebSearches,
	} {
		if n > 0 {
			s.add(Class(c))
		}
	}
	return s
}
