//go:build !race

package balancing

// simRuns is how many runs the percentiles of fastest, and all figures of the table, are taken over.
const simRuns = 6
