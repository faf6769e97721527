package engine

import (
	"context"
	"time"
)

// The wait before partitions are loaded again doubles from the first to the second.
const (
	minBackoff = 10 * time.Millisecond
	maxBackoff = 5 * time.Second
)

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
