package accounting

import (
	"errors"
	"fmt"
	"slices"
)

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
	// services are the prices of the other service tiers.
	services []service
}

var errNoPrice = errors.New("a price needs at least one of input, output or request")

// NewPrice checks prices and fills in what falls back: a part without a price of its own has the price of its whole
// (cache reads, cache writes, audio, pictures and video that of the input; a one-hour cache write that of a cache write;
// reasoning, audio and pictures that of the output), and a tier has the base price where it says nothing else.
func NewPrice(base Rates, tiers ...Tier) (*Price, error) { return newPrice(base, 0, tiers) }

// newPrice is NewPrice, in which the classes in unknown have a price only where they are given one.
func newPrice(base Rates, unknown Classes, tiers []Tier) (*Price, error) {
	if !base.Known.Has(ClassInput) && !base.Known.Has(ClassOutput) && !base.Known.Has(ClassRequest) {
		return nil, errNoPrice
	}
	if err := base.validate(); err != nil {
		return nil, err
	}
	p := &Price{Rates: base, tiers: slices.Clone(tiers)}
	p.complete(unknown)
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
		below.overlay(&t.Rates, 0)
		t.Rates = below
		t.Rates.complete(unknown)
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

// rates returns those that apply to a usage.
func (p *Price) rates(u *Usage) *Rates {
	if len(p.tiers) == 0 {
		return &p.Rates
	}
	return p.at(u.TotalInput())
}

// Cost returns what usage costs: the exact sum over all classes in 10⁻⁶ nano-dollars, rounded half up to nano-dollars
// once at the end. It saturates, is never negative and allocates nothing.
//
// Classes without a known price add nothing; [Price.Covers] tells. The price per request is added when anything was
// used at all: a call that used nothing costs nothing.
func (p *Price) Cost(u Usage) Money {
	r := p.rates(&u)
	var tokens wide // in 10⁻⁶ nano-dollars
	tokens.addProduct(u.Input, r.Input)
	tokens.addProduct(u.Output, r.Output)
	tokens.addProduct(u.CacheRead, r.CacheRead)
	tokens.addProduct(u.Reasoning, r.Reasoning)
	if u.CacheWrite|u.CacheWrite1h != 0 {
		tokens.addProduct(u.CacheWrite, r.CacheWrite)
		tokens.addProduct(u.CacheWrite1h, r.CacheWrite1h)
	}
	if u.InputAudio|u.InputImage|u.InputVideo|u.CacheReadAudio|u.CacheReadImage|u.OutputAudio|u.OutputImage != 0 {
		tokens.addProduct(u.InputAudio, r.InputAudio)
		tokens.addProduct(u.InputImage, r.InputImage)
		tokens.addProduct(u.InputVideo, r.InputVideo)
		tokens.addProduct(u.CacheReadAudio, r.CacheReadAudio)
		tokens.addProduct(u.CacheReadImage, r.CacheReadImage)
		tokens.addProduct(u.OutputAudio, r.OutputAudio)
		tokens.addProduct(u.OutputImage, r.OutputImage)
	}
	cost := tokens.divideMillion()
	if u.WebSearches > 0 && r.WebSearch > 0 {
		var calls wide
		calls.addProduct(u.WebSearches, int64(r.WebSearch))
		cost = cost.Add(calls.money())
	}
	if r.Request > 0 && u.Classes() != 0 {
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
func (p *Price) Covers(u Usage) bool { return u.Classes()&^p.rates(&u).Known == 0 }

// String describes the base price for people: "input 2.5 cache_read 1.25 output 10", in dollars.
func (p *Price) String() string { return p.describe() }

// String describes the price for people, like [Price.String].
func (t *Tier) String() string { return t.Rates.describe() }
