package bench

import (
	"slices"
	"time"
)

// A Figure is a number with a name.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// spread returns the median, the p99 and the maximum of the values.
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
