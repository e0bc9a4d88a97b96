package accounting

import (
	"math"
	"sync"
	"sync/atomic"
)

// BytesPerToken is what estimates start from: four bytes of English-like text make one token.
const BytesPerToken = 4.0

// TextTokens returns a rough count of the tokens in a text, by kinds of bytes: letters make long tokens, digits and
// punctuation short ones, and each CJK character or emoji is about a token or two of its own. That is good enough for a
// reservation or for a stream whose usage never came, and for nothing else.
func TextTokens(text []byte) int64 {
	var sum uint64
	for _, c := range text {
		sum += uint64(byteWeights[c])
	}
	return int64((sum + weightUnit - 1) / weightUnit)
}

// weightUnit is one token in the units of byteWeights.
const weightUnit = 64

// byteWeights are the shares of a token that bytes make. Spaces are mostly part of the token that follows.
var byteWeights = func() (w [256]uint8) {
	for c := range w {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
			w[c] = 16
		case c >= '0' && c <= '9':
			w[c] = 26
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
			w[c] = 6
		case c < 0x80: // punctuation, and control characters as if
			w[c] = 30
		case c < 0xC0: // continues a character
			w[c] = 6
		case c < 0xE0: // two bytes: Latin with accents, Greek, Cyrillic, Arabic …
			w[c] = 14
		case c < 0xF0: // three bytes: CJK, Indic …
			w[c] = 44
		default: // four bytes: emoji
			w[c] = 90
		}
	}
	return w
}()

const (
	// maxEstimated bounds how many models an Estimator knows about, because clients can make up names. A new one takes the
	// place of any other: those in use are soon learned again.
	maxEstimated = 1024
	// learningRate is the weight of a new observation in the moving average.
	learningRate = 0.1
	// minSample is how many bytes an observation needs: short ones are mostly framing.
	minSample = 64
	// A ratio outside of these says more about what was counted than about the tokenizer, pictures for example.
	minTokensPerByte = 1.0 / 64
	maxTokensPerByte = 2.0
)

// Estimator guesses token counts from byte counts before the provider reports any, and learns each model's ratio from
// what providers report. The zero Estimator is ready for use, and may be used concurrently.
//
// Input and output are learned apart: the bytes of a request include the JSON around the text.
type Estimator struct {
	models sync.Map // string → *ratios
	known  atomic.Int64
}

// ratios are tokens per byte as bits of a float64; 0 while nothing has been learned.
type ratios struct{ input, output atomic.Uint64 }

// Input estimates the input tokens of a request of so many bytes.
func (e *Estimator) Input(model string, bytes int64) int64 {
	return estimate(e.ratios(model), bytes, func(r *ratios) *atomic.Uint64 { return &r.input })
}

// Output estimates the tokens of so many bytes of output.
func (e *Estimator) Output(model string, bytes int64) int64 {
	return estimate(e.ratios(model), bytes, func(r *ratios) *atomic.Uint64 { return &r.output })
}

// LearnInput takes in that a request of so many bytes had so many input tokens, cached ones included.
func (e *Estimator) LearnInput(model string, bytes, tokens int64) {
	if r := e.learner(model, bytes, tokens); r != nil {
		learn(&r.input, float64(tokens)/float64(bytes))
	}
}

// LearnOutput takes in that so many bytes of visible output were so many tokens, thinking not included.
func (e *Estimator) LearnOutput(model string, bytes, tokens int64) {
	if r := e.learner(model, bytes, tokens); r != nil {
		learn(&r.output, float64(tokens)/float64(bytes))
	}
}

func (e *Estimator) ratios(model string) *ratios {
	r, _ := e.models.Load(model)
	found, _ := r.(*ratios)
	return found
}

// learner returns where to put an observation, or nil when it is of no use.
func (e *Estimator) learner(model string, bytes, tokens int64) *ratios {
	if bytes < minSample || tokens <= 0 {
		return nil
	}
	if x := float64(tokens) / float64(bytes); x < minTokensPerByte || x > maxTokensPerByte {
		return nil
	}
	if r := e.ratios(model); r != nil {
		return r
	}
	if e.known.Add(1) > maxEstimated {
		e.models.Range(func(other, _ any) bool {
			if _, there := e.models.LoadAndDelete(other); there {
				e.known.Add(-1)
				return false
			}
			return true
		})
	}
	r, loaded := e.models.LoadOrStore(model, new(ratios))
	if loaded {
		e.known.Add(-1)
	}
	return r.(*ratios)
}

// learn moves an average towards an observation. The first one replaces the default at once.
func learn(average *atomic.Uint64, observed float64) {
	for {
		old := average.Load()
		next := observed
		if old != 0 {
			mean := math.Float64frombits(old)
			next = mean + learningRate*(observed-mean)
		}
		if average.CompareAndSwap(old, math.Float64bits(next)) {
			return
		}
	}
}

// estimate multiplies, rounding up: a reservation that is too small is the worse mistake.
func estimate(r *ratios, bytes int64, which func(*ratios) *atomic.Uint64) int64 {
	if bytes <= 0 {
		return 0
	}
	ratio := 1 / BytesPerToken
	if r != nil {
		if learned := which(r).Load(); learned != 0 {
			ratio = math.Float64frombits(learned)
		}
	}
	tokens := math.Ceil(float64(bytes) * ratio)
	if tokens >= math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(tokens)
}
