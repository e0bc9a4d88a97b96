package main

import (
	"math"
	"slices"
	"time"
)

// percentile returns the value that a fraction p of the sorted values does not exceed (nearest rank); 0 for none.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(p * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// median returns the middle value, or the mean of the two in the middle; NaN for none.
func median(values []float64) float64 { return quantile(values, 0.5) }

// quantile interpolates between the two nearest values; NaN for none.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

// pairedRatios divides the values of the same round: what disturbed the machine in a round disturbed both.
func pairedRatios(values, base []float64) []float64 {
	n := min(len(values), len(base))
	ratios := make([]float64, 0, n)
	for i := range n {
		if base[i] > 0 {
			ratios = append(ratios, values[i]/base[i])
		}
	}
	return ratios
}
