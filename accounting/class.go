package accounting

import (
	"fmt"
	"strings"
)

// Class is a part of a request that has a price of its own.
type Class uint8

// The classes, in the order and with the names that price lines and price files use.
const (
	ClassInput          Class = iota // text input
	ClassCacheRead                   // input read from a cache
	ClassCacheWrite                  // input written to a cache with the default lifetime
	ClassCacheWrite1h                // input written to a cache for one hour
	ClassInputAudio                  // audio input
	ClassInputImage                  // pictures in the input
	ClassInputVideo                  // video input
	ClassCacheReadAudio              // audio read from a cache
	ClassCacheReadImage              // pictures read from a cache
	ClassOutput                      // visible output
	ClassReasoning                   // output spent on thinking
	ClassOutputAudio                 // audio output
	ClassOutputImage                 // pictures in the output
	ClassWebSearch                   // one web search
	ClassRequest                     // one request, whatever it used

	numClasses
)

var classNames = [numClasses]string{
	"input", "cache_read", "cache_write", "cache_write_1h", "audio_input", "image_input", "video_input",
	"cache_read_audio", "cache_read_image",
	"output", "reasoning", "audio_output", "image_output", "web_search", "request",
}

// wholes says what a class is a part of. A part without a price of its own has the price of its whole; classes that
// are their own whole have none to fall back to. Wholes come before their parts. Cached audio and pictures are part of
// two classes: see [Rates.complete].
var wholes = [numClasses]Class{
	ClassInput:          ClassInput,
	ClassCacheRead:      ClassInput,
	ClassCacheWrite:     ClassInput,
	ClassCacheWrite1h:   ClassCacheWrite,
	ClassInputAudio:     ClassInput,
	ClassInputImage:     ClassInput,
	ClassInputVideo:     ClassInput,
	ClassCacheReadAudio: ClassCacheRead,
	ClassCacheReadImage: ClassCacheRead,
	ClassOutput:         ClassOutput,
	ClassReasoning:      ClassOutput,
	ClassOutputAudio:    ClassOutput,
	ClassOutputImage:    ClassOutput,
	ClassWebSearch:      ClassWebSearch,
	ClassRequest:        ClassRequest,
}

// media are the classes that cached media are the other part of.
var media = map[Class]Class{ClassCacheReadAudio: ClassInputAudio, ClassCacheReadImage: ClassInputImage}

// AllClasses lists the classes in order.
func AllClasses() []Class {
	all := make([]Class, numClasses)
	for c := range all {
		all[c] = Class(c)
	}
	return all
}

// String returns the class's name in price lines and price files.
func (c Class) String() string { return classNames[c] }

// PerCall says that the class is priced per call and not per million tokens.
func (c Class) PerCall() bool { return c >= ClassWebSearch }

// Classes is a set of classes.
type Classes uint16

// Has reports whether the set contains c.
func (s Classes) Has(c Class) bool { return s>>c&1 != 0 }

func (s *Classes) add(c Class) { *s |= 1 << c }

// String lists the classes: "input output".
func (s Classes) String() string {
	var names []string
	for c := range numClasses {
		if s.Has(c) {
			names = append(names, c.String())
		}
	}
	return strings.Join(names, " ")
}

// Rates are the prices of one request.
type Rates struct {
	// Nano-dollars per million tokens.
	Input, CacheRead, CacheWrite, CacheWrite1h  int64
	InputAudio, InputImage, InputVideo          int64
	CacheReadAudio, CacheReadImage              int64
	Output, Reasoning, OutputAudio, OutputImage int64
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
	return [numClasses]*int64{
		&r.Input, &r.CacheRead, &r.CacheWrite, &r.CacheWrite1h, &r.InputAudio, &r.InputImage, &r.InputVideo,
		&r.CacheReadAudio, &r.CacheReadImage,
		&r.Output, &r.Reasoning, &r.OutputAudio, &r.OutputImage, (*int64)(&r.WebSearch), (*int64)(&r.Request),
	}[c]
}

// FallsBack returns the class whose price another has because it has none of its own or the same.
func (r *Rates) FallsBack(c Class) (Class, bool) {
	whole := wholes[c]
	nano, ok := r.Get(c)
	if m, is := media[c]; is {
		if own, known := r.Get(m); known && own != r.Input {
			whole = m
		}
	}
	of, known := r.Get(whole)
	return whole, whole != c && ok && known && of == nano
}

// overlay sets every price that x knows, except those of classes in skip.
func (r *Rates) overlay(x *Rates, skip Classes) {
	for c := range numClasses {
		if nano, ok := x.Get(c); ok && !skip.Has(c) {
			r.Set(c, nano)
		}
	}
}

// complete gives parts without a price the price of their whole, except classes in unknown, which stay without. Cached
// media cost what the media do where that has a price of its own, which is never too little, and else what is read from
// a cache does.
func (r *Rates) complete(unknown Classes) {
	own := r.Known
	for c, whole := range wholes {
		c := Class(c)
		if m, ok := media[c]; ok && own.Has(m) {
			whole = m
		}
		if own.Has(c) || unknown.Has(c) || !r.Known.Has(whole) {
			continue
		}
		nano, _ := r.Get(whole)
		r.Set(c, nano)
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
		if c.PerCall() {
			limit = int64(MaxPerCall)
		}
		if nano, ok := r.Get(c); ok && (nano < 0 || nano > limit) {
			return fmt.Errorf("price of %s must be from 0 to %s dollars, not %s", c, Money(limit), Money(nano))
		}
	}
	return nil
}

// describe writes what is not the same as its whole: "input 2.5 cache_read 1.25 output 10", in dollars.
func (r *Rates) describe() string {
	var b strings.Builder
	for c := range numClasses {
		nano, ok := r.Get(c)
		if _, part := r.FallsBack(c); part || !ok {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(c.String() + " " + Money(nano).String())
	}
	return b.String()
}
