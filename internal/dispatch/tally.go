package dispatch

import (
	"time"

	"carillon/internal/job"
)

// buckets returns the upper bounds of the latency histogram, in milliseconds.
func buckets() [5]float64 { return [...]float64{100, 500, 1000, 5000, 10000} }

// A tally counts attempts that have ended since the start, for one kind of target. Its plain
// numbers become metrics when they are collected, because counting is frequent.
type tally struct {
	handled, failed uint64
	undelivered     uint64    // refused because no stream serves the target, or lost with a stream
	took            [5]uint64 // results, by bucket
	sum             float64   // of the milliseconds of all results
}

// ended counts the result of an attempt that took that long.
func (c *tally) ended(o job.Outcome, took time.Duration) {
	if o == job.Handled {
		c.handled++
	} else {
		c.failed++
	}
	ms := float64(took) / float64(time.Millisecond)
	c.sum += ms
	for i, bound := range buckets() {
		if ms <= bound {
			c.took[i]++
			break
		}
	}
}

// latency returns the cumulative histogram.
func (c *tally) latency() map[float64]uint64 {
	h, n := make(map[float64]uint64, len(c.took)), uint64(0)
	for i, bound := range buckets() {
		n += c.took[i]
		h[bound] = n
	}
	return h
}
