package bench

import (
	"math"
	"slices"
	"time"
)

// percentile returns the least of the values that at least the share p of them do not exceed, and 0 if there are none.
// The values are in ascending order; p is from 0 to 1.
func percentile(values []time.Duration, p float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	rank := int(math.Ceil(p * float64(len(values))))
	return values[min(max(rank, 1), len(values))-1]
}

// median returns the middle of the values, and 0 if there are none.
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

// mean returns the average of the values, and 0 if there are none.
func mean(values ...float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(max(len(values), 1))
}

// in returns d in units of that many nanoseconds.
func in(unit, d time.Duration) float64 { return float64(d) / float64(unit) }

// spread returns the figures of a distribution.
func spread(what string, values []time.Duration) []Figure {
	slices.Sort(values)
	figures := make([]Figure, 0, 3)
	for _, p := range []struct {
		name  string
		share float64
	}{{"p50", 0.5}, {"p99", 0.99}, {"max", 1}} {
		figures = append(figures, Figure{what + " " + p.name, in(time.Millisecond, percentile(values, p.share)), "ms"})
	}
	return figures
}

// sorted returns the values in ascending order; it sorts them in place.
func sorted(values []time.Duration) []time.Duration {
	slices.Sort(values)
	return values
}
