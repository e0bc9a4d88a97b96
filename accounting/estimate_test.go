package accounting

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
)

func TestEstimatesStartFromFourBytesPerToken(t *testing.T) {
	var e Estimator
	for bytes, want := range map[int64]int64{0: 0, -5: 0, 1: 1, 4: 1, 5: 2, 4000: 1000, math.MaxInt64: 1 << 61} {
		if got := e.Input("m", bytes); got != want {
			t.Errorf("%d bytes of input are %d tokens, want %d", bytes, got, want)
		}
		if got := e.Output("m", bytes); got != want {
			t.Errorf("%d bytes of output are %d tokens, want %d", bytes, got, want)
		}
	}
}

func TestEstimatesFollowWhatIsReported(t *testing.T) {
	var e Estimator
	e.LearnInput("m", 1000, 500)
	if got := e.Input("m", 1000); got != 500 {
		t.Errorf("after one observation 1000 bytes are %d tokens, want 500", got)
	}
	if in, other := e.Output("m", 1000), e.Input("n", 1000); in != 250 || other != 250 {
		t.Errorf("output and other models are %d and %d tokens, want the default of 250", in, other)
	}
	for range 100 {
		e.LearnInput("m", 1000, 300)
		e.LearnOutput("m", 1000, 200)
	}
	if got := e.Input("m", 1000); got < 300 || got > 301 {
		t.Errorf("after many observations of 300 the estimate is %d", got)
	}
	if got := e.Output("m", 1000); got != 200 {
		t.Errorf("the estimate of output is %d, want 200", got)
	}
}

func TestObservationsThatSayNothingAreIgnored(t *testing.T) {
	var e Estimator
	for _, c := range []struct {
		name          string
		bytes, tokens int64
	}{
		{"too short", 10, 5},
		{"no tokens", 1000, 0},
		{"negative tokens", 1000, -10},
		{"negative bytes", -1000, 10},
		{"a picture among the bytes", 1_000_000, 100},
		{"a file that was not among the bytes", 100, 100_000},
	} {
		e.LearnInput("m", c.bytes, c.tokens)
		e.LearnOutput("m", c.bytes, c.tokens)
		if e.Input("m", 400) != 100 || e.Output("m", 400) != 100 {
			t.Fatalf("%s: the estimate has changed", c.name)
		}
	}
}

func TestAnEstimatorHoldsABoundedNumberOfModels(t *testing.T) {
	var e Estimator
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range maxEstimated {
				e.LearnInput(fmt.Sprintf("model %d", i+w*maxEstimated/2), 1000, 500)
			}
		})
	}
	wg.Wait()
	n := int64(0)
	e.models.Range(func(_, _ any) bool { n++; return true })
	if n > maxEstimated || n != e.known.Load() {
		t.Errorf("it holds %d models and counts %d, want at most %d", n, e.known.Load(), maxEstimated)
	}
	e.LearnInput("one more", 1000, 500)
	if got := e.Input("one more", 1000); got != 500 {
		t.Errorf("a model beyond the bound is estimated at %d, want 500: it takes the place of another", got)
	}
}

func TestRoughTokenCountsOfTexts(t *testing.T) {
	for _, c := range []struct {
		name, text string
		tokens     int64 // what current tokenizers make of it, about
	}{
		{"English", strings.Repeat("The quick brown fox jumps over the lazy dog. ", 20), 200},
		{"JSON", strings.Repeat(`{"role":"user","content":"hello"},`, 20), 200},
		{"numbers", strings.Repeat("1234567890 ", 20), 90},
		{"Chinese", strings.Repeat("敏捷的棕色狐狸跳过了懒狗", 20), 230},
		{"Russian", strings.Repeat("Съешь же ещё этих мягких французских булок. ", 20), 270},
		{"emoji", strings.Repeat("😀", 20), 35},
	} {
		got := TextTokens([]byte(c.text))
		if got < c.tokens*2/3 || got > c.tokens*3/2 {
			t.Errorf("%s: %d tokens, want about %d", c.name, got, c.tokens)
		}
	}
	if got := TextTokens(nil); got != 0 {
		t.Errorf("no text is %d tokens", got)
	}
}

func BenchmarkEstimatorInput(b *testing.B) {
	var e Estimator
	e.LearnInput("m", 1000, 300)
	b.ReportAllocs()
	for b.Loop() {
		e.Input("m", 12345)
	}
}

func BenchmarkEstimatorLearn(b *testing.B) {
	var e Estimator
	b.ReportAllocs()
	for b.Loop() {
		e.LearnInput("m", 1000, 300)
	}
}

func BenchmarkTextTokens(b *testing.B) {
	text := []byte(strings.Repeat("The quick brown fox jumps over the lazy dog. ", 100))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		TextTokens(text)
	}
}
