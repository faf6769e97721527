package bench

import (
	"math"
	"slices"
	"time"
)

// percentile returns the p-quantile of the values by the nearest-rank method; 0 without values. The
// values are in ascending order; p is from 0 to 1.
func percentile(values []time.Duration, p float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	rank := int(math.Ceil(p * float64(len(values))))
	return values[min(max(rank, 1), len(values))-1]
}

// median returns the median of the values; 0 without values.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[half-1] + sorted[half]) / 2
	}
	return sorted[half]
}

// mean returns the mean of the values; 0 without values.
func mean(values ...float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(max(len(values), 1))
}

// in returns d in the unit.
func in(unit, d time.Duration) float64 { return float64(d) / float64(unit) }

// sorted returns the values in ascending order; it sorts them in place.
func sorted(values []time.Duration) []time.Duration {
	slices.Sort(values)
	return values
}
