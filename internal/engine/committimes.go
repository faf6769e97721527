package engine

import (
	"slices"
	"sync/atomic"
	"time"
)

// maxCommitTimes is how many durations a commitTimes remembers.
const maxCommitTimes = 256

// A commitTimes remembers how long the last commits of all loops took. It is safe for concurrent
// use.
type commitTimes struct {
	count atomic.Uint64
	took  [maxCommitTimes]atomic.Int64 // in nanoseconds; the oldest is overwritten
}

func (c *commitTimes) observe(took time.Duration) {
	n := c.count.Add(1) - 1
	c.took[n%maxCommitTimes].Store(int64(took))
}

// quantiles returns the median and the 99th percentile, and how many commits they are about.
func (c *commitTimes) quantiles() (count int, p50, p99 time.Duration) {
	count = int(min(c.count.Load(), maxCommitTimes))
	if count == 0 {
		return 0, 0, 0
	}
	all := make([]int64, count)
	for i := range all {
		all[i] = c.took[i].Load()
	}
	slices.Sort(all)
	at := func(percent int) time.Duration { return time.Duration(all[(count*percent+99)/100-1]) }
	return count, at(50), at(99)
}
