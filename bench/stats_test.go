package main

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestPercentileIsTheNearestRank(t *testing.T) {
	ten := []time.Duration{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for _, tc := range []struct {
		name   string
		values []time.Duration
		p      float64
		want   time.Duration
	}{
		{"the median of ten is the fifth", ten, 0.5, 5},
		{"the 99th percentile of ten is the last", ten, 0.99, 10},
		{"the 90th percentile of ten is the ninth", ten, 0.9, 9},
		{"the lowest is the first", ten, 0, 1},
		{"one value is every percentile", []time.Duration{7}, 0.99, 7},
		{"no value is zero", nil, 0.5, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := percentile(tc.values, tc.p); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
}

func TestQuantileInterpolates(t *testing.T) {
	for _, tc := range []struct {
		name   string
		values []float64
		q      float64
		want   float64
	}{
		{"the median of an odd number is the middle", []float64{9, 1, 5}, 0.5, 5},
		{"the median of an even number is between", []float64{4, 1, 3, 2}, 0.5, 2.5},
		{"the lower quartile", []float64{1, 2, 3, 4, 5}, 0.25, 2},
		{"the highest", []float64{1, 2, 3}, 1, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := slices.Clone(tc.values)
			if got := quantile(tc.values, tc.q); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
			if !slices.Equal(tc.values, before) {
				t.Errorf("the values were reordered: %v", tc.values)
			}
		})
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Errorf("the median of nothing is %v, want NaN", got)
	}
}

func TestPairedRatiosCompareValuesOfTheSameRound(t *testing.T) {
	got := pairedRatios([]float64{1, 4, 9, 9}, []float64{2, 2, 0})
	if want := []float64{0.5, 2}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
