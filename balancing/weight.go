package balancing

// maxWeight bounds what one weight counts for, so that sums and products of weights cannot overflow.
const maxWeight = 1 << 24

// weight is the candidate's configured share as an unsigned number from 1 to maxWeight.
func (c *Candidate) weight() uint64 {
	return uint64(min(max(c.Weight, 1), maxWeight))
}

func totalWeight(pool []Candidate) uint64 {
	var sum uint64
	for i := range pool {
		sum += pool[i].weight()
	}
	return sum
}

// atWeight finds the candidate that owns a position when the candidates are laid end to end, each as long as its
// weight. A position past the end belongs to the last one.
func atWeight(pool []Candidate, position uint64) int {
	for i := range pool {
		w := pool[i].weight()
		if position < w {
			return i
		}
		position -= w
	}
	return len(pool) - 1
}

// weightedRandom draws a candidate with a probability in proportion to its weight.
func weightedRandom(h Hint, pool []Candidate) int {
	if len(pool) < 2 {
		return 0
	}
	return atWeight(pool, below(h.rand(), totalWeight(pool)))
}
