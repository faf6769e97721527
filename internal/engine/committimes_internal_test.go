package engine

import (
	"testing"
	"time"
)

func TestCommitTimesAreOfTheLastCommits(t *testing.T) {
	var c commitTimes
	if n, p50, p99 := c.quantiles(); n != 0 || p50 != 0 || p99 != 0 {
		t.Errorf("before the first commit: %d, %v, %v", n, p50, p99)
	}
	c.observe(time.Second)
	if n, p50, p99 := c.quantiles(); n != 1 || p50 != time.Second || p99 != time.Second {
		t.Errorf("after one commit: %d, %v, %v", n, p50, p99)
	}
	for i := range maxCommitTimes {
		c.observe(time.Duration(maxCommitTimes-i) * time.Millisecond)
	}
	if n, p50, p99 := c.quantiles(); n != 256 || p50 != 128*time.Millisecond || p99 != 254*time.Millisecond {
		t.Errorf("after many commits: %d, %v, %v, want 256, 128ms, 254ms: the first is forgotten", n, p50, p99)
	}
}
