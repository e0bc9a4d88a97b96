package balancing

import (
	"math/bits"
	"math/rand/v2"
)

// Rand returns a pseudo-random number from the runtime's per-thread generators, which need no lock. It is what
// [Hint.Rand] holds outside of tests.
func Rand() uint64 { return rand.Uint64() }

// rand draws from the hint's source, or from the default one when the hint has none.
func (h Hint) rand() uint64 {
	if h.Rand == nil {
		return Rand()
	}
	return h.Rand()
}

// below maps a random number onto [0, n) by taking the high half of the product, which is cheaper than a division and
// keeps the order of r. The bias is at most n/2^64. It returns 0 for n = 0.
func below(r, n uint64) uint64 {
	hi, _ := bits.Mul64(r, n)
	return hi
}
