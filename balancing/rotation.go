package balancing

import "sync/atomic"

// rotations is how many sets of candidates are told apart. It is a power of two.
const rotations = 256

// rotation numbers the picks, separately for each set of candidates.
//
// One number for all would be wrong: a retry picks from a smaller set right after the first pick, so every failure
// would advance the number twice, in step with who failed, and starve whoever comes next in line. With a number for
// each set, shares are exact within each set, whatever happens in between. Sets that fall on the same counter share
// it. There is no lock and no bookkeeping of members that come and go.
type rotation struct {
	picks [rotations]atomic.Uint64
}

// next returns how often the set of candidates was asked for before.
func (r *rotation) next(pool []Candidate) uint64 {
	var set uint64
	for i := range pool {
		set += mix(pool[i].ID) // a sum, so that the order does not matter
	}
	return r.picks[mix(set)%rotations].Add(1) - 1
}
