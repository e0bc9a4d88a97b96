//go:build !race

package integration

const (
	faultRace   = false
	corpusEvery = 1
)
