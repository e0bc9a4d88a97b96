package accounting

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

// rates makes rates from amounts per million tokens (or per call) in dollars.
func rates(t testing.TB, dollars map[Class]string) Rates {
	t.Helper()
	var r Rates
	for c, text := range dollars {
		m, err := ParseMoney(text)
		if err != nil {
			t.Fatal(err)
		}
		r.Set(c, int64(m))
	}
	return r
}

func price(t testing.TB, dollars map[Class]string, tiers ...Tier) *Price {
	t.Helper()
	p, err := NewPrice(rates(t, dollars), tiers...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCostIsTheSumOverAllClasses(t *testing.T) {
	p := price(t, map[Class]string{
		ClassInput: "3", ClassCacheRead: "0.3", ClassCacheWrite: "3.75", ClassCacheWrite1h: "6", ClassInputAudio: "40", ClassInputImage: "5", ClassInputVideo: "7",
		ClassCacheReadAudio: "0.4", ClassCacheReadImage: "0.5", ClassOutputImage: "120",
		ClassOutput: "15", ClassReasoning: "20", ClassOutputAudio: "80", ClassWebSearch: "0.01", ClassRequest: "0.005",
	})
	for _, c := range []struct {
		name  string
		usage Usage
		want  string
	}{
		{"nothing costs nothing, not even the request", Usage{}, "0"},
		{"input", Usage{Input: 1000}, "0.008"},
		{"cache reads", Usage{CacheRead: 1_000_000}, "0.305"},
		{"cache writes", Usage{CacheWrite: 1_000_000}, "3.755"},
		{"one-hour cache writes", Usage{CacheWrite1h: 1_000_000}, "6.005"},
		{"audio input", Usage{InputAudio: 1_000_000}, "40.005"},
		{"output", Usage{Output: 1_000_000}, "15.005"},
		{"reasoning", Usage{Reasoning: 1_000_000}, "20.005"},
		{"audio output", Usage{OutputAudio: 1_000_000}, "80.005"},
		{"pictures in the input", Usage{InputImage: 1_000_000}, "5.005"},
		{"video input", Usage{InputVideo: 1_000_000}, "7.005"},
		{"cached audio", Usage{CacheReadAudio: 1_000_000}, "0.405"},
		{"cached pictures", Usage{CacheReadImage: 1_000_000}, "0.505"},
		{"pictures in the output", Usage{OutputImage: 1_000_000}, "120.005"},
		{"web searches", Usage{WebSearches: 3}, "0.035"},
		{"everything", Usage{Input: 1e6, CacheRead: 1e6, CacheWrite: 1e6, CacheWrite1h: 1e6, InputAudio: 1e6, Output: 1e6, Reasoning: 1e6, OutputAudio: 1e6, WebSearches: 1}, "168.065"},
		{"negative counts count as zero", Usage{Input: 1000, Output: -1_000_000, WebSearches: -7}, "0.008"},
	} {
		if got := p.Cost(c.usage).String(); got != c.want {
			t.Errorf("%s: cost %s, want %s", c.name, got, c.want)
		}
	}
}

func TestAPartWithoutAPriceCostsWhatItsWholeCosts(t *testing.T) {
	p := price(t, map[Class]string{ClassInput: "2", ClassCacheWrite: "2.5", ClassOutput: "8"})
	for _, c := range []struct {
		class Class
		want  string
	}{
		{ClassCacheRead, "2"},
		{ClassCacheWrite, "2.5"},
		{ClassCacheWrite1h, "2.5"},
		{ClassInputAudio, "2"},
		{ClassInputImage, "2"},
		{ClassInputVideo, "2"},
		{ClassCacheReadAudio, "2"},
		{ClassCacheReadImage, "2"},
		{ClassOutputImage, "8"},
		{ClassReasoning, "8"},
		{ClassOutputAudio, "8"},
	} {
		if nano, ok := p.Get(c.class); !ok || Money(nano).String() != c.want {
			t.Errorf("%s costs %s, want %s", c.class, Money(nano), c.want)
		}
	}
	if _, ok := p.Get(ClassWebSearch); ok {
		t.Error("a web search has a price although nothing names one")
	}
	if !p.Covers(Usage{CacheRead: 1, Reasoning: 1}) || p.Covers(Usage{Input: 1, WebSearches: 1}) {
		t.Error("Covers must be true for tokens and false for web searches")
	}
}

func TestAnExplicitZeroIsAPriceAndAMissingOneIsNot(t *testing.T) {
	free := price(t, map[Class]string{ClassInput: "0", ClassOutput: "0"})
	if u := (Usage{Input: 1000, Output: 1000}); free.Cost(u) != 0 || !free.Covers(u) {
		t.Error("an explicit zero must cost nothing and be known")
	}
	inputOnly := price(t, map[Class]string{ClassInput: "0.13"})
	if inputOnly.Covers(Usage{Input: 1, Output: 1}) {
		t.Error("output without a price must not be covered")
	}
	if _, err := NewPrice(Rates{}); err == nil {
		t.Error("a price that knows nothing must be refused")
	}
}

func TestATierPricesAllTokensOfTheRequest(t *testing.T) {
	p := price(t, map[Class]string{ClassInput: "3", ClassCacheRead: "0.3", ClassCacheWrite: "3.75", ClassOutput: "15"},
		Tier{Above: 500_000, Rates: rates(t, map[Class]string{ClassInput: "9"})},
		Tier{Above: 200_000, Rates: rates(t, map[Class]string{ClassInput: "6", ClassCacheRead: "0.6", ClassOutput: "22.5"})},
	)
	for _, c := range []struct {
		name  string
		usage Usage
		want  string
	}{
		{"at the threshold it does not apply", Usage{Input: 200_000, Output: 1000}, "0.615"},
		{"one token above it applies to all", Usage{Input: 200_001, Output: 1000}, "1.222506"},
		{"cached tokens count towards it", Usage{Input: 1, CacheRead: 200_000}, "0.120006"},
		{"a class it does not name keeps the base price", Usage{CacheWrite: 400_000}, "1.5"},
		{"output does not count towards it", Usage{Input: 1000, Output: 300_000}, "4.503"},
		{"a higher tier keeps what the lower one set", Usage{Input: 500_001, Output: 1000}, "4.522509"},
	} {
		if got := p.Cost(c.usage).String(); got != c.want {
			t.Errorf("%s: cost %s, want %s", c.name, got, c.want)
		}
	}
}

func TestCostRoundsHalfUpOnceAtTheEnd(t *testing.T) {
	p := price(t, map[Class]string{ClassInput: "0.0000005", ClassOutput: "0.0000005"}) // 500 nano-dollars per million
	for _, c := range []struct {
		usage Usage
		want  Money
	}{
		{Usage{Input: 999}, 0},
		{Usage{Input: 1000}, 1},               // 0.5
		{Usage{Input: 600, Output: 400}, 1},   // 0.3 + 0.2: rounded apart it would be nothing
		{Usage{Input: 1000, Output: 1000}, 1}, // 0.5 + 0.5: rounded apart it would be two
		{Usage{Input: 2999}, 1},
		{Usage{Input: 3000}, 2}, // 1.5
	} {
		if got := p.Cost(c.usage); got != c.want {
			t.Errorf("cost of %+v = %d nano-dollars, want %d", c.usage, int64(got), int64(c.want))
		}
	}
}

func TestExpectedCostSplitsOffCachedInput(t *testing.T) {
	p := price(t, map[Class]string{ClassInput: "10", ClassCacheRead: "1", ClassOutput: "100"})
	for _, c := range []struct {
		input, output, cached int64
		want                  string
	}{
		{1000, 100, 0, "0.02"},
		{1000, 100, 1000, "0.011"},
		{1000, 100, 5000, "0.011"},
		{1000, 100, -5, "0.02"},
		{-1, -1, 3, "0"},
	} {
		if got := p.Expected(c.input, c.output, c.cached).String(); got != c.want {
			t.Errorf("Expected(%d, %d, %d) = %s, want %s", c.input, c.output, c.cached, got, c.want)
		}
	}
}

func TestPricesOutOfBoundsAreRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(r *Rates)
		ok   bool
	}{
		{"zero", func(r *Rates) { r.Set(ClassInput, 0) }, true},
		{"the highest per million", func(r *Rates) { r.Set(ClassInput, int64(MaxPerMillion)) }, true},
		{"above the highest per million", func(r *Rates) { r.Set(ClassInput, int64(MaxPerMillion)+1) }, false},
		{"1e12 dollars", func(r *Rates) { r.Set(ClassOutput, math.MaxInt64) }, false},
		{"negative", func(r *Rates) { r.Set(ClassReasoning, -1) }, false},
		{"the highest per call", func(r *Rates) { r.Set(ClassWebSearch, int64(MaxPerCall)) }, true},
		{"above the highest per call", func(r *Rates) { r.Set(ClassRequest, int64(MaxPerCall)+1) }, false},
	} {
		r := rates(t, map[Class]string{ClassInput: "1", ClassOutput: "2"})
		c.set(&r)
		if _, err := NewPrice(r); (err == nil) != c.ok {
			t.Errorf("%s: error %v, want accepted: %v", c.name, err, c.ok)
		}
		if _, err := NewPrice(rates(t, map[Class]string{ClassInput: "1"}), Tier{Above: 1, Rates: r}); (err == nil) != c.ok {
			t.Errorf("%s in a tier: error %v, want accepted: %v", c.name, err, c.ok)
		}
	}
	one := Tier{Above: 5, Rates: rates(t, map[Class]string{ClassInput: "1"})}
	for _, tiers := range [][]Tier{{one, one}, {{Above: 0}}, {{Above: -1}}} {
		if _, err := NewPrice(one.Rates, tiers...); err == nil || !strings.Contains(err.Error(), "threshold") {
			t.Errorf("tiers %v: error %v, want one about thresholds", tiers, err)
		}
	}
}

func TestAPriceDescribesItself(t *testing.T) {
	p := price(t, map[Class]string{ClassInput: "2.5", ClassCacheRead: "1.25", ClassOutput: "10", ClassReasoning: "10", ClassWebSearch: "0.01"})
	if got, want := p.String(), "input 2.5 cache_read 1.25 output 10 web_search 0.01"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// reference computes a cost in rationals, straight from the definition.
func reference(p *Price, u Usage) Money {
	counts := []int64{
		u.Input, u.CacheRead, u.CacheWrite, u.CacheWrite1h, u.InputAudio, u.InputImage, u.InputVideo, u.CacheReadAudio, u.CacheReadImage,
		u.Output, u.Reasoning, u.OutputAudio, u.OutputImage, u.WebSearches,
	}
	input, used := new(big.Int), false
	for c, n := range counts {
		used = used || n > 0
		if Class(c) < ClassOutput {
			input.Add(input, big.NewInt(max(n, 0)))
		}
	}
	r := &p.Rates
	for i := range p.tiers {
		if input.Cmp(big.NewInt(p.tiers[i].Above)) > 0 {
			r = &p.tiers[i].Rates
		}
	}
	sum := new(big.Rat)
	for c, n := range counts {
		nano, _ := r.Get(Class(c))
		part := new(big.Rat).Mul(big.NewRat(nano, 1), big.NewRat(max(n, 0), 1))
		if !Class(c).PerCall() {
			part.Quo(part, big.NewRat(1_000_000, 1))
		}
		sum.Add(sum, part)
	}
	if used {
		sum.Add(sum, big.NewRat(int64(r.Request), 1))
	}
	sum.Add(sum, big.NewRat(1, 2))
	n := new(big.Int).Quo(sum.Num(), sum.Denom())
	if !n.IsInt64() {
		return math.MaxInt64
	}
	return Money(n.Int64())
}

// number returns random numbers of all magnitudes, some of them negative.
func number(r *rand.Rand) int64 {
	n := int64(r.Uint64() >> (r.IntN(63) + 1))
	if r.IntN(20) == 0 {
		return -n
	}
	return n
}

func randomPrice(t testing.TB, r *rand.Rand) *Price {
	t.Helper()
	random := func() (out Rates) {
		for c := range numClasses {
			if limit := int64(MaxPerMillion); r.IntN(3) > 0 {
				if c.PerCall() {
					limit = int64(MaxPerCall)
				}
				out.Set(c, max(number(r), 0)%(limit+1))
			}
		}
		return out
	}
	base := random()
	base.Set(ClassInput, base.Input)
	var tiers []Tier
	for i := range r.IntN(3) {
		tiers = append(tiers, Tier{Above: 1 + int64(i)*1000 + r.Int64N(1000), Rates: random()})
	}
	p, err := NewPrice(base, tiers...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func randomUsage(r *rand.Rand) Usage {
	return Usage{
		Input: number(r), CacheRead: number(r), CacheWrite: number(r), CacheWrite1h: number(r), InputAudio: number(r),
		InputImage: number(r), InputVideo: number(r), CacheReadAudio: number(r), CacheReadImage: number(r),
		Output: number(r), Reasoning: number(r), OutputAudio: number(r), OutputImage: number(r), WebSearches: number(r),
	}
}

func TestCostAgreesWithRationals(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		p := randomPrice(t, r)
		u := randomUsage(r)
		if got, want := p.Cost(u), reference(p, u); got != want {
			t.Fatalf("cost of %+v at %s = %d, want %d", u, p, int64(got), int64(want))
		}
	}
}

func FuzzCostAgreesWithRationals(f *testing.F) {
	f.Add(uint64(1), int64(1), int64(2), int64(3), int64(4), int64(5), int64(6), int64(7), int64(8), int64(9))
	f.Add(uint64(7), int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64))
	f.Add(uint64(9), int64(-1), int64(math.MinInt64), int64(0), int64(0), int64(0), int64(1), int64(0), int64(0), int64(0))
	f.Fuzz(func(t *testing.T, seed uint64, a, b, c, d, e, f, g, h, i int64) {
		p := randomPrice(t, rand.New(rand.NewPCG(seed, 0)))
		u := Usage{Input: a, CacheRead: b, CacheWrite: c, CacheWrite1h: d, InputAudio: e, Output: f, Reasoning: g, OutputAudio: h, WebSearches: i}
		rest := randomUsage(rand.New(rand.NewPCG(seed, 1)))
		u.InputImage, u.InputVideo, u.CacheReadAudio, u.CacheReadImage, u.OutputImage = rest.InputImage, rest.InputVideo, rest.CacheReadAudio, rest.CacheReadImage, rest.OutputImage
		got := p.Cost(u)
		if want := reference(p, u); got != want || got < 0 {
			t.Fatalf("cost of %+v at %s = %d, want %d", u, p, int64(got), int64(want))
		}
	})
}

func TestMoreUsageNeverCostsLess(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		// Tiers may lower a price, so this holds for a price without.
		p := randomPrice(t, r)
		p.tiers = nil
		u := Usage{Input: number(r), Output: number(r), CacheRead: number(r)}
		more := u
		more.Output = max(u.Output, 0) + min(max(number(r), 0), math.MaxInt64-max(u.Output, 0))
		if p.Cost(more) < p.Cost(u) {
			t.Fatalf("%+v costs %s and %+v costs %s", u, p.Cost(u), more, p.Cost(more))
		}
	}
}

func TestCostDoesNotAllocate(t *testing.T) {
	p := price(t, map[Class]string{ClassInput: "3", ClassOutput: "15"}, Tier{Above: 5, Rates: rates(t, map[Class]string{ClassInput: "6"})})
	u := Usage{Input: 1234, CacheRead: 99, Output: 567, WebSearches: 2}
	if n := testing.AllocsPerRun(100, func() { sink = p.Cost(u) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

var sink Money

func BenchmarkCost(b *testing.B) {
	p := price(b, map[Class]string{ClassInput: "3", ClassCacheRead: "0.3", ClassOutput: "15"})
	u := Usage{Input: 1234, CacheRead: 99_000, Output: 567, Reasoning: 1200}
	b.ReportAllocs()
	for b.Loop() {
		sink = p.Cost(u)
	}
}

func BenchmarkCostWithTiersAndEveryClass(b *testing.B) {
	p := price(b, map[Class]string{ClassInput: "3", ClassOutput: "15", ClassWebSearch: "0.01"},
		Tier{Above: 200_000, Rates: rates(b, map[Class]string{ClassInput: "6"})})
	u := Usage{Input: 1234, CacheRead: 99_000, CacheWrite: 2000, CacheWrite1h: 300, InputAudio: 40, InputImage: 50, InputVideo: 60, CacheReadAudio: 7, CacheReadImage: 8, Output: 567, Reasoning: 1200, OutputAudio: 3, OutputImage: 9, WebSearches: 2}
	b.ReportAllocs()
	for b.Loop() {
		sink = p.Cost(u)
	}
}
