package accounting

import (
	"math"
	"math/bits"
)

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

// Count returns how much of a class was used. Requests are not counted: see [Price.Cost].
func (u *Usage) Count(c Class) int64 {
	return [numClasses]int64{
		u.Input, u.CacheRead, u.CacheWrite, u.CacheWrite1h, u.InputAudio, u.InputImage, u.InputVideo,
		u.CacheReadAudio, u.CacheReadImage,
		u.Output, u.Reasoning, u.OutputAudio, u.OutputImage, u.WebSearches, 0,
	}[c]
}

// Classes returns what was used.
func (u *Usage) Classes() Classes {
	var s Classes
	for c, n := range [...]int64{
		u.Input, u.CacheRead, u.CacheWrite, u.CacheWrite1h, u.InputAudio, u.InputImage, u.InputVideo,
		u.CacheReadAudio, u.CacheReadImage,
		u.Output, u.Reasoning, u.OutputAudio, u.OutputImage, u.WebSearches,
	} {
		if n > 0 {
			s.add(Class(c))
		}
	}
	return s
}
