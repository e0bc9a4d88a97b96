package balancing

// Parameters of the 64-bit Fowler–Noll–Vo hash, variant 1a.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// Affinity hashes the key that ties requests together, for [Hint.Affinity]. It is the same in every process and
// version, so that all gateways send a session to the same target. It is 0 only for the empty string, which means
// that there is no key.
func Affinity(key string) uint64 {
	if key == "" {
		return 0
	}
	return nonZero(mix(fnv(fnvOffset, key)))
}

// ID hashes the parts of a target's identity, for [Candidate.ID]. Parts are kept apart: ("ab", "c") and ("a", "bc")
// differ. It is the same in every process and never 0.
func ID(parts ...string) uint64 {
	h := uint64(fnvOffset)
	for _, p := range parts {
		h = mix(fnv(h, p) + uint64(len(p)))
	}
	return nonZero(h)
}

func fnv(h uint64, s string) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * fnvPrime
	}
	return h
}

// mix is the finalizer of SplitMix64 (Stafford's variant 13): a bijection in which every bit of the input reaches every
// bit of the output. FNV alone leaves the high bits of short strings nearly constant.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func nonZero(h uint64) uint64 {
	if h == 0 {
		return 1
	}
	return h
}
