//go:build race

package balancing

// simRuns is one under the race detector, which takes its time and has nothing to find in a simulation without goroutines.
// One run is too few for percentiles to be compared.
const simRuns = 1
